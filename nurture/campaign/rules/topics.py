"""N321: a marketing mail that no topic allows."""

from __future__ import annotations

from nurture.campaign import plan
from nurture.campaign.project import Project
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec

RULE = Rule(
    "N321",
    "error",
    "A marketing mail without a topic: nobody can have agreed to it.",
    fails=(
        """\
campaign: hello
enter: {manual: true}
steps: [{send: hello}]
""",
    ),
    passes=(
        """\
campaign: hello
enter: {manual: true}
steps:
  - send: hello
    topic: offers
  - send: receipt
    class: service      # owed, so it needs none
""",
    ),
)

_HINT = "write 'topic:' at the campaign or the step, or 'class: service' where the person asked for it or is owed it"


def check(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    if spec.topic is not None or spec.topic_unread:
        return
    for step in spec.every_step():
        if isinstance(step.step, plan.Send) and not step.step.service and step.step.topic is None:
            known = f"config.yaml has: {', '.join(project.topics)}" if project.topics else ""
            hint = ". ".join(part for part in (_HINT, known) if part)
            findings.add(step.mark, RULE.code, f"'{step.step.id}' is a marketing mail without a topic", hint)
