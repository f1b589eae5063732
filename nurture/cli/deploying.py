"""`nurture plan`, `deploy`, `versions`: making campaigns live, and seeing before what it changes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.console import JsonOption, ProjectOption, counted, open_folder, print_json
from nurture.errors import UserError

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from nurture.campaign.project import Project
    from nurture.engine.checking import Checked
    from nurture.engine.plan_deploy import CampaignPlan, DeployPlan
    from nurture.folder import Folder
    from nurture.store.database import Database, Transaction


@dataclass(frozen=True)
class _Ready:
    """A project without errors, and its database at this program's schema; `made` says that it was new."""

    folder: Folder
    project: Project
    checked: Checked
    texts: dict[str, str]
    database: Database
    made: str | None


@contextmanager
def _ready(project: Path | None, *, create: bool) -> Iterator[_Ready]:
    """Raises ProjectProblems with every error of campaigns, templates and config."""
    from nurture.campaign.problems import ProjectProblems, errors
    from nurture.engine.checking import check_project
    from nurture.settings import database_url, read_stored
    from nurture.store import migrate
    from nurture.store.database import open_database

    folder = open_folder(project)
    language = read_stored(folder, os.environ)
    checked = check_project(language.project, folder.campaigns, folder.templates)
    wrong = errors([*folder.problems, *language.problems, *checked.problems])
    if wrong:
        raise ProjectProblems(wrong)
    database = open_database(database_url(folder, os.environ))
    unmade = database.path is not None and not database.path.exists()
    if unmade and not create:
        database = open_database("sqlite://")  # looking makes no file
    try:
        made = None
        if (create or unmade) and migrate.present(database) is None:
            made = migrate.upgrade(database)[1]
        migrate.check(database)
        yield _Ready(folder, language.project, checked, folder.templates, database, made)
    finally:
        database.close()


def plan(as_json: JsonOption = False, project: ProjectOption = None) -> None:
    """What a deploy would change: steps, who stands where, who would enter. Changes nothing. Ends with 1 if a deploy
    would be refused."""
    import msgspec

    from nurture.clock import WallClock

    with _ready(project, create=False) as ready, ready.database.read() as tx:
        found = _weigh(tx, ready, WallClock().now())
    if as_json:
        print_json({**msgspec.to_builtins(found), "changes": found.changes})
    else:
        _show(found)
        for reason in found.refused:
            typer.echo(f"refused: {reason}", err=True)
    if found.refused:
        raise typer.Exit(1)


def _weigh(tx: Transaction, ready: _Ready, now: datetime) -> DeployPlan:
    from nurture.engine.plan_deploy import plan_deploy

    return plan_deploy(tx, ready.project, ready.checked.plans, ready.texts, now)


def deploy(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    yes_enter: Annotated[
        int | None, typer.Option("--yes-enter", metavar="N", min=0, help="So many leads may enter at once.")
    ] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Make campaigns, templates and config.yaml live, after a check and a look at what it changes."""
    import msgspec

    from nurture.clock import WallClock
    from nurture.engine import deploy as engine
    from nurture.engine.plan_deploy import files_of
    from nurture.store.versions import allow

    now = WallClock().now()
    with _ready(project, create=True) as ready:
        if ready.made and not as_json:
            typer.echo(f"a new database was made, at schema {ready.made}")
        with ready.database.read() as tx:
            found = _weigh(tx, ready, now)
        if not as_json:
            _show(found)
        _refuse(found, yes_enter)
        if found.changes and not yes:
            _ask(as_json)
        with ready.database.write() as tx:
            again = _weigh(tx, ready, now)  # what was shown may have changed while a person was reading
            _refuse(again, yes_enter)
            done = engine.deploy(tx, ready.project, ready.checked.plans, files_of(ready.texts), now)
            for c in again.campaigns if yes_enter is not None else ():
                # Who named the number has agreed to every mail these leads get; the blast limit asks no second time.
                if people := max(c.enters or 0, c.reaches or 0):
                    allow(tx, c.campaign, people * max(1, c.mails))
    if as_json:
        print_json({**msgspec.to_builtins(found), "changes": found.changes, "deployed": msgspec.to_builtins(done)})
        return
    moved = [change for change in done if change.what != "same"]
    typer.echo(
        f"deployed: {counted(len(moved), 'campaign')} changed, {counted(len(done) - len(moved), 'campaign')} as before"
    )


def _refuse(found: DeployPlan, yes_enter: int | None) -> None:
    if found.refused:
        raise UserError("this would strand people or mail them twice; nothing was changed\n" + "\n".join(found.refused))
    if found.enters > found.blast and (yes_enter is None or found.enters > yes_enter):
        raise UserError(
            f"{found.enters:,} leads would enter at once, and alerts.blast is {found.blast:,}; nothing was changed",
            hint=f"if that is what you want: nurture deploy --yes-enter {found.enters}",
        )
    for c in found.grown:
        if yes_enter is None or (c.reaches or 0) > yes_enter:
            raise UserError(
                f"'{c.campaign}' would reach {c.reaches:,} leads, and reaches {c.reached:,} now; nothing was changed",
                hint=f"if that is what you want: nurture deploy --yes-enter {c.reaches}",
            )


def _ask(as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise UserError("nobody is there to say yes; nothing was changed", hint="look at it, then add --yes")
    typer.confirm("Make this live?", abort=True)


# --- showing

_SIGNS = {"new": ("+", "green"), "changed": ("~", "yellow"), "retired": ("-", "red"), "same": (" ", "dim")}
_STEP_SIGNS = {"added": ("+", "green"), "changed": ("~", "yellow"), "removed": ("-", "red")}


def _show(found: DeployPlan) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    if not found.changes:
        console.print("nothing to change: what is live is what lies here")
        return
    if found.first:
        console.print("the first deploy")
    for one in found.campaigns:
        if one.what != "same" or one.state != one.state_before or any(g.version != one.version for g in one.standing):
            _show_campaign(console, one)
    same = sum(one.what == "same" for one in found.campaigns)
    if same:
        console.print(f"  {counted(same, 'campaign')} as before", style="dim")
    for name, what in found.templates.items() if not found.first else ():
        sign, style = _STEP_SIGNS[what]
        console.print(f"{sign} template {name}", style=style, markup=False)
    if found.first:
        console.print(f"+ {counted(len(found.templates), 'template')}", style="green")
    if found.project:
        console.print(f"~ config.yaml: {', '.join(found.project)}", style="yellow", markup=False)


def _show_campaign(console: Console, one: CampaignPlan) -> None:
    sign, style = _SIGNS[one.what]
    moved = f", {one.state_before} → {one.state}" if one.state_before not in (None, one.state) else ""
    state = moved or (f", {one.state}" if one.state != "live" else "")
    if one.what == "retired":
        state = ": its file is gone, nobody enters any more"
    known = f"{one.before} → {one.version}" if one.what == "changed" else one.version
    console.print(f"{sign} {one.campaign}  ", style=style, markup=False, end="")
    console.print(f"{one.what}{state}  ", markup=False, end="")
    console.print(known, style="dim")
    for step in one.steps:
        mark, colour = _STEP_SIGNS[step.what]
        console.print(f"    {mark} step {step.step}", style=colour, markup=False)
    if one.settings:
        console.print(f"    ~ {', '.join(one.settings)}", style="yellow", markup=False)
    for text in _groups(one):
        console.print(f"    {text}", markup=False)
    if one.enters:
        console.print(f"    up to {counted(one.enters, 'lead')} would enter with the next pass", style="bold")


def _groups(one: CampaignPlan) -> Iterable[str]:
    for group in one.standing:
        parked = f" ({group.parked:,} parked)" if group.parked else ""
        version = "" if group.version == one.version else f" of {group.version}"
        verbs = group.becomes if group.count == 1 else _plural(group.becomes)
        yield f"{group.count:,} on '{group.step}'{version}{parked}: {verbs}"


def _plural(becomes: str) -> str:
    verb, _, rest = becomes.partition(" ")
    many = {"goes": "go", "leaves": "leave", "finishes": "finish", "moves": "move", "has": "have", "its": "their"}
    return " ".join([many.get(verb, verb), *(many.get(word, word) for word in rest.split())])


def versions(as_json: JsonOption = False, project: ProjectOption = None) -> None:
    """Campaigns as they are live: version, state, who is inside."""
    import msgspec

    from nurture.cli.opening import opened
    from nurture.store.versions import current, deployed, in_flight

    with opened(project) as at, at.database.read() as tx:
        found, inside, everything = deployed(tx), in_flight(tx), current(tx)
    all_paused = everything is not None and everything.paused
    rows: list[dict[str, Any]] = []
    for name, d in found.items():
        older = {v: count for (c, v), count in inside.items() if c == name and v != d.version}
        told = {**msgspec.to_builtins(d), "paused": d.paused or all_paused}
        rows.append({**told, "inside": inside.get((name, d.version), 0), "inside_older": older})
    if as_json:
        print_json(rows)
        return
    _show_versions(rows)


def _show_versions(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        typer.echo("nothing is deployed yet; run 'nurture deploy'")
        return
    made = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("campaign", "version", "state", "inside", "on older ones", "deployed"):
        made.add_column(name, justify="right" if name == "inside" else "left", no_wrap=name != "on older ones")
    for row in rows:
        state = "paused" if row["paused"] and row["state"] == "live" else row["state"]
        older = ", ".join(f"{count:,} on {version}" for version, count in row["inside_older"].items())
        made.add_row(
            row["name"], row["version"], state, f"{row['inside']:,}", older, row["deployed_at"][:16].replace("T", " ")
        )
    Console().print(made)
