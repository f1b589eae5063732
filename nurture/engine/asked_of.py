"""Which conditions of a campaign a decision rests on, and what they saw when it was made.

What was seen is kept with the decision: a lead changes, and `why` has to speak of the day on which it was decided.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from nurture.campaign.condition import All, Condition
from nurture.campaign.condition import Any as AnyOf
from nurture.campaign.needs import leaves
from nurture.campaign.plan import Branch, EnterEvent, Plan, Repeat

if TYPE_CHECKING:
    from nurture.engine.turn import Turn
    from nurture.store.conditions import Row

SAW = "saw"  # the name among a decision's inputs: per leaf, in order, [answer] or [answer, value]


class Asked(NamedTuple):
    """A condition, and the answer with which it would have gone otherwise."""

    condition: Condition
    otherwise: bool


def asked_of(plan: Plan, what: str, reason: str | None, step: str | None, detail: str | None) -> tuple[Asked, ...]:
    """What was asked, in order, for a decision so recorded; any one of them answering otherwise would have changed it.
    Empty where it rests on none."""
    match what:
        case "not_entered" | "would_not_enter":
            return _of_entry(plan, reason)
        case "ended":
            return _of_end(plan, reason or "")
        case "skipped" | "branched":
            return _of_step(plan, what, reason, step, detail)
        case _:
            return ()


def _of_entry(plan: Plan, reason: str | None) -> tuple[Asked, ...]:
    match reason:
        case "condition false":
            where = plan.enter.where if isinstance(plan.enter, EnterEvent) else None
            both = tuple(c for c in (where, plan.only_if) if c is not None)
            return (Asked(both[0] if len(both) == 1 else All(both), True),) if both else ()
        case "goal already true":
            return _ends(plan, [plan.goal.trigger.match] if plan.goal else [])
        case "exit already true":
            return _ends(plan, [item.trigger.match for item in plan.exits])
        case _:
            return ()


def _of_end(plan: Plan, reason: str) -> tuple[Asked, ...]:
    if reason == "goal" and plan.goal is not None:
        return _ends(plan, [plan.goal.trigger.match])
    return _ends(plan, [item.trigger.match for item in plan.exits if f"exit({item.reason})" == reason])


def _ends(plan: Plan, numbers: Sequence[int | None]) -> tuple[Asked, ...]:
    """Not one of them may hold."""
    asked = tuple(plan.conditions[n] for n in numbers if n is not None)
    return (Asked(asked[0] if len(asked) == 1 else AnyOf(asked), False),) if asked else ()


def _of_step(plan: Plan, what: str, reason: str | None, step_id: str | None, detail: str | None) -> tuple[Asked, ...]:
    at = plan.index(step_id) if step_id else None
    step = plan.steps[at] if at is not None else None
    match step:
        case None:
            return ()
        case Branch() if what == "branched":
            taken = int(detail) if detail and detail.isdigit() else len(step.arms) + 1
            return tuple(Asked(plan.conditions[asked], True) for asked, _ in step.arms[: taken - 1])
        case Repeat(while_=int() as number) if reason == "while":
            return (Asked(plan.conditions[number], True),)
        case _ if reason == "if" and step.only_if is not None:
            return (Asked(plan.conditions[step.only_if], True),)
        case _:
            return ()


def all_leaves(asked: Sequence[Asked]) -> tuple[Condition, ...]:
    """The leaves of these, each once, in order: what `saw` speaks of."""
    return leaves(All(tuple(one.condition for one in asked)))


Saw = list[list[Any]]


def look(turn: Turn, questions: Sequence[tuple[Hashable, tuple[Asked, ...], Row]]) -> list[Saw]:
    """What the leaves of these saw, each for its row: one statement for all that have the same mark."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for n, (mark, _, _) in enumerate(questions):
        groups[mark].append(n)
    found: list[Saw] = [[] for _ in questions]
    for numbers in groups.values():
        asked = all_leaves(questions[numbers[0]][1])
        rows = [questions[n][2] for n in numbers]
        for n, sights in zip(numbers, turn.live.asker.look(turn.tx, asked, rows), strict=True):
            found[n] = [[holds] if value is None else [holds, value] for holds, value in sights]
    return found
