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
    backtesting,
    beginning,
    check,
    closures,
    config,
    consent,
    db,
    deploying,
    doctor,
    dossier,
    enrolling,
    graphing,
    imports,
    inboxing,
    keys,
    leads,
    outbox,
    pausing,
    previewing,
    privacy,
    rendering,
    report,
    returns,
    rolling_back,
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

app.command("init", short_help="Make a new project that runs.", rich_help_panel=WRITE)(beginning.init)
app.command("check", short_help="All problems of campaigns, templates and config.", rich_help_panel=WRITE)(check.check)
app.command("test", short_help="Play the tests of campaigns on a virtual clock.", rich_help_panel=WRITE)(
    testing.run_tests
)
app.command("simulate", short_help="What a campaign would do with these leads, and why.", rich_help_panel=WRITE)(
    simulating.simulate
)
app.command("backtest", short_help="What a campaign would have done these last months.", rich_help_panel=WRITE)(
    backtesting.backtest
)
app.command("graph", short_help="A campaign as a drawing, with who stands where.", rich_help_panel=WRITE)(
    graphing.graph
)
app.command("preview", short_help="A mail in the browser.", rich_help_panel=WRITE)(previewing.preview)
app.command("render", short_help="Every mail, for every sample lead, as files.", rich_help_panel=WRITE)(
    rendering.render
)
app.command("send-test", short_help="Send one real mail, marked as a test.", rich_help_panel=WRITE)(
    previewing.send_test
)
app.command("schema", short_help="JSON Schema of campaign files, for editors.", rich_help_panel=WRITE)(schema.schema)
app.command("plan", short_help="What a deploy would change.", rich_help_panel=RUN)(deploying.plan)
app.command("deploy", short_help="Make campaigns, templates and config live.", rich_help_panel=RUN)(deploying.deploy)
app.command("rollback", short_help="Make an older version live again.", rich_help_panel=RUN)(rolling_back.rollback)
app.command("versions", short_help="What is live and what was; who is inside.", rich_help_panel=RUN)(
    rolling_back.versions
)
app.command("run", short_help="Worker and endpoint in one process.", rich_help_panel=RUN)(running.run)
app.command("worker", short_help="The worker alone.", rich_help_panel=RUN)(running.worker)
app.command("serve", short_help="The endpoint alone.", rich_help_panel=RUN)(running.serve)
app.command("inbox", short_help="Mails written to a folder, in the browser.", rich_help_panel=RUN)(inboxing.inbox)
app.command("pause", short_help="Stop a campaign, or everything, at once.", rich_help_panel=RUN)(pausing.pause)
app.command("resume", short_help="Go on after a pause.", rich_help_panel=RUN)(pausing.resume)
app.command("returns", short_help="Read bounces, complaints and replies now.", rich_help_panel=RUN)(returns.returns)
app.command("doctor", short_help="What is broken, and what stands still.", rich_help_panel=RUN)(doctor.doctor)
app.add_typer(outbox.app, name="outbox", short_help="What is to leave, and what became of it.", rich_help_panel=RUN)
app.add_typer(
    closures.app, name="closures", short_help="Ways out that are closed, and opening them.", rich_help_panel=RUN
)
app.add_typer(keys.app, name="keys", short_help="Keys of other programs.", rich_help_panel=RUN)
app.add_typer(config.app, name="config", short_help="What config.yaml says, without its secrets.", rich_help_panel=RUN)
app.add_typer(db.app, name="db", short_help="Bring the schema up to date, copy the database.", rich_help_panel=RUN)
app.command("import", short_help="Take in leads, events or deals from a file.", rich_help_panel=PEOPLE)(
    imports.import_file
)
app.command("enroll", short_help="Put a lead into a campaign.", rich_help_panel=PEOPLE)(enrolling.enroll)
app.command("why", short_help="Every decision about a lead, also why not.", rich_help_panel=PEOPLE)(why.why)
leads.app.command("move")(enrolling.move)
leads.app.command("tag")(enrolling.tag)
leads.app.command("untag")(enrolling.untag)
leads.app.command("assign")(enrolling.assign)
app.add_typer(leads.app, name="leads", short_help="Look at leads, move, tag, assign them.", rich_help_panel=PEOPLE)
app.add_typer(
    consent.app, name="consent", short_help="What was agreed to, and the proof of it.", rich_help_panel=PEOPLE
)
app.add_typer(report.app, name="report", short_help="Funnel and pipeline in figures.", rich_help_panel=PEOPLE)

consent.app.command("dossier")(dossier.dossier)
consent.app.command("checkpoint")(dossier.checkpoint)
app.add_typer(
    privacy.app, name="privacy", short_help="A person's rights; how long data is kept.", rich_help_panel=PEOPLE
)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing is raised."""
    command = typer.main.get_command(app)
    return guarded(lambda: command.main(args=list(arguments), prog_name="nurture", standalone_mode=False))


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:]))
