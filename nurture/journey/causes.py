"""What comes to a standing enrollment besides events: a webhook's answer, a template's error, a new version.

Each function is pure and gives a Decision to write like any other, or None where the enrollment is not concerned.
Events are in `happened`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec

from nurture.campaign.plan import END, Branch, Call, Plan, Repeat, Split, Wait, WaitFor
from nurture.journey.effects import Decision, Record
from nurture.journey.enrollment import OWN, Enrollment
from nurture.journey.facts import Facts
from nurture.journey.happened import end_now, onto, standing
from nurture.journey.waits import time_over, wait_over
from nurture.journey.walk import Walk

_PASSIVE = (Wait, WaitFor, Repeat, Branch, Split)  # doing one twice does nothing twice


# ---------------------------------------------------------------------------------------------------- answers


def answered(plan: Plan, who: Enrollment, step: str, visit: int, answer: Any, now: datetime) -> Decision | None:
    """The webhook answered: `data.NAME` holds it, and the walk goes on, as late as the call was. None for an answer
    nobody waits for any more."""
    call = _awaiting(plan, who, step, visit)
    if call is None:
        return None
    kept = msgspec.structs.replace(who, data={**who.data, call.webhook: answer})
    return onto(plan, kept, call.next, now, Record("answered", step, detail=call.webhook))


def call_failed(plan: Plan, who: Enrollment, step: str, visit: int, reason: str, now: datetime) -> Decision | None:
    """The webhook failed for good: out with `or_fail: exit`, else on without its data."""
    call = _awaiting(plan, who, step, visit)
    if call is None:
        return None
    record = Record("call_failed", step, reason, call.webhook)
    if call.or_exit:
        return end_now(who, "exited", f"{call.webhook} failed", records=(record,))
    return onto(plan, who, call.next, now, record)


def _awaiting(plan: Plan, who: Enrollment, step: str, visit: int) -> Call | None:
    call = standing(plan, who)
    current = who.state == "waiting" and who.held == "answer" and (who.step, who.visit) == (step, visit)
    return call if current and isinstance(call, Call) else None


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
