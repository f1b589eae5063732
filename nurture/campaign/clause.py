"""A leaf of a condition as a plain clause about a lead: "has the tag 'vip'", "plan is not gold".

`phrasing` writes what the author wrote; this is for readers who did not write it.
"""

from __future__ import annotations

from collections.abc import Callable

from nurture.campaign.condition import (
    Condition,
    Consented,
    DealIs,
    Did,
    Enrolled,
    Field,
    InSegment,
    InStage,
    InStageFor,
    Mailed,
    Relative,
    Scalar,
    ScoreIs,
    Tagged,
    Test,
)
from nurture.campaign.duration import Duration
from nurture.campaign.phrasing import number, phrase, scalar

_SCOPES = {"account": "the company's ", "entry": "the entry's ", "event": "the event's ", "deal": "a deal's "}
_BOUNDS = {"at_least": "at least", "at_most": "at most", "more_than": "more than", "less_than": "less than"}
_NOT = {
    "is": "is not",
    "has": "does not have",
    "has done": "has not done",
    "stands": "does not stand",
    "may be mailed": "may not be mailed",
}


def clause(leaf: Condition, holds: bool = True) -> str:
    """The leaf as a clause, or its opposite."""
    match leaf:
        case Field(scope, path, tests):
            return _field(f"{_SCOPES.get(scope, '')}{'.'.join(path)}", tests, holds)
        case ScoreIs(name, tests):
            return _field(f"score {name}", tests, holds)
        case InStage():
            return _verb("stands", holds, f"{_stages(leaf)}{_anyone(leaf.by_account)}")
        case InStageFor():
            return f"has {'' if holds else 'not '}stood there for {_lengths(leaf)}"
        case Did():
            return _verb("has done", holds, _doing(leaf))
        case Tagged(name):
            return _verb("has", holds, f"the tag '{name}'")
        case InSegment(name):
            return _verb("is", holds, f"in the segment '{name}'")
        case Consented(topic):
            return _verb("may be mailed", holds, f"on '{topic}'")
        case Mailed():
            return _mail(leaf, holds)
        case DealIs():
            return _verb("has", holds, f"a deal with {phrase(leaf).removeprefix('deal: ')}")
        case Enrolled():
            return _enrolled(leaf, holds)
        case _:
            return phrase(leaf) if holds else f"not {{{phrase(leaf)}}}"


def _verb(verb: str, holds: bool, rest: str) -> str:
    return f"{verb if holds else _NOT[verb]} {rest}"


def _anyone(by_account: bool) -> str:
    return ", or anyone of the company" if by_account else ""


def _field(name: str, tests: tuple[Test, ...], holds: bool) -> str:
    if not holds and len(tests) == 1 and tests[0].op in _OPPOSITE:
        return f"{name} {_OPPOSITE[tests[0].op](tests[0])}"
    words = " and ".join(_WORDS[test.op](test) for test in tests)
    return f"{name} {words}" if holds else f"not: {name} {words}"


def _stages(stage: InStage) -> str:
    if stage.names:
        return "in " + " or ".join(stage.names)
    parts = [f"at {stage.at_least} or beyond"] if stage.at_least else []
    return ", ".join([*parts, *([f"before {stage.before}"] if stage.before else [])])


def _lengths(stage: InStageFor) -> str:
    found = [(words, getattr(stage, name)) for name, words in _BOUNDS.items()]
    return " and ".join(f"{words} {length}" for words, length in found if length is not None)


def _doing(did: Did) -> str:
    what = "any event" if did.event == "any" else did.event
    bounds = [(words, getattr(did, name)) for name, words in (("at_least", "at least"), ("at_most", "at most"))]
    many = " and ".join(f"{words} {number(v)}" for words, v in bounds if v is not None)
    text = what
    if did.where is not None:
        text += f" with {phrase(did.where)}"
    if did.sum is not None:
        text += f", {did.sum} adding up to {many or 'something'}"
    elif many:
        text += f" {many} times"
    if did.within is not None:
        text += f" within {did.within}"
    if did.since_entry:
        text += " since the entry"
    if did.same is not None:
        text += f" with the same {did.same}"
    return text + _anyone(did.by_account)


def _mail(mailed: Mailed, holds: bool) -> str:
    verb = {"sent": "was sent", "replied": "was answered"}.get(mailed.what, f"was {mailed.what}")
    rest = (f" within {mailed.within}" if mailed.within is not None else "") + _anyone(mailed.by_account)
    if mailed.mail == "any":
        return f"{'any' if holds else 'no'} mail {verb}{rest}"
    return f"mail {mailed.mail} {verb if holds else verb.replace('was', 'was not', 1)}{rest}"


def _enrolled(enrolled: Enrolled, holds: bool) -> str:
    said = {
        "in_campaign": ("is in", "is not in"),
        "finished": ("has finished", "has not finished"),
        "reached_goal": ("has reached the goal of", "has not reached the goal of"),
    }[enrolled.what]
    return f"{said[0] if holds else said[1]} campaign '{enrolled.campaign}'{_anyone(enrolled.by_account)}"


# --- tests


def _value(value: Scalar | tuple[Scalar, ...]) -> str:
    values = value if isinstance(value, tuple) else (value,)
    return ", ".join(scalar(one, _from_now) for one in values)


def _from_now(offset: Duration) -> str:
    if offset.zero:
        return "now"
    text = str(offset)
    return f"{text[1:]} ago" if text.startswith("-") else f"{text} from now"


def _length(test: Test) -> str:
    return str(test.value.offset) if isinstance(test.value, Relative) else _value(test.value)


def _between(test: Test) -> str:
    low, high = test.value if isinstance(test.value, tuple) else (test.value, test.value)
    return f"{_value(low)} and {_value(high)}"


_WORDS: dict[str, Callable[[Test], str]] = {
    "is": lambda test: f"is {_value(test.value)}",
    "is_not": lambda test: f"is not {_value(test.value)}",
    "in": lambda test: f"is one of {_value(test.value)}",
    "not_in": lambda test: f"is none of {_value(test.value)}",
    **{op: lambda test, words=words: f"is {words} {_value(test.value)}" for op, words in _BOUNDS.items()},  # type: ignore[misc]
    "between": lambda test: f"is between {_between(test)}",
    "contains": lambda test: f"contains '{_value(test.value)}'",
    "starts_with": lambda test: f"starts with '{_value(test.value)}'",
    "ends_with": lambda test: f"ends with '{_value(test.value)}'",
    "set": lambda test: "is set" if test.value else "is not set",
    "any": lambda test: f"has one with {', '.join(phrase(field) for field in test.element)}",
    "before": lambda test: f"is before {_value(test.value)}",
    "after": lambda test: f"is after {_value(test.value)}",
    "in_last": lambda test: f"is in the last {_length(test)}",
    "in_next": lambda test: f"is in the next {_length(test)}",
    "anniversary_in": lambda test: f"comes round in the next {_length(test)}",
}
_OPPOSITE: dict[str, Callable[[Test], str]] = {
    "is": lambda test: f"is not {_value(test.value)}",
    "is_not": lambda test: f"is {_value(test.value)}",
    "in": lambda test: f"is none of {_value(test.value)}",
    "not_in": lambda test: f"is one of {_value(test.value)}",
    "set": lambda test: "is not set" if test.value else "is set",
    "contains": lambda test: f"does not contain '{_value(test.value)}'",
}
