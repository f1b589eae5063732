"""A rehearsal as one HTML file with inline SVG, in the reader's light or dark, without any script."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from nurture.cli.console import counted
from nurture.cli.palette import PALETTE
from nurture.cli.sends_svg import calendar, funnel
from nurture.cli.telling import printable
from nurture.cli.timeline_svg import timeline
from nurture.journey.timing import local

if TYPE_CHECKING:
    from nurture.engine.replay import Outcome

_STYLE = """
:root { --good: #2f7d5b; --bad: #b3382c; --wait: #e6d9b8; --held: #ecc9bb; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --good: #6cc09a; --bad: #e5786a; --wait: #4a4128; --held: #5a382c; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 32px 24px 48px; max-width: 1120px; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 0 0 12px; }
.dim { color: var(--dim); margin: 0; }
figure { margin: 24px 0 0; padding: 20px; background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
  overflow-x: auto; }
svg { display: block; max-width: 100%; height: auto; min-width: 720px; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: var(--ink); }
svg .small { fill: var(--dim); font-size: 11px; } svg .title { font-weight: 600; }
svg .end { text-anchor: end; } svg .mid { text-anchor: middle; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 20px; }
.figures dl { margin: 0; display: grid; grid-template-columns: 1fr auto; gap: 2px 12px; }
.figures dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 10px 0 0; color: var(--dim); font-size: 13px; }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 6px; }
ul { margin: 20px 0 0; padding-left: 18px; color: var(--dim); font-size: 13px; }
"""


def page(title: str, outcome: Outcome, zone: str, notes: tuple[str, ...] = ()) -> str:
    """The whole file: one lead's timeline, or of several the mails a day and the funnel; then the figures."""
    if len(outcome.names) == 1:
        name = next(iter(outcome.names.values()))
        subtitle = f"{printable(name)}, on the clock of {zone}"
        figures = [_figure("What happens, and why", timeline(outcome, zone))]
    else:
        span = _span(outcome, zone)
        subtitle = f"{counted(len(outcome.names), 'lead')}, {outcome.entered:,} entered{span}"
        figures = [_figure("Mails a day", calendar(outcome)), _figure("Funnel", funnel(outcome))]
    head = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    parts = [
        head,
        f'<meta name="viewport" content="width=device-width"><style>{PALETTE}{_STYLE}</style></head><body>',
        f"<h1>{escape(title)}</h1>\n<p class='dim'>{escape(subtitle)}</p>",
        *figures,
        _figure("Figures", _figures(outcome)),
    ]
    if notes:
        parts.append("<ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>")
    return "\n".join((*(part for part in parts if part), "</body></html>", ""))


def _span(outcome: Outcome, zone: str) -> str:
    if outcome.start is None or outcome.until is None:
        return ""
    return f", {local(outcome.start, zone):%d %b %Y} to {local(outcome.until, zone):%d %b %Y}"


def _figure(title: str, inner: str) -> str:
    return f"<figure><h2>{escape(title)}</h2>\n{inner}</figure>" if inner else ""


def _figures(outcome: Outcome) -> str:
    tables = {
        "Sent": outcome.sent,
        "Refused": outcome.refused,
        "Not entered": outcome.not_entered,
        "Ended": outcome.ended,
    }
    shown = {title: counts for title, counts in tables.items() if counts}
    rows = [f"<div><strong>Entered</strong><dl><dt>enrollments</dt><dd>{outcome.entered:,}</dd></dl></div>"]
    for title, counts in shown.items():
        pairs = "".join(f"<dt>{escape(printable(name))}</dt><dd>{n:,}</dd>" for name, n in counts.items())
        rows.append(f"<div><strong>{title}</strong><dl>{pairs}</dl></div>")
    return f'<div class="figures">{"".join(rows)}</div>'
