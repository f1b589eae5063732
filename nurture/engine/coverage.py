"""What the tests of a campaign never went through: steps, and arms of branches, splits and waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nurture.campaign.plan import Branch, Split, WaitFor
from nurture.campaign.problems import Mark
from nurture.campaign.spec import Arm, CampaignSpec, StepSpec
from nurture.store.timeline import Line

_ELSE = "else"


@dataclass(frozen=True, slots=True)
class Gap:
    """A place no test reaches. `arm` None: the step itself; what lies inside it is not listed besides."""

    mark: Mark
    step: str
    arm: str | None = None

    def __str__(self) -> str:
        return f"step '{self.step}'" if self.arm is None else f"{self.arm} of '{self.step}'"


def reached(lines: Iterable[Line]) -> frozenset[str]:
    """Steps by their id, arms as `STEP/ARM`. A step whose `if` said no was not done, so it was not reached."""
    found: set[str] = set()
    for line in lines:
        if not line.step or (line.what == "skipped" and line.reason == "if"):
            continue
        found.add(line.step)
        match line.what:
            case "branched" | "drew":
                found.add(f"{line.step}/{line.detail or _ELSE}")
            case "came":
                found.add(f"{line.step}/then")
            case "time_over":
                found.add(f"{line.step}/{_ELSE}")
    return frozenset(found)


def gaps(spec: CampaignSpec, through: frozenset[str]) -> list[Gap]:
    """What of this campaign is not in `through`, in the order it is written."""
    return list(_gaps(spec.steps, through))


def count(spec: CampaignSpec) -> int:
    """How many places there are to reach."""
    return sum(1 + len(list(_arms(step))) for step in spec.every_step())


def missed(spec: CampaignSpec, through: frozenset[str]) -> int:
    """How many of them are not in `through`, those inside what was not reached among them."""
    names = [name for step in spec.every_step() for name in (step.step.id, *(key for key, _, _ in _arms(step)))]
    return sum(name not in through for name in names)


def _gaps(steps: Iterable[StepSpec], through: frozenset[str]) -> Iterator[Gap]:
    for step in steps:
        if step.step.id not in through:
            yield Gap(step.mark, step.step.id)
            continue
        named = {id(arm) for _, _, arm in _arms(step)}
        for key, text, arm in _arms(step):
            if key not in through:
                mark = arm.steps[0].mark if arm is not None and arm.steps else step.mark
                yield Gap(mark, step.step.id, text)
            elif arm is not None:
                yield from _gaps(arm.steps, through)
        for arm in step.arms:
            if id(arm) not in named:
                yield from _gaps(arm.steps, through)


def _arms(step: StepSpec) -> Iterator[tuple[str, str, Arm | None]]:
    """(key, words for it, its steps): what can happen at this step. The body of a repeat is reached by its steps."""
    name = step.step.id
    match step.step:
        case Branch():
            asked = [arm for arm in step.arms if arm.condition is not None]
            rest = next((arm for arm in step.arms if arm.condition is None), None)
            for number, arm in enumerate(asked, 1):
                yield f"{name}/{number}", f"arm {number}", arm
            yield f"{name}/{_ELSE}", "'else'" if rest else "the way past every arm", rest
        case Split():
            for arm in step.arms:
                yield f"{name}/{arm.name}", f"arm '{arm.name}'", arm
        case WaitFor():
            then, otherwise = step.arms
            yield f"{name}/then", "'then'", then
            yield f"{name}/{_ELSE}", "'else'", otherwise
