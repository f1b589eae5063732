"""`nurture plan`, `deploy`: making campaigns live, and seeing before what it changes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import JsonOption, ProjectOption, counted, open_folder, print_json
from nurture.errors import UserError

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.campaign.project import Project
    from nurture.engine.checking import Checked
    from nurture.engine.forecast import Forecast
    from nurture.engine.plan_deploy import DeployPlan
    from nurture.engine.rollback import Target
    from nurture.folder import Folder
    from nurture.store.database import Database, Transaction


YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
YesEnterOption = Annotated[
    int | None, typer.Option("--yes-enter", metavar="N", min=0, help="So many leads may enter at once.")
]


@dataclass(frozen=True)
class _Ready:
    """A project without errors, and its database at this program's schema; `made` says that it was new."""

    folder: Folder
    project: Project
    checked: Checked
    texts: dict[str, str]
    database: Database
    made: str | None

    def target(self) -> Target:
        """What lies in the folder, to be made live."""
        from nurture.engine.plan_deploy import files_of
        from nurture.engine.rollback import Target

        return Target(self.project, self.checked.plans, files_of(self.texts), "what lies in the folder")


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
    unmade = database.missing
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


def plan(
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")] = False,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """What a deploy would change: steps, who stands where and what becomes of them, who would enter, and the mails of
    the next seven days before and after. Changes nothing. Ends with 1 if a deploy would be refused."""
    import msgspec

    from nurture.cli.plan_markdown import markdown
    from nurture.cli.plan_text import show
    from nurture.clock import WallClock

    now = WallClock().now()
    with _ready(project, create=False) as ready:
        target = ready.target()
        with ready.database.read() as tx:
            found = weigh(tx, target, now)
        sends = forecast_of(ready.database, target, found, now)
    if as_json:
        print_json({**msgspec.to_builtins(found), "changes": found.changes, **msgspec.to_builtins(sends)})
    elif as_markdown:
        typer.echo(markdown(found, sends), nl=False)
    else:
        show(found, sends)
    if found.refused:
        if not (as_json or as_markdown):
            for reason in found.refused:
                typer.echo(f"refused: {reason}", err=True)
        raise typer.Exit(1)


def weigh(tx: Transaction, target: Target, now: datetime) -> DeployPlan:
    """What making this live would change."""
    import msgspec

    from nurture.engine.plan_deploy import plan_deploy

    found = plan_deploy(tx, target.project, target.plans, target.files, now)
    return msgspec.structs.replace(found, refused=(*target.refused, *found.refused))


def forecast_of(database: Database, target: Target, found: DeployPlan, now: datetime) -> Forecast:
    """The mails of the next days; a bar or plain lines tell how far it is."""
    from nurture.cli.imports import progress
    from nurture.engine.forecast import forecast

    with progress() as heard:
        return forecast(database, target.project, target.plans, target.files, found, now, heard)


def deploy(
    yes: YesOption = False,
    yes_enter: YesEnterOption = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Make campaigns, templates and config.yaml live, after a check and a look at what it changes."""
    with _ready(project, create=True) as ready:
        if ready.made and not as_json:
            typer.echo(f"a new database was made, at schema {ready.made}")
        make_live(ready.database, ready.target(), yes=yes, yes_enter=yes_enter, as_json=as_json)


def make_live(
    database: Database, target: Target, *, yes: bool, yes_enter: int | None, as_json: bool, hint: str = ""
) -> None:
    """Show what it changes, ask unless `yes`, and do it in one transaction. Raises UserError where it is refused."""
    import msgspec

    from nurture.cli.plan_text import show
    from nurture.clock import WallClock
    from nurture.engine import deploy as engine
    from nurture.store.versions import allow

    now = WallClock().now()
    with database.read() as tx:
        found = weigh(tx, target, now)
    asked = found.changes and not yes
    if not as_json:  # who is asked sees the mails too; for who has said yes already nobody waits
        show(found, forecast_of(database, target, found, now) if asked and sys.stdin.isatty() else None)
    _refuse(found, yes_enter, hint)
    if asked:
        _ask(as_json)
    with database.write() as tx:
        again = weigh(tx, target, now)  # what was shown may have changed while a person was reading
        _refuse(again, yes_enter, hint)
        done = engine.deploy(tx, target.project, target.plans, target.files, now)
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


def _refuse(found: DeployPlan, yes_enter: int | None, hint: str) -> None:
    if found.refused:
        what = "this would strand people or mail them twice; nothing was changed"
        raise UserError("\n".join((what, *found.refused)), hint=hint or None)
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
