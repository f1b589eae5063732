"""What a well-formed campaign may still get wrong: one module a rule, each with its own codes."""

from __future__ import annotations

from nurture.campaign.project import Project
from nurture.campaign.rules import late, names, same, topics, tracking, unowned, unreachable, variants
from nurture.campaign.rules.enrolling import refuse_enroll_circles
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec


def judge(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    """Every rule that needs one campaign only."""
    for rule in (unreachable, topics, variants, same, late, tracking, unowned):
        rule.check(spec, project, findings)
    names.check_own(spec, findings)
    names.check_test_names(spec, findings)


def judge_project(
    specs: list[CampaignSpec],
    findings: Findings,
    campaigns: set[str],
    templates: set[str] | None,
) -> None:
    """Every rule that needs all campaigns. `campaigns` are the names of all, also of those that could not be read;
    `templates` the project's, None where they are not known here."""
    names.check_campaigns(specs, campaigns, findings)
    names.check_templates(specs, templates, findings)
    refuse_enroll_circles(specs, findings)
