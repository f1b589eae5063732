"""How leads come in: `enter`, with the keys that belong to each way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nurture.campaign import plan
from nurture.campaign.condition import Condition
from nurture.campaign.declared import ENGINE_EVENTS, event_properties, field_type
from nurture.campaign.duration import Duration
from nurture.campaign.project import Shape
from nurture.campaign.reading.conditions import (
    CONDITION,
    forms_named,
    read_condition,
    read_property,
    read_same,
    read_where,
)
from nurture.campaign.reading.context import Context, Scene, said
from nurture.campaign.reading.dates import DateSource
from nurture.campaign.reading.kinds import Either, Got, Key, ListOf, Raw, Record, Via
from nurture.campaign.reading.names import Declared
from nurture.campaign.reading.scalars import Choice, Clock, Date, Flag, Number, Span, Zone
from nurture.campaign.reading.schema import Schema
from nurture.campaign.reading.tests_of import A_PROPERTY, PROPERTIES
from nurture.campaign.source import Mapping, Node, Scalar


@dataclass(frozen=True)
class Entry:
    """How they come in, who may, and how often; with the scene this makes for all that follows."""

    enter: plan.Enter | None
    scene: Scene
    only_if: Condition | None
    again: plan.Again | None


def _event(got: Got, at: Context) -> plan.EnterEvent | None:
    event = got["event"]
    if event is None:
        return None
    where = read_where(got.nodes["where"], event, at) if "where" in got else None
    key = _key(got.nodes["key"], event, at) if "key" in got else None
    keyed = at.within(Scene(at.scene.campaign, key=key))
    unless = _unlesses(got.nodes["unless"], keyed) if "unless" in got else ()
    if "unless" in got and "settle" not in got:
        at.add(got.nodes["unless"], "N114", "'unless' needs 'settle': it cancels a quiet that is running")
        return None
    bad = ("where" in got and where is None) or ("key" in got and key is None) or unless is None
    if bad or ("settle" in got and got["settle"] is None):
        return None
    return plan.EnterEvent(event, where, got["settle"], unless or (), key)


def _key(node: Node, event: str, at: Context) -> str | None:
    shapes = event_properties(at.project, event)
    found = read_property(node, shapes, event, at) if shapes is not None else None
    if found and field_type(found[1]) in (None, "list"):
        at.add(node, "N214", f"{said(node)} is a list or a mapping; a key is one value")
        return None
    return found[0] if found else None


def _unlesses(node: Node, at: Context) -> tuple[plan.Unless, ...] | None:
    found: tuple[plan.Unless, ...] | None = _UNLESSES.read(node, at)
    return found


def _unless(node: Node, at: Context) -> plan.Unless | None:
    if isinstance(node, Scalar):
        name = Declared("event").read(node, at)
        return None if name is None else plan.Unless(name)
    got: Got | None = _UNLESS.read(node, at)
    if got is None or got["event"] is None:
        return None
    where = read_where(got.nodes["where"], got["event"], at) if "where" in got else None
    same = read_same(got.nodes["same"], got["event"], at) if "same" in got else None
    if ("where" in got and where is None) or ("same" in got and same is None):
        return None
    return plan.Unless(got["event"], where, same)


_UNLESS = Record(
    "'unless'",
    {
        "event": Key(Declared("event"), "The event that cancels.", required=True),
        "where": Key(PROPERTIES, "Tests on its properties."),
        "same": Key(A_PROPERTY, "This property must equal the key."),
    },
)
_UNLESSES = ListOf(
    Via(_unless, lambda: Either("an event", Declared("event"), None, _UNLESS)), "a list of events", bare=True
)


def _stage(got: Got, at: Context) -> plan.EnterStage | None:
    if got["stage"] is None:
        return None
    return plan.EnterStage(got["stage"], got["existing"] == "enter")


def _match(got: Got, at: Context) -> plan.EnterMatch | None:
    if "existing" not in got:
        hint = "'existing: enter' takes in those for whom it is true today, 'existing: skip' waits until it turns true"
        at.findings.add(got.mark_of("match"), "N325", "'match' needs 'existing'", hint)
    if not got.whole("match", "existing"):
        return None
    return plan.EnterMatch(got["match"], got["existing"] == "enter", got.get("every", Duration(seconds=900)))


def _date(got: Got, at: Context) -> plan.EnterDate | None:
    ref: plan.DateRef | None = got["date"]
    if ref is None:
        return None
    if ref.source != "lead":
        at.add(got.nodes["date"], "N202", "a date that leads enter by is an attribute", "write 'lead.FIELD'")
        return None
    return plan.EnterDate(ref.path, got.get("offset", Duration()), got["at"], bool(got["yearly"]), got["catch_up"])


def _schedule(got: Got, at: Context) -> plan.EnterSchedule | None:
    if got["schedule"] is None:
        return None
    until = got["until"]
    if "until" in got and "repeat" not in got:
        at.add(got.nodes["until"], "N114", "'until' ends a repetition; there is no 'repeat' here")
    if "repeat" in got and got["repeat"] and got["repeat"].at_most_seconds() < 3600:
        at.add(got.nodes["repeat"], "N212", "a schedule repeats once an hour at most")
    zone = got.get("zone", "lead")
    return plan.EnterSchedule(got["schedule"].text, got["repeat"], until.text if until else None, zone)


def _manual(got: Got, at: Context) -> plan.EnterManual | None:
    if got["manual"] is False:
        at.add(got.nodes["manual"], "N207", "'manual' is either true or left out")
        return None
    return plan.EnterManual() if got["manual"] else None


def _again(got: Got, at: Context) -> plan.Again | None:
    if any(got[key] is None for key in got.nodes):
        return None
    if not got.nodes:
        at.findings.add(got.mark, "N113", "'again' needs 'after' or 'at_most'", "such as {after: 7d}")
        return None
    if "per" in got and "at_most" not in got:
        at.add(got.nodes["per"], "N113", "'per' needs 'at_most' beside it", "such as {at_most: 3, per: 90d}")
        return None
    return plan.Again(got["after"], got["at_most"], got["per"])


_AGAIN = Record(
    "'again'",
    {
        "after": Key(Span(long=True), "So long after the last entry.", example="7d"),
        "at_most": Key(Number("a count", 1, whole=True), "So many entries at most.", example=3),
        "per": Key(Span(long=True), "In this rolling time.", example="90d"),
    },
    _again,
)
_COMMON = {
    "only_if": Key(Raw(lambda: CONDITION), "Only leads for whom this holds."),
    "again": Key(_AGAIN, "Whether and when a lead may come in again.", example={"after": "7d"}),
}
_EXISTING = Key(Choice(("enter", "skip")), "What happens to those for whom it is true at the first deploy.")
_ENTRIES: dict[str, tuple[dict[str, Key], Callable[[Got, Context], plan.Enter | None]]] = {
    "event": (
        {
            "event": Key(Declared("event"), "The lead does it."),
            "where": Key(PROPERTIES, "Tests on the event's properties."),
            "settle": Key(Span(), "Only when it has been quiet this long.", example="1h"),
            "unless": Key(Raw(lambda: _UNLESSES), "Events that cancel the quiet."),
            "key": Key(A_PROPERTY, "One enrollment for each value of this property."),
        },
        _event,
    ),
    "stage": ({"stage": Key(Declared("stage"), "The lead enters that stage."), "existing": _EXISTING}, _stage),
    "match": (
        {
            "match": Key(CONDITION, "The condition turns true."),
            "existing": _EXISTING,
            "every": Key(Span(), "How often it is looked at besides.", default="15m"),
        },
        _match,
    ),
    "date": (
        {
            "date": Key(DateSource(), "An attribute that is a date: lead.FIELD.", example="lead.birthday"),
            "offset": Key(Span(signed=True), "So long before or after it, such as -30d."),
            "at": Key(Clock(), "At this local time of the day."),
            "yearly": Key(Flag(), "Every year, as a birthday.", example=True),
            "catch_up": Key(Span(long=True), "How late one may still come in.", example="7d"),
        },
        _date,
    ),
    "schedule": (
        {
            "schedule": Key(Date(), "At that time, for all whom 'only_if' lets in."),
            "repeat": Key(Span(), "Again and again after this time.", example="7d"),
            "until": Key(Date(), "The last possible time.", example="2027-12-31T09:30"),
            "zone": Key(Zone(("lead", "project")), "Whose clock: lead, project or a time zone.", default="lead"),
        },
        _schedule,
    ),
    "manual": ({"manual": Key(Flag(), "By hand, the API or another campaign's 'enroll'.")}, _manual),
}
ENTRIES = {name: Record(f"'enter' by {name}", {**keys, **_COMMON}) for name, (keys, _) in _ENTRIES.items()}
_BESIDE = {"match": ("existing",)}  # what its reader asks for in words of its own
_WAYS = tuple(_ENTRIES)
_ANY = Record("'enter'", {key: k for r in ENTRIES.values() for key, k in r.keys.items()}, one_of=_WAYS)


def read_enter(node: Node, at: Context) -> Entry:
    """How leads come in; `enter` is None where it cannot be told, with the problems said."""
    unsure = Entry(None, Scene(at.scene.campaign, unsure=True), None, None)
    way = (
        next((key.text for key, _ in node.entries if key.text in _ENTRIES), None) if isinstance(node, Mapping) else None
    )
    others = [key for key, _ in node.entries if key.text in _ENTRIES] if isinstance(node, Mapping) else []
    if way is None or len(others) > 1:
        _ANY.read(node, at)
        return unsure
    got = ENTRIES[way].collect(node, at, f"'enter' by {way}")
    if got is None:
        return unsure
    enter = _ENTRIES[way][1](got, at)
    scene = _scene(got, at)
    only_if = read_condition(got.nodes["only_if"], at.within(scene)) if "only_if" in got else None
    good = not any(key in got and value is None for key, value in (("only_if", only_if), ("again", got["again"])))
    return Entry(enter if good else None, scene, only_if, got["again"])


def _scene(got: Got, at: Context) -> Scene:
    """What is known at entry. Also after a problem, so that what follows is still read well."""
    entry: dict[str, Shape] | None = None
    key: str | None = None
    if "event" in got:
        entry = event_properties(at.project, got["event"] or "", forms_named(got.nodes.get("where")))
        node = got.nodes.get("key")
        key = node.text if isinstance(node, Scalar) else None
    elif "stage" in got:
        entry = ENGINE_EVENTS["stage.entered"]
    return Scene(at.scene.campaign, False, entry, key, unsure="event" in got and entry is None)


class _Enter:
    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"anyOf": [_by(name, record, defs) for name, record in ENTRIES.items()]}


def _by(name: str, record: Record, defs: dict[str, Schema]) -> Schema:
    made = {"title": f"by {name}", **record.schema(defs), "required": [name, *_BESIDE.get(name, ())]}
    return {**made, "dependentRequired": {"unless": ["settle"]}} if "unless" in record.keys else made


ENTER = _Enter()
