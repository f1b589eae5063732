"""What an event, or a condition turned true, does to an enrollment that stands: a wait is over, a goal or exit reached.

Pure. Each function gives a Decision to write like any other, or None where the enrollment is not concerned. The caller
has compared event names, `where` and `same`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from nurture.campaign.plan import END, AnyStep, Exit, Plan, WaitFor
from nurture.campaign.project import Project
from nurture.funnel.stages import Allowed, MoveRefused, judge_move
from nurture.journey.effects import AnyEffect, Decision, End, MoveStage, Record
from nurture.journey.enrollment import Enrollment, State


def came(plan: Plan, who: Enrollment, now: datetime) -> Decision | None:
    """The event waited for came: on to `then`, due now."""
    step = standing(plan, who)
    if not isinstance(step, WaitFor) or step.trigger.event is None or who.held != "event" or not who.open:
        return None
    return onto(plan, who, step.then, now, Record("came", who.step, step.trigger.event), due=now)


def matched(plan: Plan, who: Enrollment, now: datetime) -> Decision | None:
    """The condition waited for has become true: on to `then`, due now."""
    step = standing(plan, who)
    if not isinstance(step, WaitFor) or step.trigger.match is None or who.held != "event" or not who.open:
        return None
    return onto(plan, who, step.then, now, Record("came", who.step, "match"), due=now)


def goal_reached(
    plan: Plan,
    project: Project,
    who: Enrollment,
    stages: Mapping[str, str],
    *,
    properties: Mapping[str, Any],
    happened: datetime,
    entry_happened: datetime | None,
) -> Decision | None:
    """The goal's event came: it moves, credits revenue in its own currency, and ends the enrollment.

    An event that happened before the entry event did ends it without revenue as `exit(goal before entry)` (S4).
    """
    if plan.goal is None or not who.open:
        return None
    if entry_happened is not None and happened < entry_happened:
        return end_now(who, "exited", "goal before entry")
    effects: tuple[AnyEffect, ...] = ()
    records: tuple[Record, ...] = ()
    if plan.goal.move is not None:
        effects, records = _goal_move(project, who, stages, plan.goal.move)
    revenue = _amount(properties.get(plan.goal.value)) if plan.goal.value is not None else None
    currency = properties.get("currency")
    named = currency if isinstance(currency, str) and currency else project.currency
    return end_now(
        who,
        "goal",
        plan.goal.trigger.event,
        effects=effects,
        records=records,
        revenue=revenue,
        currency=named if revenue is not None else None,
    )


def _goal_move(
    project: Project, who: Enrollment, stages: Mapping[str, str], stage: str
) -> tuple[tuple[AnyEffect, ...], tuple[Record, ...]]:
    judged: Allowed | MoveRefused = judge_move(project, stages, stage, "goal")
    if isinstance(judged, MoveRefused):
        refused = Record("move_refused", who.step, judged.code, stage, inputs={"text": judged.text})
        return (), (refused,)
    effect = MoveStage(
        step=who.step, visit=who.visit, stage=stage, funnel=judged.funnel, origin=judged.origin, reason="goal"
    )
    return (effect,), (Record("moved", who.step, "goal", stage, inputs={"origin": judged.origin}),)


def _amount(value: object) -> float | None:
    """A number, or text that reads as a finite one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = float(value)
    except (ValueError, OverflowError):
        return None
    return amount if amount - amount == 0 else None  # neither infinite nor NaN


def exit_reached(who: Enrollment, item: Exit) -> Decision | None:
    """An exit's event came."""
    return end_now(who, "exited", item.reason) if who.open else None


def left(who: Enrollment, reason: str) -> Decision | None:
    """Out for a reason of the engine's: merged, erased, a deploy with `on_change: exit`, a date that changed."""
    return end_now(who, "exited", reason) if who.open else None


def standing(plan: Plan, who: Enrollment) -> AnyStep | None:
    """The step it stands on; None where this version has no such step."""
    at = plan.index(who.step)
    return None if at is None else plan.steps[at]


def onto(
    plan: Plan, who: Enrollment, target: int, now: datetime, record: Record, due: datetime | None = None
) -> Decision:
    """It reaches the target now, to be decided in the next pass. Its `due` is the present step's unless named; a parked
    one stays parked there."""
    if target == END:
        return end_now(who, "finished", None, records=(record,))
    after = msgspec.structs.replace(
        who,
        step=plan.steps[target].id,
        visit=who.visit + 1,
        due=due or who.due,
        reached=now,
        wake=now,
        held=None,
    )
    return Decision(after=after, records=(record,))


def end_now(
    who: Enrollment,
    state: State,
    reason: str | None,
    *,
    effects: tuple[AnyEffect, ...] = (),
    records: tuple[Record, ...] = (),
    revenue: float | None = None,
    currency: str | None = None,
) -> Decision:
    """It ends here, after what the records say."""
    after = msgspec.structs.replace(who, state=state, wake=None, held=None)
    ended = Record("ended", who.step, reason, state)
    end = End(state=state, reason=reason, revenue=revenue, currency=currency)
    return Decision(after=after, effects=effects, records=(*records, ended), end=end)
