"""Where leads are in campaigns, what time will do to them, and why it was so decided."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import SQLModel

from nurture.store.tables import column


class EnrollmentRow(SQLModel, table=True):
    """One lead in one version of one campaign. States and movers: journey.enrollment.

    `due` is when the present step should happen (S16), `wake` when it is looked at next (a deferral moves only it).
    """

    __tablename__ = "enrollments"
    __table_args__ = (
        Index(
            "uq_enrollments_open",
            "campaign",
            "lead_id",
            "key",
            unique=True,
            sqlite_where=text("state IN ('waiting', 'parked')"),
            postgresql_where=text("state IN ('waiting', 'parked')"),
        ),
        Index("ix_enrollments_lead_id", "lead_id", "campaign"),
        Index(
            "ix_enrollments_wake",
            "shard",
            "wake",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_enrollments_version", "campaign", "version", "state", "step"),
    )
    id: int | None = column.key()
    lead_id: int = column.ref()
    shard: int
    campaign: str = column.text()
    version: str = column.text()
    key: str = column.text(default="")
    state: str = column.text(default="waiting")
    reason: str | None = column.text(default=None)  # of the end
    step: str | None = column.text(default=None)  # id of the step it stands on
    visit: int = 0  # raised each time a step is left; part of a message's unique key
    due: datetime | None = column.instant(default=None)
    reached: datetime | None = column.instant(default=None)
    wake: datetime | None = column.instant(default=None)
    held: str | None = column.text(default=None)  # reason of the present deferral
    entered_at: datetime = column.instant()
    entry_event: int | None = column.ref(default=None)
    entry_at: datetime = column.instant()  # `at` of the entry event: a goal before it credits nothing (S4)
    entry: dict[str, Any] = column.json(default_factory=dict, nullable=False)
    data: dict[str, Any] = column.json(default_factory=dict, nullable=False)
    arms: dict[str, str] = column.json(default_factory=dict, nullable=False)
    loops: dict[str, int] = column.json(default_factory=dict, nullable=False)
    done: list[str] = column.json(default_factory=list, nullable=False)
    revision: int = 0  # every write names the one it read
    ended_at: datetime | None = column.instant(default=None)
    value: float | None = None
    currency: str | None = column.text(default=None)
    error: str | None = column.text(default=None)  # of a parked one


class TimerRow(SQLModel, table=True):
    """An instant at which something of a lead is looked at: `settle`, `date`, `schedule`, `look` (a condition that time
    alone may turn), `recycle`. `due` NULL is a key closed for good (S7)."""

    __tablename__ = "timers"
    __table_args__ = (
        UniqueConstraint("lead_id", "kind", "owner", "key"),
        Index(
            "ix_timers_due",
            "shard",
            "due",
            sqlite_where=text("due IS NOT NULL"),
            postgresql_where=text("due IS NOT NULL"),
        ),
    )
    id: int | None = column.key()
    lead_id: int = column.ref()
    shard: int
    kind: str = column.text()
    owner: str = column.text()  # a campaign's name, or "enrollment:ID"
    key: str = column.text(default="")
    due: datetime | None = column.instant(default=None)
    event_id: int | None = column.ref(default=None)  # of a settle: the event with the greatest `at`
    at: datetime | None = column.instant(default=None)  # that event's `at`; of a date: its instant before catch-up


class MatchRow(SQLModel, table=True):
    """For whom a campaign's `match` was true when last looked at (S12)."""

    __tablename__ = "matches"
    campaign: str = column.text(primary_key=True)
    lead_id: int = column.ref(primary_key=True)
    since: datetime = column.instant()


class SweepRow(SQLModel, table=True):
    """A walk over all leads that a deploy asked for (arming dates and schedules, the baseline of a match), page by
    page; moved on and deleted by the worker."""

    __tablename__ = "sweeps"
    id: int | None = column.key()
    campaign: str = column.text()
    shard: int
    after_lead: int = column.ref(default=0)
    first: bool = False  # the campaign's first deploy
    asked_at: datetime = column.instant()


class DecisionRow(SQLModel, table=True):
    """Why: everything that was decided about a lead, with what it saw."""

    __tablename__ = "decisions"
    __table_args__ = (
        Index("ix_decisions_lead_id", "lead_id", "id"),
        Index("ix_decisions_enrollment_id", "enrollment_id"),
        # What was decided against, for `why` of a whole campaign. The many other decisions are not in it.
        Index(
            "ix_decisions_kept",
            "campaign",
            "what",
            "reason",
            "step",
            sqlite_where=text("what IN ('not_entered', 'refused', 'skipped')"),
            postgresql_where=text("what IN ('not_entered', 'refused', 'skipped')"),
        ),
    )
    id: int | None = column.key()
    lead_id: int = column.ref()
    enrollment_id: int | None = column.ref(default=None)
    campaign: str = column.text()
    version: str | None = column.text(default=None)
    step: str | None = column.text(default=None)
    at: datetime = column.instant()
    what: str = column.text()  # entered not_entered released refused skipped deferred moved move_refused branch … ended
    reason: str | None = column.text(default=None)
    inputs: dict[str, Any] | None = column.json(default=None, nullable=True)


enrollments = EnrollmentRow.__table__  # type: ignore[attr-defined]
timers = TimerRow.__table__  # type: ignore[attr-defined]
matches = MatchRow.__table__  # type: ignore[attr-defined]
sweeps = SweepRow.__table__  # type: ignore[attr-defined]
decisions = DecisionRow.__table__  # type: ignore[attr-defined]
