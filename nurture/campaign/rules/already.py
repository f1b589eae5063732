"""N347: a wait for an event that surely came before. Only events from now on count."""

from __future__ import annotations

from nurture.campaign import plan
from nurture.campaign.condition import All, Condition, Did
from nurture.campaign.project import Project
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec, StepSpec

RULE = Rule(
    "N347",
    "warning",
    "A `wait_for: {event}` of something that has surely happened already: it waits for the next time. "
    "`match` with `did` is satisfied by what was.",
    fails=(
        """\
campaign: accessories
topic: offers
enter: {stage: customer, only_if: {did: {event: order_completed}}}
steps:
  - wait_for: {event: order_completed, up_to: 30d}
    then: [{send: accessories}]
""",
    ),
    passes=(
        """\
campaign: accessories
topic: offers
enter: {stage: customer}
steps:
  - wait_for: {match: {did: {event: order_completed}}, up_to: 30d}
    then: [{send: accessories}]
""",
    ),
)


def check(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    _walk(spec.steps, _done(spec.only_if), findings)


def _walk(steps: tuple[StepSpec, ...], came: frozenset[str], findings: Findings) -> None:
    for step in steps:
        event = step.trigger.event if step.trigger is not None else None
        plain = step.trigger is not None and step.trigger.where is None and step.trigger.same is None
        if isinstance(step.step, plan.WaitFor) and event in came and plain:
            message = f"'{event}' has happened before one comes here, and only the next one ends this wait"
            hint = f"write 'match: {{did: {{event: {event}}}}}' if what was shall count; else say which with 'where'"
            findings.warn(step.mark, RULE.code, message, hint)
        for arm in step.arms:
            _walk(arm.steps, came | _done(arm.condition), findings)


def _done(condition: Condition | None) -> frozenset[str]:
    """Events that must have happened where it holds."""
    match condition:
        case Did(event=event, at_most=None, sum=None) if event != "any":
            return frozenset({event})
        case All(items):
            return frozenset().union(*(_done(item) for item in items))
    return frozenset()
