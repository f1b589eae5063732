"""Events that no reaction pass has seen yet, and the order of acceptance it gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from nurture.store.database import Transaction
from nurture.store.scope import Scope
from nurture.store.tables import events, shards


@dataclass(frozen=True, slots=True)
class Arrival:
    """A stored event. `fact` opens, settles and wakes nothing (S2)."""

    id: int
    lead: int
    shard: int
    name: str
    at: datetime
    accepted_at: datetime
    fact: bool
    source: str
    properties: dict[str, Any]


COLUMNS = [events.c[n] for n in ("id", "lead_id", "shard", "name", "at", "accepted_at", "fact", "source", "properties")]


def arrivals(tx: Transaction, scope: Scope, limit: int) -> list[Arrival]:
    """New events in the order they came. Uses ix_events_unseen, or ix_events_new for one shard, so that what was seen
    long ago costs nothing."""
    query = select(*COLUMNS).where(events.c.seq.is_(None), scope.on(events)).order_by(events.c.id).limit(limit)
    return [Arrival(*row) for row in tx.execute(query)]


def arrivals_of(tx: Transaction, lead_ids: Sequence[int], after: int) -> list[Arrival]:
    """New events of these leads with a higher id than `after`, in the order they came."""
    query = select(*COLUMNS).where(events.c.seq.is_(None), events.c.lead_id.in_(lead_ids), events.c.id > after)
    return [Arrival(*row) for row in tx.execute(query.order_by(events.c.id))]


def by_ids(tx: Transaction, ids: Sequence[int]) -> dict[int, Arrival]:
    return {row[0]: Arrival(*row) for row in tx.execute(select(*COLUMNS).where(events.c.id.in_(ids)))}


def accept(tx: Transaction, accepted: Sequence[Arrival]) -> None:
    """Give these events their order of acceptance: from now on conditions see them. Three statements, however many
    shards they are of; the caller holds the shards."""
    if not accepted:
        return
    by_shard: dict[int, list[Arrival]] = {}
    for event in accepted:
        by_shard.setdefault(event.shard, []).append(event)
    last = {
        row[0]: row[1] for row in tx.execute(select(shards.c.shard, shards.c.seq).where(shards.c.shard.in_(by_shard)))
    }
    missing = sorted(by_shard.keys() - last.keys())
    if missing:
        tx.execute(insert(shards), [{"shard": shard, "seq": 0} for shard in missing])
    moved = update(shards).where(shards.c.shard == bindparam("b_shard")).values(seq=shards.c.seq + bindparam("b_count"))
    tx.execute(moved, [{"b_shard": shard, "b_count": len(group)} for shard, group in sorted(by_shard.items())])
    rows = [
        {"b_id": event.id, "seq": last.get(shard, 0) + n}
        for shard, group in by_shard.items()
        for n, event in enumerate(group, 1)
    ]
    tx.execute(update(events).where(events.c.id == bindparam("b_id")).values(seq=bindparam("seq")), rows)
