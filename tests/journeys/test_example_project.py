"""The example project is without a fault, and so are the campaigns its documentation shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nurture.campaign.read import read_campaigns, read_project
from nurture.folder import read_folder
from nurture.mail.template import template_names
from nurture.settings import load_settings, read_language

ROOT = Path(__file__).parents[2]
FOLDER = read_folder(ROOT)
PROJECT = read_language(FOLDER).project
PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_config_has_no_problem() -> None:
    assert [str(problem) for problem in read_language(FOLDER).problems] == []


def test_the_config_starts_a_machine() -> None:
    settings = load_settings(FOLDER, {"NURTURE_SECRET": "s" * 40})
    assert settings.project == PROJECT


def test_the_campaigns_have_no_problem_and_every_template() -> None:
    known = dict.fromkeys(template_names(FOLDER.templates))
    assert [str(problem) for problem in read_campaigns(FOLDER.campaigns, PROJECT, known).problems] == []


def test_every_mail_is_sent_by_a_campaign() -> None:
    used = {reference.name for reference in read_campaigns(FOLDER.campaigns, PROJECT).references}
    assert used == set(template_names(FOLDER.templates))


def test_every_campaign_has_two_tests_at_least() -> None:
    campaigns = read_campaigns(FOLDER.campaigns, PROJECT)
    assert all(len(spec.tests) >= 2 for spec in campaigns.specs.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_campaign_shown_in_the_docs_has_no_problem(page: Path) -> None:
    project = PROJECT
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if block.startswith("project:"):  # what follows on this page belongs to it
            language = "\n".join(line for line in block.splitlines() if not line.startswith(_MACHINE))
            reading = read_project((page.name, language))
            assert [str(problem) for problem in reading.problems] == []
            project = reading.project
        elif block.startswith("campaign:"):
            found = read_campaigns({page.name: block}, project).problems
            assert [str(problem) for problem in found] == []


_MACHINE = ("base_url:", "database:", "secrets:", "smtp:")
