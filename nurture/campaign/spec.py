"""A campaign as it was written, typed and with its places: what the rules judge and `compile` turns into a plan.

Steps already are the plan's own structs; where they go next, and the conditions they ask, are filled in by compiling.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nurture.campaign.cases import CampaignTest
from nurture.campaign.condition import Condition
from nurture.campaign.plan import Again, AnyStep, Enter, Migration
from nurture.campaign.problems import Mark
from nurture.campaign.project import Shape
from nurture.campaign.reading.context import Reference
from nurture.campaign.window import Window


@dataclass(frozen=True)
class TriggerSpec:
    """An event, or a condition."""

    mark: Mark
    event: str | None = None
    where: Condition | None = None
    same: str | None = None
    match: Condition | None = None


@dataclass(frozen=True)
class GoalSpec:
    trigger: TriggerSpec
    value: str | None = None
    move: str | None = None


@dataclass(frozen=True)
class ExitSpec:
    trigger: TriggerSpec
    reason: str


@dataclass(frozen=True)
class Arm:
    """Steps that are walked under a name or a condition: of a branch, a split, a repeat, or after a wait_for."""

    name: str
    steps: tuple[StepSpec, ...]
    condition: Condition | None = None
    share: float = 0.0


@dataclass(frozen=True)
class StepSpec:
    """One written step. `written`: its id was; otherwise `step.id` is made from what it does. `competing`: a send
    whose templates were written as variants."""

    mark: Mark
    step: AnyStep
    written: bool
    only_if: Condition | None = None
    if_mark: Mark | None = None
    late_mark: Mark | None = None
    trigger: TriggerSpec | None = None
    arms: tuple[Arm, ...] = ()
    competing: bool = False


@dataclass(frozen=True)
class CampaignSpec:
    mark: Mark
    name: str
    enter: Enter
    steps: tuple[StepSpec, ...]
    title: str = ""
    state: str = "live"
    priority: int = 50
    topic: str | None = None
    topic_unread: bool = False  # one was written and is not declared; that is said once, at its place
    on_withdrawal: str = "exit"
    on_change: str = "pin"
    pin_templates: bool = False
    only_if: Condition | None = None
    again: Again | None = None
    goal: GoalSpec | None = None
    exits: tuple[ExitSpec, ...] = ()
    window: Window | None = None
    migrations: tuple[Migration, ...] = ()
    tests: tuple[CampaignTest, ...] = ()
    entry: dict[str, Shape] | None = None
    references: list[Reference] = field(default_factory=list)
    complete: bool = True  # no step had to be left out

    def every_step(self) -> list[StepSpec]:
        """All steps in the order they are written, nested ones after the step that holds them."""
        return every_step(self.steps)


def every_step(steps: tuple[StepSpec, ...]) -> list[StepSpec]:
    found: list[StepSpec] = []
    for step in steps:
        found.append(step)
        for arm in step.arms:
            found += every_step(arm.steps)
    return found
