"""Counts per hour that hold over all processes: whoever asks for one keeps the others waiting until the commit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import delete, select

from nurture.store.database import Transaction, upserting
from nurture.store.tables import tallies

_PAGE = 1_000


def counted(tx: Transaction, names: Collection[str], now: datetime) -> dict[str, int]:
    """How often each happened in this hour so far. Nobody else counts them before this transaction ends."""
    if not names:
        return {}
    c, hour = tallies.c, hour_of(now)
    insert = upserting(tx, tallies)
    # In order, so that two who count the same names wait for each other instead of deadlocking.
    rows = [{"name": name, "hour": hour, "count": 0} for name in sorted(names)]
    tx.execute(insert.on_conflict_do_nothing(), rows)
    found: dict[str, int] = {}
    for start in range(0, len(rows), _PAGE):
        page = [row["name"] for row in rows[start : start + _PAGE]]
        query = select(c.name, c.count).where(c.hour == hour, c.name.in_(page)).order_by(c.name).with_for_update()
        found.update((row[0], row[1]) for row in tx.execute(query))
    return found


def add(tx: Transaction, more: Mapping[str, int], now: datetime) -> None:
    """Count these; they were asked for with `counted` before."""
    insert = upserting(tx, tallies)
    rows = [{"name": name, "hour": hour_of(now), "count": count} for name, count in sorted(more.items())]
    if rows:
        total = tallies.c.count + insert.excluded.count
        tx.execute(insert.on_conflict_do_update(index_elements=["name", "hour"], set_={"count": total}), rows)


def by_hour(tx: Transaction, name: str, since: datetime) -> dict[datetime, int]:
    """The counts of one name, hour by hour; hours in which nothing happened are missing."""
    c = tallies.c
    return {row[0]: row[1] for row in tx.execute(select(c.hour, c.count).where(c.name == name, c.hour >= since))}


def forget(tx: Transaction, before: datetime) -> None:
    tx.execute(delete(tallies).where(tallies.c.hour < before))


def hour_of(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)
