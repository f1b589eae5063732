"""Decisions on a terminal: one line each, with what was decided and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.text import Text

from nurture.engine.explain import told
from nurture.journey.timing import local

if TYPE_CHECKING:
    from rich.console import Console

    from nurture.store.timeline import Line

STYLES = {"good": "green", "bad": "red", "quiet": "dim", "plain": ""}


def print_lines(
    console: Console, lines: Iterable[Line], zone: str, *, names: Mapping[int, str] | None = None, indent: str = ""
) -> None:
    """The lines in order, instants in this zone; `names` says whose each is, where they are of several leads."""
    width = max(map(len, names.values()), default=0) if names else 0
    for line in lines:
        say = told(line, zone)
        text = Text(f"{indent}{local(line.at, zone):%Y-%m-%d %H:%M}  ", "cyan")
        if names is not None:
            text.append(f"{printable(names[line.lead]):<{width}}  ", "bold")
        text.append(printable(say.text), STYLES[say.tone])
        if say.why:
            text.append(f"  ({printable(say.why)})", "dim")
        console.print(text)


def printable(text: str) -> str:
    """What a lead wrote, without anything a terminal would obey."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
