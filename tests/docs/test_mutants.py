"""What is changed on purpose, and the page that tells of it, are about the same modules."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def settings() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    return found


def test_the_page_of_mutants_has_a_row_for_each_module_that_is_changed() -> None:
    page = (ROOT / "docs/explanation/mutants.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| `([a-z_/]+\.py)` \| \d", page)
    assert sorted(rows) == sorted(name.removeprefix("nurture/") for name in settings()["only_mutate"])


def test_what_is_changed_and_what_must_notice_is_there() -> None:
    named = settings()["only_mutate"] + settings()["pytest_add_cli_args_test_selection"]
    assert [name for name in named if not (ROOT / name).exists()] == []
