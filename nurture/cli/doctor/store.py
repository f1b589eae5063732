"""The database: its file, its engine, its clock, and the work in it that nobody does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from nurture.cli.console import counted
from nurture.cli.doctor.finding import Finding, broken, failed, look, ok
from nurture.errors import NurtureError

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.settings import Settings
    from nurture.store.checkup import Health
    from nurture.store.database import Database

_STALE = timedelta(minutes=5)  # what is due for longer has nobody working on it
_CLOCK = timedelta(seconds=2)  # machines whose clocks differ by more order their events wrongly


def database(url: str, settings: Settings | None) -> Iterator[Finding]:
    """All of it; `settings` None where config.yaml is not whole, then the secrets are not compared."""
    from nurture.store import migrate
    from nurture.store.database import open_database

    db = open_database(url)
    try:
        if db.missing:
            yield broken("database", f"there is none at {db.path}", "'nurture deploy' makes it")
            return
        try:
            at = migrate.present(db)
            migrate.check(db)
        except NurtureError as error:
            yield failed("database", error, "is its address in config.yaml right, and does its server run?")
            return
        kind = f"SQLite at {db.path}" if db.is_sqlite else "PostgreSQL"
        yield ok("database", f"{kind}, schema {at}")
        yield from _engine(db)
        yield from _standing(db, settings)
    finally:
        db.close()


def _engine(db: Database) -> Iterator[Finding]:
    from nurture.clock import machine_now
    from nurture.store.checkup import damaged, server_now

    if db.is_sqlite:
        yield _sqlite()
        verdict = damaged(db)
        if verdict is not None:
            hint = "stop the worker and go back to a backup; keep the damaged file"
            yield broken("sqlite", f"the file is damaged: {verdict}", hint)
    theirs = server_now(db)
    if theirs is not None:
        off = abs(theirs - machine_now())
        if off > _CLOCK:
            text = f"this machine and the database server differ by {off.total_seconds():.0f} s"
            yield broken("clock", text, "run a time service (NTP) on both")
        else:
            yield ok("clock", "this machine and the database server agree")


def _sqlite() -> Finding:
    """Which SQLite, and whether it may keep a write-ahead log (trust R6)."""
    import sqlite3

    from nurture.store.database import WAL_IS_SAFE

    version = ".".join(map(str, sqlite3.sqlite_version_info))
    wal = sqlite3.sqlite_version_info >= WAL_IS_SAFE
    mode = "WAL" if wal else f"a rollback journal: before {'.'.join(map(str, WAL_IS_SAFE))} WAL can damage a file"
    return ok("sqlite", f"{version}, with {mode}")


def _standing(db: Database, settings: Settings | None) -> Iterator[Finding]:
    from nurture.clock import machine_now
    from nurture.lead.keyring import Keyring
    from nurture.store import checkup, suppressions, versions

    now = machine_now()
    with db.read() as tx:
        live, campaigns, found = versions.current(tx), versions.deployed(tx), checkup.read_health(tx, now)
    if live is None:
        yield look("deploy", "nothing is deployed yet", "run 'nurture deploy'")
    else:
        paused = [name for name, c in campaigns.items() if c.paused]
        if live.paused:
            yield look("pause", "everything is paused", "'nurture resume --all' lifts it")
        if paused:
            yield look("pause", f"paused: {', '.join(paused)}", "'nurture resume NAME' lifts it")
    yield from _stopped(db, settings)
    yield ok("leads", f"{found.leads:,}")
    for error, count in found.parked.items():
        text = f"{counted(count, 'enrollment')} set aside: {error}"
        yield look("parked", text, "mend it, then 'nurture deploy': they go on by themselves")
    if found.unknown:
        text = f"nobody knows whether {counted(found.unknown, 'message')} arrived"
        yield look("outbox", text, "'nurture outbox list --state unknown', then 'outbox resolve'")
    for reason, count in found.failed.items():
        text = f"{counted(count, 'message')} failed in the last 7 days: {reason}"
        yield look("outbox", text, "'nurture outbox list --state failed' shows which")
    yield from _waiting(found, now, live is not None and live.paused)
    if settings is not None:
        try:
            with db.write() as tx:
                suppressions.guard(tx, Keyring(settings.secrets), now)
        except NurtureError as error:
            yield failed("secrets", error, "put the secret back that was there")


def _stopped(db: Database, settings: Settings | None) -> Iterator[Finding]:
    """What the program stopped by itself (trust E15, E27, R19), and the staging guard (trust R18)."""
    from nurture.store import closures, versions

    with db.read() as tx:
        stopped, closed = versions.stopped(tx), closures.standing(tx)
    for name, why in stopped.items():
        yield broken("stopped", f"'{name}' was paused by itself: {why}", "look why, then 'nurture resume NAME'")
    for c in closed.values():
        text = f"the {c.scope} {c.name} is closed: {c.reason}"
        yield broken("closed", text, "mend the cause, then 'nurture closures open'")
    if settings is not None and settings.allow_recipients is not None:
        text = f"mails go to nobody but {', '.join(settings.allow_recipients)}"
        yield look("staging", text, "take 'allow_recipients' away to write to everybody")


def _waiting(found: Health, now: datetime, paused: bool) -> Iterator[Finding]:
    """Work that is due and that nobody does."""
    hint = "is a worker running? 'nurture run' starts one"
    late = (
        ("events", found.unread, found.oldest_unread, "event"),
        ("enrollments", found.overdue, found.oldest_overdue, "enrollment"),
        ("outbox", found.pending, found.oldest_pending, "message"),
    )
    for topic, count, oldest, word in late:
        if count and oldest is not None and now - oldest > _STALE and not paused:
            minutes = int((now - oldest).total_seconds() // 60)
            text = f"{counted(count, word)} due, the oldest for {minutes:,} minutes"
            yield look(topic, text, hint)
