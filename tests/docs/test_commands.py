"""Every command the documentation names exists, with the options it is given."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer

from nurture.cli import app
from tests.docs.pages import PAGES, ROOT, commands

COMMAND: Any = typer.main.get_command(app)
NAMED = sorted({line: place for place, line in commands()}.items())


def problem(line: str) -> str | None:
    """What is wrong with this command line; its words in capitals and its dots stand for something."""
    words = shlex.split(line.replace("…", "").replace("|", " "))[1:]
    command = COMMAND
    options = {option for parameter in command.params for option in parameter.opts}
    while words and getattr(command, "commands", None):
        name = words.pop(0)
        if name.startswith("-"):
            if name not in options:
                return f"nurture has no option {name}"
            continue
        if name not in command.commands:
            return f"there is no command '{name}'"
        command = command.commands[name]
        options |= {option for parameter in command.params for option in parameter.opts}
    given = {word.strip("[]()").partition("=")[0] for word in words if word.strip("[](").startswith("--")}
    unknown = sorted(given - options - {"--help"})
    return f"'{command.name}' has no option {', '.join(unknown)}" if unknown else None


@pytest.mark.parametrize(("line", "place"), NAMED, ids=[line for line, _ in NAMED])
def test_a_command_in_the_docs_exists(line: str, place: str) -> None:
    assert problem(line) is None, f"{place}: {line}"


@pytest.mark.parametrize(
    "line", ["nurture tset", "nurture leads shwo anna@example.com", "nurture test --covrage", "nurture --projct x test"]
)
def test_a_misspelt_command_would_be_seen(line: str) -> None:
    assert problem(line) is not None


def test_the_words_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for page in PAGES for word in re.findall(r"(?:`|\$ )make ([a-z]+)", page.read_text())}
    assert {"demo", "test", "check"} <= named | targets
    assert named <= targets
