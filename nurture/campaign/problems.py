"""Findings in a user's files, said so that the user can act on them.

Every finding is reported at once, sorted by place. A code is stable and never used for something else:
N1xx reading and shape · N2xx values · N3xx meaning of a campaign (its rules) · N4xx templates · N5xx config.yaml ·
N6xx the tests inside campaigns · N7xx mapping files.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import msgspec

from nurture.errors import NotFound, UserError

Severity = Literal["error", "warning"]


class Mark(msgspec.Struct, frozen=True, order=True):
    """A place in a file; lines and columns count from 1. `width` is how many characters the caret underlines."""

    file: str
    line: int = 1
    column: int = 1
    width: int = 1


class Problem(msgspec.Struct, frozen=True):
    """One finding. `snippet` is the user's own line, without its line end; empty where there is none to show."""

    mark: Mark
    code: str
    message: str
    severity: Severity = "error"
    hint: str = ""
    snippet: str = ""

    def __str__(self) -> str:
        m = self.mark
        lines = [f"{m.file}:{m.line}:{m.column}: {self.severity} {self.code}: {self.message}"]
        if self.snippet:
            number = f"{m.line:>4}"
            carets = "^" * max(1, min(m.width, len(self.snippet) - m.column + 1))
            pad = "".join("\t" if c == "\t" else " " for c in self.snippet[: m.column - 1])
            lines += [f"{number} | {self.snippet}", f"     | {pad}{carets}"]
        if self.hint:
            lines.append(f"     {self.hint}")
        return "\n".join(lines)


class ProjectProblems(UserError):
    """The user's files hold errors; all of them are here."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(problems, key=lambda p: (p.mark, p.code))
        super().__init__("\n".join(str(p) for p in self.problems))


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Those that stop a deploy, sorted by place."""
    return sorted((p for p in problems if p.severity == "error"), key=lambda p: (p.mark, p.code))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'wait'?` for the nearest known word, else an empty text."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else ""


def unknown(what: str, name: str, known: Collection[str]) -> NotFound:
    """That nothing of this kind has this name, with the nearest that there is, else all of them."""
    return NotFound(
        f"there is no {what} '{name}'", hint=did_you_mean(name, known) or f"there are: {', '.join(known) or 'none'}"
    )
