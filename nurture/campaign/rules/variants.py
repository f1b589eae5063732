"""N323: templates in competition need an id, since none of them names the step for ever."""

from __future__ import annotations

from nurture.campaign import plan
from nurture.campaign.project import Project
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec

RULE = Rule(
    "N323",
    "error",
    "Templates in competition without an `id`: none of them names the step for ever.",
    fails=(
        """\
campaign: hello
topic: offers
enter: {manual: true}
steps:
  - send: {variants: {short: 50%, long: 50%}}
""",
    ),
    passes=(
        """\
campaign: hello
topic: offers
enter: {manual: true}
steps:
  - send: {variants: {short: 50%, long: 50%}}
    id: launch
""",
    ),
)


def check(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    for step in spec.every_step():
        if isinstance(step.step, plan.Send) and step.competing and not step.written:
            findings.add(step.mark, RULE.code, "templates in competition need an 'id'", "such as 'id: launch'")
