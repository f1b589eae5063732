"""Ways out that close and open again: what every worker must know of a mail server's replies (trust E15).

A server that refuses our password, a sender it does not let write, a destination that blocks us, a domain that cannot
be reached: nobody's address is at fault. Mails for it wait, and the operator is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog

from nurture.engine.alerting import CLOSED, tell
from nurture.engine.barred import ways_of
from nurture.engine.gate import Outside
from nurture.engine.turn import Turn
from nurture.store import closures
from nurture.store.closures import DESTINATION, DOMAIN, SERVER, Closure, Strike
from nurture.store.events import EventKey, accept_keys
from nurture.store.outbox import Claimed, Launch

log = structlog.get_logger()

NAMED = {"server": "the mail server", "sender": "the sender", "destination": "the way to", "domain": "the domain"}


def close(turn: Turn, strikes: Sequence[Strike], now: datetime, machine: datetime) -> None:
    """Count these; tell of the ways that are closed by it, once a day each."""
    found = closures.strike(turn.tx, strikes, machine) if strikes else []
    keys = [EventKey("closure", f"{c.scope}:{c.name}:{machine:%Y-%m-%d}", "closed") for c in found]
    fresh = accept_keys(turn.tx, keys, machine) if keys else []
    for c, new in zip(found, fresh, strict=True):
        log.error("way.closed", scope=c.scope, name=_domain(c.name), rule=c.rule, until=c.until.isoformat())
        if new == "new":
            tell(turn.tx, turn.live.project, CLOSED, f"{said(c)} is closed: {c.reason}"[:200], now)


def _domain(name: str) -> str:
    """A log holds no address, the sender's neither (trust X16)."""
    return name.rpartition("@")[2]


def said(c: Closure) -> str:
    """The way in words."""
    return NAMED[c.scope] if c.scope == SERVER else f"{NAMED[c.scope]} {c.name}"


def passed(
    turn: Turn, claimed: Mapping[int, Claimed], launches: Mapping[int, Launch], outside: Outside, machine: datetime
) -> None:
    """These mails were taken: what stood closed is open. A destination or a domain only where its time is over: what
    was on the wire when it closed may still arrive."""
    through = {way for i, launch in launches.items() for way in ways_of(claimed[i], launch, outside.server)}
    standing = [c for way, c in outside.standing.items() if way in through]
    opened = [c.way for c in standing if c.scope not in (DESTINATION, DOMAIN) or not c.shut(machine)]
    if closures.reopen(turn.tx, opened):
        log.info("way.open", ways=[f"{scope} {_domain(name)}" for scope, name in opened])
