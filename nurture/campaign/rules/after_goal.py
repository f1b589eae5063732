"""N344: steps for who reached the goal. The goal ends the enrollment, so they are never done."""

from __future__ import annotations

from nurture.campaign import plan
from nurture.campaign.project import Project
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec, TriggerSpec

RULE = Rule(
    "N344",
    "warning",
    "Steps behind a wait for the goal itself: the goal ends the enrollment, so nobody comes to them.",
    fails=(
        """\
campaign: cart
topic: offers
enter: {event: cart_updated, key: cart_id}
goal: {event: order_completed, same: cart_id}
steps:
  - send: cart/reminder
  - wait_for: {event: order_completed, same: cart_id, up_to: 3d}
    then: [{send: cart/thanks}]
""",
    ),
    passes=(
        """\
campaign: cart
topic: offers
enter: {event: cart_updated, key: cart_id}
goal: {event: order_completed, same: cart_id}
steps:
  - send: cart/reminder
  - wait: 3d
""",
        """\
campaign: thanks
topic: offers
enter: {event: order_completed}
steps: [{send: cart/thanks}]
""",
    ),
)


def check(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    if spec.goal is None or spec.goal.trigger.event is None:
        return
    for step in spec.every_step():
        if isinstance(step.step, plan.WaitFor) and step.trigger is not None and step.arms:
            then = step.arms[0].steps
            if then and _is_the_goal(step.trigger, spec.goal.trigger):
                goal = spec.goal.trigger.event
                message = f"'{then[0].step.id}' is never done: '{goal}' is the goal, which ends the enrollment first"
                hint = f"let another campaign enter by '{goal}'"
                findings.warn(then[0].mark, RULE.code, message, hint)


def _is_the_goal(waited: TriggerSpec, goal: TriggerSpec) -> bool:
    """Whether every event that ends the wait is the goal: the goal asks for no more than the wait does."""
    asks_no_more = goal.where in (None, waited.where) and goal.same in (None, waited.same)
    return waited.event == goal.event and asks_no_more
