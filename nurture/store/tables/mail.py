"""What leaves: the outbox, its attempts, what came of them, ways that are closed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from nurture.store.tables import column


class MessageRow(SQLModel, table=True):
    """The outbox. `pending` by release (engine) · `claimed` by dispatch · `sending` by the wire gate, with an attempt
    row · `sent`, `failed` by an outcome · back to `pending` by a retry or an ended lease · `unknown` by a drop after
    the last dot or an ended lease, left only by policy or a person · `cancelled` by goal, exit, withdrawal, erasure,
    new address."""

    __tablename__ = "messages"
    __table_args__ = (
        Index("uq_messages_key", "enrollment_id", "step", "visit", unique=True),
        Index(
            "ix_messages_pending",
            "lane",
            "due",
            "id",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_messages_due",
            "due",
            "id",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        # What people wait for, which is claimed first: few rows, however many others are pending.
        Index(
            "ix_messages_service",
            "due",
            "id",
            sqlite_where=text("state = 'pending' AND service = 1"),
            postgresql_where=text("state = 'pending' AND service"),
        ),
        Index(
            "ix_messages_leased",
            "lease_until",
            sqlite_where=text("state IN ('claimed', 'sending')"),
            postgresql_where=text("state IN ('claimed', 'sending')"),
        ),
        Index("ix_messages_lead_released", "lead_id", "released_at"),
        {"sqlite_autoincrement": True},  # links and envelope senders hold the id
    )
    id: int | None = column.key()
    lead_id: int | None = column.ref(default=None)
    shard: int
    enrollment_id: int | None = column.ref(default=None)
    campaign: str | None = column.text(default=None)
    version: str | None = column.text(default=None)
    step: str | None = column.text(default=None)
    visit: int = 0
    kind: str = column.text(default="mail")  # mail · notice (to a colleague) · confirm · call (webhook) · test
    template: str | None = column.text(default=None)
    template_hash: str | None = column.text(default=None)
    service: bool = False
    topic: str | None = column.text(default=None)
    recipient: str | None = column.text(default=None)  # of a notice; a mail takes the lead's address when it is claimed
    options: dict[str, Any] = column.json(
        default_factory=dict, nullable=False
    )  # subject, from, reply_to, utm, a call's body…
    lane: str = column.text(default="other")
    state: str = column.text(default="pending")
    reason: str | None = column.text(default=None)
    due: datetime = column.instant()  # not before
    released_at: datetime = column.instant()
    expires_at: datetime | None = column.instant(default=None)
    attempts: int = 0
    fence: int = column.ref(default=0)  # raised by every claim; every later write names it
    lease_until: datetime | None = column.instant(default=None)  # machine time
    worker: str | None = column.text(default=None)  # who claimed it last
    mailed_to: str | None = column.text(default=None)  # keyed hash of the address it was put on the wire for last
    mail_id: str | None = column.text(default=None)  # Message-ID without brackets, equal on all attempts (E6)
    dated: datetime | None = column.instant(default=None)  # Date header, fixed at the first render
    sha256: str | None = column.text(default=None)
    body: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    sent_at: datetime | None = column.instant(default=None)
    opened_at: datetime | None = column.instant(default=None)
    clicked_at: datetime | None = column.instant(default=None)
    bounced_at: datetime | None = column.instant(default=None)
    bounce: str | None = column.text(default=None)  # its kind: hard, likely, quota, soft… (mail.outcome.Kind)
    complained_at: datetime | None = column.instant(default=None)
    replied_at: datetime | None = column.instant(default=None)
    answer: dict[str, Any] | None = column.json(default=None, nullable=True)  # of a call


class LinkRow(SQLModel, table=True):
    """Where the counted links of one mail lead: a redirect goes to nothing else (trust X10)."""

    __tablename__ = "message_links"
    message_id: int = column.ref(primary_key=True)
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    url: str = column.text()


class HitRow(SQLModel, table=True):
    """A click or an opening as it came in, machines' too (trust C21); written only while the lead agrees to it.
    `visitor` is a keyed hash of the network address."""

    __tablename__ = "hits"
    __table_args__ = (
        Index("ix_hits_message_id", "message_id", "at"),
        Index("ix_hits_lead_id", "lead_id"),
        Index("ix_hits_new", "id", sqlite_where=text("NOT counted"), postgresql_where=text("NOT counted")),
    )
    id: int | None = column.key()
    lead_id: int = column.ref()
    message_id: int = column.ref()
    kind: str = column.text()  # click · open
    position: int | None = None
    at: datetime = column.instant()
    visitor: str | None = column.text(default=None)
    suspected_bot: str | None = column.text(default=None)  # why it is taken for a machine
    counted: bool = False  # judged, and where it was a person's, told to campaigns; by engine.tracking


class AttemptRow(SQLModel, table=True):
    """Committed before the wire (trust R3). Without an end, the attempt's outcome is not known."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_message_id", "message_id"),)
    id: int | None = column.key()
    message_id: int = column.ref()
    fence: int = column.ref()
    worker: str = column.text()
    started_at: datetime = column.instant()
    ended_at: datetime | None = column.instant(default=None)
    phase: str | None = column.text(default=None)
    code: int | None = None
    enhanced: str | None = column.text(default=None)
    text: str | None = column.text(default=None)
    outcome: str | None = column.text(default=None)


class ClosureRow(SQLModel, table=True):
    """A way that is closed, or that begins to complain: a mail `server` (by a digest of its settings), a `sender`
    (From address), a `destination` (lane) or a `domain`. Closed by `delivery.judging` until `until` (machine time);
    `strikes` are the instants of the replies that count towards that. Gone when a mail has passed, or by a person."""

    __tablename__ = "closures"
    scope: str = column.text(primary_key=True)
    name: str = column.text(primary_key=True)
    strikes: list[str] = column.json(default_factory=list, nullable=False)
    since: datetime | None = column.instant(default=None)
    until: datetime | None = column.instant(default=None)
    rule: str | None = column.text(default=None)
    reason: str | None = column.text(default=None)


messages = MessageRow.__table__  # type: ignore[attr-defined]
message_links = LinkRow.__table__  # type: ignore[attr-defined]
hits = HitRow.__table__  # type: ignore[attr-defined]
attempts = AttemptRow.__table__  # type: ignore[attr-defined]
closures = ClosureRow.__table__  # type: ignore[attr-defined]
