"""Ways that are closed for a time, known to every worker: a server, a sender, a destination, a domain (trust E15)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, tuple_, update

from nurture.store.database import Transaction, upserting
from nurture.store.tables import closures
from nurture.store.tallies import LANE, total
from nurture.store.types import instant_text, read_instant

SERVER, SENDER, DESTINATION, DOMAIN = "server", "sender", "destination", "domain"
SHARE = 0.1  # of a destination's mails: a few refusals among thousands are about those mails
_KEPT = 100  # strikes remembered of one way

Way = tuple[str, str]  # scope and name


def domain_of(address: str) -> Way:
    """The way to everybody at this address's domain."""
    return DOMAIN, address.rpartition("@")[2].lower()


@dataclass(frozen=True, slots=True)
class Strike:
    """A reply that counts against a way. After `after` of them within `within` it is closed for `pause`."""

    way: Way
    rule: str
    reason: str
    after: int
    within: timedelta
    pause: timedelta


@dataclass(frozen=True, slots=True)
class Closure:
    """A way that was closed. `until` past: it may be tried."""

    scope: str
    name: str
    since: datetime
    until: datetime
    rule: str
    reason: str

    @property
    def way(self) -> Way:
        return self.scope, self.name

    def shut(self, at: datetime) -> bool:
        """Closed at this instant of machine time; else it may be tried."""
        return self.until > at


def standing(tx: Transaction) -> dict[Way, Closure]:
    """Every way that is closed or waits to be tried; a handful of rows at most."""
    c = closures.c
    columns = (c.scope, c.name, c.since, c.until, c.rule, c.reason)
    rows = tx.execute(select(*columns).where(c.until.is_not(None)).order_by(c.scope, c.name))
    return {(row.scope, row.name): Closure(*row) for row in rows}


def strike(tx: Transaction, strikes: Iterable[Strike], at: datetime) -> list[Closure]:
    """Count these against their ways, at an instant of machine time; the ways that were closed by it and were open."""
    grouped: dict[Way, list[Strike]] = {}
    for one in strikes:
        grouped.setdefault(one.way, []).append(one)
    # In one order everywhere, so that two workers never hold what the other waits for.
    return [found for way in sorted(grouped) if (found := _strike(tx, way, grouped[way], at)) is not None]


def _strike(tx: Transaction, way: Way, strikes: list[Strike], at: datetime) -> Closure | None:
    last, c = strikes[-1], closures.c
    row = {"scope": way[0], "name": way[1], "strikes": []}
    tx.execute(upserting(tx, closures).values(row).on_conflict_do_nothing())
    here = (c.scope == way[0]) & (c.name == way[1])
    query = select(c.strikes, c.until).where(here)
    if tx.dialect.name == "postgresql":
        query = query.with_for_update()
    known, until = tx.execute(query).one()
    oldest = at - last.within
    kept = [text for text in known if read_instant(text) > oldest] + [instant_text(at)] * len(strikes)
    tx.execute(update(closures).where(here).values(strikes=kept[-_KEPT:]))
    if not _enough(tx, way, len(kept), last, at) or (until is not None and until > at):
        return None
    found = Closure(*way, at, at + last.pause, last.rule, last.reason)
    tx.execute(
        update(closures)
        .where(here)
        .values(strikes=[], since=found.since, until=found.until, rule=found.rule, reason=found.reason)
    )
    return found if until is None else None


def _enough(tx: Transaction, way: Way, count: int, last: Strike, at: datetime) -> bool:
    if count < last.after:
        return False
    return way[0] != DESTINATION or count >= SHARE * total(tx, LANE, way[1], at - last.within)


def postpone(tx: Transaction, way: Way, until: datetime, now: datetime) -> bool:
    """Somebody tries a closed way whose time is over, and nobody else until then; False where another was first."""
    c = closures.c
    query = update(closures).where(c.scope == way[0], c.name == way[1], c.until <= now).values(until=until)
    return tx.execute(query).rowcount == 1


def reopen(tx: Transaction, ways: Collection[Way]) -> int:
    """These ways are open and have a clean slate; how many were not."""
    if not ways:
        return 0
    c = closures.c
    return tx.execute(delete(closures).where(tuple_(c.scope, c.name).in_(sorted(ways)))).rowcount
