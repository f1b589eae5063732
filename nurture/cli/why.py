"""`nurture why`: every decision about a lead in words, also why not; of a campaign, what came of it for everybody."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.console import JsonOption, ProjectOption, print_json
from nurture.cli.enrolling import LEAD_HINT, NOBODY
from nurture.errors import NotFound, UserError

if TYPE_CHECKING:
    from nurture.cli.opening import Opened
    from nurture.engine.why import Answer, Story
    from nurture.store.database import Transaction
    from nurture.store.why import Mailed


def why(
    lead: Annotated[
        str | None, typer.Argument(metavar="[LEAD]", help="An address, an external id or an id.", show_default=False)
    ] = None,
    campaign: Annotated[
        str | None,
        typer.Option(
            "--campaign", metavar="NAME", help="Only about this campaign; without LEAD, what came of it for all."
        ),
    ] = None,
    mail: Annotated[
        str | None,
        typer.Option(
            "--mail",
            metavar="TEMPLATE",
            help="Only about this mail (template or step); without LEAD, a message's number or Message-ID.",
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="30d", help="Not what was before: so long ago, or a date.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="The latest so many decisions.")] = 200,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Every decision about a lead: what was decided, by which rule, on what, under which version; also why not, and
    what would have to be different."""
    from nurture.cli.backtesting import read_since
    from nurture.cli.opening import opened
    from nurture.clock import WallClock

    if lead is None and mail is None and campaign is None:
        raise UserError("why what?", hint="name a lead, or --campaign NAME, or --mail with a message's number")
    with opened(project) as at, at.database.read() as tx:
        now = WallClock().now()
        if campaign is not None:
            _must_be_deployed(tx, at, campaign)
        if lead is None and mail is None:
            _tell_campaign(tx, str(campaign), now, as_json)
            return
        after = read_since(since, at.project, now) if since is not None else None
        story = _story(tx, at, lead, campaign, mail, now, after, limit)
    if as_json:
        print_json([_row(one) for one in story.answers])
    else:
        from nurture.cli.why_text import tell

        tell(story, now, campaign=campaign, mail=mail if lead is not None else None, limit=limit)


def _story(
    tx: Transaction,
    at: Opened,
    lead: str | None,
    campaign: str | None,
    mail: str | None,
    now: datetime,
    since: datetime | None,
    limit: int,
) -> Story:
    from nurture.engine.why import Asked, why
    from nurture.store.identities import find_lead

    if lead is None:
        message = _message(tx, str(mail))
        asked = Asked(campaign, message=message)
        return why(tx, at.project, message.lead or 0, now, asked)
    found = find_lead(tx, lead)
    if found is None:
        raise NotFound(NOBODY, hint=LEAD_HINT)
    return why(tx, at.project, found, now, Asked(campaign, mail, None, since, limit))


def _message(tx: Transaction, ref: str) -> Mailed:
    from nurture.store import why as store

    found = store.find_message(tx, ref)
    if found is None:
        hint = "without a lead, --mail takes a number of 'nurture outbox list', or a Message-ID"
        raise NotFound(f"there is no message '{ref}'", hint=hint)
    if found.lead is None:
        raise NotFound(
            "that message is about nobody who is still here", hint="its lead was erased, or it never had one"
        )
    if found.enrollment is None:
        raise NotFound(
            f"no campaign sent that message: it is of kind '{found.kind}'", hint="try 'nurture consent show'"
        )
    return found


def _row(one: Answer) -> dict[str, Any]:
    """One row of `--json`; docs/how-to/ask-why.md says what each field means."""
    import msgspec

    line = one.line
    kept = {name: value for name, value in line.inputs.items() if name != "saw"}
    saw = [{"condition": seen.condition, "holds": seen.holds, "value": seen.value} for seen in one.saw]
    return {
        "at": line.at.isoformat(),
        "campaign": line.campaign,
        "version": one.version,
        "enrollment": line.enrollment,
        "step": line.step,
        "what": line.what,
        "reason": line.reason,
        "detail": line.detail,
        "outcome": one.told.text,
        "why": one.told.why,
        "rule": one.rule,
        "inputs": {**kept, "saw": saw},
        "would_need": [[msgspec.to_builtins(change) for change in way] for way in one.ways],
        "message": msgspec.to_builtins(one.message) if one.message is not None else None,
    }


def _must_be_deployed(tx: Transaction, at: Opened, name: str) -> None:
    from nurture.campaign.problems import unknown
    from nurture.campaign.read import read_campaigns
    from nurture.store.versions import deployed

    known = deployed(tx)
    if name in known:
        return
    if name in read_campaigns(at.folder.campaigns, at.project).plans:
        raise NotFound(f"nobody can be in '{name}': it was never deployed", hint="run 'nurture deploy'")
    raise unknown("campaign", name, known)


def _tell_campaign(tx: Transaction, name: str, now: datetime, as_json: bool) -> None:
    from nurture.engine.why_campaign import what_came_of

    found = what_came_of(tx, name)
    if as_json:
        print_json(
            [
                {
                    "at": now.isoformat(),
                    "campaign": name,
                    "version": found.version,
                    "what": one.count.what,
                    "reason": one.count.reason,
                    "detail": one.count.about,
                    "outcome": one.text,
                    "why": one.why,
                    "rule": one.rule,
                    "count": one.count.count,
                }
                for one in found.lines
            ]
        )
        return
    from nurture.cli.why_text import tell_campaign

    tell_campaign(name, found)
