"""What comes from outside the walk: an event waited for, a goal, an exit, an answer, a renewed entry, a new version.

Each function is pure and gives a Decision to write like any other, or None where the enrollment is not concerned. The
caller has compared event names and `where`; `same` is compared by `enrollment.same_key`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec

from nurture.campaign.plan import END, Branch, Call, Exit, Plan, Repeat, Split, Trigger, Wait, WaitFor
from nurture.campaign.project import Project
from nurture.funnel.stages import Allowed, MoveRefused, judge_move
from nurture.journey.effects import AnyEffect, Decision, End, MoveStage, Record
from nurture.journey.enrollment import OWN, Enrollment, State
from nurture.journey.facts import Facts
from nurture.journey.waits import time_over, wait_over
from nurture.journey.walk import Walk

WITHDRAWN = "consent withdrawn"
MERGED = "merged"
ERASED = "erased"
_PASSIVE = (Wait, WaitFor, Repeat, Branch, Split)  # doing one twice does nothing twice


def opened(
    plan: Plan, version: str, *, lead: int, shard: int, key: str, entry: dict[str, Any], now: datetime, due: datetime
) -> Enrollment:
    """A new enrollment on the first step, to be decided at once. `due` is what opened it: the timer's or the schedule's
    instant, which may lie back (S15). The store gives it its id."""
    return Enrollment(
        id=0,
        lead=lead,
        shard=shard,
        campaign=plan.campaign,
        version=version,
        key=key,
        step=plan.steps[0].id if plan.steps else "",
        due=due,
        reached=now,
        wake=now,
        entered_at=now,
        entry=entry,
    )


# ---------------------------------------------------------------------------------------------------- events


def awaited(plan: Plan, who: Enrollment) -> Trigger | None:
    """The event this enrollment stands waiting for; None where it waits for none. Only events from then on count."""
    step = _standing(plan, who)
    if isinstance(step, WaitFor) and who.held == "event" and who.state == "waiting" and step.trigger.event is not None:
        return step.trigger
    return None


def came(plan: Plan, who: Enrollment, now: datetime) -> Decision | None:
    """The event waited for came: on to `then`, due now."""
    step = _standing(plan, who)
    if awaited(plan, who) is None or not isinstance(step, WaitFor):
        return None
    return _onto(plan, who, step.then, now, Record("came", who.step, step.trigger.event), due=now)


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
        return _end(who, "exited", "goal before entry")
    effects: tuple[AnyEffect, ...] = ()
    records: tuple[Record, ...] = ()
    if plan.goal.move is not None:
        effects, records = _goal_move(project, who, stages, plan.goal.move)
    revenue = _amount(properties.get(plan.goal.value)) if plan.goal.value is not None else None
    currency = properties.get("currency")
    named = currency if isinstance(currency, str) and currency else project.currency
    return _end(
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
    return _end(who, "exited", item.reason) if who.open else None


def withdrawn(plan: Plan, who: Enrollment, topic: str) -> Decision | None:
    """A topic was withdrawn: who withdraws the campaign's leaves, unless `on_withdrawal: stay` (S25)."""
    if not who.open or plan.topic != topic or plan.on_withdrawal != "exit":
        return None
    return _end(who, "exited", WITHDRAWN)


def left(who: Enrollment, reason: str) -> Decision | None:
    """Out for a reason of the engine's: merged, erased, a deploy with `on_change: exit`, a date that changed."""
    return _end(who, "exited", reason) if who.open else None


def renewed(who: Enrollment, entry: dict[str, Any]) -> Decision | None:
    """The entry event came again for an open enrollment with a key: `entry` is the new one, nothing else (S11)."""
    if not who.open or not who.key:
        return None
    return Decision(after=msgspec.structs.replace(who, entry=entry), records=(Record("renewed", who.step),))


# ---------------------------------------------------------------------------------------------------- answers


def answered(plan: Plan, who: Enrollment, step: str, visit: int, answer: Any, now: datetime) -> Decision | None:
    """The webhook answered: `data.NAME` holds it, and the walk goes on, as late as the call was. None for an answer
    nobody waits for any more."""
    call = _awaiting(plan, who, step, visit)
    if call is None:
        return None
    kept = msgspec.structs.replace(who, data={**who.data, call.webhook: answer})
    return _onto(plan, kept, call.next, now, Record("answered", step, detail=call.webhook))


def call_failed(plan: Plan, who: Enrollment, step: str, visit: int, reason: str, now: datetime) -> Decision | None:
    """The webhook failed for good: out with `or_fail: exit`, else on without its data."""
    call = _awaiting(plan, who, step, visit)
    if call is None:
        return None
    record = Record("call_failed", step, reason, call.webhook)
    if call.or_exit:
        return _end(who, "exited", f"{call.webhook} failed", records=(record,))
    return _onto(plan, who, call.next, now, record)


def _awaiting(plan: Plan, who: Enrollment, step: str, visit: int) -> Call | None:
    standing = _standing(plan, who)
    current = who.state == "waiting" and who.held == "answer" and (who.step, who.visit) == (step, visit)
    return standing if current and isinstance(standing, Call) else None


# ---------------------------------------------------------------------------------------------------- parking


def parked(who: Enrollment, error: str) -> Decision | None:
    """A template of it could not be printed: it stands aside until a deploy mends that. `wake` and `held` are kept."""
    if who.state != "waiting":
        return None
    after = msgspec.structs.replace(who, state="parked", error=error)
    return Decision(after=after, records=(Record("parked", who.step, error),))


def unparked(who: Enrollment, now: datetime) -> Decision | None:
    """What parked it is mended: on from where it stood, late as it then is."""
    if who.state != "parked":
        return None
    after = msgspec.structs.replace(who, state="waiting", error=None, wake=who.wake or now)
    return Decision(after=after, records=(Record("unparked", who.step),))


# ---------------------------------------------------------------------------------------------------- versions


def migrated(
    plan: Plan, version: str, who: Enrollment, facts: Facts, now: datetime, done: Collection[str] = ()
) -> Decision | None:
    """The same enrollment on a new version, by step id or the version's `migrations` (S33); None where its step is gone
    and nothing says where to.

    A wait is re-timed from its recipe and the instant it was reached, never to before now. `done` are the steps it has
    done so far; they are not done again, except inside a repeat. Of `facts` only the lead and the project are read.
    """
    if not who.open:
        return None
    names = next((m.map for m in plan.migrations if who.version.startswith(m.source)), {})
    target = who.step if plan.index(who.step) is not None else names.get(who.step, "")
    at = plan.index(target)
    if at is None:
        return None
    known = {step.id for step in plan.steps}
    passive = {step.id for step in plan.steps if isinstance(step, _PASSIVE)} | _in_loops(plan)
    barred = {names.get(name, name) for name in {*who.done, *done}} & known - passive
    moved = msgspec.structs.replace(
        who,
        version=version,
        step=target,
        visit=who.visit + (target != who.step),
        arms={names.get(name, name): arm for name, arm in who.arms.items()},
        loops={renamed: n for name, n in who.loops.items() if (renamed := names.get(name, name)) in known},
        done=tuple(sorted(barred)),
    )
    after = _retimed(Walk(plan, moved, facts, now, at, 0))
    return Decision(after=after, records=(Record("migrated", target, detail=who.version),))


def _retimed(walk: Walk) -> Enrollment:
    """The enrollment with `held`, `due` and `wake` as its present step's recipe has them."""
    who, step, now = walk.who, walk.step, walk.now
    match step:
        case Wait() if who.held == "wait":
            over = wait_over(walk, step, who.reached)
        case WaitFor() if who.held == "event":
            over = time_over(walk, step, who.reached)
        case Repeat() if who.held == "wait":
            over = walk.shift(who.reached, step.every)
        case Call() if who.held == "answer":
            return who  # asked already; its answer still counts
        case _:
            due = now if who.held in OWN else who.due
            return msgspec.structs.replace(who, held=None, due=due, wake=now)
    due = max(over or now, now)
    return msgspec.structs.replace(who, due=due, wake=due)


def _in_loops(plan: Plan) -> set[str]:
    """Steps inside a repeat: those from its body on, until it comes back."""
    found: set[str] = set()
    for index, step in enumerate(plan.steps):
        open_, seen = [step.body] if isinstance(step, Repeat) else [], {index, END}
        while open_:
            inner = open_.pop()
            if inner in seen:
                continue
            seen.add(inner)
            found.add(plan.steps[inner].id)
            open_ += _targets(plan, inner)
    return found


def _targets(plan: Plan, index: int) -> list[int]:
    step = plan.steps[index]
    match step:
        case WaitFor(then=then, otherwise=otherwise):
            return [then, otherwise]
        case Branch(arms=arms, otherwise=otherwise):
            return [*(target for _, target in arms), step.next if otherwise is None else otherwise, step.next]
        case Split(arms=arms):
            return [target for _, _, target in arms]
        case Repeat(body=body):
            return [body, step.next]
        case _:
            return [step.next]


# ---------------------------------------------------------------------------------------------------- shared


def _standing(plan: Plan, who: Enrollment) -> object:
    at = plan.index(who.step)
    return None if at is None else plan.steps[at]


def _onto(
    plan: Plan, who: Enrollment, target: int, now: datetime, record: Record, due: datetime | None = None
) -> Decision:
    """Reaches the target now, to be decided in the next pass."""
    if target == END:
        return _end(who, "finished", None, records=(record,))
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


def _end(
    who: Enrollment,
    state: State,
    reason: str | None,
    *,
    effects: tuple[AnyEffect, ...] = (),
    records: tuple[Record, ...] = (),
    revenue: float | None = None,
    currency: str | None = None,
) -> Decision:
    after = msgspec.structs.replace(who, state=state, wake=None, held=None)
    ended = Record("ended", who.step, reason, state)
    end = End(state=state, reason=reason, revenue=revenue, currency=currency)
    return Decision(after=after, effects=effects, records=(*records, ended), end=end)
