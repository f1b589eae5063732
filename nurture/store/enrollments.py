"""Enrollments: who stands where, who is due, and guarded writes of where they go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row as SqlRow
from sqlalchemy import Select, bindparam, func, or_, select, update

from nurture.errors import LostRace
from nurture.journey.effects import End, Record
from nurture.journey.enrollment import Enrollment
from nurture.store.among import among
from nurture.store.database import Transaction, insert_returning_ids, insert_rows
from nurture.store.many import Many
from nurture.store.scope import Scope
from nurture.store.tables import campaigns, decisions, enrollments

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
    data: dict[str, Any] = field(default_factory=dict)


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
                "data": r.data,
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
    query = select(c.lead_id, c.key, c.entered_at, c.state).where(c.campaign == campaign, among(c.lead_id, lead_ids))
    for lead, key, entered_at, state in tx.execute(query):
        found[lead].append(Entry(key, entered_at, state in OPEN))
    return found


def open_of(tx: Transaction, lead_ids: Sequence[int]) -> list[Enrollment]:
    """All open enrollments of these leads, by id."""
    c = enrollments.c
    query = _select().where(among(c.lead_id, lead_ids), c.state.in_(OPEN)).order_by(c.id)
    return [_read(row) for row in tx.execute(query)]


def open_in(tx: Transaction, campaign: str, lead_ids: Sequence[int]) -> list[Enrollment]:
    """Open enrollments of these leads in one campaign."""
    c = enrollments.c
    query = _select().where(c.lead_id.in_(lead_ids), c.campaign == campaign, c.state.in_(OPEN)).order_by(c.id)
    return [_read(row) for row in tx.execute(query)]


def due(tx: Transaction, scope: Scope, limit: int) -> list[Enrollment]:
    """Enrollments to be looked at, in the order of S20: earliest due, higher priority, campaign, key.

    A page of `limit` is taken in the order of ix_enrollments_wake (by `wake` over all shards, every batch of a hundred
    thousand sorted what was left), and with it all that is due of its leads, so that the first of each lead is here. A
    lead may come several times; the caller decides one of each lead in a pass.
    """
    c, p = enrollments.c, enrollments.alias("p")
    here = [p.c.state == "waiting", p.c.wake <= scope.now, scope.seeking(p)]
    page = select(p.c.lead_id).where(*here).order_by(p.c.shard, p.c.wake, p.c.id).limit(limit).subquery()
    query = (
        _select()
        .join(campaigns, campaigns.c.name == c.campaign)
        .where(c.state == "waiting", c.wake <= scope.now, c.lead_id.in_(select(page.c.lead_id)))
        .order_by(c.due, campaigns.c.priority.desc(), c.campaign, c.key)
    )
    found = [_read(row) for row in tx.execute(query)]
    return [e for e in found if e.wake is not None and e.wake <= scope.of(e.lead)]


def by_ids(tx: Transaction, ids: Sequence[int]) -> list[Enrollment]:
    return [_read(row) for row in tx.execute(_select().where(among(enrollments.c.id, ids)).order_by(enrollments.c.id))]


_WRITTEN = (
    *("version", "state", "step", "visit", "due", "reached", "wake", "held", "entry", "data", "arms", "loops"),
    *("done", "error", "reason", "value", "currency", "ended_at"),
)
_WRITE = Many(
    update(enrollments)
    # Not IN: its list is expanded at each execution, which a statement for many rows cannot be.
    .where(
        enrollments.c.id == bindparam("b_id"),
        enrollments.c.revision == bindparam("b_revision"),
        or_(*(enrollments.c.state == s for s in OPEN)),
    )
    .values(revision=enrollments.c.revision + 1, **{name: bindparam(name) for name in _WRITTEN}),
    ("b_id", "b_revision", *_WRITTEN),
)


def write(tx: Transaction, after: Iterable[Enrollment], ended: Mapping[int, tuple[End, datetime]]) -> None:
    """Replace these enrollments, each guarded by the revision that was read. `ended` adds, by id, how and when one
    ended. Raises LostRace when another had moved one of them; nothing may be committed then."""
    rows = []
    for e in after:
        end, at = ended.get(e.id, (None, None))
        how = (None, None, None) if end is None else (end.reason, end.revenue, end.currency)
        stands = (e.version, e.state, e.step, e.visit, e.due, e.reached, e.wake, e.held)
        holds = (e.entry, e.data, e.arms, e.loops, list(e.done), e.error)
        rows.append((e.id, e.revision, *stands, *holds, *how, at))
    if rows and (moved := _WRITE.run(tx, rows)) != len(rows):
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


_WAKE = Many(
    update(enrollments)
    .where(
        enrollments.c.id == bindparam("b_id"),
        enrollments.c.state == "waiting",
        enrollments.c.held == bindparam("b_held"),
    )
    .values(wake=bindparam("b_wake"), revision=enrollments.c.revision + 1),
    ("b_id", "b_held", "b_wake"),
)


def wake_each(tx: Transaction, at: Mapping[int, datetime], held: str) -> None:
    """Look again at those held for this reason, each at its own instant."""
    _WAKE.run(tx, [(enrollment, held, instant) for enrollment, instant in at.items()])


def wake_paused(tx: Transaction, campaign: str | None, now: datetime) -> int:
    """A pause is lifted: who stood because of it is looked at now, in one campaign or in all; how many."""
    c = enrollments.c
    # A webhook's answer is awaited until `wake`, long after `due`: that is no pause.
    stood = c.held.is_(None) | c.held.in_(("pause", "wait", "event"))
    statement = update(enrollments).where(c.state == "waiting", stood, c.due <= now, c.wake > now)
    if campaign is not None:
        statement = statement.where(c.campaign == campaign)
    return tx.execute(statement.values(wake=now, revision=c.revision + 1)).rowcount


def renew(tx: Transaction, entries: Mapping[int, dict[str, Any]]) -> None:
    """The entry event came again for these open enrollments with a key: later mails show the present state (S11)."""
    if entries:
        c = enrollments.c
        statement = update(enrollments).where(c.id == bindparam("b_id"), or_(*(c.state == s for s in OPEN)))
        rows = [{"b_id": enrollment, "b_entry": entry} for enrollment, entry in entries.items()]
        tx.execute(statement.values(entry=bindparam("b_entry", type_=c.entry.type), revision=c.revision + 1), rows)


def parked(tx: Transaction) -> list[Enrollment]:
    """Everybody who stands aside until a deploy mends what stopped them."""
    return [
        _read(row) for row in tx.execute(_select().where(enrollments.c.state == "parked").order_by(enrollments.c.id))
    ]


def outdated(tx: Transaction, campaign: str, version: str, lead_ids: Sequence[int]) -> list[Enrollment]:
    """Open enrollments of these leads that walk another version of the campaign than this one."""
    c = enrollments.c
    query = _select().where(c.lead_id.in_(lead_ids), c.campaign == campaign, c.version != version, c.state.in_(OPEN))
    return [_read(row) for row in tx.execute(query.order_by(c.id))]


# Records of a step that has happened, for good or in vain; the others say that it waits, or was passed over.
_DONE = (
    "released",
    "refused",
    "moved",
    "move_refused",
    "scored",
    "set",
    "tagged",
    "untagged",
    "deal_opened",
    "deal_moved",
    "notified",
    "not_notified",
    "assigned",
    "not_assigned",
    "consent_requested",
    "consent_expired",
    "answered",
    "call_failed",
    "enrolled",
)


def done_steps(tx: Transaction, ids: Sequence[int]) -> dict[int, set[str]]:
    """By enrollment, the steps it has done so far, as recorded."""
    found: dict[int, set[str]] = defaultdict(set)
    c = decisions.c
    query = select(c.enrollment_id, c.step).where(c.enrollment_id.in_(ids), c.what.in_(_DONE), c.step.is_not(None))
    for enrollment, step in tx.execute(query.distinct()):
        found[enrollment].add(step)
    return found


def record(tx: Transaction, said: Iterable[tuple[Enrollment, Record, datetime]]) -> None:
    """Keep these lines of `why` outside a pass."""
    rows = [
        {
            "lead_id": e.lead,
            "enrollment_id": e.id,
            "campaign": e.campaign,
            "version": e.version,
            "step": line.step,
            "at": at,
            "what": line.what,
            "reason": line.reason,
            "inputs": line.stored() or None,
        }
        for e, line, at in said
    ]
    insert_rows(tx, decisions, rows)


def next_wake(tx: Transaction, lead_ids: Sequence[int]) -> list[tuple[int, datetime]]:
    """(lead, instant) of the next look at each waiting enrollment of these leads."""
    c = enrollments.c
    query = select(c.lead_id, func.min(c.wake)).where(
        c.lead_id.in_(lead_ids), c.state == "waiting", c.wake.is_not(None)
    )
    return [(row[0], row[1]) for row in tx.execute(query.group_by(c.lead_id))]
