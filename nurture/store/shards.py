"""Whose turn a shard is: on PostgreSQL its row is locked while a transaction plays it or joins two of its leads."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from nurture.store.database import Transaction
from nurture.store.tables import shards


def lock_shards(tx: Transaction, wanted: Sequence[int] | None, *, wait: bool = False) -> list[int] | None:
    """Those of these shards that are now held until the transaction ends; None is all, which on SQLite needs no lock: a
    transaction that writes is alone there. Shards that others hold are left out, or with `wait` waited for."""
    if tx.dialect.name != "postgresql":
        return None if wanted is None else list(wanted)
    # In order of number: two that wait for each other would be a deadlock.
    query = select(shards.c.shard).order_by(shards.c.shard).with_for_update(skip_locked=not wait)
    if wanted is not None:
        query = query.where(shards.c.shard.in_(wanted))
    return [row[0] for row in tx.execute(query)]
