"""Twenty campaigns of two companies, written before the language was built: every test they carry holds."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from nurture.campaign.project import Project
from nurture.campaign.read import Campaigns, read_campaigns, read_project
from nurture.engine.trial import run

SHARED = Path(os.environ.get("NURTURE_SHARED", Path(__file__).parents[3] / "shared")) / "campaigns"
COMPANIES = ("shop", "saas")

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the campaigns are not here: NURTURE_SHARED names no folder"
)


@cache
def company(name: str) -> tuple[Project, Campaigns]:
    folder = SHARED / name
    project = read_project(("config.yaml", (folder / "config.yaml").read_text())).project
    files = {f.name: f.read_text() for f in sorted(folder.glob("*.yaml")) if f.name != "config.yaml"}
    return project, read_campaigns(files, project)


def cases() -> list[tuple[str, int]]:
    if not SHARED.is_dir():
        return []
    return [(name, n) for name in COMPANIES for n in range(len(company(name)[1].tests))]


def title(case: object) -> str:
    if not isinstance(case, tuple):
        return str(case)
    test = company(case[0])[1].tests[case[1]]
    return f"{test.campaign}: {test.name}"


@pytest.mark.parametrize("name", COMPANIES)
def test_the_campaigns_of_a_company_have_no_error(name: str) -> None:
    assert [str(p) for p in company(name)[1].problems if p.severity == "error"] == []


@pytest.mark.parametrize("case", cases(), ids=title)
def test_what_a_campaign_promises_is_what_the_simulator_plays(case: tuple[str, int]) -> None:
    project, campaigns = company(case[0])
    test = campaigns.tests[case[1]]
    verdict = run(project, campaigns.plans[test.campaign], test)
    assert verdict.differences == ()
