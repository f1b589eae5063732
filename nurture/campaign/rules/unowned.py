"""N340: a notice to the owner that goes to nobody where a lead has none."""

from __future__ import annotations

from nurture.campaign import plan
from nurture.campaign.project import Project
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec


def check(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    if project.alerts.fallback is not None:
        return
    for step in spec.every_step():
        if isinstance(step.step, plan.Assign):
            return  # from here on there is an owner, as far as reading in order can tell
        if isinstance(step.step, plan.Notify) and step.step.to == "owner":
            hint = "write 'alerts: {fallback: ADDRESS}' in config.yaml, or 'assign: TEAM' before this step"
            findings.warn(step.mark, "N340", "a lead without an owner: nobody gets this notice", hint)
            return
