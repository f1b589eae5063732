"""`nurture import`: leads, events or deals out of a file, by a mapping."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.console import JsonOption, ProjectOption, print_json
from nurture.errors import EXIT_USER, NotFound, UserError

if TYPE_CHECKING:
    from nurture.campaign.mapping import RowMapping
    from nurture.cli.opening import Opened
    from nurture.engine.imports import Order, Summary

_STEP = 0.1  # of the file, between two plain lines
_NAMED = 5  # undeclared properties named on a terminal; --json has them all


class What(StrEnum):
    LEADS = "leads"
    EVENTS = "events"
    DEALS = "deals"


def import_file(
    what: Annotated[What, typer.Argument(metavar="leads|events|deals", help="What a row of the file is.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSON lines; .gz of either.")],
    mapping: Annotated[Path, typer.Option("--mapping", metavar="MAP.yaml", help="Says what the columns are.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and judge every row, write nothing.")] = False,
    trigger: Annotated[bool, typer.Option("--trigger", help="Let the rows start campaigns.")] = False,
    enroll: Annotated[
        str | None, typer.Option("--enroll", metavar="NAME", help="Put the leads into a campaign.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Answer yes to what --trigger and --enroll ask.")] = False,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Take leads, events or deals in from a file. It starts, wakes and moves nothing by itself, never brings back who
    left, and may be run again: what is there already stays as it is. Rows it cannot use are named, with the reason, in
    FILE.rejects.csv beside the file."""
    from nurture.cli.opening import opened
    from nurture.clock import WallClock
    from nurture.engine.imports import Order, run_import

    read = read_mapping_file(mapping)
    with opened(project) as at:
        order = Order(
            kind=what.value,
            path=file,
            mapping=read,
            rules=at.consent_rules(),
            now=WallClock().now(),
            dry_run=dry_run,
            trigger=trigger,
            enroll=enroll,
        )
        if (trigger or enroll) and not dry_run:
            _agree(at, order, yes)
        with progress() as heard:
            summary = run_import(at.database, replace(order, progress=heard))
    if as_json:
        print_json(_json(summary))
    else:
        _tell(summary)
    if summary.nothing_usable:
        raise typer.Exit(EXIT_USER)


def read_mapping_file(path: Path) -> RowMapping:
    from nurture.campaign.mapping import read_mapping
    from nurture.campaign.problems import ProjectProblems, errors
    from nurture.campaign.source import Findings, decode

    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    findings = Findings()
    text = decode(str(path), data, findings)
    read, problems = read_mapping(str(path), text) if text is not None else (None, findings.problems)
    if read is None:
        raise ProjectProblems(errors(problems))
    return read


def _agree(at: Opened, order: Order, yes: bool) -> None:
    """Show how many rows it is about and ask. Raises UserError where nobody can answer."""
    from nurture.campaign.problems import did_you_mean
    from nurture.engine.imports import run_import
    from nurture.store.versions import deployed

    if order.enroll is not None:
        with at.database.read() as tx:
            known = list(deployed(tx))
        if order.enroll not in known:
            hint = did_you_mean(order.enroll, known) or "'nurture deploy' makes campaigns known"
            raise NotFound(f"there is no campaign '{order.enroll}'", hint=hint)
    count = run_import(at.database, replace(order, dry_run=True)).usable
    into = f"go into '{order.enroll}'" if order.enroll else "start campaigns"
    typer.echo(f"{count:,} {order.kind} may {into}.", err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError("nobody is there to say yes", hint="look at the number, then add --yes")
    typer.confirm("Go on?", abort=True, err=True)


@contextmanager
def progress() -> Iterator[Any]:
    """A bar on a terminal, a plain line now and then elsewhere; both on stderr."""
    if not sys.stderr.isatty():
        yield _plain_lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda phase, share: bar.update(task, description=phase, completed=share)


def _plain_lines() -> Any:
    told: dict[str, float] = {}

    def tell(phase: str, share: float) -> None:
        if phase != "done" and share - told.get(phase, 0.0) >= _STEP:
            told[phase] = share
            typer.echo(f"{phase}: {share:.0%}", err=True)

    return tell


def _json(summary: Summary) -> dict[str, Any]:
    import msgspec

    made: dict[str, Any] = msgspec.to_builtins(summary)
    return made


def _tell(s: Summary) -> None:
    if s.dry_run:
        typer.echo(f"{s.rows:,} rows: {s.usable:,} usable, {s.rejected:,} to be refused; nothing was written")
    else:
        counts = f"{s.new:,} new, {s.changed:,} changed, {s.unchanged:,} unchanged, {s.rejected:,} refused"
        typer.echo(f"{s.rows:,} rows: {counts}")
    if s.resumed_at:
        typer.echo(f"an earlier run was broken off; it went on after {s.resumed_at:,} rows")
    if s.noted:
        typer.echo(f"{s.noted:,} rows were taken in part")
    if s.rejects_file:
        typer.echo(f"which rows, and why: {s.rejects_file}")
    if s.odd:
        typer.echo(f"{len(s.odd):,} won before the first contact, left out of times: {', '.join(s.odd)}")
    if s.undeclared:
        names = ", ".join(f"{name} ({count:,})" for name, count in list(s.undeclared.items())[:_NAMED])
        more = f" and {len(s.undeclared) - _NAMED} more" if len(s.undeclared) > _NAMED else ""
        typer.echo(f"not declared in config.yaml, kept as text: {names}{more}")
    if s.nothing_usable:
        typer.echo("no row was usable", err=True)
