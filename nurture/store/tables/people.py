"""Who we talk to, and where they stand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import SQLModel

from nurture.store.tables import column


class LeadRow(SQLModel, table=True):
    """A person. `canonical` is the address as suppression compares it (trust C27), `address_hash` its keyed hash."""

    __tablename__ = "leads"
    __table_args__ = (
        Index("uq_leads_canonical", "canonical", unique=True),
        Index("ix_leads_account_id", "account_id"),
        Index("ix_leads_shard", "shard", "id"),
        Index("ix_leads_address_hash", "address_hash"),
        # Links in mails hold the id for ever: after an erasure nobody else may get it.
        {"sqlite_autoincrement": True},
    )
    id: int | None = column.key()
    shard: int = 0
    external_id: str | None = column.text(default=None)
    email: str | None = column.text(default=None)
    canonical: str | None = column.text(default=None)
    address_hash: str | None = column.text(default=None)
    first_name: str | None = column.text(default=None)
    last_name: str | None = column.text(default=None)
    name: str | None = column.text(default=None)
    phone: str | None = column.text(default=None)
    country: str | None = column.text(default=None)
    locale: str | None = column.text(default=None)
    zone: str | None = column.text(default=None)  # IANA name; None is the project's
    source: str | None = column.text(default=None)
    owner: str | None = column.text(default=None)
    account_id: int | None = column.ref(default=None)
    attributes: dict[str, Any] = column.json(default_factory=dict, nullable=False)
    created_at: datetime = column.instant()
    changed_at: datetime = column.instant()
    restricted: bool = False  # GDPR 18: kept, not used; set and lifted by the privacy commands
    unprofiled: bool = False  # objected to profiling (GDPR 21): no score; moved with the topic `profiling`
    paused_until: datetime | None = column.instant(default=None)  # no marketing before; set by the preference centre


class IdentityRow(SQLModel, table=True):
    """How callers name a lead: their own id (`external`) or a browser's (`anonymous`). One lead may have many."""

    __tablename__ = "identities"
    __table_args__ = (Index("ix_identities_lead_id", "lead_id"),)
    kind: str = column.text(primary_key=True)
    value: str = column.text(primary_key=True)
    lead_id: int = column.ref()


class AccountRow(SQLModel, table=True):
    __tablename__ = "accounts"
    id: int | None = column.key()
    external_id: str = column.text(unique=True)
    attributes: dict[str, Any] = column.json(default_factory=dict, nullable=False)


class TagRow(SQLModel, table=True):
    __tablename__ = "lead_tags"
    lead_id: int = column.ref(primary_key=True)
    tag: str = column.text(primary_key=True)


class ScoreRow(SQLModel, table=True):
    """The decaying part of a score: `value` as of `at`; the part from conditions is computed when asked.

    `above` names the thresholds the lead stands above (S31); moved by the scoring of the reaction pass.
    """

    __tablename__ = "lead_scores"
    lead_id: int = column.ref(primary_key=True)
    score: str = column.text(primary_key=True)
    value: float = 0.0
    at: datetime = column.instant()
    above: list[str] = column.json(default_factory=list, nullable=False)


class StageRow(SQLModel, table=True):
    """Where the lead stands in each funnel; moved by `engine.stages` alone."""

    __tablename__ = "lead_stages"
    __table_args__ = (Index("ix_lead_stages_stage", "stage", "since"),)
    lead_id: int = column.ref(primary_key=True)
    funnel: str = column.text(primary_key=True)
    stage: str = column.text()
    since: datetime = column.instant()


class StageMoveRow(SQLModel, table=True):
    """History of stages; `cause` is rule, campaign, api, person or import."""

    __tablename__ = "stage_moves"
    __table_args__ = (
        Index("ix_stage_moves_funnel", "funnel", "to_stage", "at"),
        Index("ix_stage_moves_lead_id", "lead_id", "at"),
    )
    id: int | None = column.key()
    lead_id: int = column.ref()
    funnel: str = column.text()
    from_stage: str | None = column.text(default=None)
    to_stage: str = column.text()
    at: datetime = column.instant()
    cause: str = column.text()
    reason: str | None = column.text(default=None)
    enrollment_id: int | None = column.ref(default=None)


leads = LeadRow.__table__  # type: ignore[attr-defined]
identities = IdentityRow.__table__  # type: ignore[attr-defined]
accounts = AccountRow.__table__  # type: ignore[attr-defined]
lead_tags = TagRow.__table__  # type: ignore[attr-defined]
lead_scores = ScoreRow.__table__  # type: ignore[attr-defined]
lead_stages = StageRow.__table__  # type: ignore[attr-defined]
stage_moves = StageMoveRow.__table__  # type: ignore[attr-defined]
