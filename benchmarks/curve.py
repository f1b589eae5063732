"""A growth curve as SVG: leads on a logarithmic axis, a line for what a mail costs, one for what the worker weighs."""

from __future__ import annotations

import math
from collections.abc import Sequence

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 300, 64, 64, 40, 44
Points = Sequence[tuple[int, float]]


def draw(cost_us: Points, memory_mb: Points) -> str:
    """Both curves in one drawing, each with its own axis from zero, so that a flat line is flat."""
    sizes = sorted({size for size, _ in (*cost_us, *memory_mb)})
    cost_top, memory_top = _top(cost_us), _top(memory_mb)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#444">',
        "<title>Processor time a mail and peak memory, by number of leads</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="20" fill="#7a4b2a">µs of processor a mail</text>',
        f'<text x="{WIDTH - RIGHT}" y="20" fill="#2a5c7a" text-anchor="end">MB at most</text>',
    ]
    for step in range(5):
        y = _y(step, 4)
        parts.append(f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{cost_top * step / 4:,.0f}</text>')
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{y + 4}">{memory_top * step / 4:,.0f}</text>')
    parts += [
        f'<text x="{_x(size, sizes)}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{size:,}</text>' for size in sizes
    ]
    parts.append(f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">leads with a mail due</text>')
    parts += _line(cost_us, sizes, cost_top, "#7a4b2a")
    parts += _line(memory_mb, sizes, memory_top, "#2a5c7a")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _line(points: Points, sizes: Sequence[int], top: float, color: str) -> list[str]:
    places = [(_x(size, sizes), _y(value, top)) for size, value in sorted(points)]
    path = " ".join(f"{x},{y}" for x, y in places)
    dots = [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{color}"/>' for x, y in places]
    return [f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>', *dots]


def _x(size: int, sizes: Sequence[int]) -> float:
    low, high = math.log(sizes[0]), math.log(sizes[-1])
    share = (math.log(size) - low) / (high - low) if high > low else 0.5
    return round(LEFT + 24 + share * (WIDTH - LEFT - RIGHT - 48), 1)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM), 1)


def _top(points: Points) -> float:
    """A round number above the highest point."""
    highest = max(value for _, value in points)
    step = 10 ** math.floor(math.log10(highest)) / 2
    return math.ceil(highest * 1.1 / step) * step
