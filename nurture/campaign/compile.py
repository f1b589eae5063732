"""From a campaign as written to the plan the engine walks.

Steps are numbered in the order they are written, nested ones after the step that holds them, so that a reader of the
plan finds them where the file has them. Conditions are interned: goal and exits first, then as the steps ask them.
"""

from __future__ import annotations

from typing import Literal, cast

from msgspec import structs

from nurture.campaign import plan
from nurture.campaign.condition import Condition
from nurture.campaign.spec import Arm, CampaignSpec, StepSpec, TriggerSpec, every_step


def compile_campaign(spec: CampaignSpec) -> plan.Plan:
    """The plan of a campaign that was read without errors."""
    compiler = _Compiler(spec)
    goal = None
    if spec.goal is not None:
        goal = plan.Goal(compiler.trigger(spec.goal.trigger), spec.goal.value, spec.goal.move)
    exits = tuple(plan.Exit(compiler.trigger(item.trigger), item.reason) for item in spec.exits)
    compiler.lay(spec.steps, plan.END)
    return plan.Plan(
        campaign=spec.name,
        title=spec.title,
        state=cast(Literal["draft", "live", "paused", "retired"], spec.state),
        priority=spec.priority,
        topic=spec.topic,
        on_withdrawal=cast(Literal["exit", "stay"], spec.on_withdrawal),
        on_change=cast(Literal["pin", "migrate", "drain", "exit"], spec.on_change),
        pin_templates=spec.pin_templates,
        enter=spec.enter,
        only_if=spec.only_if,
        again=spec.again,
        goal=goal,
        exits=exits,
        window=spec.window,
        steps=tuple(compiler.steps[n] for n in range(len(compiler.steps))),
        conditions=tuple(compiler.conditions),
        migrations=spec.migrations,
    )


class _Compiler:
    def __init__(self, spec: CampaignSpec) -> None:
        self.conditions: dict[Condition, int] = {}
        self.steps: dict[int, plan.AnyStep] = {}
        # By identity: two steps of one file may be equal in all but where they stand.
        self._index = {id(step): n for n, step in enumerate(every_step(spec.steps))}

    def intern(self, condition: Condition) -> int:
        return self.conditions.setdefault(condition, len(self.conditions))

    def trigger(self, written: TriggerSpec) -> plan.Trigger:
        match = None if written.match is None else self.intern(written.match)
        return plan.Trigger(written.event, written.where, written.same, match)

    def first(self, steps: tuple[StepSpec, ...], after: int) -> int:
        return self._index[id(steps[0])] if steps else after

    def lay(self, steps: tuple[StepSpec, ...], after: int) -> None:
        """Put these steps into the plan; the last goes on at `after`."""
        for n, step in enumerate(steps):
            follow = self.first(steps[n + 1 :], after)
            self.steps[self._index[id(step)]] = self._made(step, follow)
            back = self._index[id(step)] if isinstance(step.step, plan.Repeat) else follow
            for arm in step.arms:
                self.lay(arm.steps, back)

    def _made(self, spec: StepSpec, follow: int) -> plan.AnyStep:
        only_if = None if spec.only_if is None else self.intern(spec.only_if)
        step = structs.replace(spec.step, next=follow, only_if=only_if)
        match step:
            case plan.Branch():
                asked = [arm for arm in spec.arms if arm.condition is not None]
                arms = tuple((self.intern(cast(Condition, a.condition)), self.first(a.steps, follow)) for a in asked)
                rest = next((arm for arm in spec.arms if arm.condition is None), None)
                return structs.replace(step, arms=arms, otherwise=self.first(rest.steps, follow) if rest else None)
            case plan.Split():
                drawn = tuple((arm.name, arm.share, self.first(arm.steps, follow)) for arm in spec.arms)
                return structs.replace(step, arms=drawn)
            case plan.Repeat():
                return self._repeat(step, spec.arms[0])
            case plan.WaitFor():
                then, otherwise = (self.first(arm.steps, follow) for arm in spec.arms)
                trigger = self.trigger(cast(TriggerSpec, spec.trigger))
                return structs.replace(step, trigger=trigger, then=then, otherwise=otherwise)
        return step

    def _repeat(self, step: plan.Repeat, body: Arm) -> plan.AnyStep:
        asked = None if body.condition is None else self.intern(body.condition)
        return structs.replace(step, body=self._index[id(body.steps[0])] if body.steps else step.next, while_=asked)
