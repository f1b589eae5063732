"""What the doctor says: one finding a line, with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from nurture.errors import NurtureError

Level = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`hint` says what to do; a warning and an error always have one. A note is what the doctor cannot judge."""

    level: Level
    topic: str
    text: str
    hint: str = ""


def ok(topic: str, text: str) -> Finding:
    return Finding("ok", topic, text)


def note(topic: str, text: str, hint: str = "") -> Finding:
    """Worth knowing, and no fault."""
    return Finding("note", topic, text, hint)


def look(topic: str, text: str, hint: str) -> Finding:
    """Works, and will not always."""
    return Finding("warning", topic, text, hint)


def broken(topic: str, text: str, hint: str) -> Finding:
    """Does not work; the command ends with 1."""
    return Finding("error", topic, text, hint)


def failed(topic: str, error: NurtureError, otherwise: str) -> Finding:
    """What an error says, with its own hint or, where it has none, this one."""
    return broken(topic, error.message, error.hint or otherwise)


_SIGNS = {
    "ok": ("ok", "green"),
    "note": ("note", "cyan"),
    "warning": ("look", "yellow"),
    "error": ("broken", "bold red"),
}
_SIGN, _TOPIC = 8, 10  # columns


def show(found: Iterable[Finding]) -> None:
    """Print findings as wide as the terminal, each with its hint below it, and their sum."""
    from rich.console import Console

    found = list(found)
    console = Console(highlight=False, soft_wrap=True)
    width = max(console.width - _SIGN - _TOPIC, 30)
    for f in found:
        sign, style = _SIGNS[f.level]
        first, *rest = _wrapped(f.text, width)
        console.print(f"{sign:<{_SIGN}}", style=style, end="")
        console.print(f"{f.topic:<{_TOPIC}}{first}", markup=False)
        for line in rest:
            console.print(f"{'':<{_SIGN + _TOPIC}}{line}", markup=False)
        for line in _wrapped(f"→ {f.hint}", width) if f.hint else ():
            console.print(f"{'':<{_SIGN + _TOPIC}}{line}", style="dim", markup=False)
    bad = sum(f.level == "error" for f in found)
    odd = sum(f.level == "warning" for f in found)
    console.print(f"{bad} broken, {odd} to look at", style="bold")


def _wrapped(text: str, width: int) -> list[str]:
    """Lines no longer than this; a name longer than that stays whole, so that it can be copied."""
    import textwrap

    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
