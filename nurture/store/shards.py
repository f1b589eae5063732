"""Whose turn a shard is: on PostgreSQL its row is locked while a transaction plays it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from nurture.store.database import Transaction
from nurture.store.tables import shards


def lock_shards(tx: Transaction, wanted: Sequence[int] | None) -> list[int] | None:
    """Those of these shards that nobody else plays now, held until the transaction ends; None is all, which on SQLite
    needs no lock: a transaction that writes is alone there."""
    if tx.dialect.name != "postgresql":
        return None if wanted is None else list(wanted)
    # In order of number: two that wait for each other would be a deadlock. Those that are held are left out.
    query = select(shards.c.shard).order_by(shards.c.shard).with_for_update(skip_locked=True)
    if wanted is not None:
        query = query.where(shards.c.shard.in_(wanted))
    return [row[0] for row in tx.execute(query)]
