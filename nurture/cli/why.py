"""`nurture why`: every decision about a lead in words, also why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.console import JsonOption, ProjectOption, print_json
from nurture.cli.enrolling import LEAD_HINT, NOBODY, LeadArgument
from nurture.errors import NotFound

if TYPE_CHECKING:
    from rich.console import Console

    from nurture.campaign.plan import Plan
    from nurture.store.why import Decided, Mailed, Stands


def why(
    lead: LeadArgument,
    campaign: Annotated[
        str | None, typer.Option("--campaign", metavar="NAME", help="Only about this campaign.")
    ] = None,
    mail: Annotated[
        str | None, typer.Option("--mail", metavar="TEMPLATE", help="Only about this mail (template or step).")
    ] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Every decision about a lead: what was decided, by which rule, on what, under which version; also why not."""
    from nurture.cli.opening import opened
    from nurture.store import why as store
    from nurture.store.identities import find_lead
    from nurture.store.versions import deployed, plans

    with opened(project) as at, at.database.read() as tx:
        found = find_lead(tx, lead)
        if found is None:
            raise NotFound(NOBODY, hint=LEAD_HINT)
        known = deployed(tx)
        made = store.decisions_about(tx, found, campaign)
        sent = store.messages_to(tx, found)
        stands = store.standing(tx, found, campaign)
        live = {name: d.version for name, d in known.items()}
        # What kept somebody out was asked of the live version; it is not recorded which one that was then.
        wanted = {(d.line.campaign, d.version or live.get(d.line.campaign, "")) for d in made}
        walked = plans(tx, sorted(wanted))
    if campaign is not None and campaign not in known and not made:
        raise NotFound(f"there is no campaign '{campaign}'", hint=f"there are: {', '.join(known) or 'none'}")
    if mail is not None:
        made = _about(mail, made)
        stands = [s for s in stands if s.step == mail]
    zone = at.project.zone
    told = _Told(made, sent, stands, {n: walked[n, v] for n, v in live.items() if (n, v) in walked}, walked, zone)
    if as_json:
        print_json([_json(one, told) for one in made])
    else:
        _print(told, campaign, mail)


@dataclass(frozen=True)
class _Told:
    """What `why` knows of a lead. `live` are the plans that are live now, `plans` all that it walked."""

    made: list[Decided]
    sent: list[Mailed]
    stands: list[Stands]
    live: dict[str, Plan]
    plans: dict[tuple[str, str], Plan]
    zone: str

    def rule(self, one: Decided) -> str:
        """The rule behind a decision, as the campaign file has it."""
        from nurture.engine.rule_of import rule_of

        name = one.line.campaign
        plan = self.plans.get((name, one.version)) if one.version else self.live.get(name)
        return rule_of(plan, one.line) if plan is not None else ""


def _about(mail: str, made: list[Decided]) -> list[Decided]:
    """What was decided of this mail, and, where it never came so far, what ended or kept out the enrollment."""
    named = [d for d in made if mail in (d.line.step, d.line.detail)]
    if any(d.line.what in ("released", "refused", "skipped") for d in named):
        return named
    return [d for d in made if d in named or d.line.what in ("entered", "not_entered", "ended", "parked")]


def _json(one: Decided, told_: _Told) -> dict[str, Any]:
    import msgspec

    from nurture.engine.explain import told

    line, say = one.line, told(one.line, told_.zone)
    mail = _message(one, told_.sent)
    return {
        "at": line.at.isoformat(),
        "campaign": line.campaign,
        "version": one.version,
        "enrollment": line.enrollment,
        "step": line.step,
        "what": line.what,
        "reason": line.reason,
        "detail": line.detail,
        "inputs": line.inputs,
        "text": say.text,
        "why": say.why,
        "rule": told_.rule(one),
        "message": msgspec.to_builtins(mail) if mail is not None else None,
    }


def _message(one: Decided, sent: list[Mailed]) -> Mailed | None:
    """The message that a release put into the outbox: of its step, the first not before it."""
    line = one.line
    if line.what != "released":
        return None
    mine = [m for m in sent if m.kind == "mail" and (m.enrollment, m.step) == (line.enrollment, line.step)]
    return next((m for m in mine if m.released_at >= line.at), None)


def _print(told_: _Told, campaign: str | None, mail: str | None) -> None:
    from rich.console import Console

    from nurture.cli.telling import print_lines, printable

    console = Console(highlight=False, soft_wrap=True)
    if not told_.made:
        about = f" about '{campaign}'" if campaign else ""
        console.print(f"nothing was decided{about}: no event, stage or date of this lead has started it", markup=False)
    for title, group in _groups(told_.made).items():
        console.print(title, style="bold", markup=False)
        for one in group:
            print_lines(console, [one.line], told_.zone, indent="  ")
            for more in _more(one, told_):
                console.print(f"  {'':<16}    {printable(more)}", style="dim", markup=False)
        _now(console, [s for s in told_.stands if s.id == group[0].line.enrollment], told_.zone)
    if mail is not None and told_.made and not any(mail in (d.line.step, d.line.detail) for d in told_.made):
        console.print(f"'{printable(mail)}' was never reached", style="yellow", markup=False)


def _more(one: Decided, told_: _Told) -> Iterator[str]:
    """What stands below a decision: its rule, and what became of the message."""
    from nurture.engine.explain import clock

    rule = told_.rule(one)
    if rule:
        yield f"rule: {rule}"
    message = _message(one, told_.sent)
    if message is not None:
        when = f" {clock(message.sent_at, told_.zone)}" if message.sent_at else ""
        yield f"message {message.id}: {message.state}{when}" + (f": {message.reason}" if message.reason else "")


def _groups(made: list[Decided]) -> dict[str, list[Decided]]:
    """By enrollment, each from its entry to its end; what let nobody in stands by its campaign."""
    found: dict[str, list[Decided]] = {}
    keys: dict[int, str] = {}
    for one in made:
        line = one.line
        if line.enrollment is None:
            found.setdefault(f"{line.campaign}: not entered", []).append(one)
            continue
        if line.enrollment not in keys:
            key = f", key '{line.inputs['key']}'" if line.inputs.get("key") else ""
            version = f", version {one.version}" if one.version else ""
            keys[line.enrollment] = f"{line.campaign}{key}{version} (enrollment {line.enrollment})"
        found.setdefault(keys[line.enrollment], []).append(one)
    return found


def _now(console: Console, stands: list[Stands], zone: str) -> None:
    from nurture.engine.explain import WHY_DEFERRED, clock

    for s in stands:
        if s.state == "parked":
            console.print(f"  now: parked on '{s.step}': {s.error}", style="red", markup=False)
            continue
        held = WHY_DEFERRED.get(s.held or "", s.held or "")
        until = f" until {clock(s.wake, zone)}" if s.wake is not None else ""
        why_ = f" ({held})" if held else ""
        console.print(f"  now: on '{s.step}'{until}{why_}", style="cyan", markup=False)
