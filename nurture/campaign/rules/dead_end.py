"""N341: a wait that nothing follows, in a campaign that has nothing to wait for either."""

from __future__ import annotations

from nurture.campaign import plan
from nurture.campaign.project import Project
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec, StepSpec

RULE = Rule(
    "N341",
    "warning",
    "A wait at the end, with no step after it and no goal or exit to wait for: the lead stands there for nothing.",
    fails=(
        """\
campaign: hello
topic: offers
enter: {manual: true}
steps:
  - send: hello
  - wait: 3d
""",
    ),
    passes=(
        """\
campaign: hello
topic: offers
enter: {manual: true}
goal: {event: order_completed}
steps:
  - send: hello
  - wait: 3d        # an order within three days still counts
""",
    ),
)


def check(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    if spec.complete and spec.goal is None and not spec.exits and spec.again is None:
        _ends(spec.steps, findings)


def _ends(steps: tuple[StepSpec, ...], findings: Findings) -> None:
    """Report waits that are the last thing on a way out of the campaign."""
    if not steps:
        return
    last = steps[-1]
    waits = isinstance(last.step, plan.Wait) or (isinstance(last.step, plan.WaitFor) and not _does(last))
    if waits:
        findings.warn(last.mark, RULE.code, "nothing comes after this wait", "delete it, or add the step it is for")
    elif not isinstance(last.step, plan.Repeat):
        for arm in last.arms:
            _ends(arm.steps, findings)


def _does(step: StepSpec) -> bool:
    return any(arm.steps for arm in step.arms)
