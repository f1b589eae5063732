"""N346: a condition that cannot hold: it contradicts itself, what leads to it, or an arm before it took all of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nurture.campaign import plan
from nurture.campaign.condition import All, Condition, Field, InStage, Not, Test
from nurture.campaign.project import Project
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec, StepSpec

RULE = Rule(
    "N346",
    "warning",
    "A condition that can never hold where it stands: it contradicts itself or the arm it is in, or an arm before it "
    "takes everybody it is for.",
    fails=(
        """\
campaign: hello
topic: offers
enter: {manual: true}
steps:
  - branch:
      - if: {stage: lead}
        steps:
          - send: hello
            if: {stage: customer}
      - else: [{send: other}]
""",
    ),
    passes=(
        """\
campaign: hello
topic: offers
enter: {manual: true}
steps:
  - branch:
      - if: {stage: lead}
        steps:
          - wait: 3d
          - send: hello
            if: {stage: customer}      # three days later one may stand there
      - else: [{send: other}]
""",
    ),
)
_CHANGES = (plan.Move, plan.SetFields, plan.AddTag, plan.RemoveTag)


def check(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    _walk(spec.steps, (), findings)


def _walk(steps: tuple[StepSpec, ...], held: tuple[Condition, ...], findings: Findings) -> None:
    """`held` is what is known to hold here. It is forgotten wherever time passes or the lead is changed."""
    for step in steps:
        if step.only_if is not None and _impossible((*held, step.only_if)):
            findings.warn(step.if_mark or step.mark, RULE.code, "this can never hold here", "the step is never done")
        _arms(step, held, findings)
        if _moves(step):
            held = ()


def _arms(step: StepSpec, held: tuple[Condition, ...], findings: Findings) -> None:
    before: list[Condition] = []
    for n, arm in enumerate(step.arms):
        inside = () if isinstance(step.step, plan.WAITING) else held
        if arm.condition is not None and isinstance(step.step, plan.Branch):
            inside = (*held, arm.condition)
            mark = arm.steps[0].mark if arm.steps else step.mark
            if arm.condition in before:
                message = f"arm {n + 1} asks what arm {before.index(arm.condition) + 1} asked: nobody is left for it"
                findings.warn(mark, RULE.code, message, "the first arm that holds is taken")
            elif _impossible(inside):
                findings.warn(mark, RULE.code, f"the condition of arm {n + 1} can never hold here", "nobody takes it")
            before.append(arm.condition)
        _walk(arm.steps, inside, findings)


def _moves(step: StepSpec) -> bool:
    return isinstance(step.step, (*plan.WAITING, *_CHANGES)) or any(_moves(s) for arm in step.arms for s in arm.steps)


def _impossible(conditions: Iterable[Condition]) -> bool:
    """Whether these surely cannot all hold at once. False where it cannot be told."""
    asked = list(_flat(conditions))
    if any(Not(one) in asked for one in asked):
        return True
    stages: dict[bool, set[str]] = {}
    tests: dict[tuple[str, tuple[str, ...]], list[Test]] = {}
    for one in asked:
        match one:
            case InStage(names=names, by_account=by) if names:
                if by in stages and not stages[by] & set(names):
                    return not by  # colleagues may stand in different stages
                stages[by] = stages.get(by, set(names)) & set(names)
            case Field(scope=scope, path=path, tests=found):
                tests.setdefault((scope, path), []).extend(found)
    return any(_disjoint(found) for found in tests.values())


def _flat(conditions: Iterable[Condition]) -> Iterator[Condition]:
    for condition in conditions:
        if isinstance(condition, All):
            yield from _flat(condition.items)
        else:
            yield condition


def _disjoint(tests: list[Test]) -> bool:
    """Whether no value passes all of these tests: two different values, or bounds that leave no room."""
    exact = [set(t.value) if isinstance(t.value, tuple) else {t.value} for t in tests if t.op in ("is", "in")]
    if exact and not set.intersection(*exact):
        return True
    low = [t.value for t in tests if t.op in ("at_least", "more_than") and isinstance(t.value, (int, float))]
    high = [t.value for t in tests if t.op in ("at_most", "less_than") and isinstance(t.value, (int, float))]
    if not low or not high:
        return False
    strict = any(t.op in ("more_than", "less_than") and t.value in (max(low), min(high)) for t in tests)
    return max(low) > min(high) or (strict and max(low) == min(high))
