"""A campaign laid out as a drawing: boxes and the lines between them, in pixels, from top to bottom.

Steps that follow one another stand under one another; arms stand side by side and meet again below. Nothing here
knows of SVG or of who stands where.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

from nurture.campaign.plan import Branch, Leave, Repeat
from nurture.campaign.spec import Arm, CampaignSpec, StepSpec
from nurture.campaign.wording import Words, arm_label, describe, entering, heard

WIDTH = 216  # of a box
LINE = 17  # height of a line of text
PADDING = 12
GAP = 34  # between a box and the next
LANE = 28  # between arms
PASS = 96  # width of an arm without steps
_CHARACTERS = 30  # that fit on a line of a box
_LINES = 3  # of small text in a box
_LABEL_LINES = 2


@dataclass(frozen=True, slots=True)
class Box:
    """`x` is its middle, `y` its top. `step` is the id of the step, None for where one enters or ends. `full` is all
    its text, where `lines` had to be cut."""

    kind: str
    x: float
    y: float
    height: float
    title: str
    lines: tuple[str, ...] = ()
    step: str | None = None
    full: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """From point to point, straight or down-across-down. `label` stands over its end."""

    x1: float
    y1: float
    x2: float
    y2: float
    label: tuple[str, ...] = ()
    full: str = ""
    arrow: bool = True


@dataclass
class Flow:
    """A whole drawing; coordinates are from its upper left corner."""

    width: float = 0
    height: float = 0
    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


def lay_out(spec: CampaignSpec) -> Flow:
    """The drawing of a campaign."""
    drawing = _Drawing()
    width = max(_width(spec.steps), WIDTH)
    middle = PADDING + width / 2
    y = drawing.box(Words("end", "Enter", _entry_lines(spec)), middle, PADDING, None, "start")
    y, open_ = drawing.steps(spec.steps, middle, y)
    if open_:
        drawing.flow.lines.append(Line(middle, y, middle, y + GAP))
        y = drawing.box(Words("end", "Finished"), middle, y + GAP, None, "end")
    drawing.flow.width, drawing.flow.height = width + 2 * PADDING, y + PADDING
    return drawing.flow


def _entry_lines(spec: CampaignSpec) -> tuple[str, ...]:
    lines = list(entering(spec.enter))
    if spec.goal is not None:
        lines.append(f"goal: {heard(spec.goal.trigger)}")
    return (*lines, *(f"exit: {heard(one.trigger)}" for one in spec.exits))


class _Drawing:
    def __init__(self) -> None:
        self.flow = Flow()

    def box(self, words: Words, x: float, y: float, step: str | None, kind: str = "") -> float:
        """Draw a box with its top at `y`; where its bottom is."""
        limit = _LINES if step is not None else 9
        lines, cut = _fit(words.lines, _CHARACTERS, limit)
        title, shortened = _fit((words.title,), _CHARACTERS - 4, 2)
        height = 2 * PADDING + LINE * (len(title) + len(lines))
        full = "\n".join((words.title, *words.lines)) if cut or shortened else ""
        self.flow.boxes.append(Box(kind or words.kind, x, y, height, "\n".join(title), lines, step, full))
        return y + height

    def steps(self, steps: Sequence[StepSpec], x: float, y: float) -> tuple[float, bool]:
        """Draw steps below `y`; where they end, and whether one comes out at the bottom."""
        for step in steps:
            self.flow.lines.append(Line(x, y, x, y + GAP))
            y = self.box(describe(step), x, y + GAP, step.step.id)
            if isinstance(step.step, Leave) and step.only_if is None:
                return y, False
            if step.arms:
                y, open_ = self._arms(step, x, y)
                if not open_:
                    return y, False
        return y, True

    def _arms(self, step: StepSpec, x: float, y: float) -> tuple[float, bool]:
        arms = _all_arms(step)
        widths = [max(_width(arm.steps), PASS) for _, arm in arms]
        left = x - (sum(widths) + LANE * (len(widths) - 1)) / 2
        room = [max(12, int(width / 7.2)) for width in widths]
        labels = [_fit((label,), fits, _LABEL_LINES) for (label, _), fits in zip(arms, room, strict=True)]
        top = y + GAP + LINE * max(len(lines) for lines, _ in labels)
        bottoms, ends = [], []
        for (label, arm), width, (lines, cut) in zip(arms, widths, labels, strict=True):
            middle = left + width / 2
            self.flow.lines.append(Line(x, y, middle, top, lines, label if cut else "", arrow=False))
            bottom, open_ = self.steps(arm.steps, middle, top)
            bottoms.append(bottom)
            if open_:
                ends.append((middle, bottom))
            left += width + LANE
        join = max(bottoms) + GAP / 2
        self.flow.lines += [Line(middle, bottom, x, join, arrow=False) for middle, bottom in ends]
        return join, bool(ends)


def _all_arms(step: StepSpec) -> list[tuple[str, Arm]]:
    """The arms with their labels; the way past a branch where none of them holds among them."""
    found = [(arm_label(step, arm, n), arm) for n, arm in enumerate(step.arms)]
    conditions = [arm.condition for arm in step.arms]
    if isinstance(step.step, Branch) and all(condition is not None for condition in conditions):
        found.append(("else", Arm("else", ())))
    if isinstance(step.step, Repeat):
        found.append(("done", Arm("done", ())))
    return found


def _width(steps: Sequence[StepSpec]) -> float:
    widths = [float(WIDTH) if steps else 0.0]
    for step in steps:
        if step.arms:
            arms = [max(_width(arm.steps), PASS) for _, arm in _all_arms(step)]
            widths.append(sum(arms) + LANE * (len(arms) - 1))
    return max(widths)


def _fit(texts: Sequence[str], characters: int, limit: int) -> tuple[tuple[str, ...], bool]:
    """Texts as lines that fit, and whether anything was cut off."""
    lines: list[str] = []
    for text in texts:
        lines += textwrap.wrap(text, characters, break_on_hyphens=False) or [""]
    if len(lines) <= limit:
        return tuple(lines), False
    return (*lines[: limit - 1], lines[limit - 1][: characters - 1].rstrip() + "…"), True
