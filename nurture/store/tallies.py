"""How often things happened, counted where every process sees it: mails that left (trust E17, R19), what strangers ask
for (trust X18), reports that nobody believed (trust E24).

A count has a scope, a name in it, and the slot of time it fell into, which is in the time of whoever counts: machine
time for what leaves, campaign time for what is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from sqlalchemy import delete, func, select

from nurture.store.database import Transaction, upserting
from nurture.store.tables import tallies

# Scopes. Mails put on the wire: to a lane, of a campaign, of all, in five minutes; to a lane in a day, for warm-up.
LANE, CAMPAIGN, ALL, DAY = LEFT = ("lane", "campaign", "all", "day")
ASKED = "asked"  # forms and confirmations, in an hour
REPORTS = "reports"  # refused ones, by "source why", since ever
EVER = datetime(1970, 1, 1, tzinfo=UTC)  # the slot of what is counted for good
_MINUTES = 5  # of a slot: an hour is twelve of them, and at most one too many
_PAGE = 1_000


def add(tx: Transaction, scope: str, more: Mapping[str, int], slot: datetime) -> None:
    """So many more, by name. The rows stay locked until the transaction ends: who reads the sum after this, sees what
    others have counted before."""
    insert = upserting(tx, tallies)
    total = tallies.c.count + insert.excluded.count
    statement = insert.on_conflict_do_update(index_elements=["scope", "name", "slot"], set_={"count": total})
    rows = [{"scope": scope, "name": name, "slot": slot, "count": n} for name, n in sorted(more.items()) if n]
    if rows:
        tx.execute(statement, rows)


def held(tx: Transaction, scope: str, names: Collection[str], slot: datetime) -> dict[str, int]:
    """The counts of one slot. Nobody else adds to them before this transaction ends."""
    if not names:
        return {}
    c = tallies.c
    # In order, so that two who count the same names wait for each other instead of deadlocking.
    rows = [{"scope": scope, "name": name, "slot": slot, "count": 0} for name in sorted(names)]
    tx.execute(upserting(tx, tallies).on_conflict_do_nothing(), rows)
    found: dict[str, int] = {}
    for start in range(0, len(rows), _PAGE):
        page = [row["name"] for row in rows[start : start + _PAGE]]
        query = select(c.name, c.count).where(c.scope == scope, c.slot == slot, c.name.in_(page))
        found.update((row[0], row[1]) for row in tx.execute(query.order_by(c.name).with_for_update()))
    return found


def total(tx: Transaction, scope: str, name: str, since: datetime) -> int:
    """How often since then."""
    c = tallies.c
    query = select(func.coalesce(func.sum(c.count), 0)).where(c.scope == scope, c.name == name, c.slot >= since)
    return int(tx.execute(query).scalar_one())


def by_slot(tx: Transaction, scope: str, name: str, since: datetime) -> dict[datetime, int]:
    """The counts of one name since then; slots in which nothing happened are missing."""
    c = tallies.c
    query = select(c.slot, c.count).where(c.scope == scope, c.name == name, c.slot >= since)
    return {row[0]: row[1] for row in tx.execute(query)}


def by_name(tx: Transaction, scope: str) -> dict[str, int]:
    """All that is known of a scope."""
    c = tallies.c
    query = select(c.name, func.sum(c.count)).where(c.scope == scope).group_by(c.name).order_by(c.name)
    return {row[0]: int(row[1]) for row in tx.execute(query)}


def forget(tx: Transaction, scope: str, name: str) -> None:
    """A clean slate: somebody has looked at it."""
    tx.execute(delete(tallies).where(tallies.c.scope == scope, tallies.c.name == name))


def prune(tx: Transaction, scopes: Collection[str], before: datetime) -> None:
    """Take away what no limit asks for any more."""
    tx.execute(delete(tallies).where(tallies.c.scope.in_(scopes), tallies.c.slot < before))


def slot_of(at: datetime) -> datetime:
    """The five minutes this instant lies in."""
    return at.replace(minute=at.minute // _MINUTES * _MINUTES, second=0, microsecond=0)


def hour_of(at: datetime) -> datetime:
    """The hour this instant lies in."""
    return at.replace(minute=0, second=0, microsecond=0)


def day_of(at: datetime) -> datetime:
    """The UTC day this instant lies in."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
