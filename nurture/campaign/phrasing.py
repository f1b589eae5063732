"""A condition as an author would write it, on one line: for `why`, which names the rule behind a decision."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nurture.campaign.condition import (
    All,
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
    Moment,
    Not,
    Relative,
    Scalar,
    ScoreIs,
    Tagged,
    Test,
)
from nurture.campaign.condition import Any as AnyOf
from nurture.campaign.duration import Duration
from nurture.campaign.plan import Trigger

_BOUNDS = ("at_least", "at_most", "more_than", "less_than")


def phrase(condition: Condition) -> str:
    """`consent: offers`, `any: [{tag: vip}, {stage: mql}]`: what stands after `if:` or `match:`, without its braces."""
    match condition:
        case All(items):
            return _merged(items)
        case AnyOf(items):
            return f"any: [{', '.join(f'{{{phrase(item)}}}' for item in items)}]"
        case Not(Did() as did):
            return f"did_not: {_did(did)}"
        case Not(item):
            return f"not: {{{phrase(item)}}}"
        case Field(scope, path, tests):
            where = "" if scope in ("event", "element") else f"{scope}: "
            body = f"{'.'.join(path)}: {_tests(tests)}"
            return f"{where}{{{body}}}" if where else body
        case Did():
            return f"did: {_did(condition)}"
        case Mailed():
            return f"mail: {_map(_mail_parts(condition))}"
        case InStage() | InStageFor():
            return _stage(condition)
        case ScoreIs(name, tests):
            return f"score: {{{name}: {_tests(tests)}}}"
        case Tagged(name):
            return f"tag: {name}"
        case InSegment(name):
            return f"segment: {name}"
        case Consented(topic):
            return f"consent: {topic}"
        case DealIs():
            return f"deal: {_map(_deal_parts(condition))}"
        case Enrolled():
            return f"{condition.what}: {condition.campaign}" + (", by: account" if condition.by_account else "")


def phrase_trigger(trigger: Trigger, conditions: tuple[Condition, ...]) -> str:
    """What a goal, an exit or a wait listens to."""
    if trigger.match is not None:
        return f"match: {{{phrase(conditions[trigger.match])}}}"
    parts = [f"event: {trigger.event}"]
    if trigger.where is not None:
        parts.append(f"where: {{{phrase(trigger.where)}}}")
    if trigger.same is not None:
        parts.append(f"same: {trigger.same}")
    return ", ".join(parts)


def _merged(items: Iterable[Condition]) -> str:
    """Several keys of one mapping mean all of them; where a key would come twice they are listed."""
    parts = [phrase(item) for item in items]
    keys = [part.partition(":")[0] for part in parts]
    if len(set(keys)) == len(keys):
        return ", ".join(parts)
    return f"all: [{', '.join(f'{{{part}}}' for part in parts)}]"


def _map(parts: Iterable[str]) -> str:
    return "{" + ", ".join(parts) + "}"


def _did(did: Did) -> str:
    parts = [f"event: {did.event}"]
    if did.where is not None:
        parts.append(f"where: {{{phrase(did.where)}}}")
    parts += [f"{name}: {number(v)}" for name in ("at_least", "at_most") if (v := getattr(did, name)) is not None]
    parts += [f"{name}: {v}" for name in ("same", "sum", "within") if (v := getattr(did, name)) is not None]
    if did.since_entry:
        parts.append("since_entry: true")
    if did.by_account:
        parts.append("by: account")
    return _map(parts)


def _mail_parts(mailed: Mailed) -> Iterable[str]:
    yield f"{mailed.what}: {mailed.mail}"
    if mailed.of != "enrollment":
        yield f"of: {mailed.of}"
    if mailed.within is not None:
        yield f"within: {mailed.within}"
    if mailed.by_account:
        yield "by: account"


def _deal_parts(deal: DealIs) -> Iterable[str]:
    if deal.pipeline is not None:
        yield f"pipeline: {deal.pipeline}"
    if deal.stages:
        yield f"stage: {_names(deal.stages)}"
    if deal.amount:
        yield f"amount: {_tests(deal.amount)}"
    if deal.open is not None:
        yield f"open: {str(deal.open).lower()}"


def _stage(condition: InStage | InStageFor) -> str:
    if isinstance(condition, InStageFor):
        bounds = [f"{name}: {v}" for name in _BOUNDS if (v := getattr(condition, name)) is not None]
        return f"in_stage_for: {_map(bounds)}"
    if condition.names:
        text = f"stage: {_names(condition.names)}"
    else:
        text = f"stage: {_map(f'{n}: {v}' for n in ('at_least', 'before') if (v := getattr(condition, n)) is not None)}"
    return text + (", by: account" if condition.by_account else "")


def _names(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def _tests(tests: tuple[Test, ...]) -> str:
    if len(tests) == 1 and tests[0].op in ("is", "in"):
        return _value(tests[0].value)
    return _map(f"{test.op}: {_operand(test)}" for test in tests)


def _operand(test: Test) -> str:
    return _map(phrase(field) for field in test.element) if test.op == "any" else _value(test.value)


def _value(value: Scalar | tuple[Scalar, ...]) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(scalar, value))}]"
    return scalar(value)


def scalar(value: Scalar, from_now: Callable[[Duration], str] = str) -> str:
    """One value as the author wrote it; `from_now` says an instant that is counted from now."""
    match value:
        case bool():
            return str(value).lower()
        case Relative(offset):
            return from_now(offset)
        case Moment(text):
            return text
        case int() | float():
            return number(value)
        case _:
            return value


def number(value: float) -> str:
    """Without a fraction that says nothing, and without an exponent."""
    return f"{value:g}" if abs(value) < 1e6 else str(value)
