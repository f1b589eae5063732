"""`nurture check`: every problem of campaigns, templates and config, at once."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import ProjectOption, print_json, project_root
from nurture.clock import machine_now
from nurture.errors import EXIT_USER, UserError

if TYPE_CHECKING:
    from nurture.campaign.problems import Problem
    from nurture.folder import Folder

_CLEAR = "\x1b[2J\x1b[3J\x1b[H"  # the screen, what was scrolled off it, and the cursor to its first place
_NAMED = 3  # changed files named at the head of a pass


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def check(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="PATH", help="Files or folders; all if none.")] = None,
    output: Annotated[Format, typer.Option("--format", help="How problems are printed.")] = Format.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again whenever a file changes, until Ctrl-C.")] = False,
    project: ProjectOption = None,
) -> None:
    """All problems of campaigns, templates and config. Ends with 1 if one of them is an error."""
    given = paths or []
    root = project_root(project, _start(given, project))
    form = Format.JSON if as_json else output
    if watch:
        _watch(root, given, form)
        return
    found = _checked(root, given)
    _print(found.problems, form, root)
    if form is Format.TEXT:
        typer.echo(found.summary)
    if any(problem.severity == "error" for problem in found.problems):
        raise typer.Exit(EXIT_USER)


@dataclass(frozen=True)
class _Checked:
    problems: list[Problem]
    summary: str


def _checked(root: Path, given: Sequence[Path]) -> _Checked:
    from nurture.engine.checking import check_project
    from nurture.folder import read_folder
    from nurture.settings import read_language

    folder = read_folder(root, also=given)
    language = read_language(folder, os.environ)
    today = machine_now().date()
    checked = check_project(language.project, folder.campaigns, folder.templates, today=today)
    problems = [*folder.problems, *language.problems, *checked.problems]
    if given:
        problems = _chosen(problems, given, root)
    problems.sort(key=lambda p: (p.mark, p.code))
    return _Checked(problems, _summary(problems, folder, len(checked.tests)))


def _watch(root: Path, given: Sequence[Path], form: Format) -> None:
    """One pass now and one after every change. All is read again each time: a whole project takes a fraction of a
    second, and a change of config.yaml means something for every campaign."""
    from nurture.cli.watching import changes

    with suppress(KeyboardInterrupt):  # how one ends it, as `run` is ended
        for changed in changes(root, given):
            if form is Format.TEXT:
                _begin_pass(changed)
            _pass(root, given, form)


def _pass(root: Path, given: Sequence[Path], form: Format) -> None:
    """A file that cannot be read just now is told, and read again after the next change."""
    try:
        found = _checked(root, given)
    except UserError as error:
        _print_unread(error, form)
        return
    _print(found.problems, form, root, lines=True)
    if form is Format.TEXT:
        typer.echo(found.summary)


def _begin_pass(changed: frozenset[str]) -> None:
    """A clean screen on a terminal; elsewhere a line that tells the passes apart."""
    what = ", ".join(sorted(changed)[:_NAMED]) + (", …" if len(changed) > _NAMED else "")
    if sys.stdout.isatty():
        typer.echo(_CLEAR, nl=False)
    at = machine_now().astimezone()
    typer.echo(f"{at:%H:%M:%S} {what} changed" if changed else f"{at:%H:%M:%S} watching; Ctrl-C ends it")


def _print_unread(error: UserError, form: Format) -> None:
    match form:
        case Format.TEXT:
            typer.echo(f"error: {error.message}" + (f"\n  {error.hint}" if error.hint else ""))
        case Format.JSON:
            typer.echo(json.dumps([{"severity": "error", "message": error.message, "hint": error.hint}]))
        case Format.GITHUB:
            typer.echo(f"::error::{_data(error.message)}")


def _start(paths: Sequence[Path], project: Path | None) -> Path | None:
    """Where to look for the project: at the first path, if it lies in one."""
    from nurture.folder import find_root

    for path in paths[:1] if project is None else ():
        if not path.exists():
            raise UserError(f"there is no file or folder {path}")
        try:
            return find_root(path if path.is_dir() else path.parent)
        except UserError:
            return None
    return None


def _chosen(problems: Sequence[Problem], paths: Sequence[Path], root: Path) -> list[Problem]:
    """Those of the files asked for. Errors of config.yaml stay: what it declares decides what is right elsewhere."""
    wanted = [path.resolve() for path in paths]

    def asked(problem: Problem) -> bool:
        file = (root / problem.mark.file).resolve()
        return any(file == path or file.is_relative_to(path) for path in wanted)

    return [p for p in problems if asked(p) or (p.mark.file == "config.yaml" and p.severity == "error")]


def _print(problems: Sequence[Problem], output: Format, root: Path, *, lines: bool = False) -> None:
    """`lines`: a JSON document stands on one line, so that the next one can be told from it."""
    match output:
        case Format.TEXT:
            for problem in problems:
                typer.echo(str(problem))
        case Format.JSON if lines:
            typer.echo(json.dumps([_as_json(problem) for problem in problems], ensure_ascii=False))
        case Format.JSON:
            print_json([_as_json(problem) for problem in problems])
        case Format.GITHUB:
            for problem in problems:
                typer.echo(_as_annotation(problem, root))


def _as_json(problem: Problem) -> dict[str, str | int]:
    return {
        "file": problem.mark.file,
        "line": problem.mark.line,
        "column": problem.mark.column,
        "code": problem.code,
        "severity": problem.severity,
        "message": problem.message,
        "hint": problem.hint,
    }


def _as_annotation(problem: Problem, root: Path) -> str:
    """A workflow command that GitHub shows at the line. Files are named from the folder one stands in."""
    file = os.path.relpath(root / problem.mark.file)
    end = problem.mark.column + problem.mark.width - 1
    place = f"file={_property(file)},line={problem.mark.line},col={problem.mark.column},endColumn={end}"
    text = f"{problem.message}\n{problem.hint}" if problem.hint else problem.message
    return f"::{problem.severity} {place},title={_property(problem.code)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _summary(problems: Sequence[Problem], folder: Folder, tests: int) -> str:
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    what = f"{_count(len(folder.campaigns), 'campaign')} with {_count(tests, 'test')}"
    if not problems:
        return f"{what}: no problems"
    return f"{what}: {_count(errors, 'error')}, {_count(warnings, 'warning')}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
