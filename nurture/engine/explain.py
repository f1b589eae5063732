"""A decision in words: what happened, why, and on what it was decided. For timelines and `nurture why`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nurture.journey.timing import local
from nurture.lead.soft_opt_in import NO_CHANCE, NO_DATE, NO_SALE, NO_SIMILAR
from nurture.store.timeline import Line
from nurture.store.types import read_instant


@dataclass(frozen=True, slots=True)
class Told:
    """`text` says what happened; `why` the rule behind it, empty where there is nothing to add; `tone` is good, bad,
    plain or quiet."""

    text: str
    why: str = ""
    tone: str = "plain"


# Reasons as they are recorded, and what a marketer needs to know of them.
WHY_NOT_ENTERED = {
    "not live": "the campaign was a draft, paused or retired",
    "no key": "the event lacks the property that is the campaign's key",
    "already in it": "an enrollment of this lead, with the same key, was still open",
    "re-entry too soon": "'again: after' since the last entry had not passed",
    "re-entry limit": "'again: at_most' was used up",
    "exit already true": "one of the exit conditions held before it began",
    "goal already true": "the goal was already reached",
    "condition false": "the condition of the entry did not hold",
    "date passed": "the date had gone by when it became known",
}
# And of those that a look at the lead as it is now may find (engine.why_not).
WHY_NOT_IN = {
    "not live": "the campaign, or everything, is not taking anybody in",
    "no event": "nothing of the kind that begins it has come from this lead",
    "event too late": "the last one came late or by an import: it counts, but begins nothing",
    "event did not fit": "'where' did not hold for the last one",
    "not quiet yet": "'settle' wants it to be quiet for a while",
    "not moved there": "it begins when the lead is moved to that stage",
    "stood there before": "it begins with the move, and that was before",
    "match does not hold": "it begins when the condition becomes true",
    "match held before": "the condition was true already when the campaign first looked",
    "no date": "the date it goes by is missing",
    "its time is to come": "nothing is wrong: it is not yet time",
    "schedule over": "there is no further time in the schedule",
    "nothing began it": "nothing stands in its way",
    "already in it": "it is in it now, with the same key",
    "condition false": "the condition of the entry does not hold",
    "exit already true": "one of the exit conditions holds",
    "goal already true": "the goal is reached already",
    "re-entry too soon": "'again: after' since the last entry has not passed",
    "re-entry limit": "it was in it as often as 'again' allows",
}
WHY_KEPT = {
    "no address": "the lead has no address",
    "no consent": "nothing allows to write on this topic",
    NO_SALE: "it was not said what they bought, or under which number",
    NO_DATE: "it was not said when they bought",
    NO_CHANCE: "it was not said that they could say no when their address was taken down",
    NO_SIMILAR: "the topic has neither 'basis: soft_opt_in' nor 'similar_to' in config.yaml",
    "suppressed": "the address is on the suppression list",
    "jurisdiction": "the law of the lead's country does not allow it on this legal basis",
    "late": "it could not have gone within 'if_late'",
    "if": "its 'if' did not hold",
    "test mode": "only chosen addresses are written to here",
    "no date": "the date it waits for is missing",
    "done before": "an earlier version of the campaign had done it",
    "while": "its 'while' did not hold",
}
WHY_DEFERRED = {
    "window": "outside the hours of sending",
    "cap": "the lead has had as many marketing mails as the cap allows",
    "pause": "the campaign, or everything, is paused",
    "earlier mail": "the mail before it has not left yet",
}


def told(line: Line, zone: str) -> Told:
    """The line in words, instants in this zone."""
    sentence = _SENTENCES.get(line.what)
    if sentence is None:
        return Told(" ".join(word for word in (line.what.replace("_", " "), line.detail, line.reason) if word))
    return sentence(line, zone)


def clock(instant: datetime, zone: str) -> str:
    return f"{local(instant, zone):%a %d %b %Y %H:%M}"


def _until(line: Line, zone: str) -> str:
    text = line.inputs.get("until")
    return f" until {clock(read_instant(str(text)), zone)}" if text else ""


def _entered(line: Line, zone: str) -> Told:
    key = line.inputs.get("key")
    return Told("entered" + (f" with key '{key}'" if key else ""), tone="good")


def _not_entered(line: Line, zone: str) -> Told:
    reason = line.reason or ""
    key = f" (key '{line.inputs['key']}')" if line.inputs.get("key") else ""
    why = WHY_NOT_ENTERED.get(reason, "")
    if reason.startswith("cancelled by "):
        why = "'unless' happened before it had been quiet long enough"
    return Told(f"did not enter: {reason}{key}", why, "quiet")


_WHY_STANDS = {**WHY_DEFERRED, "wait": "", "event": "", "answer": "a webhook is to answer"}


def _would_not_enter(line: Line, zone: str) -> Told:
    return Told(f"would not enter: {line.reason}", WHY_NOT_IN.get(line.reason or "", ""), "quiet")


def _stands(line: Line, zone: str) -> Told:
    held = _WHY_STANDS.get(line.reason or "", line.reason or "")
    return Told(f"stands on '{line.step}'{_until(line, zone)}" + (f" ({held})" if held else ""))


def _sent(line: Line, zone: str) -> Told:
    due = line.inputs.get("due")
    late = due is not None and (line.at - read_instant(str(due))).total_seconds() >= 60
    return Told(
        f"mail {line.detail} released", f"it was due {clock(read_instant(str(due)), zone)}" if late else "", "good"
    )


def _refused(line: Line, zone: str) -> Told:
    why = WHY_KEPT.get(line.reason or "", "")
    topic = line.inputs.get("topic")
    about = f" '{topic}'" if topic and line.reason == "no consent" else ""
    return Told(f"mail {line.detail} refused: {line.reason}", f"{why}{about}", "bad")


def _skipped(line: Line, zone: str) -> Told:
    can = line.inputs.get("can")
    why = WHY_KEPT.get(line.reason or "", "")
    if line.reason == "late" and can:
        why += f": it was due {clock(read_instant(str(line.inputs['due'])), zone)}, could go {_at(can, zone)}"
    name = f"mail {line.detail}" if line.detail else f"step '{line.step}'"
    return Told(f"{name} skipped: {line.reason}", why, "quiet")


def _at(text: object, zone: str) -> str:
    return clock(read_instant(str(text)), zone)


def _deferred(line: Line, zone: str) -> Told:
    return Told(
        f"mail {line.detail or line.step} waits{_until(line, zone)}: {line.reason}", _kept(WHY_DEFERRED, line), "quiet"
    )


def _kept(reasons: Mapping[str, str], line: Line) -> str:
    return reasons.get(line.reason or "", "")


def _waiting(line: Line, zone: str) -> Told:
    what = f" for {line.reason}" if line.reason else ""
    return Told(f"waits{what}{_until(line, zone)}", tone="quiet")


def _branched(line: Line, zone: str) -> Told:
    if line.detail:
        return Told(f"at '{line.step}' took arm {line.detail}", "its 'if' is the first that held")
    return Told(f"at '{line.step}' took no arm with an 'if'", "none of them held")


def _moved(line: Line, zone: str) -> Told:
    origin = line.inputs.get("origin")
    return Told(f"moved to {line.detail}" + (f", from {origin}" if origin else ""), line.reason or "", "good")


def _move_refused(line: Line, zone: str) -> Told:
    return Told(f"move to {line.detail or 'the stage'} refused: {line.reason}", str(line.inputs.get("text", "")), "bad")


def _ended(line: Line, zone: str) -> Told:
    value = line.inputs.get("value")
    worth = f", worth {value:,.2f} {line.inputs.get('currency', '')}".rstrip() if isinstance(value, int | float) else ""
    reason = line.reason or line.detail or ""
    return Told(f"ended: {reason}{worth}", tone="good" if reason == "goal" else "plain")


def _scored(line: Line, zone: str) -> Told:
    points: Mapping[str, Any] = line.inputs.get("points") or {}
    return Told("scored " + ", ".join(f"{name} {value:+g}" for name, value in points.items()))


def _not_notified(line: Line, zone: str) -> Told:
    return Told(f"nobody was told ({line.detail}): {line.reason}", tone="bad")


def _text(pattern: str, tone: str = "plain") -> Callable[[Line, str], Told]:
    def sentence(line: Line, zone: str) -> Told:
        text = pattern.format(
            detail=line.detail or "", reason=line.reason or "", step=line.step or "", until=_until(line, zone)
        )
        return Told(text.rstrip(": "), tone=tone)

    return sentence


_SENTENCES: dict[str, Callable[[Line, str], Told]] = {
    "entered": _entered,
    "not_entered": _not_entered,
    "released": _sent,
    "refused": _refused,
    "skipped": _skipped,
    "deferred": _deferred,
    "waiting": _waiting,
    "came": _text("what it waited for came: {reason}"),
    "time_over": _text("what it waited for at '{step}' did not come in time"),
    "branched": _branched,
    "drew": _text("at '{step}' drew arm '{detail}'"),
    "round": _text("round {detail} of '{step}'"),
    "moved": _moved,
    "move_refused": _move_refused,
    "scored": _scored,
    "set": _text("set {detail}"),
    "tagged": _text("tagged {detail}"),
    "untagged": _text("lost the tag {detail}"),
    "deal_opened": _text("deal opened in {detail}"),
    "deal_moved": _text("deal moved to {detail}"),
    "deal_refused": _text("deal not changed: {reason}", "bad"),
    "notified": _text("a colleague was told: {detail}"),
    "not_notified": _not_notified,
    "assigned": _text("given an owner of team {detail}"),
    "not_assigned": _text("no new owner: {reason}", "quiet"),
    "consent_requested": _text("was asked to agree to '{detail}'"),
    "consent_expired": _text("consent to '{detail}' ended"),
    "called": _text("webhook {detail} called, its answer awaited{until}"),
    "answered": _text("the webhook answered"),
    "call_failed": _text("the webhook gave no answer: {reason}", "bad"),
    "enrolled": _text("put into campaign {detail}"),
    "renewed": _text("the entry event came again; mails show the newer one", "quiet"),
    "migrated": _text("went over to the new version: {reason}"),
    "parked": _text("set aside until a deploy mends it: {reason}", "bad"),
    "unparked": _text("goes on after a deploy"),
    "ended": _ended,
    "would_not_enter": _would_not_enter,
    "stands": _stands,
}
