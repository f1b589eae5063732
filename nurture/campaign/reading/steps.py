"""Steps: one action each, with the keys that belong to it; and the ones that hold further steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import structs

from nurture.campaign import plan
from nurture.campaign.condition import Condition
from nurture.campaign.duration import Duration
from nurture.campaign.problems import did_you_mean
from nurture.campaign.reading.actions import SIMPLE
from nurture.campaign.reading.conditions import CONDITION
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.dates import moved
from nurture.campaign.reading.kinds import Either, Got, Key, MapOf, Record, Via
from nurture.campaign.reading.scalars import Name, Number, Share, Span, Text
from nurture.campaign.reading.schema import Schema
from nurture.campaign.reading.sends import shares_add_up
from nurture.campaign.reading.triggers import TRIGGER_KEYS, read_trigger
from nurture.campaign.reading.waits import DATE_KEYS
from nurture.campaign.source import Mapping, Node, Scalar, Sequence
from nurture.campaign.spec import Arm, StepSpec, TriggerSpec

HOLDOUT = "holdout"
Built = tuple[plan.AnyStep, tuple[Arm, ...], TriggerSpec | None]


def read_steps(node: Node, at: Context) -> tuple[StepSpec, ...] | None:
    """The steps of a list; those with problems are left out."""
    if not isinstance(node, Sequence):
        at.add(node, "N110", f"a list of steps belongs here, not {said(node)}", "begin each step with a dash")
        return None
    if not node.items:
        at.add(node, "N115", "there are no steps here")
        return None
    return tuple(step for item in node.items if (step := read_step(item, at)) is not None)


def read_step(node: Node, at: Context) -> StepSpec | None:
    step = _read_step(node, at)
    if step is None:
        at.lost.append(node.mark)
    return step


def _read_step(node: Node, at: Context) -> StepSpec | None:
    if not isinstance(node, Mapping):
        at.add(
            node,
            "N110",
            f"a step is a mapping with one action, not {said(node)}",
            f"such as 'wait: 2d'; actions: {_ACTIONS}",
        )
        return None
    written = [key for key, _ in node.entries if key.text in STEPS]
    if not written:
        key = node.entries[0][0] if node.entries else None
        _no_action(node, at, key)
        return None
    record = STEPS[written[0].text]
    if others := [key for key in written[1:] if key.text not in record.keys]:
        at.add(
            others[0],
            "N114",
            f"{said(others[0])} stands beside {said(written[0])}; a step does one thing",
            "make it two steps",
        )
        return None
    label = node.get("id")
    noun = f"step {said(label)}" if isinstance(label, Scalar) and not label.empty else f"this '{written[0].text}' step"
    got = record.collect(node, at, noun)
    return _finish(written[0], got, at) if got is not None else None


def _no_action(node: Mapping, at: Context, first: Scalar | None) -> None:
    for key, _ in node.entries:
        if key.text not in _COMMON and (near := did_you_mean(key.text, STEPS)):
            label = node.get("id")
            where = f"step {said(label)}" if isinstance(label, Scalar) and not label.empty else "a step"
            at.add(key, "N112", f"unknown key {said(key)} in {where}", f"{near} A step takes one of: {_ACTIONS}.")
            return
    stranger = next((key for key, _ in node.entries if key.text not in _COMMON), first)
    what = (
        f"{said(stranger)} is not an action" if stranger and stranger.text not in _COMMON else "this step does nothing"
    )
    at.findings.add(stranger.mark if stranger else node.mark, "N112", what, f"A step takes one of: {_ACTIONS}.")


def _finish(action: Scalar, got: Got, at: Context) -> StepSpec | None:
    built = _BUILD[action.text](got, at)
    if built is None or any(key in got and got[key] is None for key in _COMMON):
        return None
    step, arms, trigger = built
    if "id" in got:
        step = structs.replace(step, id=got["id"])
    condition: Condition | None = got["if"]
    return StepSpec(
        mark=got.mark_of("id") if "id" in got else got.mark_of(action.text),
        step=step,
        written="id" in got,
        only_if=condition,
        if_mark=got.mark_of("if") if "if" in got else None,
        late_mark=got.mark_of("if_late") if "if_late" in got else None,
        trigger=trigger,
        arms=arms,
        competing=isinstance(got.nodes.get("send"), Mapping),
    )


# branch


def _arms(node: Node, at: Context) -> tuple[Arm, ...] | None:
    if not isinstance(node, Sequence) or not node.items:
        at.add(node, "N110", "'branch' is a list of {if: …, steps: […]}, the last may be {else: […]}")
        return None
    arms: list[Arm] = []
    for n, item in enumerate(node.items):
        got: Got | None = _ARM.read(item, at)
        if got is None:
            return None
        if "else" in got and n < len(node.items) - 1:
            at.add(item, "N114", "'else' is the last arm of a branch; nothing after it is asked", "move it to the end")
        if "else" in got and "steps" in got:
            at.add(got.nodes["steps"], "N114", "the steps of 'else' are written under it", "delete 'steps:'")
        if "if" in got and "steps" not in got:
            at.findings.add(got.mark, "N113", "an arm needs 'steps'", "an arm that does nothing is better left out")
        steps = got["else"] if "else" in got else got["steps"]
        if steps is None or ("if" in got and got["if"] is None):
            return None
        arms.append(Arm("else" if "else" in got else "", steps, got["if"]))
    return tuple(arms)


_STEPS_SCHEMA: Schema = {
    "type": "array",
    "items": {"$ref": "#/$defs/step"},
    "minItems": 1,
    "examples": [[{"send": "welcome/hello"}, {"wait": "3d"}]],
}
_STEPS = Via(read_steps, _STEPS_SCHEMA)
_ARM = Record(
    "an arm of a branch",
    {
        "if": Key(CONDITION, "The arm is taken where this holds."),
        "steps": Key(_STEPS, "What is done then."),
        "else": Key(_STEPS, "What is done where no arm before holds."),
    },
    one_of=("if", "else"),
)


def _branch(got: Got, at: Context) -> Built | None:
    arms: tuple[Arm, ...] | None = got["branch"]
    return None if arms is None else (plan.Branch(id="branch", arms=()), arms, None)


# split


def _split(got: Got, at: Context) -> Built | None:
    shares: dict[str, float] | None = got["split"]
    arms: dict[str, Any] = got.get("arms", {})
    if not shares or ("arms" in got and got["arms"] is None):
        return None
    good = shares_add_up(shares, got.nodes["split"], at)
    written = got.nodes.get("arms")
    for key, _ in written.entries if isinstance(written, Mapping) else ():
        if key.text == HOLDOUT:
            at.add(key, "N322", "'holdout' takes no steps of the split", "it goes on after it")
            good = False
        elif key.text not in shares:
            at.unknown(key, "N322", "arm", shares, "the split")
            good = False
    names = [key.text for key, _ in written.entries] if isinstance(written, Mapping) else []
    missing = [name for name in shares if name != HOLDOUT and name not in names]
    if missing:
        at.add(got.nodes["split"], "N322", f"the arm '{missing[0]}' has no steps", "write them under 'arms:'")
    if missing or not good:
        return None
    made = tuple(Arm(name, arms.get(name, ()), share=share) for name, share in shares.items())
    return plan.Split(id="split", arms=(), seed=got["seed"]), made, None


# repeat


def _repeat(got: Got, at: Context) -> Built | None:
    inner: Got | None = got["repeat"]
    if inner is None:
        return None
    if "at_most" not in inner:
        at.findings.add(inner.mark, "N324", "'repeat' needs 'at_most'", "write how many rounds there are at most")
    if not inner.whole("every", "at_most", "steps") or ("while" in inner and inner["while"] is None):
        return None
    step = plan.Repeat(id=f"repeat-{inner['every']}", every=inner["every"], at_most=inner["at_most"], body=plan.END)
    return step, (Arm("body", inner["steps"], inner["while"]),), None


_REPEAT = Record(
    "'repeat'",
    {
        "every": Key(Span(), "Waited before each round.", required=True),
        "at_most": Key(Number("a number of rounds", 1, 1000, whole=True), "How many rounds at most.", example=5),
        "while": Key(CONDITION, "Asked before each round; where it does not hold, the repeat is over."),
        "steps": Key(_STEPS, "What is done in each round.", required=True),
    },
)


# wait_for


def _limit(got: Got, at: Context) -> plan.DateRef | None:
    return moved(got)


_UP_TO = Either("a duration such as 3d, or {date: …}", Span(), None, Record("'up_to'", DATE_KEYS, _limit, ("date",)))


def _awaited(got: Got, at: Context) -> tuple[TriggerSpec, Duration | plan.DateRef] | None:
    trigger = read_trigger(got, at)
    return None if trigger is None or got["up_to"] is None else (trigger, got["up_to"])


_WAIT_FOR = Record(
    "'wait_for'",
    {**TRIGGER_KEYS, "up_to": Key(_UP_TO, "How long at most: a duration, or {date: lead.FIELD}.", required=True)},
    _awaited,
    one_of=("event", "match"),
)


def _wait_for(got: Got, at: Context) -> Built | None:
    if got["wait_for"] is None or any(key in got and got[key] is None for key in ("then", "else")):
        return None
    trigger, limit = got["wait_for"]
    span, date = (limit, None) if isinstance(limit, Duration) else (None, limit)
    step = plan.WaitFor(
        id=f"wait-for-{trigger.event or 'match'}",
        trigger=plan.Trigger(trigger.event, trigger.where, trigger.same),
        up_to=span,
        until=date,
        then=plan.END,
        otherwise=plan.END,
    )
    return step, (Arm("then", got.get("then", ())), Arm("else", got.get("else", ()))), trigger


_COMMON: dict[str, Key] = {
    "id": Key(Name("a step's id"), "The step's identity for ever.", example="first-reminder"),
    "if": Key(CONDITION, "The step is left out where this does not hold.", example={"stage": "mql"}),
    "note": Key(Text(), "For the reader.", example="agreed with sales in May"),
}
_ROUNDS = {"every": "7d", "at_most": 5, "steps": [{"send": "welcome/hello"}]}
_AWAIT = {"event": "order_completed", "up_to": "7d"}
_BOTH = {"short": [{"send": "welcome/hello"}], "long": [{"send": "welcome/hello-b"}]}
_TWO_ARMS = [{"if": {"tag": "hot"}, "steps": [{"send": "welcome/hello"}]}, {"else": [{"exit": "not interested"}]}]
_BLOCKS: dict[str, tuple[dict[str, Key], Callable[[Got, Context], Built | None]]] = {
    "repeat": ({"repeat": Key(_REPEAT, "Waits, asks, does the steps; again and again.", example=_ROUNDS)}, _repeat),
    "wait_for": (
        {
            "wait_for": Key(_WAIT_FOR, "Until the event, the condition or the time.", example=_AWAIT),
            "then": Key(_STEPS, "Done when it came."),
            "else": Key(_STEPS, "Done when the time was over."),
        },
        _wait_for,
    ),
    "branch": (
        {
            "branch": Key(
                Via(_arms, {"type": "array", "items": {"$ref": "#/$defs/arm"}, "minItems": 1}),
                "The first arm that holds.",
                example=_TWO_ARMS,
            )
        },
        _branch,
    ),
    "split": (
        {
            "split": Key(
                MapOf(Share(), "'split'", Name("an arm")),
                "Shares that add up to 100%.",
                example={"short": "50%", "long": "50%"},
            ),
            "arms": Key(MapOf(_STEPS, "'arms'"), "The steps of each arm; 'holdout' has none.", example=_BOTH),
            "seed": Key(Name("a seed"), "Splits with the same seed share a draw.", example="spring"),
        },
        _split,
    ),
}


def _plainly(build: Callable[[Got, Context], plan.AnyStep | None]) -> Callable[[Got, Context], Built | None]:
    def built(got: Got, at: Context) -> Built | None:
        step = build(got, at)
        return None if step is None else (step, (), None)

    return built


_BUILD: dict[str, Callable[[Got, Context], Built | None]] = {
    **{name: _plainly(build) for name, (_, build) in SIMPLE.items()},
    **{name: build for name, (_, build) in _BLOCKS.items()},
}
STEPS: dict[str, Record] = {
    name: Record(f"a '{name}' step", {**keys, **_COMMON})
    for name, keys in [*((n, k) for n, (k, _) in SIMPLE.items()), *((n, k) for n, (k, _) in _BLOCKS.items())]
}
_ACTIONS = ", ".join(STEPS)
STEPS_KIND = Via(read_steps, _STEPS_SCHEMA)


def steps_schema(defs: dict[str, Schema]) -> Schema:
    """Defines `step` and `arm`, and is the schema of a list of steps."""
    if "step" not in defs:
        defs["step"] = {}
        defs["arm"] = _ARM.schema(defs)
        defs["step"] = {
            "anyOf": [{"title": name, **_required(record.schema(defs), name)} for name, record in STEPS.items()]
        }
    return _STEPS_SCHEMA


def _required(schema: Schema, name: str) -> Schema:
    return {**schema, "required": [name]}
