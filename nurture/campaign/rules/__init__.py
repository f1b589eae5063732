"""What a well-formed campaign may still get wrong: one module a rule, each with its own codes."""

from __future__ import annotations

from datetime import date

from nurture.campaign.project import Project
from nurture.campaign.rules import (
    after_goal,
    already,
    contradiction,
    crowded,
    dead_end,
    enrolling,
    late,
    names,
    past,
    same,
    topics,
    tracking,
    unowned,
    unreachable,
    untracked,
    variants,
)
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec

_ALONE = (
    unreachable,
    topics,
    variants,
    same,
    late,
    tracking,
    unowned,
    dead_end,
    untracked,
    after_goal,
    contradiction,
    already,
)


def rules() -> list[Rule]:
    """What every rule says of itself, by code."""
    found = [module.RULE for module in (*_ALONE, crowded, enrolling, past)]
    return sorted([*found, *names.RULES], key=lambda rule: rule.code)


def judge(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    """Every rule that needs one campaign only."""
    for rule in _ALONE:
        rule.check(spec, project, findings)
    names.check_own(spec, findings)
    names.check_test_names(spec, findings)


def judge_project(
    specs: list[CampaignSpec],
    project: Project,
    findings: Findings,
    campaigns: set[str],
    templates: set[str] | None,
    today: date | None = None,
) -> None:
    """Every rule that needs all campaigns, or the day. `campaigns` are the names of all, also of those that could not
    be read; `templates` the project's, None where they are not known here; without `today` no date is judged."""
    names.check_campaigns(specs, campaigns, findings)
    names.check_templates(specs, templates, findings)
    enrolling.refuse_enroll_circles(specs, findings)
    crowded.check_crowded(specs, project, findings)
    if today is not None:
        for spec in specs:
            past.check_past(spec, today, findings)
