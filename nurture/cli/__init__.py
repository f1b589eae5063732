"""The `nurture` command: one module a group of commands, heavy imports inside the commands.

Exit codes: 0 done, 1 the user's problem, 3 ours (with a log to paste), 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from nurture.cli import (
    beginning,
    check,
    consent,
    db,
    deploying,
    doctor,
    enrolling,
    imports,
    keys,
    leads,
    outbox,
    pausing,
    previewing,
    report,
    running,
    schema,
    simulating,
    testing,
    why,
)
from nurture.cli.console import chosen_before
from nurture.cli.failures import guarded

app = typer.Typer(
    name="nurture",
    help="Lead nurturing as code: campaigns in YAML, rehearsed before they run, proven after.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"nurture {version('nurture')}")
        raise typer.Exit


@app.callback()
def _common(
    project: Annotated[
        Path | None,
        typer.Option("--project", metavar="DIR", help="The project's folder, if not found upward from here."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    chosen_before.set(project)


WRITE, RUN, PEOPLE = "Write and rehearse", "Run", "Leads and data"

app.command("init", rich_help_panel=WRITE)(beginning.init)
app.command("check", rich_help_panel=WRITE)(check.check)
app.command("test", rich_help_panel=WRITE)(testing.run_tests)
app.command("simulate", rich_help_panel=WRITE)(simulating.simulate)
app.command("preview", rich_help_panel=WRITE)(previewing.preview)
app.command("send-test", rich_help_panel=WRITE)(previewing.send_test)
app.command("schema", rich_help_panel=WRITE)(schema.schema)
app.command("plan", rich_help_panel=RUN)(deploying.plan)
app.command("deploy", rich_help_panel=RUN)(deploying.deploy)
app.command("versions", rich_help_panel=RUN)(deploying.versions)
app.command("run", rich_help_panel=RUN)(running.run)
app.command("worker", rich_help_panel=RUN)(running.worker)
app.command("serve", rich_help_panel=RUN)(running.serve)
app.command("pause", rich_help_panel=RUN)(pausing.pause)
app.command("resume", rich_help_panel=RUN)(pausing.resume)
app.command("doctor", rich_help_panel=RUN)(doctor.doctor)
app.add_typer(outbox.app, name="outbox", rich_help_panel=RUN)
app.add_typer(keys.app, name="keys", rich_help_panel=RUN)
app.add_typer(db.app, name="db", rich_help_panel=RUN)
app.command("import", rich_help_panel=PEOPLE)(imports.import_file)
app.command("enroll", rich_help_panel=PEOPLE)(enrolling.enroll)
app.command("why", rich_help_panel=PEOPLE)(why.why)
leads.app.command("move")(enrolling.move)
leads.app.command("tag")(enrolling.tag)
leads.app.command("untag")(enrolling.untag)
leads.app.command("assign")(enrolling.assign)
app.add_typer(leads.app, name="leads", rich_help_panel=PEOPLE)
app.add_typer(consent.app, name="consent", rich_help_panel=PEOPLE)
app.add_typer(report.app, name="report", rich_help_panel=PEOPLE)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing is raised."""
    command = typer.main.get_command(app)
    return guarded(lambda: command.main(args=list(arguments), prog_name="nurture", standalone_mode=False))


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:]))
