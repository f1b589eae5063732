"""What they did: events in order of acceptance, by shard."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from nurture.store.tables import column


class EventRow(SQLModel, table=True):
    """Something a lead did, or the engine's own (a name with a dot).

    `seq` is the order of acceptance within the shard, given by the reaction pass; NULL until then, and conditions do
    not see such a row. `fact` marks what came too late, or by import, to open, settle or wake anything (S2).
    """

    __tablename__ = "events"
    __table_args__ = (
        # (lead, name, at): with (name, lead, at) a cohort query did not end in 85 s. With `seq` conditions need not
        # read the rows: half as many answers again a second.
        Index("ix_events_lead_name_at", "lead_id", "name", "at", "seq"),
        Index("ix_events_unseen", "id", sqlite_where=text("seq IS NULL"), postgresql_where=text("seq IS NULL")),
        Index("ix_events_new", "shard", "id", sqlite_where=text("seq IS NULL"), postgresql_where=text("seq IS NULL")),
    )
    id: int | None = column.key()
    lead_id: int = column.ref()
    shard: int
    name: str = column.text()
    at: datetime = column.instant()
    accepted_at: datetime = column.instant()
    seq: int | None = column.ref(default=None)
    fact: bool = False
    source: str = column.text(default="api")
    properties: dict[str, Any] = column.json(default_factory=dict, nullable=False)


class EventKeyRow(SQLModel, table=True):
    """What was already accepted: one row per (source, message id), with a hash of the body to tell a replay from a
    clash; kept for a retention, not for ever."""

    __tablename__ = "event_keys"
    __table_args__ = (Index("ix_event_keys_received_at", "received_at"),)
    source: str = column.text(primary_key=True)
    message_id: str = column.text(primary_key=True)
    body_hash: str = column.text()
    received_at: datetime = column.instant()


class ShardRow(SQLModel, table=True):
    """One row per shard: the last `seq` given out. Locked by the reaction pass of that shard."""

    __tablename__ = "shards"
    shard: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    seq: int = column.ref(default=0)


events = EventRow.__table__  # type: ignore[attr-defined]
event_keys = EventKeyRow.__table__  # type: ignore[attr-defined]
shards = ShardRow.__table__  # type: ignore[attr-defined]
