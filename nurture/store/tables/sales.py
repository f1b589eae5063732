"""Deals, and whose turn it is."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import SQLModel

from nurture.store.tables import column


class DealRow(SQLModel, table=True):
    __tablename__ = "deals"
    __table_args__ = (Index("ix_deals_lead_id", "lead_id"), Index("ix_deals_pipeline", "pipeline", "stage"))
    id: int | None = column.key()
    external_id: str | None = column.text(default=None, unique=True)
    lead_id: int = column.ref()
    pipeline: str = column.text()
    stage: str | None = column.text(default=None)
    amount: float | None = None
    currency: str | None = column.text(default=None)
    owner: str | None = column.text(default=None)
    opened_at: datetime | None = column.instant(default=None)
    closed_at: datetime | None = column.instant(default=None)
    outcome: str = column.text(default="open")  # open → won | lost, by engine.deals
    reason: str | None = column.text(default=None)


class DealMoveRow(SQLModel, table=True):
    __tablename__ = "deal_moves"
    __table_args__ = (Index("ix_deal_moves_deal_id", "deal_id", "at"),)
    id: int | None = column.key()
    deal_id: int = column.ref()
    from_stage: str | None = column.text(default=None)
    to_stage: str = column.text()
    at: datetime = column.instant()


class TurnRow(SQLModel, table=True):
    """How many turns each team has taken, for `assign`."""

    __tablename__ = "team_turns"
    team: str = column.text(primary_key=True)
    taken: int = 0


deals = DealRow.__table__  # type: ignore[attr-defined]
deal_moves = DealMoveRow.__table__  # type: ignore[attr-defined]
team_turns = TurnRow.__table__  # type: ignore[attr-defined]
