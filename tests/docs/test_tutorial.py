"""How the tutorial is read for its walk (tests/e2e/test_tutorial.py): nothing left out, output compared closely."""

from __future__ import annotations

import pytest

from tests.docs.pages import blocks
from tests.docs.tutorial import PAGE, Command, Save, Unread, is_as_shown, steps


def test_every_file_of_the_page_is_saved() -> None:
    saved = {step.text for step in steps(PAGE.read_text()) if isinstance(step, Save)}
    assert saved == {block.text for block in blocks("yaml", "html") if block.page == PAGE}


def test_every_command_of_the_page_is_run() -> None:
    run = [step.line for step in steps(PAGE.read_text()) if isinstance(step, Command)]
    assert run == [line.removeprefix("$ ") for line in PAGE.read_text().splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize(
    ("output", "shown", "same"),
    [
        ("all passed in 0.4 s", "all passed in … s", True),
        ("all passed in 0.4 s", "all passed", False),
        ("one\ntwo\nthree", "one\n…", True),
        ("one", "one\n…", True),
        ("one\ntwo", "…\nthree", False),
        ("one   \n", "one", True),
        ("1 error", "1 err(or)", False),
    ],
)
def test_output_is_compared_to_the_letter_but_where_it_varies(output: str, shown: str, same: bool) -> None:
    assert is_as_shown(output, shown) is same


def test_a_block_that_nothing_is_said_about_would_be_seen() -> None:
    with pytest.raises(Unread):
        list(steps("Look:\n\n```yaml\nforms: {}\n```\n"))
