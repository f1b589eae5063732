"""N323: templates in competition need an id, since none of them names the step for ever."""

from __future__ import annotations

from nurture.campaign import plan
from nurture.campaign.project import Project
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec


def check(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    for step in spec.every_step():
        if isinstance(step.step, plan.Send) and step.competing and not step.written:
            findings.add(step.mark, "N323", "templates in competition need an 'id'", "such as 'id: launch'")
