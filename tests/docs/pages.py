"""The documentation as data: its pages, their blocks, the commands they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(nurture [a-z][^`\n]*)`")
_NAMED = re.compile(r"`([\w./-]+\.\w+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block. `file` is the last file named in the text before it."""

    page: Path
    line: int
    language: str
    text: str
    file: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(*languages: str) -> Iterator[Block]:
    for page in PAGES:
        text, end = page.read_text(), 0
        for found in _BLOCK.finditer(text):
            named = _NAMED.findall(text[end : found.start()])
            end = found.end()
            if found[1] in languages:
                line = text.count("\n", 0, found.start()) + 1
                yield Block(page, line, found[1], found[2], named[-1] if named else None)


def commands() -> Iterator[tuple[str, str]]:
    """(place, command line) of every `nurture …` in a console block or in the text."""
    for block in blocks("console"):
        for n, line in enumerate(block.text.splitlines(), block.line + 1):
            if line.startswith("$ nurture "):
                yield f"{block.page.relative_to(ROOT)}:{n}", re.split(r"  +#| &&", line.removeprefix("$ "))[0].strip()
    for page in PAGES:
        for n, line in enumerate(page.read_text().splitlines(), 1):
            for found in _INLINE.findall(line):
                yield f"{page.relative_to(ROOT)}:{n}", found
