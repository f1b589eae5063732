"""The example project is without a fault, and so are the campaigns its documentation shows."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from nurture.campaign.read import read_campaigns
from nurture.engine.trial import Verdict, run
from nurture.folder import read_folder
from nurture.mail.template import template_names
from nurture.settings import load_settings, read_language

ROOT = Path(__file__).parents[2]
FOLDER = read_folder(ROOT)
PROJECT = read_language(FOLDER).project
CAMPAIGNS = read_campaigns(FOLDER.campaigns, PROJECT)


def test_the_config_has_no_problem() -> None:
    assert [str(problem) for problem in read_language(FOLDER).problems] == []


def test_the_config_starts_a_machine() -> None:
    settings = load_settings(FOLDER, {"NURTURE_SECRET": "s" * 40})
    assert settings.project == PROJECT


def test_the_campaigns_have_no_problem_and_every_template() -> None:
    known = dict.fromkeys(template_names(FOLDER.templates))
    assert [str(problem) for problem in read_campaigns(FOLDER.campaigns, PROJECT, known).problems] == []


def test_every_mail_is_sent_by_a_campaign() -> None:
    used = {reference.name for reference in CAMPAIGNS.references}
    assert used == set(template_names(FOLDER.templates))


def test_every_campaign_has_two_tests_at_least() -> None:
    assert all(len(spec.tests) >= 2 for spec in CAMPAIGNS.specs.values())


@cache
def played(number: int) -> Verdict:
    test = CAMPAIGNS.tests[number]
    return run(PROJECT, CAMPAIGNS.plans[test.campaign], test)


def _title(number: int) -> str:
    return f"{CAMPAIGNS.tests[number].campaign}: {CAMPAIGNS.tests[number].name}"


@pytest.mark.parametrize("number", range(len(CAMPAIGNS.tests)), ids=_title)
def test_what_a_campaign_promises_holds(number: int) -> None:
    assert played(number).differences == ()


def test_every_step_of_every_campaign_is_reached_by_a_test() -> None:
    reached = {(test.campaign, step) for n, test in enumerate(CAMPAIGNS.tests) for step in played(n).reached}
    assert {(name, step.id) for name, plan in CAMPAIGNS.plans.items() for step in plan.steps if step.id} <= reached
