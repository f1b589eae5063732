"""docs/reference/trust.md: what is promised, where it is kept, what proves it, as tests and modules say themselves.

`python -m tests.docs.trust` writes it. A test proves the item its name begins with (test_e18_…); a module
keeps the items its docstrings and comments cite (trust E18).
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.docs.pages import DOCS, ROOT

PAGE = DOCS / "reference" / "trust.md"
_TEST = re.compile(r"test_((?:[ecrsx]\d{1,2}_)+)(\w+)")  # one test may prove two promises: test_r01_r02_…
_CITED = re.compile(r"\b([ECRX])(\d{1,2})\b")
_INTRO = """\
# What is promised, where it is kept, what proves it

This page is made from the program: `make docs` reads the numbers that modules cite and that tests carry in their names.
A *should* is marked; everything else is a must, and a must without a test fails the tests.
"""


@dataclass(frozen=True, slots=True)
class Item:
    section: str
    number: int
    promise: str
    must: bool

    @property
    def name(self) -> str:
        return f"{self.section}{self.number}"


@dataclass(frozen=True, slots=True)
class Proof:
    """A test: its file from the root, and its name as a sentence."""

    file: Path
    sentence: str


def sections() -> dict[str, tuple[str, list[Item]]]:
    """Title and items of each section, by its letter."""
    found = {}
    for letter, entries in tomllib.loads((Path(__file__).parent / "trust.toml").read_text()).items():
        items = []
        for number, said in entries.items():
            if number != "title":
                must = isinstance(said, str)
                items.append(Item(letter, int(number), said if must else said["should"], must))
        found[letter] = (entries["title"], items)
    return found


@cache
def proofs() -> dict[str, list[Proof]]:
    """The tests of each item, in the order of files and lines."""
    found: dict[str, list[Proof]] = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                named = _TEST.fullmatch(node.name)
                for number in named[1].split("_")[:-1] if named else ():
                    if number[0] == "s":  # a rule of the language, told in its own page
                        continue
                    proof = Proof(file.relative_to(ROOT), named[2].replace("_", " "))
                    found[f"{number[0].upper()}{int(number[1:])}"].append(proof)
    return found


@cache
def keepers() -> dict[str, list[Path]]:
    """The modules and data files that cite each item."""
    found: dict[str, list[Path]] = defaultdict(list)
    package = [f for f in (ROOT / "nurture").rglob("*") if f.suffix in {".py", ".toml", ".html"}]
    files = [*package, *(ROOT / ".ci").glob("*.py")]
    for file in sorted(files):
        for name in sorted({f"{letter}{int(number)}" for letter, number in _CITED.findall(file.read_text())}):
            found[name].append(file.relative_to(ROOT))
    return found


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    tests, modules = proofs(), keepers()
    yield _INTRO
    for title, items in sections().values():
        yield f"## {title}\n"
        yield "| | Promise | Kept in | Proved by |"
        yield "|---|---|---|---|"
        for item in items:
            yield _row(item, modules[item.name], tests[item.name])
        yield ""
    yield "## The tests, as sentences\n"
    for _, items in sections().values():
        for item in items:
            if tests[item.name]:
                yield f"**{item.name}**\n"
                yield from (f"- {sentence}" for sentence in dict.fromkeys(t.sentence for t in tests[item.name]))
                yield ""


def _row(item: Item, modules: list[Path], tests: list[Proof]) -> str:
    level = "" if item.must else " *(should)*"
    counts: dict[Path, int] = defaultdict(int)
    for test in tests:
        counts[test.file] += 1
    where = ", ".join(_link(m, m.as_posix().removeprefix("nurture/")) for m in modules)
    proof = ", ".join(f"{_link(file, str(file.relative_to('tests')))} ({n})" for file, n in counts.items())
    return f"| **{item.name}** | {item.promise}{level} | {where} | {proof} |"


def _link(file: Path, text: str) -> str:
    return f"[{text}](../../{file.as_posix()})"


if __name__ == "__main__":
    PAGE.write_text(page())
