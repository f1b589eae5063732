"""What each step of a campaign does, in a few words: for drawings of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nurture.campaign.phrasing import phrase
from nurture.campaign.plan import (
    AddScore,
    AddTag,
    Assign,
    Branch,
    Call,
    DateRef,
    EnrollIn,
    Enter,
    EnterDate,
    EnterEvent,
    EnterManual,
    EnterMatch,
    EnterSchedule,
    EnterStage,
    ExpireConsent,
    Leave,
    Move,
    MoveDeal,
    Notify,
    OpenDeal,
    RemoveTag,
    Repeat,
    RequestConsent,
    Send,
    SetFields,
    Split,
    Wait,
    WaitFor,
)
from nurture.campaign.reading.weekdays import WEEKDAYS
from nurture.campaign.spec import Arm, StepSpec, TriggerSpec

Kind = Literal["mail", "wait", "choice", "change", "outside", "end"]


@dataclass(frozen=True, slots=True)
class Words:
    """`title` names what is done, `lines` say how; `kind` is the sort of step it is."""

    kind: Kind
    title: str
    lines: tuple[str, ...] = ()


def describe(spec: StepSpec) -> Words:
    """The words for one step; what its arms hold is not among them."""
    words = _words(spec)
    own = (f"if {phrase(spec.only_if)}",) if spec.only_if is not None else ()
    return Words(words.kind, words.title, own + words.lines)


def _words(spec: StepSpec) -> Words:
    match spec.step:
        case Send() as send:
            return _send(send)
        case Wait() as wait:
            return Words("wait", f"Wait {_how_long(wait)}")
        case WaitFor() as wait:
            assert spec.trigger is not None
            limit = f"up to {wait.up_to}" if wait.up_to is not None else f"until {_date(wait.until)}"
            if spec.trigger.match is not None:
                return Words("wait", f"Wait for it, {limit}", (phrase(spec.trigger.match),))
            return Words("wait", f"Wait for {_heard(spec.trigger)}", (limit,))
        case Branch():
            return Words("choice", "Which holds first?")
        case Split(seed=seed):
            return Words("choice", "Split", (f"seed {seed}",) if seed else ())
        case Repeat() as repeat:
            return Words("choice", f"Every {repeat.every}, at most {repeat.at_most}×")
        case Notify(to=to, template=template):
            return Words("outside", f"Notify {to}", (template,))
        case Call(webhook=webhook, or_exit=or_exit):
            return Words("outside", f"Call {webhook}", ("or exit",) if or_exit else ())
        case Leave(reason=reason):
            return Words("end", f"Exit: {reason}")
        case _:
            return Words("change", _change(spec))


def _send(send: Send) -> Words:
    names = [name for name, _ in send.variants]
    if len(names) == 1:
        lines = [] if send.id == names[0] else [send.id]
    else:
        lines = [f"{name} {share:g}%" for name, share in send.variants]
    if send.service:
        lines.append("service")
    if send.if_late is not None:
        lines.append(f"after {send.if_late.after} late: {send.if_late.do}")
    return Words("mail", f"Mail {names[0]}" if len(names) == 1 else f"Mail {send.id}", tuple(lines))


def _change(spec: StepSpec) -> str:
    match spec.step:
        case Move(stage=stage):
            return f"Move to {stage}"
        case AddScore(points=points):
            return "Score " + ", ".join(f"{name} {value:+g}" for name, value in points.items())
        case SetFields(values=values):
            return "Set " + ", ".join(f"{name} = {value}" for name, value in values.items())
        case AddTag(tag_name=tag):
            return f"Tag {tag}"
        case RemoveTag(tag_name=tag):
            return f"Untag {tag}"
        case OpenDeal(pipeline=pipeline):
            return f"Open a deal in {pipeline}"
        case MoveDeal(stage=stage):
            return f"Move the deal to {stage}"
        case Assign(team=team):
            return f"Assign to {team}"
        case RequestConsent(topic=topic):
            return f"Ask for consent: {topic}"
        case ExpireConsent(topic=topic):
            return f"Let consent expire: {topic}"
        case EnrollIn(campaign=campaign):
            return f"Enroll in {campaign}"
        case other:
            return other.id


def entering(enter: Enter) -> tuple[str, ...]:
    """How one comes into a campaign: the trigger, then what else it asks."""
    match enter:
        case EnterEvent():
            lines = [enter.event]
            if enter.where is not None:
                lines.append(f"where {phrase(enter.where)}")
            if enter.settle is not None:
                lines.append(f"quiet for {enter.settle}")
            lines += [f"unless {unless.event}" for unless in enter.unless]
            return tuple(lines)
        case EnterStage(stage=stage):
            return (f"enters stage {stage}",)
        case EnterMatch(condition=condition):
            return (f"becomes true: {phrase(condition)}",)
        case EnterDate():
            return (f"on {_date(DateRef('lead', enter.field, offset=enter.offset, at=enter.at))}",)
        case EnterSchedule(at=at, repeat=repeat):
            return (f"at {at}", f"every {repeat}") if repeat is not None else (f"at {at}",)
        case EnterManual():
            return ("put in by hand or program",)


def arm_label(spec: StepSpec, arm: Arm, number: int) -> str:
    """What leads into an arm."""
    match spec.step:
        case Branch():
            return "else" if arm.condition is None else phrase(arm.condition)
        case Split():
            return f"{arm.name} {arm.share:g}%"
        case WaitFor():
            return "it came" if number == 0 else "time over"
        case Repeat():
            return "each time" if arm.condition is None else f"while {phrase(arm.condition)}"
        case _:
            return arm.name


def heard(trigger: TriggerSpec) -> str:
    """What a goal or an exit listens to."""
    where = f" where {phrase(trigger.where)}" if trigger.where is not None else ""
    return _heard(trigger) + where


def _heard(trigger: TriggerSpec) -> str:
    if trigger.match is not None:
        return phrase(trigger.match)
    same = f" (same {trigger.same})" if trigger.same else ""
    return f"{trigger.event}{same}"


def _how_long(wait: Wait) -> str:
    if wait.duration is not None:
        return str(wait.duration)
    if wait.date is not None:
        return f"until {_date(wait.date)}"
    days = "/".join(WEEKDAYS[day] for day in wait.days)
    return f"until {days + ' ' if days else ''}{wait.until}"


def _date(ref: DateRef | None) -> str:
    if ref is None:
        return ""
    name = ref.text if ref.source == "literal" else ".".join((ref.source, *ref.path))
    offset = "" if ref.offset.zero else f" {ref.offset}" if str(ref.offset).startswith("-") else f" +{ref.offset}"
    return f"{name}{offset}" + (f" at {ref.at}" if ref.at is not None else "")
