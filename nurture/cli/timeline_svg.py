"""One lead's way through a campaign on a time axis: what it did above, what was decided below, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from nurture.cli.telling import printable
from nurture.engine.explain import told
from nurture.journey.timing import at_local, local
from nurture.store.types import read_instant

if TYPE_CHECKING:
    from nurture.engine.replay import Outcome

_WIDE, _EDGE = 1030, 14  # pixels: the drawing, and its margin
_LANE_ABOVE, _LANE_BELOW = 34, 50
_LETTER = 7.2  # pixels of a bold letter at 12 px, on the generous side
_LONGEST = 74  # letters of a line; the whole is in the title
_TONES = {"good": "var(--good)", "bad": "var(--bad)", "plain": "var(--ink)", "quiet": "var(--edge)"}
_STANDS = {"waiting": "var(--wait)", "deferred": "var(--held)"}


@dataclass
class _Mark:
    """Something at an instant, with the lines of text that say what it is."""

    at: datetime
    lines: tuple[str, ...]
    tone: str = "plain"
    x: float = 0.0
    lane: int = 0

    @property
    def wide(self) -> float:
        return max(len(_short(line)) for line in self.lines) * _LETTER + 14


def timeline(outcome: Outcome, zone: str) -> str:
    """The drawing; a line of text where nothing happened."""
    did = [_Mark(s.at, (_said(s.name, s.properties), _clock(s.at, zone))) for s in outcome.script]
    decided = []
    for line in outcome.lines:
        say = told(line, zone)
        texts = (say.text, say.why, _clock(line.at, zone))
        decided.append(_Mark(line.at, tuple(printable(text) for text in texts if text), say.tone))
    marks = [*did, *decided]
    if not marks:
        return "<p class='dim'>Nothing happened.</p>"
    first, last = min(m.at for m in marks), max(m.at for m in marks)
    axis = _Axis(first, last if last > first else first + timedelta(hours=1))
    above = _stack(did, axis) * _LANE_ABOVE + 14
    below = _stack(decided, axis) * _LANE_BELOW + 40
    parts = [
        f'<svg viewBox="0 0 {_WIDE} {above + below}" width="{_WIDE}" role="img" aria-label="timeline">',
        *_stands(outcome, axis, above),
        *axis.draw(above, zone),
    ]
    placed = [(mark, above - 22.0 - mark.lane * _LANE_ABOVE) for mark in did]
    placed += [(mark, above + 46.0 + mark.lane * _LANE_BELOW) for mark in decided]
    for mark, y in placed:  # first all the lines, so that no label is struck through
        parts.append(f'<path d="M{mark.x:.1f} {above}V{y:g}" style="stroke:var(--line);stroke-width:1"/>')
    for mark, y in placed:
        parts += _label(mark, above, y)
    legend = (
        '<div class="legend"><span>above: what the lead does; below: what the campaign does</span>'
        '<span><i style="background:var(--wait)"></i>waits</span>'
        '<span><i style="background:var(--held)"></i>a mail waits for its hour or the cap</span></div>'
    )
    return "\n".join((*parts, "</svg>")) + legend


class _Axis:
    """Instants as places from left to right."""

    def __init__(self, first: datetime, last: datetime) -> None:
        self.first, self.last = first, last

    def x(self, at: datetime) -> float:
        share = (at - self.first) / (self.last - self.first)
        return _EDGE + (_WIDE - 2 * _EDGE) * min(1.0, max(0.0, share))

    def draw(self, y: float, zone: str) -> Iterator[str]:
        yield f'<path d="M0 {y}H{_WIDE}" style="stroke:var(--edge);stroke-width:2"/>'
        days = max(1, (self.last - self.first).days)
        every = next((n for n in (1, 2, 7, 14, 30, 61, 122) if days / n <= 12), 366)
        day = local(self.first, zone).date() + timedelta(days=1)
        while (at := at_local(datetime.combine(day, time()), zone)) < self.last:
            x = self.x(at)
            yield f'<path d="M{x:.1f} {y - 4}v8" style="stroke:var(--edge);stroke-width:1"/>'
            if x < _WIDE - 60:
                yield f'<text class="small" x="{x + 3:.1f}" y="{y + 24}">{day:%a %d %b}</text>'
            day += timedelta(days=every)


def _stack(marks: Sequence[_Mark], axis: _Axis) -> int:
    """Put each label in the nearest lane that has room for it; how many lanes there are."""
    ends: list[float] = []
    for mark in sorted(marks, key=lambda m: m.at):
        mark.x = axis.x(mark.at)
        left = _left(mark)
        mark.lane = next((n for n, end in enumerate(ends) if end < left), len(ends))
        if mark.lane == len(ends):
            ends.append(0.0)
        ends[mark.lane] = left + mark.wide
    return len(ends)


def _left(mark: _Mark) -> float:
    return max(0.0, min(mark.x, _WIDE - mark.wide))


def _label(mark: _Mark, axis: float, y: float) -> Iterator[str]:
    colour = _TONES.get(mark.tone, "var(--ink)")
    left = _left(mark)
    tall = 13 * len(mark.lines) + 4
    yield f'<circle cx="{mark.x:.1f}" cy="{axis:g}" r="4.5" style="fill:{colour}"/>'
    yield f"<g><title>{escape(chr(10).join(mark.lines))}</title>"
    yield f'<rect x="{left:.1f}" y="{y - 11:g}" width="{mark.wide:.1f}" height="{tall}" style="fill:var(--paper)"/>'
    yield f'<rect x="{left:.1f}" y="{y - 10:g}" width="3" height="{tall - 3}" rx="1.5" style="fill:{colour}"/>'
    for n, text in enumerate(mark.lines):
        css = "small" if n else "title"
        yield f'<text class="{css}" x="{left + 8:.1f}" y="{y + 13 * n:g}">{escape(_short(text))}</text>'
    yield "</g>"


def _stands(outcome: Outcome, axis: _Axis, y: float) -> Iterator[str]:
    """Where an enrollment stands still: from there to what is decided of it next."""
    for n, line in enumerate(outcome.lines):
        colour = _STANDS.get(line.what)
        if colour is None:
            continue
        after = (later.at for later in outcome.lines[n + 1 :] if later.enrollment == line.enrollment)
        until = line.inputs.get("until")
        end = next(after, read_instant(str(until)) if until else line.at)
        x = axis.x(line.at)
        wide = axis.x(end) - x
        yield f'<rect x="{x:.1f}" y="{y - 5:g}" width="{wide:.1f}" height="10" style="fill:{colour}"/>'


def _said(name: str, properties: object) -> str:
    shown = (
        ", ".join(f"{n} {v}" for n, v in properties.items() if not isinstance(v, (list, dict)))
        if isinstance(properties, dict)
        else ""
    )
    return printable(f"{name}" + (f" ({shown})" if shown else ""))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _clock(at: datetime, zone: str) -> str:
    return f"{local(at, zone):%a %d %b %H:%M}"
