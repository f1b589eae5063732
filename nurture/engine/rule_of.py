"""Which rule of a campaign stands behind a recorded decision, as its author wrote it."""

from __future__ import annotations

from nurture.campaign.phrasing import phrase, phrase_trigger
from nurture.campaign.plan import (
    Again,
    Branch,
    EnterDate,
    EnterEvent,
    EnterMatch,
    EnterSchedule,
    EnterStage,
    Plan,
    Repeat,
    Send,
    Split,
    Unless,
    WaitFor,
)
from nurture.campaign.reading.weekdays import WEEKDAYS
from nurture.campaign.window import Window
from nurture.store.timeline import Line


def rule_of(plan: Plan, line: Line) -> str:
    """The rule, in the words of the campaign file; empty where the decision rests on none of this plan's."""
    match line.what, line.reason or "":
        case "would_not_enter", reason if rule := _beginning(plan, reason):
            return rule
        case "not_entered" | "would_not_enter", reason:
            return _entry(plan, reason)
        case "ended", "goal" if plan.goal is not None:
            return f"goal: {{{phrase_trigger(plan.goal.trigger, plan.conditions)}}}"
        case "ended", reason if reason.startswith("exit("):
            named = [item for item in plan.exits if f"exit({item.reason})" == reason]
            return f"exit: {{{phrase_trigger(named[0].trigger, plan.conditions)}}}" if named else ""
        case _:
            return _step(plan, line)


def _beginning(plan: Plan, reason: str) -> str:
    """The rule by which the campaign would begin, where that is what is missing."""
    match plan.enter, reason:
        case EnterEvent(where=where), "event did not fit" if where is not None:
            return f"where: {{{phrase(where)}}}"
        case _, "condition false" if plan.only_if is not None:
            return f"only_if: {{{phrase(plan.only_if)}}}"
        case EnterEvent(event=event), "no event" | "event too late":
            return f"enter: {{event: {event}}}"
        case EnterEvent(settle=settle), "not quiet yet":
            return f"settle: {settle}"
        case EnterMatch(condition=condition), "match does not hold" | "match held before":
            return f"enter: {{match: {{{phrase(condition)}}}}}"
        case EnterStage(stage=stage), "not moved there" | "stood there before":
            return f"enter: {{stage: {stage}}}"
        case EnterDate(field=field), "no date" | "date passed" | "its time is to come":
            return f"enter: {{date: lead.{'.'.join(field)}}}"
        case EnterSchedule(at=at), "schedule over" | "its time is to come":
            return f"enter: {{schedule: {at}}}"
        case _:
            return ""


def _entry(plan: Plan, reason: str) -> str:
    enter = plan.enter
    match reason:
        case "condition false":
            parts = [f"only_if: {{{phrase(plan.only_if)}}}"] if plan.only_if is not None else []
            if isinstance(enter, EnterEvent) and enter.where is not None:
                parts.append(f"where: {{{phrase(enter.where)}}}")
            return " and ".join(parts)
        case "no key" if isinstance(enter, EnterEvent):
            return f"key: {enter.key}"
        case "re-entry too soon" | "re-entry limit":
            return _again(plan.again)
        case "goal already true" if plan.goal is not None:
            return f"goal: {{{phrase_trigger(plan.goal.trigger, plan.conditions)}}}"
        case "exit already true":
            asked = [item.trigger for item in plan.exits if item.trigger.match is not None]
            return " or ".join(f"exit: {{{phrase_trigger(trigger, plan.conditions)}}}" for trigger in asked)
        case "not live":
            return f"state: {plan.state}" if plan.state != "live" else ""
        case _ if reason.startswith("cancelled by ") and isinstance(enter, EnterEvent):
            return " or ".join(_unless(one) for one in enter.unless if one.event in (reason[13:], "any"))
        case _:
            return ""


def _unless(one: Unless) -> str:
    parts = [f"event: {one.event}"]
    if one.where is not None:
        parts.append(f"where: {{{phrase(one.where)}}}")
    if one.same is not None:
        parts.append(f"same: {one.same}")
    return f"unless: {{{', '.join(parts)}}}"


def _again(again: Again | None) -> str:
    if again is None:
        return "no 'again': each key enters once, without a key each lead once"
    names = ("after", "at_most", "per")
    return f"again: {{{', '.join(f'{n}: {v}' for n in names if (v := getattr(again, n)) is not None)}}}"


def _step(plan: Plan, line: Line) -> str:
    at = plan.index(line.step) if line.step else None
    if at is None:
        return ""
    step = plan.steps[at]
    match line.what, step:
        case "skipped", _ if line.reason == "if" and step.only_if is not None:
            return f"if: {{{phrase(plan.conditions[step.only_if])}}}"
        case "skipped", Repeat(while_=int() as number) if line.reason == "while":
            return f"while: {{{phrase(plan.conditions[number])}}}"
        case "skipped", Send() if line.reason == "late" and step.if_late is not None:
            return f"if_late: {{after: {step.if_late.after}, do: {step.if_late.do}}}"
        case "branched", Branch():
            taken = int(line.detail) if line.detail and line.detail.isdigit() else 0
            if 0 < taken <= len(step.arms):
                return f"if: {{{phrase(plan.conditions[step.arms[taken - 1][0]])}}}"
            return "not " + ", nor ".join(f"{{{phrase(plan.conditions[asked])}}}" for asked, _ in step.arms)
        case "refused", Send() if line.reason == "no consent":
            return f"topic: {step.topic or plan.topic}"
        case (("deferred" | "stands"), Send()) if line.reason == "window":
            window = step.window or plan.window
            return _window(window) if window is not None else ""
        case (("waiting" | "stands" | "came" | "time_over"), WaitFor()):
            up_to = f", up_to: {step.up_to}" if step.up_to is not None else ""
            return f"wait_for: {{{phrase_trigger(step.trigger, plan.conditions)}{up_to}}}"
        case "drew", Split():
            return f"split: {{{', '.join(f'{name}: {share:g}%' for name, share, _ in step.arms)}}}"
        case _:
            return ""


def _window(window: Window) -> str:
    days = ", ".join(WEEKDAYS[day] for day in window.days)
    return f'window: {{days: [{days}], between: "{window.opens}-{window.closes}", zone: {window.zone}}}'
