"""A campaign's drawing as SVG, in the reader's light or dark, with how many stand on each step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

from nurture.campaign.flow import LINE, PADDING, WIDTH, Box, Flow, Line
from nurture.cli.palette import PALETTE

_STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: var(--ink); }
.title { font-weight: 600; font-size: 13px; }
.small { fill: var(--dim); }
.label { fill: var(--dim); text-anchor: middle; }
.ground { fill: var(--ground); }
rect.box { fill: var(--paper); stroke: var(--line); stroke-width: 1; }
.bar-mail { fill: #2f6fb0; } .bar-wait { fill: #a97a1b; } .bar-choice { fill: #7a58b0; } .bar-change { fill: #2f7d5b; }
.bar-outside { fill: #b0512f; } .bar-end { fill: #7a7a73; }
path { fill: none; stroke: var(--edge); stroke-width: 1.5; }
marker path { fill: var(--edge); stroke: none; }
.count { fill: #b3382c; } .counted { fill: #fff; font-weight: 600; font-size: 11px; text-anchor: middle; }
.bar-start { fill: var(--ink); }
"""
_HEAD = 64  # pixels above the drawing, for the title
_BAR = 5


def svg(flow: Flow, title: str, subtitle: str, standing: Mapping[str, int]) -> str:
    """The whole picture. `standing` is how many stand on a step, by its id; a step that is not in it shows none."""
    width, height = max(flow.width, 360), flow.height + _HEAD
    shift = (width - flow.width) / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-label="{escape(title, _QUOTE)}">',
        f"<title>{escape(title)}</title>",
        f"<style>{PALETTE}{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        '<path d="M0 0 8 4 0 8z"/></marker></defs>',
        f'<rect class="ground" width="{width:g}" height="{height:g}"/>',
        f'<text class="title" x="{PADDING}" y="26" style="font-size:17px">{escape(title)}</text>',
        f'<text class="small" x="{PADDING}" y="46">{escape(subtitle)}</text>',
        f'<g transform="translate({shift:g} {_HEAD})">',
    ]
    for line in flow.lines:
        parts += _line(line)
    for box in flow.boxes:
        parts += _box(box, standing.get(box.step) if box.step is not None else None)
    return "\n".join((*parts, "</g>", "</svg>", ""))


_QUOTE = {'"': "&quot;"}


def _line(line: Line) -> Iterator[str]:
    tip = ' marker-end="url(#tip)"' if line.arrow else ""
    if line.x1 == line.x2:
        way = f"M{line.x1:g} {line.y1:g}V{line.y2:g}"
    elif line.label:  # out of a box into an arm: across first, then down
        across = line.y1 + 14
        way = f"M{line.x1:g} {line.y1:g}V{across:g}H{line.x2:g}V{line.y2:g}"
    else:  # out of an arm to where they meet
        way = f"M{line.x1:g} {line.y1:g}V{line.y2:g}H{line.x2:g}"
    yield f'<path d="{way}"{tip}/>'
    if line.label:
        tall = LINE * len(line.label)
        wide = max(len(text) for text in line.label) * 6.6 + 8
        top = line.y2 - tall - 4
        yield f'<rect class="ground" x="{line.x2 - wide / 2:g}" y="{top:g}" width="{wide:g}" height="{tall:g}"/>'
        for n, text in enumerate(line.label):
            hint = f"<title>{escape(line.full)}</title>" if line.full else ""
            yield f'<text class="label" x="{line.x2:g}" y="{top + 13 + n * LINE:g}">{hint}{escape(text)}</text>'


def _box(box: Box, count: int | None) -> Iterator[str]:
    left = box.x - WIDTH / 2
    yield "<g>" + (f"<title>{escape(box.full)}</title>" if box.full else "")
    yield f'<rect class="box" x="{left:g}" y="{box.y:g}" width="{WIDTH}" height="{box.height:g}" rx="7"/>'
    bar = f'x="{left:g}" y="{box.y + 7:g}" width="{_BAR}" height="{box.height - 14:g}" rx="2"'
    yield f'<rect class="bar-{box.kind}" {bar}/>'
    y = box.y + PADDING + 12
    for css, text in [("title", t) for t in box.title.split("\n")] + [("small", t) for t in box.lines]:
        yield f'<text class="{css}" x="{left + PADDING + _BAR:g}" y="{y:g}">{escape(text)}</text>'
        y += LINE
    if count:
        shown = f"{count:,}"
        wide = 14 + 7 * len(shown)
        right = left + WIDTH
        yield f'<rect class="count" x="{right - wide + 6:g}" y="{box.y - 9:g}" width="{wide}" height="18" rx="9"/>'
        yield f'<text class="counted" x="{right - wide / 2 + 6:g}" y="{box.y + 4:g}">{shown}</text>'
    yield "</g>"
