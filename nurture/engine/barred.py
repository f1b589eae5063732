"""Messages whose way out is closed: they wait until it opens, and one of them tries (trust E15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from nurture.store import closures
from nurture.store.closures import DESTINATION, DOMAIN, SENDER, SERVER, Closure, Way, domain_of
from nurture.store.database import Transaction
from nurture.store.outbox import Claimed, Launch


@dataclass(frozen=True, slots=True)
class Held:
    """A message that may not go: `until` None cancels it, else it is pending again until then."""

    message: Claimed
    reason: str
    until: datetime | None = None


def ways_of(m: Claimed, launch: Launch, server: str) -> list[Way]:
    """Every way this message needs open."""
    return [(SERVER, server), (SENDER, launch.sender), (DESTINATION, m.lane), domain_of(launch.recipient)]


def barred(
    tx: Transaction,
    going: Sequence[Claimed],
    launches: Mapping[int, Launch],
    server: str,
    standing: Mapping[Way, Closure],
    now: datetime,
    machine: datetime,
) -> list[Held]:
    """Those whose way is closed. `machine` is what closures are told in, `now` what messages are due in. Where a closed
    server's or sender's time is over, one message tries it and the others wait for what comes of that."""
    if not standing:
        return []
    held, until_of = [], {way: closure.until for way, closure in standing.items()}
    for m in going:
        for way in ways_of(m, launches[m.id], server):
            closure = standing.get(way)
            if closure is None:
                continue
            if until_of[way] <= machine:
                if way[0] in (DESTINATION, DOMAIN):
                    continue
                until_of[way] = machine + (closure.until - closure.since)
                if closures.postpone(tx, way, until_of[way], machine):
                    continue
            held.append(Held(m, f"{way[0]} closed: {closure.reason}"[:300], now + (until_of[way] - machine)))
            break
    return held
