"""What `nurture doctor` reads of a database: figures that say whether something stands still. Only reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text

from nurture.store.database import Database, Transaction
from nurture.store.tables import enrollments, events, leads, messages, sweeps


@dataclass(frozen=True, slots=True)
class Health:
    """Counts, and the oldest instant of what waits. `parked` by error."""

    leads: int
    parked: dict[str, int]
    unknown: int
    failed: dict[str, int]
    pending: int
    oldest_pending: datetime | None
    overdue: int
    oldest_overdue: datetime | None
    unread: int
    oldest_unread: datetime | None
    sweeps: int


def read_health(tx: Transaction, now: datetime) -> Health:
    """All figures, each by an index or one scan of what is open."""
    e, m, v = enrollments.c, messages.c, events.c
    parked = tx.execute(
        select(func.coalesce(e.error, ""), func.count()).where(e.state == "parked").group_by(e.error).order_by(e.error)
    )
    failed = tx.execute(
        select(func.coalesce(m.reason, ""), func.count())
        .where(m.state == "failed", m.released_at > now - timedelta(days=7))
        .group_by(m.reason)
        .order_by(func.count().desc())
        .limit(5)
    )
    pending = tx.execute(select(func.count(), func.min(m.due)).where(m.state == "pending", m.due <= now)).one()
    overdue = tx.execute(select(func.count(), func.min(e.wake)).where(e.state == "waiting", e.wake <= now)).one()
    unread = tx.execute(select(func.count(), func.min(v.accepted_at)).where(v.seq.is_(None))).one()
    return Health(
        leads=tx.execute(select(func.count()).select_from(leads)).scalar() or 0,
        parked={row[0]: row[1] for row in parked},
        unknown=tx.execute(select(func.count()).where(m.state == "unknown")).scalar() or 0,
        failed={row[0]: row[1] for row in failed},
        pending=pending[0],
        oldest_pending=pending[1],
        overdue=overdue[0],
        oldest_overdue=overdue[1],
        unread=unread[0],
        oldest_unread=unread[1],
        sweeps=tx.execute(select(func.count()).select_from(sweeps)).scalar() or 0,
    )


def server_now(database: Database) -> datetime | None:
    """The clock of a PostgreSQL server; None for a file."""
    if database.is_sqlite:
        return None
    with database.read() as tx:
        found: datetime | None = tx.execute(text("SELECT clock_timestamp()")).scalar()
    return found


def damaged(database: Database) -> str | None:
    """What SQLite's own check finds; None where all is well, or for a server."""
    if not database.is_sqlite:
        return None
    with database.read() as tx:
        verdict = str(tx.execute(text("PRAGMA quick_check")).scalar())
    return None if verdict == "ok" else verdict
