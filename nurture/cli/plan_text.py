"""What a deploy would change, as a person reads it on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nurture.cli.console import counted

if TYPE_CHECKING:
    from rich.console import Console

    from nurture.engine.forecast import DaySends, Forecast
    from nurture.engine.plan_deploy import CampaignPlan, DeployPlan, Group

_SIGNS = {"new": ("+", "green"), "changed": ("~", "yellow"), "retired": ("-", "red"), "same": (" ", "dim")}
_STEP_SIGNS = {"added": ("+", "green"), "changed": ("~", "yellow"), "removed": ("-", "red")}


def show(found: DeployPlan, sends: Forecast | None) -> None:
    """Print it; the mails of the next days where they were played."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    if not found.changes:
        console.print("nothing to change: what is live is what lies here")
        return
    if found.first:
        console.print("the first deploy")
    for one in told(found):
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
    if sends is not None:
        _show_sends(console, sends)


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


def told(found: DeployPlan) -> list[CampaignPlan]:
    """The campaigns there is something to say about."""
    return [
        one
        for one in found.campaigns
        if one.what != "same" or one.state != one.state_before or any(g.version != one.version for g in one.standing)
    ]


def _groups(one: CampaignPlan) -> Iterable[str]:
    for group in one.standing:
        parked = f" ({group.parked:,} parked)" if group.parked else ""
        version = "" if group.version == one.version else f" of {group.version}"
        yield f"{group.count:,} on '{group.step}'{version}{parked}: {fate(group)}"


def fate(group: Group) -> str:
    """What becomes of them, said of one or of many."""
    return group.becomes if group.count == 1 else _plural(group.becomes)


def _plural(becomes: str) -> str:
    verb, _, rest = becomes.partition(" ")
    many = {"goes": "go", "leaves": "leave", "finishes": "finish", "moves": "move", "has": "have", "its": "their"}
    return " ".join([many.get(verb, verb), *(many.get(word, word) for word in rest.split())])


def _show_sends(console: Console, found: Forecast) -> None:
    """Mails a day, before and after; days without any are left out."""
    from rich.markup import escape
    from rich.table import Table

    if not found.sends:
        return
    console.print(f"mails of the next 7 days{estimated(found)}", style="bold", markup=False)
    made = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("campaign", "day", "before", "after"):
        made.add_column(name, justify="right" if name in ("before", "after") else "left", no_wrap=True)
    for campaign, rows in by_campaign(found).items():
        for n, s in enumerate(rows):
            made.add_row(escape(campaign) if n == 0 else "", day_of(s.day), f"{s.before:,}", f"{s.after:,}")
        before, after = sum(s.before for s in rows), sum(s.after for s in rows)
        made.add_row("", "together", f"{before:,}", f"{after:,}", style="bold")
    console.print(made)


def by_campaign(found: Forecast) -> dict[str, list[DaySends]]:
    """The days on which a campaign sends, before or after."""
    made: dict[str, list[DaySends]] = {}
    for one in found.sends:
        if one.before or one.after:
            made.setdefault(one.campaign, []).append(one)
    return made


def day_of(day: str) -> str:
    """`Mon 23 Nov`: mails are read against days of the week."""
    from datetime import date

    return f"{date.fromisoformat(day):%a %d %b}"


def estimated(found: Forecast) -> str:
    """Says so where not everybody was played."""
    if found.played == found.leads:
        return ""
    return f" (estimated: {found.played:,} of {found.leads:,} leads played, one for {found.factor:,.1f})"
