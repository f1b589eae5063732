"""The one function that decides: the worker, the simulator, the backtest and campaign tests all call it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from nurture.campaign import plan as steps
from nurture.campaign.plan import Branch, Plan, Repeat, Send, Split
from nurture.journey import acts, waits
from nurture.journey.draw import draw, point
from nurture.journey.effects import Decision, End, Record
from nurture.journey.enrollment import OWN, Enrollment
from nurture.journey.facts import Facts
from nurture.journey.gate import PAUSE_RETRY, send
from nurture.journey.reads import reads, route
from nurture.journey.walk import AT_MOST, FactsNeeded, Walk


def decide(plan: Plan, enrollment: Enrollment, facts: Facts, now: datetime, walked: int = 0) -> Decision:
    """What happens to this enrollment at `now`: effects, reasons, and where it stands afterwards.

    Safe to call at any instant: one that is not due is looked at (goal, exits, a match waited for) and stays. When the
    decision says `again`, its effects are written, facts loaded anew, `decide` called with its `after` and `walked`.
    Only a `waiting` enrollment is decided; any other comes back as it is. A step its version does not have parks it.
    """
    if enrollment.state != "waiting":
        return Decision(after=enrollment)
    at = route(plan, facts.project).index.get(enrollment.step)
    if at is None:
        return _stepless(enrollment) if not plan.steps else _stranded(enrollment)
    walk = Walk(plan, enrollment, facts, now, at, walked)
    try:
        if not _ended(walk):
            _run(walk)
    except FactsNeeded:
        if not walk.records and walk.at == at:
            walk.walked += 1  # no step was done: facts that never come must not turn for ever
            if walk.walked >= AT_MOST:
                walk.finish("failed", "too many steps")
                return walk.decision()
        return walk.decision(again=True)
    return walk.decision()


def _stranded(enrollment: Enrollment) -> Decision:
    error = f"no step '{enrollment.step}' in this version"
    after = msgspec.structs.replace(enrollment, state="parked", error=error, wake=None)
    return Decision(after=after, records=(Record("parked", enrollment.step, error),))


def _stepless(enrollment: Enrollment) -> Decision:
    """A campaign without steps only counts who came."""
    after = msgspec.structs.replace(enrollment, state="finished", wake=None, held=None)
    return Decision(after=after, records=(Record("ended", None, detail="finished"),), end=End(state="finished"))


def _ended(walk: Walk) -> bool:
    """Goal, then exits, as of now (S3, S5). True where one holds and the enrollment has ended."""
    if not walk.route.ends:
        return False
    goal = walk.plan.goal
    if goal is not None and goal.trigger.match is not None and walk.ask(goal.trigger.match):
        if goal.move is not None:
            acts.move_to(walk, goal.move, "goal")
        walk.finish("goal", "match")
        return True
    for item in walk.plan.exits:
        if item.trigger.match is not None and walk.ask(item.trigger.match):
            walk.finish("exited", item.reason)
            return True
    return False


def _run(walk: Walk) -> None:
    """Step after step until one stands still or the enrollment ends."""
    if walk.facts.paused == "all":
        return _pause(walk)
    while not walk.over:
        step = walk.step
        if walk.touched and not walk.touched.isdisjoint(walk.route.end_facets | reads(step)):
            raise FactsNeeded
        if _passed_over(walk, step):
            walk.go(step.next)
        else:
            _STEPS[type(step)](walk, step)


def _pause(walk: Walk) -> None:
    """Stand where it stands; `due` runs on, so that afterwards all is late (S26)."""
    wake = walk.now + PAUSE_RETRY
    if walk.wake is not None and walk.wake > walk.now:
        wake = walk.wake
    if walk.held in OWN or not isinstance(walk.step, Send):
        return walk.stand(walk.held, wake)
    if walk.held != "pause":
        walk.note("deferred", "pause")
    return walk.stand("pause", wake)


def _passed_over(walk: Walk, step: steps.AnyStep) -> bool:
    """True where the step is not done: its `if` is false, or it was done under an earlier version (S33).

    `if` is asked when the step is reached, and of a send again after each deferral; not of one that is waiting.
    """
    if walk.held in OWN or (isinstance(step, Repeat) and step.id in walk.loops):
        return False
    if walk.who.done and step.id in walk.who.done:
        walk.note("skipped", "done before")
        return True
    if step.only_if is None or walk.ask(step.only_if):
        return False
    walk.note("skipped", "if", detail=step.variants[0][0] if isinstance(step, Send) else None)
    return True


def _branch(walk: Walk, step: Branch) -> None:
    for number, (condition, target) in enumerate(step.arms):
        if walk.ask(condition):
            walk.note("branched", detail=str(number + 1))
            return walk.go(target)
    walk.note("branched", "none held")
    return walk.go(step.next if step.otherwise is None else step.otherwise)


def _split(walk: Walk, step: Split) -> None:
    targets = {name: target for name, _, target in step.arms}
    arm = walk.arms.get(step.id)
    if arm not in targets:
        names = (step.seed,) if step.seed is not None else (walk.plan.campaign, step.id)
        arm = draw([(name, share) for name, share, _ in step.arms], point(walk.facts.lead.draw, *names))
        walk.arms = {**walk.arms, step.id: arm}
    walk.note("drew", detail=arm)
    walk.go(targets[arm])


_STEPS: dict[type, Callable[[Walk, Any], None]] = {
    Send: send,
    steps.Wait: waits.wait,
    steps.WaitFor: waits.wait_for,
    Repeat: waits.repeat,
    steps.Call: waits.call,
    Branch: _branch,
    Split: _split,
    steps.Move: acts.move,
    steps.AddScore: acts.score,
    steps.SetFields: acts.set_fields,
    steps.AddTag: acts.tag,
    steps.RemoveTag: acts.untag,
    steps.OpenDeal: acts.open_deal,
    steps.MoveDeal: acts.move_deal,
    steps.Notify: acts.notify,
    steps.Assign: acts.assign,
    steps.RequestConsent: acts.request_consent,
    steps.ExpireConsent: acts.expire_consent,
    steps.EnrollIn: acts.enroll,
    steps.Leave: acts.leave,
}
