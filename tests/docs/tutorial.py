"""A page as something to be walked: files saved, lines changed, commands run, their output compared.

What a reader does is read off the page itself: "Save this as `FILE`", "in `FILE`, change `A` to `B`", "in `FILE`, put
this in place of the section `KEY:`", console blocks. What a reader does in the browser, and what stays up, stands in a
comment `<!-- test: … -->` beside it. In shown output, `…` is anything within a line, `…` alone any number of lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.docs.pages import DOCS

PAGE = DOCS / "tutorial" / "first-campaign.md"
_PART = re.compile(
    r"```(?P<language>\w+)\n(?P<block>.*?)^```"
    r"|<!-- test: (?P<mark>.+?) -->"
    r"|[Ii]n `(?P<changed>[^`]+)`,\s+change\s+`(?P<old>[^`]+)`\s+to\s+`(?P<new>[^`]+)`"
    r"|(?:Save|and) this as `(?P<saved>[^`]+)`"
    r"|[Ii]n `(?P<within>[^`]+)`,\s+put this in place of the section `(?P<key>\w+):`",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Save:
    """Write the block to a file, or in place of a section of it."""

    file: str
    text: str
    section: str | None = None


@dataclass(frozen=True)
class Change:
    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Command:
    """`mark` is what a comment before its block says: `stays up PORT`, `in a moment`."""

    line: str
    shown: str
    mark: str = ""


@dataclass(frozen=True)
class Mark:
    """What a reader does in the browser."""

    text: str


Step = Save | Change | Command | Mark


class Unread(Exception):
    """A block that no sentence says what to do with."""


def steps(text: str) -> Iterator[Step]:
    """In the order of a page. Raises Unread for a block that would be left out."""
    place: tuple[str, str | None] | None = None
    mark = ""
    for found in _PART.finditer(text):
        if found["saved"]:
            place = (found["saved"], None)
        elif found["within"]:
            place = (found["within"], found["key"])
        elif found["changed"]:
            yield Change(found["changed"], found["old"], found["new"])
        elif found["mark"] and found["mark"].startswith(("stays up", "in a moment")):
            mark = found["mark"]
        elif found["mark"]:
            yield Mark(found["mark"])
        elif found["language"] == "console":
            yield from (Command(line, shown, mark) for line, shown in _commands(found["block"]))
            mark = ""
        elif place is None:
            raise Unread(f"nothing says what to do with: {found['block'].splitlines()[0]}")
        else:
            yield Save(place[0], found["block"], place[1])
            place = None


def _commands(block: str) -> Iterator[tuple[str, str]]:
    """Each command with the output shown below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, shown = part.partition("\n")
        yield line, shown


def is_as_shown(output: str, shown: str) -> bool:
    """Whether a command printed what the page shows. Blanks at the ends of lines do not count."""
    pattern = ""
    for line in shown.rstrip().splitlines():
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(piece) for piece in line.rstrip().split("…")) + r"\n"
    printed = "".join(f"{line.rstrip()}\n" for line in output.rstrip().splitlines())
    return re.fullmatch(pattern, printed) is not None


def put_section(text: str, key: str, section: str) -> str:
    """The file with this top-level section in place of the one it has, comments after it left alone."""
    replaced, count = re.subn(rf"^{key}:.*\n(?:[ \t].*\n)*", lambda _: section, text, flags=re.MULTILINE)
    assert count == 1, f"there is no section '{key}:' to replace"
    return replaced
