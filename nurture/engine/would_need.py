"""What would have to have been different for a recorded decision to fall otherwise.

Read from the decision itself: its reason, what its conditions saw, the version it was made under. Only whether a mail
may go is told of the lead as it is now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from nurture.campaign.phrasing import phrase_trigger
from nurture.campaign.plan import EnterEvent, Plan, Send, Wait, WaitFor
from nurture.campaign.project import Project
from nurture.engine.asked_of import SAW, all_leaves, asked_of
from nurture.engine.change import Change, Ways, one_way, ways_to
from nurture.engine.explain import clock
from nurture.engine.may_write import what_lets
from nurture.journey.timing import local, shift
from nurture.store.consents import Person
from nurture.store.timeline import Line
from nurture.store.types import read_instant


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the lead and its surroundings now. `entries` are the instants it entered, by campaign."""

    project: Project
    person: Person | None
    entries: Mapping[str, Sequence[datetime]]
    zone: str
    now: datetime


def would_need(plan: Plan | None, line: Line, known: Known) -> Ways:
    """The ways it could have gone otherwise, the shortest first; empty where nothing was kept from happening, or where
    nothing could have changed it."""
    if plan is None:
        return ()
    ways = _by_conditions(plan, line)
    if ways:
        return ways
    match line.what:
        case "not_entered" | "would_not_enter":
            return one_way(*_to_enter(plan, line, known))
        case "refused" if line.reason is not None:
            topic = str(line.inputs.get("topic") or _topic(plan, line))
            told = what_lets(
                known.project, known.person, topic, line.reason, known.now, lambda at: clock(at, known.zone)
            )
            return one_way(*told)
        case "deferred":
            return one_way(*_to_go(line, known))
        case "stands" if line.reason in ("wait", "event", "answer"):
            return _past_step(plan, replace(line, what="waiting"), known)
        case "stands":
            return one_way(*_to_go(line, known))
        case "skipped" | "time_over" | "waiting":
            return _past_step(plan, line, known)
        case "ended":
            return one_way(*_to_stay(plan, line.reason or ""))
        case "not_notified":
            return one_way(Change("the lead has an owner, or 'alerts.fallback' in config.yaml names somebody"))
        case "parked":
            return one_way(Change("a deploy mends what it stands on", saw=line.reason))
        case "call_failed":
            return one_way(Change(f"the webhook '{line.detail}' answers in time with success", saw=line.reason))
        case _:
            return ()


def _by_conditions(plan: Plan, line: Line) -> Ways:
    asked = asked_of(plan, line.what, line.reason, line.step, line.detail)
    sights = line.inputs.get(SAW) or ()
    leaves = all_leaves(asked)
    if not asked or len(sights) != len(leaves):
        return ()
    known = dict(zip(leaves, sights, strict=True))
    ways: list[tuple[Change, ...]] = []
    for one in asked:
        mine = all_leaves([one])
        ways += ways_to(one.condition, one.otherwise, mine, [known[leaf] for leaf in mine])
    return tuple(sorted(dict.fromkeys(ways), key=len))


def _to_enter(plan: Plan, line: Line, known: Known) -> list[Change]:
    reason = line.reason or ""
    enter = plan.enter
    before = [at for at in known.entries.get(line.campaign, ()) if at < line.at]
    match reason:
        case "not live":
            return [Change("the campaign is live, and neither it nor everything is paused", f"state: {plan.state}")]
        case "no key" if isinstance(enter, EnterEvent):
            return [Change(f"the event says its '{enter.key}'", f"key: {enter.key}")]
        case "already in it":
            return [Change("the enrollment that is open has ended")]
        case "re-entry too soon" | "re-entry limit":
            return [to_enter_again(plan, before, line.at, known.zone)]
        case "date passed":
            return [Change("the date is still to come, or 'catch_up' reaches back to it", saw=line.inputs.get("key"))]
        case _ if reason.startswith("cancelled by "):
            return [Change(f"no {reason[13:]} comes before it has been quiet long enough")]
        case _:
            return []


def to_enter_again(plan: Plan, entries: Sequence[datetime], now: datetime, zone: str) -> Change:
    """What `again` would want of a lead that entered at these instants: a later day, or another rule."""
    again = plan.again
    if again is None:
        each = "each key enters once" if isinstance(plan.enter, EnterEvent) and plan.enter.key else "each lead once"
        return Change(f"the campaign says 'again': without it {each}")
    frees = []
    if again.after is not None and entries:
        frees.append(shift(max(entries), again.after, zone))
    if again.at_most is not None and again.per is not None and len(entries) >= again.at_most:
        frees.append(shift(sorted(entries)[-again.at_most], again.per, zone))
    if again.at_most is not None and again.per is None and len(entries) >= again.at_most:
        return Change(f"'again' allows more than {again.at_most}", f"again: at_most: {again.at_most}")
    later = [at for at in frees if at > now]
    return Change("'again' allows it", at=max(later)) if later else Change("'again' allows it")


def _to_stay(plan: Plan, reason: str) -> list[Change]:
    """Of an end that an event brought."""
    triggers = [item.trigger for item in plan.exits if f"exit({item.reason})" == reason]
    if reason == "goal" and plan.goal is not None:
        triggers = [plan.goal.trigger]
    events = [f"no {one.event} comes" for one in triggers if one.event is not None]
    if reason.startswith("exit(withdrew ") and plan.topic is not None:
        events = ["the person stays with the topic, or the campaign says 'on_withdrawal: stay'"]
    return [Change(text) for text in events]


def _topic(plan: Plan, line: Line) -> str:
    at = plan.index(line.step) if line.step else None
    step = plan.steps[at] if at is not None else None
    if isinstance(step, Send):
        return "" if step.service else step.topic or plan.topic or ""
    return plan.topic or ""


def _to_go(line: Line, known: Known) -> list[Change]:
    until = line.inputs.get("until")
    at = read_instant(str(until)) if until else None
    cap = known.project.cap
    match line.reason:
        case "window":
            return [Change("the hours of sending begin", at=at)]
        case "cap":
            rule = f"caps: {{marketing: {{at_most: {cap.at_most}, per: {cap.per}}}}}" if cap is not None else ""
            return [Change("the cap has room again, and the hours of sending suit", rule, at=at)]
        case "pause":
            return [Change("somebody resumes: nurture resume")]
        case "earlier mail":
            return [Change("the mail before it has left, or was given up")]
        case _:
            return [Change("what held it is over", at=at)] if at is not None else []


def _past_step(plan: Plan, line: Line, known: Known) -> Ways:
    at = plan.index(line.step) if line.step else None
    step = plan.steps[at] if at is not None else None
    until = line.inputs.get("until")
    over = read_instant(str(until)) if until else None
    if line.what == "waiting":
        awaited = [_came(plan, step)] if isinstance(step, WaitFor) else []
        return (*((change,) for change in awaited), *one_way(*([Change("the time is over", at=over)] if over else [])))
    if line.what == "time_over" and isinstance(step, WaitFor):
        return one_way(_came(plan, step))
    if line.reason == "late" and isinstance(step, Send) and step.if_late is not None and line.inputs.get("due"):
        due = read_instant(str(line.inputs["due"]))
        last = shift(due, step.if_late.after, known.zone)
        rule = f"if_late: {{after: {step.if_late.after}, do: {step.if_late.do}}}"
        return one_way(Change(f"it can go by {clock(last, known.zone)}", rule))
    if line.reason == "no date" and isinstance(step, Wait) and step.date is not None:
        name = ".".join((step.date.source, *step.date.path))
        return one_way(Change(f"{name} holds a date"))
    return ()


def _came(plan: Plan, step: WaitFor) -> Change:
    if step.trigger.event is not None:
        return Change(f"{step.trigger.event} comes", f"wait_for: {{{phrase_trigger(step.trigger, plan.conditions)}}}")
    return Change("what it waits for holds", f"wait_for: {{{phrase_trigger(step.trigger, plan.conditions)}}}")


def day(instant: datetime, zone: str, now: datetime) -> str:
    """When something comes by itself: a day, with the clock time where it is within a week."""
    there = local(instant, zone)
    if instant - now < timedelta(days=7):
        return f"on {there:%a} {there.day} {there:%B %H:%M}"
    year = f" {there.year}" if there.year != local(now, zone).year else ""
    return f"on {there.day} {there:%B}{year} {there:%H:%M}"
