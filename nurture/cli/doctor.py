"""`nurture doctor`: what keeps this project from working, and what to do about it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nurture.cli.console import JsonOption, ProjectOption, counted, print_json, project_root
from nurture.errors import EXIT_USER, NurtureError

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.folder import Folder
    from nurture.settings import Settings
    from nurture.store.checkup import Health
    from nurture.store.database import Database

_STALE = timedelta(minutes=5)  # what is due for longer has nobody working on it
_CLOCK = timedelta(seconds=2)  # machines whose clocks differ by more order their events wrongly


@dataclass(frozen=True, slots=True)
class Finding:
    """`level` is ok, warning or error; `hint` says what to do."""

    level: Literal["ok", "warning", "error"]
    topic: str
    text: str
    hint: str = ""


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Do not connect to the mail server.")] = False,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Look at config, database, mail server, clock, and at what stands still. Ends with 1 if something is broken."""
    found = list(_examine(project, offline))
    if as_json:
        print_json([{"level": f.level, "topic": f.topic, "text": f.text, "hint": f.hint} for f in found])
    else:
        _print(found)
    if any(f.level == "error" for f in found):
        raise typer.Exit(EXIT_USER)


def _print(found: list[Finding]) -> None:
    from rich.console import Console

    signs = {"ok": ("ok", "green"), "warning": ("look", "yellow"), "error": ("broken", "bold red")}
    console = Console(highlight=False, soft_wrap=True)
    for f in found:
        sign, style = signs[f.level]
        console.print(f"{sign:<7}", style=style, end="")
        console.print(f"{f.topic:<12}{f.text}", markup=False)
        if f.hint:
            console.print(f"{'':<19}{f.hint}", style="dim", markup=False)
    bad = sum(f.level == "error" for f in found)
    odd = sum(f.level == "warning" for f in found)
    console.print(f"{bad} broken, {odd} to look at", style="bold")


def _examine(project: Path | None, offline: bool) -> Iterator[Finding]:
    from nurture.folder import read_folder

    folder = read_folder(project_root(project))
    yield from _interpreter()
    yield from _files(folder)
    from nurture.campaign.problems import ProjectProblems
    from nurture.settings import database_url, load_settings

    settings = None
    try:
        settings = load_settings(folder, os.environ)
    except ProjectProblems as error:
        for p in error.problems:
            yield Finding("error", "config", f"{p.mark.file}:{p.mark.line}: {p.message}", p.hint)
    else:
        yield Finding("ok", "config", "every setting is there")
    try:
        url = database_url(folder, os.environ)
    except ProjectProblems:
        return
    yield from _database(url, settings)
    if settings is not None and not offline:
        yield from _mail(settings)


def _interpreter() -> Iterator[Finding]:
    import platform

    from nurture.mail.message import self_test

    try:
        self_test()
    except NurtureError as error:
        yield Finding("error", "python", error.message, error.hint or "")
    else:
        yield Finding("ok", "python", platform.python_version())


def _files(folder: Folder) -> Iterator[Finding]:
    from nurture.engine.checking import check_project
    from nurture.settings import read_language

    language = read_language(folder, os.environ)
    checked = check_project(language.project, folder.campaigns, folder.templates)
    problems = [*folder.problems, *language.problems, *checked.problems]
    errors = sum(p.severity == "error" for p in problems)
    warnings = len(problems) - errors
    text = f"{counted(len(folder.campaigns), 'campaign')}, {counted(len(checked.templates), 'template')}"
    hint = "'nurture check' shows them"
    if errors:
        yield Finding("error", "files", f"{text}: {counted(errors, 'error')}, {counted(warnings, 'warning')}", hint)
    elif warnings:
        yield Finding("warning", "files", f"{text}: {counted(warnings, 'warning')}", hint)
    else:
        yield Finding("ok", "files", f"{text}: no problems")


# --- the database


def _database(url: str, settings: Settings | None) -> Iterator[Finding]:
    from nurture.store import migrate
    from nurture.store.database import open_database

    database = open_database(url)
    try:
        if database.path is not None and not database.path.exists():
            yield Finding("error", "database", f"there is none at {database.path}", "'nurture deploy' makes it")
            return
        try:
            at = migrate.present(database)
            migrate.check(database)
        except NurtureError as error:
            yield Finding("error", "database", error.message, error.hint or "")
            return
        kind = f"SQLite at {database.path}" if database.is_sqlite else "PostgreSQL"
        yield Finding("ok", "database", f"{kind}, schema {at}")
        yield from _engine(database)
        yield from _standing(database, settings)
    finally:
        database.close()


def _engine(database: Database) -> Iterator[Finding]:
    import sqlite3

    from nurture.clock import machine_now
    from nurture.store.checkup import damaged, server_now
    from nurture.store.database import WAL_IS_SAFE

    if database.is_sqlite:
        version = ".".join(map(str, sqlite3.sqlite_version_info))
        wal = sqlite3.sqlite_version_info >= WAL_IS_SAFE
        mode = "WAL" if wal else f"a rollback journal: before {'.'.join(map(str, WAL_IS_SAFE))} WAL can damage a file"
        yield Finding("ok", "sqlite", f"{version}, with {mode}")
        verdict = damaged(database)
        if verdict is not None:
            hint = "stop the worker and go back to a backup; keep the damaged file"
            yield Finding("error", "sqlite", f"the file is damaged: {verdict}", hint)
    theirs = server_now(database)
    if theirs is not None:
        off = abs(theirs - machine_now())
        if off > _CLOCK:
            text = f"this machine and the database server differ by {off.total_seconds():.0f} s"
            yield Finding("error", "clock", text, "run a time service (NTP) on both")
        else:
            yield Finding("ok", "clock", "this machine and the database server agree")


def _standing(database: Database, settings: Settings | None) -> Iterator[Finding]:
    from nurture.clock import machine_now
    from nurture.lead.keyring import Keyring
    from nurture.store import checkup, suppressions, versions

    now = machine_now()
    with database.read() as tx:
        live, campaigns, found = versions.current(tx), versions.deployed(tx), checkup.read_health(tx, now)
    if live is None:
        yield Finding("warning", "deploy", "nothing is deployed yet", "run 'nurture deploy'")
    else:
        paused = [name for name, c in campaigns.items() if c.paused]
        if live.paused:
            yield Finding("warning", "pause", "everything is paused", "'nurture resume --all' lifts it")
        if paused:
            yield Finding("warning", "pause", f"paused: {', '.join(paused)}", "'nurture resume NAME' lifts it")
    yield Finding("ok", "leads", f"{found.leads:,}")
    for error, count in found.parked.items():
        text = f"{counted(count, 'enrollment')} set aside: {error}"
        yield Finding("warning", "parked", text, "mend it, then 'nurture deploy': they go on by themselves")
    if found.unknown:
        text = f"nobody knows whether {counted(found.unknown, 'message')} arrived"
        yield Finding("warning", "outbox", text, "'nurture outbox list --state unknown', then 'outbox resolve'")
    for reason, count in found.failed.items():
        yield Finding("warning", "outbox", f"{counted(count, 'message')} failed in the last 7 days: {reason}")
    yield from _waiting(found, now, live is not None and live.paused)
    if settings is not None:
        try:
            with database.write() as tx:
                suppressions.guard(tx, Keyring(settings.secrets), now)
        except NurtureError as error:
            yield Finding("error", "secrets", error.message, error.hint or "")


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
            yield Finding("warning", topic, text, hint)


# --- the mail server


def _mail(settings: Settings) -> Iterator[Finding]:
    if settings.transport != "smtp":
        yield Finding(
            "warning", "mail", f"mails go to a {settings.transport}, not to people", "transport: smtp sends them"
        )
        return
    where = f"{settings.smtp.host}:{settings.smtp.port}"
    try:
        asyncio.run(_greet(settings))
    except NurtureError as error:
        yield Finding("error", "mail", f"{where}: {error.message}", error.hint or "look at 'smtp' in config.yaml")
    else:
        signed = "signed in" if settings.smtp.username else "no sign-in"
        yield Finding("ok", "mail", f"{where} answers, tls: {settings.smtp.tls}, {signed}")


async def _greet(settings: Settings) -> None:
    from nurture.app import App
    from nurture.delivery.smtp import SmtpTransport
    from nurture.store.database import open_database

    app = App(settings, open_database("sqlite://"))
    transport = app.transport()
    try:
        if isinstance(transport, SmtpTransport):
            await asyncio.wait_for(transport.check(), 20)
    except TimeoutError as error:
        raise NurtureError("no answer within 20 seconds") from error
    finally:
        await transport.aclose()
        app.database.close()
