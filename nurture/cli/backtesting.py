"""`nurture backtest`: what a draft would have done, from the events in the database."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import JsonOption, ProjectOption, open_folder, print_json
from nurture.cli.opening import as_it_is
from nurture.cli.rehearsal import HtmlOption, report, told, write_page
from nurture.cli.simulating import choose, heard_on_stderr, in_order, moment
from nurture.errors import NotFound, UserError

if TYPE_CHECKING:
    from nurture.campaign.project import Project


def backtest(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its name in the project, or its file.")],
    since: Annotated[str, typer.Option("--since", metavar="90d", help="When it is deployed: so long ago, or a date.")],
    until: Annotated[str | None, typer.Option("--until", metavar="T", help="How far it is played; today.")] = None,
    html: HtmlOption = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """What a campaign would have done, had it been live since then beside those that are: played over the events in the
    database. Nothing is sent and nothing is written."""
    from nurture.clock import WallClock
    from nurture.engine import backtest as engine

    chosen = choose(campaign, project)
    now = WallClock().now()
    start = read_since(since, chosen.project, now)
    end = min(moment(until, chosen.project, "--until") or now, now)
    in_order(start, end)
    with as_it_is(open_folder(project)) as database, heard_on_stderr() as heard:
        if database.missing:
            raise NotFound(
                f"there is no database {database.path} yet, so nothing has happened",
                hint="'nurture import events' takes in a history; 'nurture simulate --events' plays one from a file",
            )
        whole = max(1.0, (end - start).total_seconds())
        outcome = engine.backtest(
            database,
            chosen.project,
            chosen.plan,
            start,
            end,
            lambda at: heard("playing", min(1.0, (at - start).total_seconds() / whole)),
        )
    if html is not None:
        write_page(html, chosen.spec, outcome, chosen.project.zone, engine.LIMITS)
    if as_json:
        print_json({"since": start.isoformat(), "until": end.isoformat(), "limits": engine.LIMITS, **told(outcome)})
        return
    report(outcome, chosen.project.zone, lines=False)
    typer.echo("")
    for text in engine.LIMITS:
        typer.echo(f"note: {text}")


def read_since(text: str, project: Project, now: datetime) -> datetime:
    """The instant of `--since`: so long ago, or a date. Raises UserError for one to come."""
    from nurture.campaign.duration import read_duration
    from nurture.journey.timing import shift

    length = read_duration(text)
    found = shift(now, length.negated(), project.zone) if length is not None else moment(text, project, "--since")
    assert found is not None
    if found > now:
        raise UserError(f"'{text}' of --since is still to come", hint="write how long ago, as 90d, or a date gone by")
    return found
