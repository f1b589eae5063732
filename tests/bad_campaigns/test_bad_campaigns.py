"""Each YAML here is wrong; the text beside it is what its author is told, to the letter."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from nurture.campaign.project import Project
from nurture.campaign.read import read_campaigns, read_project

HERE = Path(__file__).parent
FILES = sorted(path for path in HERE.glob("*.yaml") if path.name != "config.yaml")


@cache
def project() -> Project:
    reading = read_project(("config.yaml", (HERE / "config.yaml").read_text("utf-8")))
    assert reading.problems == []
    return reading.project


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_author_is_told_exactly_this(path: Path) -> None:
    problems = read_campaigns({path.name: path.read_text("utf-8")}, project()).problems
    told = "".join(f"{problem}\n" for problem in problems)
    assert told == path.with_suffix(".txt").read_text("utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_problem_says_where_and_shows_the_authors_line(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    for problem in read_campaigns({path.name: path.read_text("utf-8")}, project()).problems:
        assert problem.mark.file == path.name
        assert problem.snippet == lines[problem.mark.line - 1].rstrip()


def test_a_file_with_an_error_gives_no_plan() -> None:
    files = {path.name: path.read_text("utf-8") for path in FILES}
    assert set(read_campaigns(files, project()).plans) == {"warnings"}
