"""Mails a day as stacked bars, and a funnel before and after, as SVG."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from nurture.engine.replay import InStage, Outcome

COLOURS = ("#3f7fc0", "#b88a2b", "#3f9d75", "#8d6bc4", "#c8643f", "#4fa0ae", "#b05a8e", "#8a8a60")
WIDE, HIGH, LEFT = 1030, 220, 46  # pixels: the drawing, its bars, room for the numbers
_BAR = 20


def calendar(outcome: Outcome) -> str:
    """One bar a day from the first mail to the last, a colour a template; empty where nothing was sent."""
    if not outcome.sends:
        return "<p class='dim'>Nothing was sent.</p>"
    by_day: dict[date, dict[str, int]] = defaultdict(dict)
    for day, template, count in outcome.sends:
        by_day[day][template] = count
    templates = sorted({template for _, template, _ in outcome.sends})
    colours = {name: COLOURS[n % len(COLOURS)] for n, name in enumerate(templates)}
    top = _round_up(max(sum(counts.values()) for counts in by_day.values()))
    days = outcome.days
    step = min(40.0, (WIDE - LEFT) / len(days))
    parts = [
        f'<svg viewBox="0 0 {WIDE} {HIGH + 34}" width="{WIDE}" role="img" aria-label="mails a day">',
        *_scale(top),
    ]
    for n, day in enumerate(days):
        x = LEFT + n * step
        parts += _bar(by_day.get(day, {}), x, max(1.0, step - (2 if step > 6 else 0.5)), top, colours, day)
        parts += _day(day, x + step / 2, n, len(days))
    legend = "".join(
        f'<span><i style="background:{colours[name]}"></i>{escape(name)} ({outcome.sent.get(name, 0):,})</span>'
        for name in templates
    )
    return "\n".join((*parts, "</svg>")) + f'<div class="legend">{legend}</div>'


def _round_up(value: int) -> int:
    """The next number that a scale may end with."""
    size = 1
    while True:
        for nice in (1, 2, 4, 5, 10):
            if value <= nice * size:
                return nice * size
        size *= 10


def _scale(top: int) -> Iterator[str]:
    for part in range(5):
        value = top * part / 4
        if value != int(value):
            continue
        y = HIGH - HIGH * part / 4 + 6
        yield f'<path d="M{LEFT} {y:g}H{WIDE}" style="stroke:var(--line);stroke-width:1"/>'
        yield f'<text class="small end" x="{LEFT - 8}" y="{y + 4:g}">{int(value):,}</text>'


def _bar(counts: dict[str, int], x: float, wide: float, top: int, colours: dict[str, str], day: date) -> Iterator[str]:
    y = float(HIGH + 6)
    for template, count in sorted(counts.items()):
        tall = HIGH * count / top
        y -= tall
        yield (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}" fill="{colours[template]}">'
            f"<title>{day:%a %d %b %Y}: {escape(template)} {count:,}</title></rect>"
        )


def _day(day: date, x: float, place: int, many: int) -> Iterator[str]:
    """Mondays of a short time, first days of months of a long one; the month where it begins."""
    marked = day.day == 1 if many > 100 else day.weekday() == 0
    if many <= 16:
        marked = True
    if marked or place == 0:
        if place == 0 and many > 16 and not marked:
            return
        text = f"{day:%b %Y}" if many > 100 else f"{day:%d %b}".lstrip("0")
        yield f'<text class="small mid" x="{x:.1f}" y="{HIGH + 24}">{text}</text>'


def funnel(outcome: Outcome) -> str:
    """Two bars a stage, before and after; empty where nobody stands in any."""
    if not outcome.funnel:
        return ""
    most = max(max(s.before, s.after) for s in outcome.funnel) or 1
    name = max(len(s.stage) for s in outcome.funnel) * 7 + 20
    room = WIDE - name - 250
    tall = len(outcome.funnel) * (2 * _BAR + 16)
    parts = [f'<svg viewBox="0 0 {WIDE} {tall}" width="{WIDE}" role="img" aria-label="funnel before and after">']
    for n, stage in enumerate(outcome.funnel):
        parts += _stage(stage, n * (2 * _BAR + 16), name, room / most)
    legend = (
        f'<div class="legend"><span><i style="background:var(--edge)"></i>before</span>'
        f'<span><i style="background:{COLOURS[0]}"></i>after</span></div>'
    )
    return "\n".join((*parts, "</svg>")) + legend


def _stage(one: InStage, y: int, left: int, each: float) -> Iterator[str]:
    yield f'<text class="title" x="0" y="{y + _BAR + 4}">{escape(one.stage)}</text>'
    for n, (value, colour) in enumerate(((one.before, "var(--edge)"), (one.after, COLOURS[0]))):
        top = y + n * _BAR
        wide = max(1.0, value * each)
        yield f'<rect x="{left}" y="{top}" width="{wide:.1f}" height="{_BAR - 3}" rx="3" style="fill:{colour}"/>'
        yield f'<text class="small" x="{left + wide + 6:.1f}" y="{top + 13}">{value:,}</text>'
    moves = Counter({"entered": one.entered, "moved by it": one.moved})
    text = ", ".join(f"{count:,} {what}" for what, count in moves.items() if count)
    yield f'<text class="small end" x="{WIDE}" y="{y + _BAR + 4}">{text}</text>'
