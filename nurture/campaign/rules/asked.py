"""Every condition a campaign asks, with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nurture.campaign.condition import Condition, walk
from nurture.campaign.plan import EnterEvent, EnterMatch
from nurture.campaign.problems import Mark
from nurture.campaign.spec import CampaignSpec, TriggerSpec


@dataclass(frozen=True, slots=True)
class Asked:
    mark: Mark
    condition: Condition


def asked(spec: CampaignSpec) -> Iterator[Asked]:
    """All of them, each followed by those inside it; segments are not followed."""
    for mark, condition in _outer(spec):
        for inner in walk(condition):
            yield Asked(mark, inner)


def _outer(spec: CampaignSpec) -> Iterator[tuple[Mark, Condition]]:
    if isinstance(spec.enter, EnterMatch):
        yield spec.mark, spec.enter.condition
    if isinstance(spec.enter, EnterEvent) and spec.enter.where is not None:
        yield spec.mark, spec.enter.where
    if spec.only_if is not None:
        yield spec.mark, spec.only_if
    for trigger in (*((spec.goal.trigger,) if spec.goal is not None else ()), *(e.trigger for e in spec.exits)):
        yield from _of(trigger)
    for step in spec.every_step():
        if step.only_if is not None:
            yield step.if_mark or step.mark, step.only_if
        if step.trigger is not None:
            yield from _of(step.trigger)
        for arm in step.arms:
            if arm.condition is not None:
                yield step.mark, arm.condition


def _of(trigger: TriggerSpec) -> Iterator[tuple[Mark, Condition]]:
    for condition in (trigger.where, trigger.match):
        if condition is not None:
            yield trigger.mark, condition
