"""N331: a branch that only opens and clicks can take, which exist only where the lead agreed to tracking."""

from __future__ import annotations

from nurture.campaign import plan
from nurture.campaign.condition import All, Any, Condition, Mailed
from nurture.campaign.project import Project
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec

RULE = Rule(
    "N331",
    "warning",
    "A branch only an open or a click can take: most leads do not agree to being tracked.",
    fails=(
        """\
campaign: hello
topic: offers
enter: {manual: true}
steps:
  - send: hello
  - branch:
      - if: {mail: {clicked: hello}}
        steps: [{tag: keen}]
""",
    ),
    passes=(
        """\
campaign: hello
topic: offers
enter: {manual: true}
steps:
  - send: hello
  - branch:
      - if: {any: [{mail: {clicked: hello}}, {did: {event: cart_updated, since_entry: true}}]}
        steps: [{tag: keen}]
""",
    ),
    config="""\
tracking: true
""",
)


def check(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    for step in spec.every_step():
        if not isinstance(step.step, plan.Branch):
            continue
        asked = [arm.condition for arm in step.arms if arm.condition is not None]
        if len(asked) == len(step.arms) and all(_tracked(condition) for condition in asked):
            message = "only a click or an open leads into this branch, and most leads do not agree to being tracked"
            findings.warn(step.mark, RULE.code, message, "add an 'else', or another way to tell beside it with 'any'")


def _tracked(condition: Condition) -> bool:
    """True where it cannot hold without an open or a click."""
    match condition:
        case Mailed(what="clicked" | "opened"):
            return True
        case All(items):
            return any(_tracked(item) for item in items)
        case Any(items):
            return all(_tracked(item) for item in items)
    return False
