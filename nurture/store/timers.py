"""Instants at which something of a lead is looked at: quiet carts, dates, schedules, conditions that time may turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, tuple_

from nurture.store.database import Transaction, upserting
from nurture.store.scope import Scope
from nurture.store.tables import leads, matches, sweeps, timers


@dataclass(frozen=True, slots=True)
class Timer:
    """`owner` is a campaign, `enrollment:ID` for a look at an enrollment, `score:NAME` for one at a score, a pipeline
    for `recycle`. `due` None: the key is closed (S7), by `event`.

    `event` and `at` are, of a settle, the event with the greatest `at` and that instant; of a date, `at` is the
    instant of its recipe, where catch-up made it fire later.
    """

    lead: int
    shard: int
    kind: str  # settle · date · schedule · look · recycle
    owner: str
    key: str = ""
    due: datetime | None = None
    event: int | None = None
    at: datetime | None = None
    id: int = 0


_COLUMNS = [timers.c[n] for n in ("lead_id", "shard", "kind", "owner", "key", "due", "event_id", "at", "id")]


def due(tx: Transaction, scope: Scope, limit: int) -> list[Timer]:
    """Timers whose instant has come, earliest first. Uses ix_timers_due."""
    query = select(*_COLUMNS).where(timers.c.due.is_not(None), timers.c.due <= scope.now, scope.seeking(timers))
    found = [Timer(*row) for row in tx.execute(query.order_by(timers.c.due, timers.c.id).limit(limit))]
    return [t for t in found if t.due is not None and t.due <= scope.of(t.lead)]


def due_of(tx: Transaction, at: Mapping[int, datetime]) -> list[Timer]:
    """Timers of these leads whose instant has come, each by its lead's own time."""
    query = select(*_COLUMNS).where(timers.c.due.is_not(None), timers.c.lead_id.in_(list(at)))
    found = [Timer(*row) for row in tx.execute(query.where(timers.c.due <= max(at.values())))]
    return [t for t in found if t.due is not None and t.due <= at[t.lead]]


def of_leads(tx: Transaction, lead_ids: Sequence[int], kinds: Sequence[str]) -> list[Timer]:
    """All timers of these leads of these kinds, closed keys too."""
    query = select(*_COLUMNS).where(timers.c.lead_id.in_(lead_ids), timers.c.kind.in_(kinds))
    return [Timer(*row) for row in tx.execute(query)]


def by_ids(tx: Transaction, ids: Sequence[int]) -> list[Timer]:
    return [Timer(*row) for row in tx.execute(select(*_COLUMNS).where(timers.c.id.in_(ids)))]


def put(tx: Transaction, rows: Iterable[Timer]) -> None:
    """Set these timers; one that stands for the same lead, kind, owner and key is replaced."""
    values = {
        (t.lead, t.kind, t.owner, t.key): {
            "lead_id": t.lead,
            "shard": t.shard,
            "kind": t.kind,
            "owner": t.owner,
            "key": t.key,
            "due": t.due,
            "event_id": t.event,
            "at": t.at,
        }
        for t in rows
    }
    if not values:
        return
    insert = upserting(tx, timers)
    changed = {name: insert.excluded[name] for name in ("due", "event_id", "at")}
    tx.execute(
        insert.on_conflict_do_update(index_elements=["lead_id", "kind", "owner", "key"], set_=changed),
        list(values.values()),
    )


def remove(tx: Transaction, ids: Sequence[int]) -> None:
    """Take these timers away; those already gone do not matter."""
    if ids:
        tx.execute(delete(timers).where(timers.c.id.in_(ids)))


def remove_looks(tx: Transaction, ended: Mapping[int, int]) -> None:
    """An ended enrollment is not looked at any more; by enrollment, its lead: timers are found by leads."""
    if ended:
        owners = [f"enrollment:{e}" for e in ended]
        mine = timers.c.lead_id.in_(set(ended.values()))
        tx.execute(delete(timers).where(mine, timers.c.kind == "look", timers.c.owner.in_(owners)))


def next_due(tx: Transaction, lead_ids: Sequence[int]) -> list[tuple[int, datetime]]:
    """(lead, instant) of every timer of these leads that will fire."""
    query = select(timers.c.lead_id, timers.c.due).where(timers.c.lead_id.in_(lead_ids), timers.c.due.is_not(None))
    return [(row[0], row[1]) for row in tx.execute(query)]


def matching(tx: Transaction, campaign: str, lead_ids: Sequence[int]) -> set[int]:
    """Those for whom the campaign's `match` was true when last looked at."""
    query = select(matches.c.lead_id).where(matches.c.campaign == campaign, matches.c.lead_id.in_(lead_ids))
    return {row[0] for row in tx.execute(query)}


def set_matching(tx: Transaction, campaign: str, became: Sequence[int], ceased: Sequence[int], now: datetime) -> None:
    """Record for whom the condition became true and for whom it ceased to be."""
    if became:
        insert = upserting(tx, matches)
        rows = [{"campaign": campaign, "lead_id": lead, "since": now} for lead in became]
        tx.execute(insert.on_conflict_do_nothing(), rows)
    if ceased:
        tx.execute(
            delete(matches).where(tuple_(matches.c.campaign, matches.c.lead_id).in_([(campaign, n) for n in ceased]))
        )


@dataclass(frozen=True, slots=True)
class Sweep:
    id: int
    campaign: str
    shard: int
    after: int
    first: bool


def sweeping(tx: Transaction, scope: Scope) -> dict[tuple[str, int], int]:
    """(campaign, shard) → the lead that a sweep still to do has come to, for the shards of this scope."""
    query = select(sweeps.c.campaign, sweeps.c.shard, sweeps.c.after_lead).order_by(sweeps.c.id.desc())
    if scope.shards is not None:
        query = query.where(sweeps.c.shard.in_(scope.shards))
    return {(row[0], row[1]): row[2] for row in tx.execute(query)}


def end_sweeps(tx: Transaction) -> None:
    """Somebody walked all leads without them."""
    tx.execute(delete(sweeps))


def next_sweep(tx: Transaction, scope: Scope) -> Sweep | None:
    """The oldest sweep still to do."""
    c = sweeps.c
    row = tx.execute(
        select(c.id, c.campaign, c.shard, c.after_lead, c.first).where(scope.on(sweeps)).order_by(c.id).limit(1)
    ).first()
    return Sweep(*row) if row else None


def sweep_page(tx: Transaction, sweep: Sweep, limit: int) -> list[int]:
    """The next leads of this sweep, by id; the sweep is moved past them, or taken away where there are none."""
    page = select(leads.c.id).where(leads.c.shard == sweep.shard, leads.c.id > sweep.after)
    ids = [row[0] for row in tx.execute(page.order_by(leads.c.id).limit(limit))]
    if len(ids) < limit:
        tx.execute(delete(sweeps).where(sweeps.c.id == sweep.id))
    else:
        tx.execute(sweeps.update().where(sweeps.c.id == sweep.id).values(after_lead=ids[-1]))
    return ids
