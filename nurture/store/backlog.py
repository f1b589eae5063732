"""How far behind the work is, when something is due next, who works at it, and whether the database can be written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from nurture.store import closures, versions
from nurture.store.database import Transaction, upserting
from nurture.store.events import oldest_waiting
from nurture.store.tables import enrollments, events, messages, timers, workers

ENDPOINT = "endpoint"
INTERVAL = timedelta(seconds=30)  # between two signs of life of a worker, in machine time
SILENT = 2 * INTERVAL  # whose last one is older hangs, or is gone (trust R16)
_FORGOTTEN = timedelta(hours=1)  # after which a worker that was killed is no longer missed by those that live


@dataclass(frozen=True, slots=True)
class Backlog:
    """Since when the oldest of each kind waits, None where none does. `messages` counts those not at an end."""

    events_since: datetime | None
    messages_since: datetime | None
    enrollments_since: datetime | None
    newest: datetime | None
    messages: dict[str, int]
    parked: int
    stopped: dict[str, str]  # campaigns that were paused by themselves, with the reason (trust E27, R19)
    closed: list[tuple[str, str]]  # ways out that are closed (trust E15)
    beats: list[datetime]  # when the work of each worker that did not end in good order was last seen to move


def backlog(tx: Transaction, now: datetime) -> Backlog:
    """Each figure comes from an index over what is not done yet."""
    m, e = messages.c, enrollments.c
    waiting = select(func.min(m.due)).where(m.state == "pending", m.due <= now)
    steps = select(func.min(e.wake)).where(e.state == "waiting", e.wake <= now)
    counted = (
        select(m.state, func.count()).where(m.state.in_(("pending", "claimed", "sending", "unknown"))).group_by(m.state)
    )
    return Backlog(
        events_since=oldest_waiting(tx),
        messages_since=tx.execute(waiting).scalar(),
        enrollments_since=tx.execute(steps).scalar(),
        newest=tx.execute(select(events.c.accepted_at).order_by(events.c.id.desc()).limit(1)).scalar(),
        messages={row[0]: row[1] for row in tx.execute(counted)},
        parked=tx.execute(select(func.count()).where(e.state == "parked")).scalar() or 0,
        stopped=versions.stopped(tx),
        closed=list(closures.standing(tx)),
        beats=list(tx.execute(select(workers.c.beat_at).where(workers.c.id != ENDPOINT)).scalars()),
    )


def next_due(tx: Transaction) -> datetime | None:
    """The earliest instant at which anything is to be done by itself: a step, a timer, a message; None where nothing
    is. Each from the index its pass reads by."""
    m, e = messages.c, enrollments.c
    waiting = (
        select(func.min(e.wake)).where(e.state == "waiting"),
        select(func.min(timers.c.due)).where(timers.c.due.is_not(None)),
        select(func.min(m.due)).where(m.state == "pending"),
    )
    return min((at for query in waiting if (at := tx.execute(query).scalar()) is not None), default=None)


def prove_writable(tx: Transaction, now: datetime) -> None:
    """Write one small row, which a full or read-only disk refuses."""
    _beat(tx, ENDPOINT, now, {"kind": ENDPOINT})


def beat(tx: Transaction, worker: str, at: datetime) -> None:
    """The work of this worker was seen to move at `at`, machine time. Those silent for an hour are forgotten."""
    tx.execute(delete(workers).where(workers.c.beat_at < at - _FORGOTTEN))
    _beat(tx, worker, at, {})


def leave(tx: Transaction, worker: str) -> None:
    """This worker ends in good order, and is not missed."""
    tx.execute(delete(workers).where(workers.c.id == worker))


def _beat(tx: Transaction, name: str, at: datetime, detail: dict[str, str]) -> None:
    insert = upserting(tx, workers)
    row = {"id": name, "started_at": at, "beat_at": at, "detail": detail}
    tx.execute(insert.on_conflict_do_update(index_elements=["id"], set_={"beat_at": at}), [row])
