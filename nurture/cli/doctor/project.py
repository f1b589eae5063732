"""This machine and the project's folder: interpreter, campaigns, config.yaml, who may read what, room on the disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nurture.cli.console import counted
from nurture.cli.doctor.finding import Finding, broken, failed, look, ok
from nurture.errors import NurtureError

if TYPE_CHECKING:
    from nurture.engine.checking import Checked
    from nurture.folder import Folder

LOW = 0.10  # of a disk; below it one looks
FULL = 0.02  # below it a database soon stops


def interpreter() -> Finding:
    import platform

    from nurture.mail.message import self_test

    try:
        self_test()
    except NurtureError as error:
        return failed("python", error, "install another version of Python")
    return ok("python", platform.python_version())


def check(folder: Folder, environ: Mapping[str, str]) -> Checked:
    """Campaigns and templates, with all problems there are."""
    from nurture.engine.checking import check_project
    from nurture.settings import read_language

    language = read_language(folder, environ)
    checked = check_project(language.project, folder.campaigns, folder.templates)
    return replace(checked, problems=[*folder.problems, *language.problems, *checked.problems])


def files(folder: Folder, checked: Checked) -> Finding:
    """Campaigns and templates, counted; `nurture check` says what is wrong with each."""
    problems = checked.problems
    errors = sum(p.severity == "error" for p in problems)
    warnings = len(problems) - errors
    text = f"{counted(len(folder.campaigns), 'campaign')}, {counted(len(checked.templates), 'template')}"
    hint = "'nurture check' shows them"
    if errors:
        return broken("files", f"{text}: {counted(errors, 'error')}, {counted(warnings, 'warning')}", hint)
    if warnings:
        return look("files", f"{text}: {counted(warnings, 'warning')}", hint)
    return ok("files", f"{text}: no problems")


# --- who may read what


def readable(folder: Folder, database: Path | None) -> Iterator[Finding]:
    """Secrets that stand in config.yaml, and files with secrets or with people in them that others may read."""
    from nurture.exposure import exposed, written_out

    if written_out(folder):
        text = "config.yaml has a secret written out in it"
        yield look("secrets", text, "write '${NAME}' or '${file:PATH}' there, and put config.yaml in git without it")
    found = exposed(folder, database)
    for one in found:
        yield look("secrets", one.text, one.hint)
    if not found:
        yield ok("secrets", "files with secrets or leads are closed to others")


# --- room on the disk


class Room(NamedTuple):
    """Bytes of the disk that holds `what`."""

    what: str
    free: int
    total: int


def rooms(places: Iterable[tuple[str, Path]]) -> list[Room]:
    """The disks under these folders, each once, with all that lies on it."""
    import shutil

    found: dict[int, Room] = {}
    for what, place in places:
        while not place.exists():
            place = place.parent
        device = os.stat(place).st_dev
        if device in found:
            found[device] = found[device]._replace(what=f"{found[device].what}, {what}")
        else:
            usage = shutil.disk_usage(place)
            found[device] = Room(what, usage.free, usage.total)
    return list(found.values())


def disk(rooms: Iterable[Room]) -> Iterator[Finding]:
    """Whether there is room left (trust R7)."""
    for room in rooms:
        share = room.free / room.total if room.total else 0.0
        text = f"{share:.0%} free ({room.free / 1e9:,.1f} GB) for {room.what}"
        hint = "make room or move it to a larger disk; nothing is lost where it is full, but nothing goes out either"
        if share < FULL:
            yield broken("disk", text, hint)
        elif share < LOW:
            yield look("disk", text, hint)
        else:
            yield ok("disk", text)
