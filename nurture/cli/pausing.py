"""`nurture pause`, `resume`: at once, without a deploy."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import JsonOption, ProjectOption, counted, print_json
from nurture.errors import NotFound, UserError

if TYPE_CHECKING:
    from nurture.store.database import Transaction

CampaignArgument = Annotated[str | None, typer.Argument(metavar="CAMPAIGN", help="Its name.")]
AllOption = Annotated[bool, typer.Option("--all", help="Everything.")]


class Spared(StrEnum):
    SERVICE = "service"


def pause(
    campaign: CampaignArgument = None,
    everything: AllOption = False,
    spared: Annotated[
        Spared | None, typer.Option("--except", metavar="service", help="With --all: service mails go on.")
    ] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Stop a campaign, or everything: nothing enters, mails stay in 'pending', goals and exits still count."""
    from nurture.cli.opening import opened
    from nurture.clock import WallClock
    from nurture.engine import deploy as engine

    _one_of(campaign, everything)
    if spared is not None and not everything:
        raise UserError("--except belongs to --all", hint="a paused campaign keeps all its mails")
    with opened(project) as at, at.database.write() as tx:
        _known(tx, campaign)
        engine.pause(tx, campaign, WallClock().now(), spare_service=spared is not None)
    if as_json:
        print_json({"paused": campaign or "all", "except": spared})
        return
    what = f"'{campaign}' is paused" if campaign else "everything is paused"
    typer.echo(what + (", but for service mails" if spared else ""))


def resume(
    campaign: CampaignArgument = None,
    everything: AllOption = False,
    yes_send: Annotated[
        int | None,
        typer.Option("--yes-send", metavar="N", min=1, help="So many mails of it may leave before it asks again."),
    ] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Go on after a pause. What fell due meanwhile is late, and 'if_late' decides. A campaign that reached its blast
    limit (alerts.blast) may then send as many again; --yes-send names another number."""
    from nurture.cli.opening import opened
    from nurture.clock import WallClock
    from nurture.engine import deploy as engine
    from nurture.store.versions import current, deployed, paused_already

    _one_of(campaign, everything)
    if yes_send is not None and everything:
        raise UserError("--yes-send belongs to one campaign", hint="name the campaign in place of --all")
    with opened(project) as at, at.database.write() as tx:
        _known(tx, campaign)
        was_paused = paused_already(tx, campaign)
        woken = engine.resume(tx, campaign, WallClock().now(), yes_send=yes_send)
        still = [n for n, d in deployed(tx).items() if d.paused]
        now = current(tx)
        all_paused = now is not None and now.paused
    if as_json:
        told = {"resumed": campaign or "all", "was_paused": was_paused, "woken": woken}
        print_json({**told, "still_paused": still, "all_paused": all_paused})
        return
    _say_resumed(campaign, woken, was_paused=was_paused)
    if all_paused:
        typer.echo("note: everything is still paused; 'nurture resume --all' lifts that")
    elif still and not campaign:
        typer.echo(f"note: still paused by themselves: {', '.join(still)}")


def _say_resumed(campaign: str | None, woken: int, *, was_paused: bool) -> None:
    if was_paused:
        what = f"'{campaign}' goes on" if campaign else "everything goes on"
        typer.echo(f"{what}; {counted(woken, 'enrollment')} stood because of the pause")
    else:
        typer.echo(f"'{campaign}' was not paused" if campaign else "it was not everything that was paused")


def _one_of(campaign: str | None, everything: bool) -> None:
    if (campaign is None) is not everything:
        raise UserError("say which", hint="a campaign's name, or --all")


def _known(tx: Transaction, campaign: str | None) -> None:
    from nurture.campaign.problems import did_you_mean
    from nurture.store.versions import current, deployed

    found = deployed(tx)
    if campaign is None:
        if current(tx) is None:
            raise UserError("nothing is deployed yet", hint="run 'nurture deploy'")
    elif campaign not in found:
        hint = did_you_mean(campaign, found) or f"there are: {', '.join(found) or 'none; run nurture deploy'}"
        raise NotFound(f"there is no campaign '{campaign}'", hint=hint)
