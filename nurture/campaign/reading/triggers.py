"""Events and conditions that something hangs on: goals, exits, and what a step waits for."""

from __future__ import annotations

from nurture.campaign.condition import Condition
from nurture.campaign.declared import event_properties, field_type
from nurture.campaign.reading.conditions import CONDITION, read_property, read_same, read_where
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.kinds import Either, Got, Key, ListOf, Record
from nurture.campaign.reading.names import Declared
from nurture.campaign.reading.scalars import Text
from nurture.campaign.reading.tests_of import A_PROPERTY, PROPERTIES
from nurture.campaign.source import Node
from nurture.campaign.spec import ExitSpec, GoalSpec, TriggerSpec

TRIGGER_KEYS = {
    "event": Key(Declared("event"), "An event, your own or the engine's."),
    "match": Key(CONDITION, "A condition, instead of an event."),
    "where": Key(PROPERTIES, "Tests on the event's properties."),
    "same": Key(A_PROPERTY, "This property must equal the enrollment's key."),
}


def read_trigger(got: Got, at: Context) -> TriggerSpec | None:
    """The event or condition of a record that has TRIGGER_KEYS; None where a part had a problem."""
    if "match" in got:
        for key in ("where", "same"):
            if key in got:
                at.add(got.nodes[key], "N114", f"'{key}' belongs to an event; a 'match' says it in its condition")
        match: Condition | None = got["match"]
        return None if match is None else TriggerSpec(got.mark, match=match)
    event = got["event"]
    if event is None:
        return None
    where = read_where(got.nodes["where"], event, at) if "where" in got else None
    same = read_same(got.nodes["same"], event, at) if "same" in got else None
    if ("where" in got and where is None) or ("same" in got and same is None):
        return None
    return TriggerSpec(got.mark_of("event"), event, where, same)


def _goal(got: Got, at: Context) -> GoalSpec | None:
    trigger = read_trigger(got, at)
    value = None
    if "value" in got and got["event"] is not None:
        value = read_amount(got.nodes["value"], got["event"], at)
    elif "value" in got and "match" in got:
        at.add(got.nodes["value"], "N114", "'value' is a property of an event; a 'match' has none")
    return None if trigger is None else GoalSpec(trigger, value, got["move"])


def read_amount(node: Node, event: str, at: Context) -> str | None:
    """The name of a property that is declared as a number."""
    shapes = event_properties(at.project, event)
    found = read_property(node, shapes, event, at) if shapes is not None else None
    if found and field_type(found[1]) != "number":
        at.add(node, "N214", f"{said(node)} is not declared as a number, so it is no revenue")
        return None
    return found[0] if found else None


def _exit(got: Got, at: Context) -> ExitSpec | None:
    trigger = read_trigger(got, at)
    if trigger is None:
        return None
    return ExitSpec(trigger, got["reason"] or trigger.event or "match")


GOAL = Record(
    "'goal'",
    {
        **TRIGGER_KEYS,
        "value": Key(A_PROPERTY, "The event's property that is credited as revenue.", example="total"),
        "move": Key(Declared("stage"), "The stage a lead moves to that reaches the goal."),
    },
    _goal,
    one_of=("event", "match"),
)
EXIT = Record(
    "an exit",
    {
        **TRIGGER_KEYS,
        "reason": Key(Text("a reason"), "What the end is called; else the event's name.", example="bought elsewhere"),
    },
    _exit,
    one_of=("event", "match"),
)
EXITS = Either("a list of exits", None, ListOf(EXIT), ListOf(EXIT, bare=True))
