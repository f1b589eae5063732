"""`nurture enroll` and `nurture leads move|tag|untag|assign`: what a person does to a lead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.console import JsonOption, ProjectOption, named_values, print_json
from nurture.errors import NotFound, UserError

if TYPE_CHECKING:
    from nurture.campaign.plan import Plan
    from nurture.campaign.project import Project
    from nurture.engine.live import Live
    from nurture.engine.turn import Turn
    from nurture.store.database import Transaction

LeadArgument = Annotated[str, typer.Argument(metavar="LEAD", help="An address, an external id or an id.")]
NOBODY = "there is no such lead"
LEAD_HINT = "LEAD is an address, an external id or an id"


@dataclass(frozen=True)
class At:
    """One lead under a person's hands, in one writing transaction at one instant."""

    turn: Turn
    lead: int
    now: datetime

    @property
    def tx(self) -> Transaction:
        return self.turn.tx

    @property
    def live(self) -> Live:
        return self.turn.live


@contextmanager
def at_lead(lead: str, project: Path | None) -> Iterator[At]:
    """Raises NotFound where there is no such lead, UserError where nothing is deployed. What was done is written at the
    end."""
    from nurture.cli.opening import opened
    from nurture.clock import WallClock
    from nurture.engine.live import load_live
    from nurture.engine.turn import Turn
    from nurture.store.identities import find_lead

    with opened(project) as at:
        keyring = at.keyring()
        with at.database.write() as tx:
            live = load_live(tx, keyring)
            if live is None:
                raise UserError("nothing is deployed yet", hint="run 'nurture deploy'")
            found = find_lead(tx, lead)
            if found is None:
                raise NotFound(NOBODY, hint=LEAD_HINT)
            turn = Turn(tx, live)
            turn.load([found])
            yield At(turn, found, WallClock().now())
            turn.flush()


def enroll(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its name.")],
    lead: LeadArgument,
    entry: Annotated[
        list[str] | None,
        typer.Option("--entry", metavar="NAME=VALUE", help="A property of the entry, such as its key; may repeat."),
    ] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Put a lead into a campaign. The worker asks the campaign's rules, and 'nurture why' tells the answer."""
    from nurture.campaign.problems import did_you_mean
    from nurture.lead.event import Happening
    from nurture.store.events import store_events

    with at_lead(lead, project) as at:
        if campaign not in at.live.campaigns:
            known = at.live.campaigns
            hint = did_you_mean(campaign, known) or f"there are: {', '.join(known) or 'none'}"
            raise NotFound(f"there is no campaign '{campaign}' that is deployed", hint=hint)
        given = _properties(entry or [], at.live.plan(campaign), at.live.project)
        _keyed(at.live.plan(campaign), given)
        properties = {**given, "campaign": campaign}
        event = Happening(at.lead, "enroll.requested", at.now, at.now, properties, source="person")
        store_events(at.tx, [event])
    if as_json:
        print_json({"campaign": campaign, "lead": at.lead, "asked": at.now.isoformat()})
    else:
        typer.echo(f"asked; the worker decides within seconds: nurture why {lead} --campaign {campaign}")


def _properties(pairs: Sequence[str], plan: Plan, project: Project) -> dict[str, Any]:
    """The properties given, typed as the entry event declares them."""
    from nurture.campaign.plan import EnterEvent
    from nurture.journey.timing import read_moment
    from nurture.lead.lead import typed_fields

    given: dict[str, Any] = {**named_values(pairs)}
    shapes = project.events.get(plan.enter.event, {}) if isinstance(plan.enter, EnterEvent) else {}
    unknown = [name for name in given if shapes and name not in shapes]
    if unknown:
        raise UserError(f"the entry has no property '{unknown[0]}'", hint=f"it has: {', '.join(shapes)}")
    return typed_fields(shapes, given, lambda text: read_moment(text, project.zone))


def _keyed(plan: Plan, given: dict[str, Any]) -> None:
    from nurture.campaign.plan import EnterEvent

    key = plan.enter.key if isinstance(plan.enter, EnterEvent) else None
    if key is not None and not given.get(key):
        raise UserError(f"'{plan.campaign}' has one enrollment per {key}", hint=f"say which: --entry {key}=VALUE")


def move(
    lead: LeadArgument,
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="Where to.")],
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; a move backwards needs one.")
    ] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Move a lead to a stage, by the funnel's rules."""
    from nurture.campaign.problems import did_you_mean
    from nurture.engine import stages
    from nurture.funnel.stages import MoveRefused

    with at_lead(lead, project) as at:
        known = [name for funnel in at.live.project.funnels.values() for name in funnel.names()]
        if stage not in known:
            raise NotFound(
                f"there is no stage '{stage}'", hint=did_you_mean(stage, known) or f"stages: {', '.join(known)}"
            )
        moved = stages.move(at.turn, at.lead, stage, at=at.now, cause="person", reason=reason)
        if isinstance(moved, MoveRefused):
            raise UserError(f"not moved: {moved.text}")
    if as_json:
        print_json({"lead": at.lead, "funnel": moved.funnel, "from": moved.origin, "to": stage})
    else:
        typer.echo(f"moved to '{stage}'" + (f", from '{moved.origin}'" if moved.origin else ""))


TagArgument = Annotated[str, typer.Argument(metavar="TAG", help="The tag.")]


def tag(lead: LeadArgument, name: TagArgument, as_json: JsonOption = False, project: ProjectOption = None) -> None:
    """Give a lead a tag."""
    _tag(lead, name, True, as_json, project)


def untag(lead: LeadArgument, name: TagArgument, as_json: JsonOption = False, project: ProjectOption = None) -> None:
    """Take a tag away from a lead."""
    _tag(lead, name, False, as_json, project)


def _tag(lead: str, name: str, wanted: bool, as_json: bool, project: Path | None) -> None:
    from nurture.store import changes
    from nurture.store.profile import read_tags

    with at_lead(lead, project) as at:
        has = name in read_tags(at.tx, at.lead)
        if has is not wanted:
            pair = [(at.lead, name)]
            changes.tag(at.tx, pair if wanted else [], [] if wanted else pair)
            at.turn.emit(at.lead, "lead.changed", at.now, {"tag" if wanted else "untag": name})
    if as_json:
        print_json({"lead": at.lead, "tag": name, "set": wanted, "changed": has is not wanted})
    elif has is wanted:
        typer.echo("nothing to change: it " + ("has that tag" if has else "does not have that tag"))
    else:
        typer.echo(f"tagged '{name}'" if wanted else f"'{name}' taken away")


def assign(
    lead: LeadArgument,
    to: Annotated[str, typer.Argument(metavar="TEAM|ADDRESS", help="A team's next, or this colleague.")],
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Give a lead an owner. A team takes only who has none yet; an address is taken as it is."""
    from nurture.store import changes

    with at_lead(lead, project) as at:
        owner = before = at.turn.leads[at.lead].facts.owner
        if "@" in to:
            owner = _address(to)
        elif to not in at.live.project.teams:
            teams = ", ".join(at.live.project.teams) or "none"
            raise NotFound(f"there is no team '{to}'", hint=f"teams: {teams}; a colleague is named by address")
        elif not before:
            members = at.live.project.teams[to]
            if not members:
                raise UserError(f"nobody is in the team '{to}'")
            owner = members[changes.take_turns(at.tx, to, 1) % len(members)]
        if owner != before:
            changes.set_columns(at.tx, {at.lead: {"owner": owner}})
            at.turn.emit(at.lead, "lead.changed", at.now, {"owner": owner})
    if as_json:
        print_json({"lead": at.lead, "owner": owner, "before": before})
    else:
        typer.echo(f"owner: {owner}" + ("" if owner != before else ", as before"))


def _address(text: str) -> str:
    from nurture.lead.address import AddressRefused, check_address

    checked = check_address(text)
    if isinstance(checked, AddressRefused):
        raise UserError(f"this address cannot be written to: {checked.reason}")
    return checked
