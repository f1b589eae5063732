"""How many mails were put on the wire of late, counted where every worker sees it (trust E17, R19)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from nurture.store.database import Transaction, upserting
from nurture.store.tables import launch_counts

_MINUTES = 5  # of a slot: an hour is twelve of them, and at most one too many
KEPT = timedelta(days=2)


def slot_of(at: datetime) -> datetime:
    """The five minutes this instant lies in."""
    return at.replace(minute=at.minute // _MINUTES * _MINUTES, second=0, microsecond=0)


def day_of(at: datetime) -> datetime:
    """The UTC day this instant lies in."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def count(tx: Transaction, scope: str, counts: Mapping[str, int], slot: datetime) -> None:
    """So many more, by name. The rows stay locked until the transaction ends: who reads the sum after this, sees what
    others have put on the wire before."""
    insert = upserting(tx, launch_counts)
    more = insert.on_conflict_do_update(
        index_elements=["scope", "name", "slot"], set_={"count": launch_counts.c.count + insert.excluded.count}
    )
    for name, number in sorted(counts.items()):
        if number:
            tx.execute(more, [{"scope": scope, "name": name, "slot": slot, "count": number}])


def launched(tx: Transaction, scope: str, name: str, since: datetime) -> int:
    """How many since then."""
    c = launch_counts.c
    query = select(func.coalesce(func.sum(c.count), 0)).where(c.scope == scope, c.name == name, c.slot >= since)
    return int(tx.execute(query).scalar_one())


def forget(tx: Transaction, scope: str, name: str) -> None:
    """A clean slate: somebody has looked at it."""
    tx.execute(delete(launch_counts).where(launch_counts.c.scope == scope, launch_counts.c.name == name))


def prune(tx: Transaction, at: datetime) -> None:
    """Take away what no limit asks for any more."""
    tx.execute(delete(launch_counts).where(launch_counts.c.slot < at - KEPT))
