"""What a well-formed campaign may still get wrong: one module a rule, each with its own code."""

from __future__ import annotations

from nurture.campaign.project import Project
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec


def judge(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    """Every rule that needs one campaign only."""


def judge_project(
    specs: list[CampaignSpec],
    project: Project,
    findings: Findings,
    campaigns: set[str],
    templates: set[str] | None,
) -> None:
    """Every rule that needs all campaigns."""
