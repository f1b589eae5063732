"""`nurture why` on a terminal: decisions by enrollment, below each what it rests on and what would have changed it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from nurture.cli.telling import STYLES, printable
from nurture.engine.change import Change, Ways
from nurture.engine.explain import clock
from nurture.engine.why import Answer, Story
from nurture.engine.would_need import day
from nurture.journey.timing import local
from nurture.store.types import read_instant

if TYPE_CHECKING:
    from nurture.engine.why_campaign import Outcome


_INDENT = 20  # of what stands below a line's date
_LABELS = {
    "branched": "another arm",
    "ended": "would have stayed",
    "stands": "goes on",
    "parked": "goes on",
    "would_not_enter": "needs",
}
_SAID_ALREADY = ("waiting", "deferred")  # until when; and what came of it stands below


def tell(story: Story, now: datetime, *, campaign: str | None, mail: str | None, limit: int) -> None:
    """The story, wrapped to a terminal and in long lines to anything else."""
    console = Console(highlight=False, soft_wrap=True)
    if not story.answers:
        about = f" about '{campaign}'" if campaign else ""
        console.print(f"nothing was decided{about}: no event, stage or date of this lead has started it", markup=False)
        return
    console.print(f"{printable(story.who)}; times are {story.zone}", style="dim", markup=False)
    if story.more:
        console.print(f"the latest {limit:,} decisions; --limit and --since show others", style="dim", markup=False)
    for title, group in _groups(story.answers).items():
        console.print()
        console.print(title, style="bold", markup=False)
        for one in group:
            _tell_one(console, one, story.zone, now)
    if mail is not None and story.never:
        console.print(f"'{printable(mail)}' was never reached", style="yellow", markup=False)


def _tell_one(console: Console, one: Answer, zone: str, now: datetime) -> None:
    when = f"{'now':<16}" if one.line.at == now else f"{local(one.line.at, zone):%Y-%m-%d %H:%M}"
    _print(console, f"  {when}  ", one.told.text, STYLES[one.told.tone] or "default")
    for text in _below(one, zone, now):
        _print(console, " " * _INDENT, text, "dim")


def _below(one: Answer, zone: str, now: datetime) -> Iterator[str]:
    """What stands below a decision: why, its rule, what would have changed it, what became of the mail."""
    if one.told.why:
        yield one.told.why
    if one.rule:
        yield f"rule: {one.rule}"
    line = one.line
    if one.ways and line.what not in _SAID_ALREADY and (line.what, line.reason) != ("stands", "wait"):
        yield from _needs(_LABELS.get(line.what, "needed"), one.ways, zone, now, "is" if line.at == now else "was")
    elif seen := [f"{s.condition} was {_value(s.value, zone)}" for s in one.saw if s.value is not None]:
        yield f"saw: {'; '.join(seen)}"
    if one.message is not None:
        m = one.message
        when = f" {clock(m.sent_at, zone)}" if m.sent_at else ""
        yield f"message {m.id}: {m.state}{when}" + (f": {m.reason}" if m.reason else "")


def _needs(label: str, ways: Ways, zone: str, now: datetime, verb: str) -> Iterator[str]:
    told = [" and ".join(_change(change, zone, now, verb) for change in way) for way in ways]
    if len(told) == 1:
        yield f"{label}: {told[0]}"
    elif told:
        yield f"{label}, any of:"
        yield from (f"- {text}" for text in told)


def _change(change: Change, zone: str, now: datetime, verb: str) -> str:
    """With what was found instead, and when it comes without anybody's doing."""
    notes = []
    if change.saw is not None:
        verb = "since" if change.rule.startswith("in_stage_for") else verb
        notes.append(f"{verb} {_value(change.saw, zone)}" if change.rule else _value(change.saw, zone))
    if change.at is not None:
        notes.append(f"by itself {day(change.at, zone, now)}" if change.rule else day(change.at, zone, now))
    return change.text + (f" ({'; '.join(notes)})" if notes else "")


def _value(value: str | None, zone: str) -> str:
    """A value as it was seen; an instant in the lead's zone."""
    text = value or ""
    if len(text) == 27 and text.endswith("Z"):
        try:
            return clock(read_instant(text), zone)
        except ValueError:
            return text
    return text


def _print(console: Console, lead: str, text: str, style: str) -> None:
    width = console.width if console.is_terminal else 10_000
    room = max(30, width - len(lead))
    for n, part in enumerate(textwrap.wrap(printable(text), room, break_on_hyphens=False) or [""]):
        line = Text(lead if n == 0 else " " * len(lead), "cyan")
        line.append(part, style)
        console.print(line)


def _groups(answers: list[Answer]) -> dict[str, list[Answer]]:
    """By enrollment, each from its entry to where it stands; what let nobody in stands by its campaign."""
    found: dict[str, list[Answer]] = {}
    titles: dict[int, str] = {}
    for one in answers:
        line = one.line
        if line.enrollment is None:
            found.setdefault(f"{line.campaign}: not entered", []).append(one)
            continue
        if line.enrollment not in titles:
            key = f", key '{printable(str(line.inputs['key']))}'" if line.inputs.get("key") else ""
            version = f", version {one.version}" if one.version else ""
            titles[line.enrollment] = f"{line.campaign}{key}{version} (enrollment {line.enrollment})"
        found.setdefault(titles[line.enrollment], []).append(one)
    return found


def tell_campaign(name: str, found: Outcome) -> None:
    """Counts with their reasons, the largest of each kind first."""
    console = Console(highlight=False, soft_wrap=True)
    if not found.lines:
        console.print(f"nothing was decided about '{name}' so far", markup=False)
        return
    console.print(f"{name}, version {found.version}", style="bold", markup=False)
    for one in found.lines:
        _print(console, f"  {one.count.count:>9,}  ", one.text, "default")
        for text in (one.why, f"rule: {one.rule}" if one.rule else ""):
            if text:
                _print(console, " " * 13, text, "dim")
