"""`nurture simulate`: leads, or a recorded history, through a campaign on a virtual clock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import JsonOption, ProjectOption, print_json, project_root
from nurture.cli.rehearsal import HtmlOption, report, told, write_page
from nurture.errors import UserError

if TYPE_CHECKING:
    from nurture.campaign.plan import Plan
    from nurture.campaign.project import Project
    from nurture.campaign.spec import CampaignSpec
    from nurture.engine.replay import Outcome

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Chosen:
    """The campaign that is played. `zone` is the one instants are shown in."""

    project: Project
    plan: Plan
    spec: CampaignSpec


def simulate(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its name in the project, or its file.")],
    lead: Annotated[
        Path | None, typer.Option("--lead", metavar="FILE", help="One scripted lead, written like a test.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option("--events", metavar="FILE", help="A recorded history: CSV or JSON lines, .gz too.")
    ] = None,
    leads: Annotated[
        Path | None, typer.Option("--leads", metavar="FILE", help="Who the leads of the history are.")
    ] = None,
    mapping: Annotated[
        list[Path] | None, typer.Option("--mapping", metavar="MAP.yaml", help="Says what the columns are; may repeat.")
    ] = None,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="T", help="When it is deployed; earlier events are history.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="T", help="How far the clock runs on.")] = None,
    html: HtmlOption = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """What a campaign would do, as a timeline with causes. Nothing is sent and no database is touched."""
    if (lead is None) == (events is None):
        raise UserError("say who is played", hint="--lead FILE for one scripted lead, --events FILE for a history")
    if lead is not None and (leads is not None or mapping):
        raise UserError("--leads and --mapping belong to --events", hint="a scripted lead says everything itself")
    chosen = choose(campaign, project)
    span = moment(begin, chosen.project, "--from"), moment(until, chosen.project, "--until")
    if lead is not None:
        outcome, zone = _play_lead(chosen, lead, span)
    else:
        assert events is not None
        outcome, zone = _play_history(chosen, events, leads, mapping or [], span), chosen.project.zone
    if html is not None:
        write_page(html, chosen.spec, outcome, zone)
    if as_json:
        print_json(told(outcome))
    else:
        report(outcome, zone)


def choose(name: str, project: Path | None) -> Chosen:
    """The campaign and what it is played in. Raises ProjectProblems for its errors, NotFound where there is none.
    Templates are not looked at: none is printed."""
    from nurture.campaign.problems import ProjectProblems, errors, unknown
    from nurture.campaign.read import read_campaigns
    from nurture.folder import read_folder
    from nurture.settings import read_language

    path = Path(name)
    is_file = path.suffix in (".yaml", ".yml") or path.is_file()
    root = project_root(project)
    folder = read_folder(root, also=[path] if is_file else [])
    language = read_language(folder, os.environ)
    found = read_campaigns(folder.campaigns, language.project)
    wrong = errors(language.problems)
    if wrong:
        raise ProjectProblems(wrong)
    if is_file:
        wanted = path.resolve()
        inside = {file for file in folder.campaigns if (root / file).resolve() == wanted}
        spec = next((s for s in found.specs.values() if s.mark.file in inside), None)
    else:
        inside = set()
        spec = found.specs.get(name)
        inside = {spec.mark.file} if spec is not None else set()
    mine = [p for p in errors([*folder.problems, *found.problems]) if p.mark.file in inside]
    if mine:
        raise ProjectProblems(mine)
    if spec is None or spec.name not in found.plans:
        raise unknown("campaign", name, found.specs)
    return Chosen(language.project, _live(found.plans[spec.name]), spec)


def _live(plan: Plan) -> Plan:
    """A draft is played as what it is going to be."""
    import msgspec

    if plan.state != "draft":
        return plan
    typer.echo(f"note: '{plan.campaign}' is a draft; it is played as if it were live", err=True)
    return msgspec.structs.replace(plan, state="live")


def moment(text: str | None, project: Project, option: str) -> datetime | None:
    from nurture.journey.timing import read_moment

    if text is None:
        return None
    found = read_moment(text, project.zone)
    if found is None:
        raise UserError(f"'{text}' of {option} is not a date", hint="write 2026-03-02 or 2026-03-02T10:00")
    return found


def _play_lead(chosen: Chosen, file: Path, span: tuple[datetime | None, datetime | None]) -> tuple[Outcome, str]:
    from nurture.campaign.problems import ProjectProblems, errors
    from nurture.campaign.script import read_script
    from nurture.campaign.source import Findings, decode
    from nurture.engine.replay import play
    from nurture.engine.trial import players

    try:
        data = file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    findings = Findings()
    text = decode(str(file), data, findings)
    script, problems = (
        read_script(str(file), text, chosen.project, chosen.spec) if text is not None else (None, findings.problems)
    )
    if script is None:
        raise ProjectProblems(errors(problems))
    on = players(chosen.project, chosen.plan.campaign, script)
    name = str(script.lead.fields.get("email") or script.lead.fields.get("external_id") or "the lead")
    start, until = span[0] or on.start, span[1] or on.until
    in_order(start, until)
    outcome = play(
        chosen.project, chosen.plan, [on.cast], on.script, start, until, names=[name], answers=script.answers
    )
    return outcome, on.zone


def _play_history(
    chosen: Chosen,
    events: Path,
    leads: Path | None,
    mappings: Sequence[Path],
    span: tuple[datetime | None, datetime | None],
) -> Outcome:
    from nurture.cli.imports import read_mapping_file
    from nurture.engine.history import read_history, staged
    from nurture.engine.replay import AFTER, play

    with heard_on_stderr() as heard:
        history = read_history(chosen.project, events, leads, [read_mapping_file(m) for m in mappings], heard)
        for file, line, reason in history.refused[:_SHOWN]:
            typer.echo(f"{file}:{line}: not used: {reason}", err=True)
        if len(history.refused) > _SHOWN:
            typer.echo(f"and {len(history.refused) - _SHOWN:,} rows more were not used", err=True)
        if history.first is None or history.last is None:
            raise UserError(f"{events} holds no event that could be used")
        start, until = span[0] or history.first, span[1] or history.last + AFTER
        in_order(start, until)
        last = min(history.last, until)
        cast, script = staged(history, start)
        whole = max(1.0, (last - start).total_seconds())
        return play(
            chosen.project,
            chosen.plan,
            cast,
            script,
            start,
            until,
            names=[player.name for player in history.players],
            progress=lambda at: heard("playing", min(1.0, (at - start).total_seconds() / whole)),
        )


_SHOWN = 10  # refused rows


def in_order(start: datetime, until: datetime) -> None:
    if until < start:
        raise UserError(f"it ends ({until.isoformat()}) before it begins ({start.isoformat()})")


@contextmanager
def heard_on_stderr() -> Iterator[Progress]:
    """A bar on a terminal, a plain line now and then elsewhere; both on stderr."""
    from nurture.cli.imports import progress

    with progress() as heard:
        yield heard
