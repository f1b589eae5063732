"""Pages are found, links lead somewhere, records of decisions are whole."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from nurture.funnel.pipeline import LOST, OPEN, WON
from nurture.journey.enrollment import Held
from nurture.journey.enrollment import State as EnrollmentState
from nurture.lead.consent import State as ConsentState
from tests.docs.pages import DOCS, PAGES, ROOT

LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
INDEXED = [page for page in sorted(DOCS.rglob("*.md")) if page != DOCS / "README.md"]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    broken = []
    for found in LINK.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)):
        link = found[0] or found[1]
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", INDEXED, ids=name)
def test_every_page_stands_in_the_index(page: Path) -> None:
    assert f"({page.relative_to(DOCS)})" in (DOCS / "README.md").read_text()


@pytest.mark.parametrize("page", DECISIONS, ids=name)
def test_a_decision_says_what_else_there_was_and_what_it_does_not_cover(page: Path) -> None:
    text = page.read_text()
    if "| rule | choice | why |" in text:  # many small ones in a table
        return
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert titles == ["Context", "Decision", "Alternatives", "What it does not cover"]


def test_no_number_of_a_decision_is_used_twice() -> None:
    numbers = [page.name[:4] for page in DECISIONS]
    assert len(set(numbers)) == len(numbers)
    assert all(page.read_text().startswith(f"# {page.name[:4]} · ") for page in DECISIONS)


def _message_states() -> set[str]:
    source = "".join(path.read_text() for path in (ROOT / "nurture/store").glob("*.py"))
    written = set(re.findall(r'\.values\(\s*state="(\w+)"', source))
    return (written - set(get_args(EnrollmentState)) - {"retired"}) | {"sent", "failed"}


@pytest.mark.parametrize(
    ("title", "states"),
    [
        ("Enrollment", {*get_args(EnrollmentState), *get_args(Held)}),
        ("Message", _message_states()),
        ("Consent", set(get_args(ConsentState))),
        ("Deal", {OPEN, WON, LOST}),
        ("Campaign", {"draft", "live", "paused", "retired"}),
    ],
)
def test_every_state_is_in_the_reference(title: str, states: set[str]) -> None:
    text = (DOCS / "reference/states.md").read_text()
    section = re.split(r"^## ", text, flags=re.MULTILINE)
    (told,) = [part for part in section if part.startswith(f"{title}\n")]
    assert {state for state in states if f"`{state}`" not in told} == set()


def test_the_functions_that_move_states_exist() -> None:
    import importlib

    missing = []
    for dotted in re.findall(r"`((?:engine|journey|store|lead)\.[\w.]+)`", (DOCS / "reference/states.md").read_text()):
        module, _, function = dotted.rpartition(".")
        if "." not in module:
            importlib.import_module(f"nurture.{dotted}")
        elif not hasattr(importlib.import_module(f"nurture.{module}"), function):
            missing.append(dotted)
    assert missing == []
