"""N340: a notice to the owner that goes to nobody where a lead has none."""

from __future__ import annotations

from nurture.campaign import plan
from nurture.campaign.project import Project
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec

RULE = Rule(
    "N340",
    "warning",
    "A notice to the owner that goes to nobody where a lead has none.",
    fails=(
        """\
campaign: hot
enter: {manual: true}
steps:
  - notify: {to: owner, template: internal/hot}
""",
    ),
    passes=(
        """\
campaign: hot
enter: {manual: true}
steps:
  - assign: sales
  - notify: {to: owner, template: internal/hot}
""",
    ),
)


def check(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    if project.alerts.fallback is not None:
        return
    for step in spec.every_step():
        if isinstance(step.step, plan.Assign):
            return  # from here on there is an owner, as far as reading in order can tell
        if isinstance(step.step, plan.Notify) and step.step.to == "owner":
            hint = "write 'alerts: {fallback: ADDRESS}' in config.yaml, or 'assign: TEAM' before this step"
            findings.warn(step.mark, RULE.code, "a lead without an owner: nobody gets this notice", hint)
            return
