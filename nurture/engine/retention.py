"""Keeping no longer than said: one run over every kind that has a limit, or only its count (trust C26). A worker makes
one each night.

| kind | what goes |
|---|---|
| events | what leads did, clicks and openings as they came in |
| decisions | why something was decided |
| messages | texts of mails that are done; that they went out stays |
| attempts | what servers answered |
| pending | people who never confirmed, and are here for nothing else; 30 days if not set |
| visits | network address and browser in the consent ledger; its proof stays whole; six months if not set |
| leads | people of whom nothing was heard |
| imports | how far an import had come |
| requests | who asked for what and what was done about it; 24 months at least |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import msgspec

from nurture.campaign.duration import Duration
from nurture.engine import privacy
from nurture.engine.live import Live
from nurture.engine.turn import Turn
from nurture.journey.timing import local, shift
from nurture.lead.keyring import Keyring
from nurture.store import ledger, retention, rights
from nurture.store.database import Database
from nurture.store.erasing import scrub

UNLESS_WRITTEN: Mapping[str, Duration] = {"pending": Duration(days=30), "visits": Duration(months=6)}
NIGHT = timedelta(hours=3)  # after midnight where the project is: the fewest mails are under way
ACTOR = "retention"
BEGUN = "retention begun"
SCRUBBED = "files written anew"
# People first: judged by what is still there, and what goes with them is not counted twice.
KINDS = ("pending", "leads", "events", "decisions", "messages", "attempts", "imports", "visits", "requests")
_PEOPLE: Mapping[str, Callable[[datetime], retention.Going]] = {
    "pending": retention.never_confirmed,
    "leads": retention.out_of_touch,
}


@dataclass(frozen=True, slots=True)
class Kept:
    """One kind: how long it is kept, what is older, how many of them there were."""

    kind: str
    limit: Duration
    before: datetime
    count: int


def retention_of(written: Mapping[str, Duration]) -> dict[str, Duration]:
    """The limits of config.yaml, with those that hold where nothing is written."""
    return {**UNLESS_WRITTEN, **written}


def nightly(
    database: Database,
    live: Live,
    keyring: Keyring,
    limits: Mapping[str, Duration],
    now: datetime,
    stopping: Callable[[], bool] = lambda: False,
) -> bool:
    """The run of this night, where no worker has begun it yet; whether this one did. On SQLite the file is then written
    anew where somebody was erased since it last was, so that nothing of them is left in it. A run that is stopped, or
    dies, or finds the file busy, is made good by the next night's."""
    zone = live.project.zone
    with database.write() as tx:
        last = rights.last(tx, BEGUN, alone=True)
        if last is not None and _night(last, zone) == _night(now, zone):
            return False
        rights.note(tx, BEGUN, ACTOR, now)
    run(database, live, keyring, limits, zone, now, dry=False, stopping=stopping)
    with database.read() as tx:
        erased = rights.last(tx, "erase", after=rights.last(tx, SCRUBBED)) is not None
    if erased and not stopping():
        scrub(database)
        with database.write() as tx:
            rights.note(tx, SCRUBBED, ACTOR, now)
    return True


def _night(instant: datetime, zone: str) -> date:
    return (local(instant, zone) - NIGHT).date()


def run(
    database: Database,
    live: Live | None,
    keyring: Keyring,
    limits: Mapping[str, Duration],
    zone: str,
    now: datetime,
    *,
    dry: bool,
    stopping: Callable[[], bool] = lambda: False,
) -> list[Kept]:
    """Take away, or with `dry` only count, what was kept long enough. `live` is needed for taking people out; None
    before the first deploy, when nobody is. Ends early, between two pages, once `stopping`."""
    work = _Work(database, live, keyring, now, stopping)
    cuts = {kind: shift(now, limit.negated(), zone) for kind, limit in limits.items()}
    found = []
    for kind in KINDS:
        if kind in limits:
            counted = work.count(kind, cuts[kind]) if dry else work.take(kind, cuts[kind])
            found.append(Kept(kind, limits[kind], cuts[kind], counted))
    if not dry:
        with database.write() as tx:
            rights.note(tx, "retention", ACTOR, now, detail={kept.kind: kept.count for kept in found})
    return found


@dataclass
class _Work:
    database: Database
    live: Live | None
    keyring: Keyring
    now: datetime
    stopping: Callable[[], bool]
    going: list[retention.Going] = field(default_factory=list)  # people who would go, in a dry run

    def count(self, kind: str, before: datetime) -> int:
        with self.database.read() as tx:
            if kind in _PEOPLE:
                going = _PEOPLE[kind](before)
                counted = retention.people(tx, going, self.going)
                self.going.append(going)
                return counted if self.live is not None else 0
            if kind == "visits":
                return ledger.count_visits(tx, before, self.going)
            return retention.count(tx, kind, before, self.going)

    def take(self, kind: str, before: datetime) -> int:
        if kind in _PEOPLE:
            return self._people(_PEOPLE[kind](before), suppress=kind == "leads")
        done = 0
        while not self.stopping():
            with self.database.write() as tx:
                if kind == "visits":
                    taken = ledger.forget_visits(tx, before, self.keyring)
                else:
                    taken = retention.take(tx, kind, before)
            done += taken
            if not taken:
                break
        return done

    def _people(self, going: retention.Going, *, suppress: bool) -> int:
        """A page a transaction, walking up the ids."""
        after = done = 0
        while self.live is not None and not self.stopping():
            with self.database.write() as tx:
                page = retention.page_of(tx, going, after)
                for lead in page:
                    privacy.erase(Turn(tx, self.live), lead, ACTOR, self.now, suppress=suppress)
            if not page:
                break
            after, done = page[-1], done + len(page)
        return done


def plain(found: list[Kept]) -> list[dict[str, object]]:
    """For JSON."""
    made: list[dict[str, object]] = [
        {"kind": k.kind, "kept": str(k.limit), "before": msgspec.to_builtins(k.before), "count": k.count} for k in found
    ]
    return made
