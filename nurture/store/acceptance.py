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


_COLUMNS = [
    events.c[n] for n in ("id", "lead_id", "shard", "name", "at", "accepted_at", "fact", "source", "properties")
]


def arrivals(tx: Transaction, scope: Scope, limit: int) -> list[Arrival]:
    """New events in the order they came. Uses ix_events_new, so that what was seen long ago costs nothing."""
    query = select(*_COLUMNS).where(events.c.seq.is_(None), scope.on(events)).order_by(events.c.id).limit(limit)
    return [Arrival(*row) for row in tx.execute(query)]


def by_ids(tx: Transaction, ids: Sequence[int]) -> dict[int, Arrival]:
    return {row[0]: Arrival(*row) for row in tx.execute(select(*_COLUMNS).where(events.c.id.in_(ids)))}


def accept(tx: Transaction, accepted: Sequence[Arrival]) -> None:
    """Give these events their order of acceptance: from now on conditions see them.

    The counter's row is the shard's lock: of two passes over one shard the second waits and then finds nothing new.
    """
    by_shard: dict[int, list[Arrival]] = {}
    for event in accepted:
        by_shard.setdefault(event.shard, []).append(event)
    rows = []
    for shard, group in sorted(by_shard.items()):
        last = tx.execute(
            update(shards).where(shards.c.shard == shard).values(seq=shards.c.seq + len(group)).returning(shards.c.seq)
        ).scalar()
        if last is None:
            last = len(group)
            tx.execute(insert(shards).values(shard=shard, seq=last))
        rows += [{"b_id": e.id, "seq": last - len(group) + n + 1} for n, e in enumerate(group)]
    if rows:
        tx.execute(update(events).where(events.c.id == bindparam("b_id")).values(seq=bindparam("seq")), rows)
