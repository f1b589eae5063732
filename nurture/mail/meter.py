"""How much work one rendering may be (trust X2).

Jinja's sandbox keeps a template inside, and bounds neither its time nor its memory. So everything a template can do
that grows (loops, calls, filters, comparisons, slices, prints) is paid for out of one budget before or as it is done,
by the size of what it is done to. The same template and lead always cost the same, on a machine at rest and on a busy
one. docs/decisions/0018 says why this and not a process.
"""

from __future__ import annotations

from typing import Any

from jinja2.exceptions import SecurityError

LARGEST_OUTPUT = 1_000_000  # characters of one part of a mail; Gmail cuts at 102 KB
LARGEST_TEXT = 200_000  # characters of one value made in a template
LARGEST_GROUP = 1_000_000  # work of walking one list or mapping made in a template, all that is inside counted
MOST_WORK = 4_000_000  # of one mail; the worst found takes 0.4 s, a cart reminder with four products needs 9,000
LARGEST_JINJA = 50_000  # characters between the braces of one file; reading them takes up to 0.3 s
MOST_NODES = 10_000  # of one file's syntax tree: the compiler takes 0.1 ms and 10 KB for each

# Work is counted in characters looked at, about 10 ns; the others are what was measured beside that.
TURN = 80  # a turn of a loop, a call
STEP = 4  # a node of the syntax tree that a turn may pass
ITEM = 20  # a value in a list
FORMAT = 400  # a date or a figure in the lead's language, a signed link


class TooLarge(SecurityError):
    """A template made more, or worked longer, than a mail may."""


class Meter:
    """The budget of one rendering."""

    __slots__ = ("left",)

    def __init__(self, work: int = MOST_WORK) -> None:
        self.left = work

    def spend(self, work: int) -> None:
        """Pay for work. Raises TooLarge where the budget does not reach."""
        self.left -= work
        if self.left < 0:
            raise TooLarge("the template works too long: it loops too often, or over texts that are too long")


def work_of(value: Any) -> int:
    """What walking this value costs, with everything inside it as often as it is there: lists that hold the same list
    many times are compared and printed many times over. Raises TooLarge."""
    if isinstance(value, str):
        return len(value)
    if not isinstance(value, (list, tuple, dict)):
        return 1
    work, groups = 0, [value]
    while groups:
        group = groups.pop()
        work += ITEM * len(group)
        if work > LARGEST_GROUP:
            raise TooLarge("a list grew too large")
        for item in group.values() if isinstance(group, dict) else group:
            if isinstance(item, str):
                work += len(item)
            elif isinstance(item, (list, tuple, dict)):
                groups.append(item)
    return work


def bounded(size: int) -> None:
    """Raises TooLarge where a text of this many characters may not be made."""
    if size > LARGEST_TEXT:
        raise TooLarge("a text grew too large")
