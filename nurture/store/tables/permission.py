"""Whether we may write to them: consent and its ledger, suppressions, what was done about their rights."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import SQLModel

from nurture.store.tables import column


class ConsentRow(SQLModel, table=True):
    """The present state per lead and topic, folded from the ledger by `engine.consent` alone:
    none → requested → granted → withdrawn; expired; objected."""

    __tablename__ = "consents"
    lead_id: int = column.ref(primary_key=True)
    topic: str = column.text(primary_key=True)
    state: str = column.text()
    since: datetime = column.instant()
    basis: str | None = column.text(default=None)
    expires_at: datetime | None = column.instant(default=None)
    requests: int = 0  # confirmation mails asked for since the last answer
    requested_at: datetime | None = column.instant(default=None)
    # Of a soft opt-in, the sale it rests on, as `lead.soft_opt_in` judges it.
    sale_kind: str | None = column.text(default=None)
    sale_reference: str | None = column.text(default=None)
    sold_at: datetime | None = column.instant(default=None)
    objection_offered: bool = False


class LedgerRow(SQLModel, table=True):
    """Append-only proof. Every column but `id` is bound by `hash`, which chains over `prev` per subject (trust C4)."""

    __tablename__ = "consent_ledger"
    __table_args__ = (UniqueConstraint("subject", "ordinal"), Index("ix_consent_ledger_lead_id", "lead_id"))
    id: int | None = column.key()
    subject: str = column.text()  # random pseudonym of the person; survives erasure without naming anyone
    ordinal: int  # 1, 2, 3… within the subject
    lead_id: int | None = column.ref(default=None)
    event: str = (
        column.text()
    )  # requested confirmed refused withdrawn renewed expired imported objection erased granted
    topic: str | None = column.text(default=None)  # None: all of that channel
    channel: str = column.text(default="email")
    basis: str | None = column.text(default=None)
    jurisdiction: str | None = column.text(default=None)
    wording: str | None = column.text(default=None)
    wording_hash: str | None = column.text(default=None)
    wording_version: str | None = column.text(default=None)
    locale: str | None = column.text(default=None)
    notice: str | None = column.text(default=None)
    page: str | None = column.text(default=None)
    method: str = column.text()
    actor: str = column.text()
    source: str | None = column.text(default=None)
    ip: str | None = column.text(default=None)
    user_agent: str | None = column.text(default=None)
    evidence: dict[str, Any] | None = column.json(default=None, nullable=True)
    controller: str | None = column.text(default=None)
    occurred_at: datetime = column.instant()
    recorded_at: datetime = column.instant()
    prev: str = column.text()
    hash: str = column.text()


class LedgerHeadRow(SQLModel, table=True):
    """The guarded end of each subject's chain: how many entries, the last hash, and a MAC over both by the secret."""

    __tablename__ = "consent_ledger_heads"
    subject: str = column.text(primary_key=True)
    lead_id: int | None = column.ref(default=None, index=True)
    entries: int
    hash: str = column.text()
    mac: str = column.text()


class SuppressionRow(SQLModel, table=True):
    """Addresses that get nothing (`all`), no marketing (`marketing`) or nothing on a topic (`topic:NAME`), by keyed
    hash, so that it outlives erasure."""

    __tablename__ = "suppressions"
    address_hash: str = column.text(primary_key=True)
    scope: str = column.text(primary_key=True)
    reason: str = column.text()
    at: datetime = column.instant()


class PrivacyActionRow(SQLModel, table=True):
    """Who did what about a person's rights, when and why (trust C31). Names nobody: `lead_id` is a number that, after
    an erasure, leads nowhere; `detail` holds counts."""

    __tablename__ = "privacy_actions"
    id: int | None = column.key()
    at: datetime = column.instant()
    what: str = (
        column.text()
    )  # export erase restrict unrestrict rectify pause unpause profiling retention replay, "asked …"
    actor: str = column.text()
    lead_id: int | None = column.ref(default=None)
    reason: str | None = column.text(default=None)
    detail: dict[str, Any] = column.json(default_factory=dict, nullable=False)


consents = ConsentRow.__table__  # type: ignore[attr-defined]
consent_ledger = LedgerRow.__table__  # type: ignore[attr-defined]
consent_ledger_heads = LedgerHeadRow.__table__  # type: ignore[attr-defined]
suppressions = SuppressionRow.__table__  # type: ignore[attr-defined]
privacy_actions = PrivacyActionRow.__table__  # type: ignore[attr-defined]
