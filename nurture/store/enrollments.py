"""Enrollments: who stands where, who is due, and guarded writes of where they go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row as SqlRow
from sqlalchemy import Select, bindparam, func, or_, select, update

from nurture.errors import LostRace
from nurture.journey.effects import End
from nurture.journey.enrollment import Enrollment
from nurture.store.database import Transaction, insert_returning_ids
from nurture.store.scope import Scope
from nurture.store.tables import campaigns, enrollments

OPEN = ("waiting", "parked")
_NAMES = (
    "id",
    "lead_id",
    "shard",
    "campaign",
    "version",
    "key",
    "state",
    "step",
    "visit",
    "due",
    "reached",
    "wake",
    "held",
    "entered_at",
    "entry",
    "entry_event",
    "entry_at",
    "data",
    "arms",
    "loops",
    "done",
    "error",
    "revision",
)
_COLUMNS = [enrollments.c[name] for name in _NAMES]


def _read(row: SqlRow[Any]) -> Enrollment:
    values = dict(zip(_NAMES, row, strict=False))
    values["lead"] = values.pop("lead_id")
    values["done"] = tuple(values["done"])
    values["step"] = values["step"] or ""
    return Enrollment(**values)


def _select() -> Select[Any]:
    return select(*_COLUMNS)


@dataclass(frozen=True, slots=True)
class NewEnrollment:
    lead: int
    shard: int
    campaign: str
    version: str
    key: str
    step: str | None
    due: datetime
    now: datetime
    entry_event: int | None
    entry: dict[str, Any]
    entry_at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One time a lead entered a campaign."""

    key: str
    entered_at: datetime
    open: bool


def insert(tx: Transaction, rows: Sequence[NewEnrollment]) -> list[int]:
    """Open enrollments, standing on their first step; their ids in order."""
    return insert_returning_ids(
        tx,
        enrollments,
        [
            {
                "lead_id": r.lead,
                "shard": r.shard,
                "campaign": r.campaign,
                "version": r.version,
                "key": r.key,
                "state": "waiting",
                "step": r.step,
                "visit": 0,
                "due": r.due,
                "reached": r.now,
                "wake": r.due,
                "entered_at": r.now,
                "entry_event": r.entry_event,
                "entry": r.entry,
                "entry_at": r.entry_at,
                "data": {},
                "arms": {},
                "loops": {},
                "done": [],
                "revision": 0,
            }
            for r in rows
        ],
    )


def entries(tx: Transaction, campaign: str, lead_ids: Sequence[int]) -> dict[int, list[Entry]]:
    """Every time these leads entered the campaign, by lead (S9, S10)."""
    c = enrollments.c
    found: dict[int, list[Entry]] = defaultdict(list)
    query = select(c.lead_id, c.key, c.entered_at, c.state).where(c.campaign == campaign, c.lead_id.in_(lead_ids))
    for lead, key, entered_at, state in tx.execute(query):
        found[lead].append(Entry(key, entered_at, state in OPEN))
    return found


def open_of(tx: Transaction, lead_ids: Sequence[int]) -> list[Enrollment]:
    """All open enrollments of these leads, by id."""
    c = enrollments.c
    query = _select().where(c.lead_id.in_(lead_ids), c.state.in_(OPEN)).order_by(c.id)
    return [_read(row) for row in tx.execute(query)]


def open_in(tx: Transaction, campaign: str, lead_ids: Sequence[int]) -> list[Enrollment]:
    """Open enrollments of these leads in one campaign."""
    c = enrollments.c
    query = _select().where(c.lead_id.in_(lead_ids), c.campaign == campaign, c.state.in_(OPEN)).order_by(c.id)
    return [_read(row) for row in tx.execute(query)]


def due(tx: Transaction, scope: Scope, limit: int) -> list[Enrollment]:
    """Enrollments to be looked at, in the order of S20: earliest due, higher priority, campaign, key.

    Uses ix_enrollments_wake. A lead may come several times; the caller decides one of each lead in a pass.
    """
    c = enrollments.c
    query = (
        _select()
        .join(campaigns, campaigns.c.name == c.campaign)
        .where(c.state == "waiting", c.wake <= scope.now, scope.on(enrollments))
        .order_by(c.wake, c.due, campaigns.c.priority.desc(), c.campaign, c.key)
        .limit(limit)
    )
    found = [_read(row) for row in tx.execute(query)]
    return [e for e in found if e.wake is not None and e.wake <= scope.of(e.lead)]


def by_ids(tx: Transaction, ids: Sequence[int]) -> list[Enrollment]:
    return [_read(row) for row in tx.execute(_select().where(enrollments.c.id.in_(ids)).order_by(enrollments.c.id))]


_WRITTEN = ("version", "state", "step", "visit", "due", "reached", "wake", "held", "entry", "data", "arms", "loops")


def write(tx: Transaction, after: Iterable[Enrollment], ended: Mapping[int, tuple[End, datetime]]) -> None:
    """Replace these enrollments, each guarded by the revision that was read. `ended` adds, by id, how and when one
    ended. Raises LostRace when another had moved one of them; nothing may be committed then."""
    rows = []
    for e in after:
        row: dict[str, Any] = {name: getattr(e, name) for name in _WRITTEN}
        end, at = ended.get(e.id, (None, None))
        row |= {
            "done": list(e.done),
            "error": e.error,
            "reason": end.reason if end else None,
            "value": end.revenue if end else None,
            "currency": end.currency if end else None,
            "ended_at": at,
            "b_id": e.id,
            "b_revision": e.revision,
        }
        rows.append(row)
    if not rows:
        return
    c = enrollments.c
    statement = (
        update(enrollments)
        # Not IN: its list is expanded at each execution, which a statement for many rows cannot be.
        .where(c.id == bindparam("b_id"), c.revision == bindparam("b_revision"), or_(*(c.state == s for s in OPEN)))
        .values(revision=c.revision + 1, **{name: bindparam(name) for name in rows[0] if not name.startswith("b_")})
    )
    moved = tx.execute(statement, rows).rowcount
    if moved != len(rows):
        raise LostRace(f"{len(rows) - moved} of {len(rows)} enrollments had been moved by another")


def wake(tx: Transaction, ids: Sequence[int], held: str, now: datetime) -> None:
    """Look again at those held for this reason."""
    if ids:
        c = enrollments.c
        tx.execute(
            update(enrollments)
            .where(c.id.in_(ids), c.state == "waiting", c.held == held)
            .values(wake=now, revision=c.revision + 1)
        )


def renew(tx: Transaction, ids: Sequence[int], entry: dict[str, Any], event: int) -> None:
    """The entry event came again for an open enrollment with this key: later mails show the present state (S11)."""
    c = enrollments.c
    tx.execute(update(enrollments).where(c.id.in_(ids), c.state.in_(OPEN)).values(entry=entry, revision=c.revision + 1))


def next_wake(tx: Transaction, lead_ids: Sequence[int]) -> list[tuple[int, datetime]]:
    """(lead, instant) of the next look at each waiting enrollment of these leads."""
    c = enrollments.c
    query = select(c.lead_id, func.min(c.wake)).where(
        c.lead_id.in_(lead_ids), c.state == "waiting", c.wake.is_not(None)
    )
    return [(row[0], row[1]) for row in tx.execute(query.group_by(c.lead_id))]
