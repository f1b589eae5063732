"""N310: a step nobody can come to, because everything before it leaves."""

from __future__ import annotations

from nurture.campaign import plan
from nurture.campaign.project import Project
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec, StepSpec

RULE = Rule(
    "N310",
    "error",
    "A step nobody can come to, because everything before it leaves.",
    fails=(
        """\
campaign: hello
topic: offers
enter: {manual: true}
steps:
  - exit: enough
  - send: hello
""",
    ),
    passes=(
        """\
campaign: hello
topic: offers
enter: {manual: true}
steps:
  - exit: enough
    if: {stage: customer}
  - send: hello
""",
    ),
)


def check(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    _walk(spec.steps, findings)


def _walk(steps: tuple[StepSpec, ...], findings: Findings) -> bool:
    """Whether one can come out of these steps at their end; the first step nobody reaches is reported."""
    open_ = True
    for n, step in enumerate(steps):
        if not open_:
            last = steps[n - 1]
            why = "the step before it leaves the campaign" if isinstance(last.step, plan.Leave) else "every way leaves"
            message = f"step '{step.step.id}' can never be reached: {why}"
            findings.add(step.mark, RULE.code, message, "delete it, or move it before the exit")
            return False
        open_ = _passes(step, findings)
    return open_


def _passes(step: StepSpec, findings: Findings) -> bool:
    ways = [_walk(arm.steps, findings) for arm in step.arms]
    if step.only_if is not None:
        return True
    match step.step:
        case plan.Leave():
            return False
        case plan.Branch():
            return any(ways) or all(arm.condition is not None for arm in step.arms)
        case plan.Split():
            return any(ways)
        case plan.WaitFor():
            return any(ways)
    return True
