"""What came of a rehearsal, as text, as JSON, and as a page: for `simulate` and `backtest`."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.console import counted, write_file

if TYPE_CHECKING:
    from rich.console import Console

    from nurture.campaign.spec import CampaignSpec
    from nurture.engine.replay import Outcome

HtmlOption = Annotated[
    Path | None, typer.Option("--html", metavar="FILE.html", help="Draw it too: a timeline, or sends a day and funnel.")
]
_BARS = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_WIDE = 60  # bars on a terminal


def told(outcome: Outcome) -> dict[str, Any]:
    """For other programs."""
    from nurture.engine.replay import entry

    return {
        "entered": outcome.entered,
        "not_entered": outcome.not_entered,
        "sent": outcome.sent,
        "refused": outcome.refused,
        "ended": outcome.ended,
        "funnel": {
            s.stage: {"before": s.before, "after": s.after, "entered": s.entered, "moved": s.moved}
            for s in outcome.funnel
        },
        "sends": [{"day": day.isoformat(), "template": name, "count": n} for day, name, n in outcome.sends],
        "timeline": [entry(line, outcome.names[line.lead]) for line in outcome.lines],
    }


def report(outcome: Outcome, zone: str, *, lines: bool = True) -> None:
    """The timeline (unless without `lines`) and the figures below it; of several leads also funnel and calendar."""
    from rich.console import Console

    from nurture.cli.telling import print_lines

    console = Console(highlight=False, soft_wrap=True)
    several = len(outcome.names) > 1
    if lines:
        print_lines(console, outcome.lines, zone, names=outcome.names if several else None)
        if outcome.lines:
            console.print()
    who = f"{counted(len(outcome.names), 'lead')}: " if several else ""
    console.print(f"{who}{outcome.entered:,} entered", style="bold", markup=False)
    tables = {
        "not entered": outcome.not_entered,
        "sent": outcome.sent,
        "refused": outcome.refused,
        "ended": outcome.ended,
    }
    width = max((len(name) for counts in tables.values() for name in counts), default=0)
    for title, counts in tables.items():
        for n, (name, count) in enumerate(counts.items()):
            console.print(f"  {title if not n else '':<12} {name:<{width}} {count:>7,}", markup=False)
    if several:
        _funnel(console, outcome)
        _calendar(console, outcome)


def _funnel(console: Console, outcome: Outcome) -> None:
    if not outcome.funnel:
        return
    width = max(len(s.stage) for s in outcome.funnel)
    console.print(f"\n  {'funnel':<12} {'':<{width}}  before   after entered  moved by it", style="bold", markup=False)
    for s in outcome.funnel:
        text = f"  {'':<12} {s.stage:<{width}} {s.before:>7,} {s.after:>7,} {s.entered:>7,} {s.moved:>12,}"
        console.print(text, markup=False)


def _calendar(console: Console, outcome: Outcome) -> None:
    """Sends a day as bars, one row a template, all on one scale."""
    if not outcome.sends:
        return
    days = outcome.days
    each = -(-len(days) // _WIDE)
    counts: dict[str, Counter[int]] = {}
    for day, template, n in outcome.sends:
        counts.setdefault(template, Counter())[(day - days[0]).days // each] += n
    highest = max(n for row in counts.values() for n in row.values())
    width = max(map(len, counts))
    scale = "a bar a day" if each == 1 else f"a bar for {each} days"
    span = f"{days[0]} to {days[-1]}, {scale}, the highest {counted(highest, 'mail')}"
    console.print(f"\n  {'sends a day':<12} {span}", style="bold", markup=False)
    for template, row in sorted(counts.items()):
        drawn = "".join(_BARS[-(-row[n] * 8 // highest)] for n in range(-(-len(days) // each)))
        console.print(f"  {'':<12} {template:<{width}}  {drawn}", markup=False)
    day, total = busiest(outcome)
    console.print(f"  {'':<12} busiest day: {day:%a %d %b %Y}, {counted(total, 'mail')}", style="dim", markup=False)


def busiest(outcome: Outcome) -> tuple[date, int]:
    """The day with the most mails, the earliest of equals. Only where something was sent."""
    totals: Counter[date] = Counter()
    for day, _, n in outcome.sends:
        totals[day] += n
    return min(totals.items(), key=lambda item: (-item[1], item[0]))


def write_page(path: Path, spec: CampaignSpec, outcome: Outcome, zone: str, notes: tuple[str, ...] = ()) -> None:
    """The drawing as one file that needs nothing else. Raises UserError where it cannot be written."""
    from nurture.cli.rehearsal_page import page

    write_file(path, page(spec.title or spec.name, outcome, zone, notes))
    typer.echo(f"drawn in {path}", err=True)
