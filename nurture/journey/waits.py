"""Steps that may stand still: wait, wait_for, repeat, call; and when their waiting is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from nurture.campaign.plan import Call, Repeat, Wait, WaitFor
from nurture.journey.dates import resolve_date
from nurture.journey.effects import CallWebhook
from nurture.journey.timing import FUTURE, until
from nurture.journey.walk import Walk


def wait_over(walk: Walk, step: Wait, reached: datetime) -> datetime | None:
    """The instant a wait that was reached then is over, past or not; None where its date is missing or no date."""
    if step.duration is not None:
        return walk.shift(reached, step.duration)
    if step.until is not None:
        # Straight after a mail the minute it left in does not count: the next one would follow it at once.
        return until(step.until, step.days, reached, walk.zone, after_this=walk.released)
    if step.date is not None:
        return resolve_date(step.date, walk.values(), walk.zone, workdays=walk.work(step.date.offset))
    return None


def time_over(walk: Walk, step: WaitFor, reached: datetime) -> datetime | None:
    """The instant a wait_for gives up; None where its date is missing or no date."""
    if step.up_to is not None:
        return walk.shift(reached, step.up_to)
    if step.until is not None:
        return resolve_date(step.until, walk.values(), walk.zone, workdays=walk.work(step.until.offset))
    return FUTURE


def wait(walk: Walk, step: Wait) -> None:
    """Stand until the recipe's instant. A past one goes on at once, and what follows is late (S16)."""
    if walk.held == "wait":
        if walk.now < walk.due:
            return walk.stand("wait", walk.due)
        return walk.go(step.next)
    over = wait_over(walk, step, walk.now)
    if over is None:
        walk.note("skipped", "no date")
        return walk.go(step.next)
    walk.note("waiting", until=over)
    if over <= walk.now:
        return walk.go(step.next, over)
    return walk.stand("wait", over, over)


def wait_for(walk: Walk, step: WaitFor) -> None:
    """Until the match holds or the time is over; an event's coming is `happened.came`.

    A match is satisfied at once by what is already true, and asked once more when the time is over: who has done it by
    then is not told to do it.
    """
    matched = step.trigger.match is not None and walk.ask(step.trigger.match)
    if walk.held == "event":
        if matched:
            walk.note("came", "match")
            return walk.go(step.then, walk.now)
        if walk.now < walk.due:
            return walk.stand("event", walk.due)
        walk.note("time_over")
        return walk.go(step.otherwise)
    if matched:
        walk.note("came", "already true")
        return walk.go(step.then)
    over = time_over(walk, step, walk.now)
    if over is None or over <= walk.now:
        walk.note("time_over", "no date" if over is None else None, until=over)
        return walk.go(step.otherwise, over)
    walk.note("waiting", step.trigger.event or "match", until=over)
    return walk.stand("event", over, over)


def repeat(walk: Walk, step: Repeat) -> None:
    """Wait, ask `while`, do the steps, at most so many times. Rounds are kept only while inside."""
    rounds = walk.loops.get(step.id, 0)
    if walk.held == "wait":
        if walk.now < walk.due:
            return walk.stand("wait", walk.due)
        if step.while_ is None or walk.ask(step.while_):
            walk.loops = {**walk.loops, step.id: rounds + 1}
            walk.note("round", detail=str(rounds + 1))
            return walk.go(step.body)
        walk.note("skipped", "while")
    elif rounds < step.at_most:
        over = walk.shift(walk.now, step.every)
        walk.loops = {**walk.loops, step.id: rounds}
        walk.note("waiting", until=over)
        return walk.stand("wait", over, over)
    walk.loops = {name: count for name, count in walk.loops.items() if name != step.id}
    return walk.go(step.next)


def call(walk: Walk, step: Call) -> None:
    """Ask the webhook and stand until its answer (`causes.answered`) or the time is over. `due` is left as it was: what
    follows is as late as the call was."""
    if walk.held == "answer":
        if walk.wake is not None and walk.now < walk.wake:
            return walk.stand("answer", walk.wake)
        return failed(walk, step, "no answer in time")
    over = max(walk.shift(walk.now, step.up_to), walk.now + timedelta(seconds=1))
    walk.do(CallWebhook(step=step.id, visit=walk.visit, webhook=step.webhook, body=step.body, until=over))
    walk.note("called", detail=step.webhook, until=over)
    return walk.stand("answer", over)


def failed(walk: Walk, step: Call, reason: str) -> None:
    """Without an answer: out, or on without it."""
    walk.note("call_failed", reason, detail=step.webhook)
    if step.or_exit:
        return walk.finish("exited", f"{step.webhook} failed")
    return walk.go(step.next)
