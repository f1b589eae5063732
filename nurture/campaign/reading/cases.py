"""The `tests:` of a campaign, typed by the same declarations as the campaign itself."""

from __future__ import annotations

import re
from typing import Any

from nurture.campaign.cases import (
    DEFAULT_START,
    DEFAULT_UNTIL,
    CampaignTest,
    Expect,
    Happens,
    Instant,
    TestDeal,
    TestEvent,
    TestLead,
)
from nurture.campaign.declared import NAMING, account_fields, event_names, event_properties, field_type, lead_fields
from nurture.campaign.duration import read_duration
from nurture.campaign.problems import did_you_mean
from nurture.campaign.project import Shape
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.kinds import (
    Either,
    Got,
    Key,
    Kind,
    ListOf,
    MapOf,
    Raw,
    Record,
    Via,
    described,
    word,
)
from nurture.campaign.reading.names import Declared
from nurture.campaign.reading.scalars import Choice, Date, Flag, Number, Text, moment, number
from nurture.campaign.reading.schema import Schema
from nurture.campaign.source import Mapping, Node, Scalar, Sequence
from nurture.lead.soft_opt_in import LACKS

REFUSALS = (
    *("goal", "exit", "if", "no address", "no consent", "suppressed", *LACKS, "jurisdiction", "late", "test mode"),
)
NOT_ENTERED = (
    *("not live", "no key", "already in it", "re-entry too soon", "re-entry limit"),
    *("exit already true", "goal already true", "condition false", "date passed"),
)
_ENDED = re.compile(r"finished|goal|(exit|failed)\(.+\)")
_ENDED_HINT = "write 'finished', 'goal', 'exit(REASON)' or 'failed(REASON)'"


def _instant(node: Node, at: Context) -> Instant | None:
    found = word(node, at, "a duration from the start, or a date")
    if found is None:
        return None
    value = read_duration(found.text) or moment(found.text)
    if value is None:
        at.add(node, "N601", f"{said(node)} is neither a duration nor a date", "write '3d2h' or '2026-03-09T09:00'")
    return value


_INSTANT = Via(_instant, {"type": "string", "minLength": 1, "examples": ["3d2h"]})


def plain(node: Node) -> Any:
    """What a node would be in JSON: numbers, booleans and null where they look like it, else text."""
    match node:
        case Mapping(entries=entries):
            return {key.text: plain(value) for key, value in entries}
        case Sequence(items=items):
            return [plain(item) for item in items]
        case Scalar() if node.empty:
            return None
        case Scalar(text=text, quoted=False) if text in ("true", "false"):
            return text == "true"
        case Scalar(text=text, quoted=False) if (value := number(text)) is not None:
            return value
        case Scalar(text=text):
            return text


def typed(node: Node, shape: Shape, at: Context, naming: str | None = None) -> Any:
    """The node as a value of the declared shape, None (as a value or with a problem) where it is none."""
    if isinstance(node, Scalar) and node.empty:
        return None
    match shape:
        case dict():
            return typed_fields(node, shape, at, "property of this mapping")
        case [dict() as inner]:
            items: Any = ListOf(
                Via(lambda n, a: typed_fields(n, inner, a, "property of the list's elements"), {}), empty=True
            ).read(node, at)
            return None if items is None else list(items)
    if naming is not None:
        return Declared(naming).read(node, at)
    kind = field_type(shape)
    if kind == "date":
        value = Date().read(node, at)
        return None if value is None else value.text
    readers: dict[str, Kind] = {"number": Number(), "bool": Flag()}
    return readers.get(kind or "text", Text()).read(node, at)


def typed_fields(
    node: Node, shapes: dict[str, Shape], at: Context, what: str, naming: dict[str, str] | None = None
) -> dict[str, Any] | None:
    """A mapping whose keys are declared, each value typed."""
    if isinstance(node, Scalar) and node.empty:
        return {}
    if not isinstance(node, Mapping):
        at.add(node, "N110", f"a mapping of properties belongs here, not {said(node)}")
        return None
    values: dict[str, Any] = {}
    for key, value in node.entries:
        if key.text not in shapes:
            at.unknown(key, "N302", what, shapes, "it")
            continue
        values[key.text] = typed(value, shapes[key.text], at, (naming or {}).get(key.text))
    return values


def _lead(node: Node, at: Context) -> TestLead | None:
    if not isinstance(node, Mapping):
        at.add(node, "N110", "'lead' is a mapping", "such as {email: anna@example.com, stage: lead}")
        return None
    got: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    shapes = lead_fields(at.project)
    for key, value in node.entries:
        if key.text in _LEAD:
            got[key.text] = _LEAD[key.text].kind.read(value, at)
        elif key.text in shapes:
            fields[key.text] = typed(value, shapes[key.text], at)
        else:
            at.unknown(key, "N313", "attribute of a lead", [*shapes, *_LEAD], "a lead")
    return TestLead(
        fields, got.get("stage") or (), got.get("consents") or (), got.get("tags") or (), got.get("scores") or {}
    )


_STAGES = ListOf(Declared("stage"), "a list of stages", bare=True, empty=True)
_TOPICS = ListOf(Declared("topic"), "a list of topics", empty=True)
_TAGS = ListOf(Text("a tag"), "a list of tags", empty=True)
_SCORES = MapOf(Number(), "'scores'", Declared("score"))
_LEAD = {
    "stage": Key(_STAGES, "Where the lead stands; one, or one of each funnel.", example="mql"),
    "consents": Key(_TOPICS, "The topics it has agreed to.", example=["newsletter"]),
    "tags": Key(_TAGS, "Its tags.", example=["hot"]),
    "scores": Key(_SCORES, "Its scores.", example={"interest": 40}),
}


class _Lead:
    def schema(self, defs: dict[str, Schema]) -> Schema:
        """Beside attributes, which are the project's."""
        return {"type": "object", "properties": {name: described(key, defs) for name, key in _LEAD.items()}}


class _Event:
    def schema(self, defs: dict[str, Schema]) -> Schema:
        when = described(Key(_INSTANT, "When: a duration from the start, or a date.", example="1h"), defs)
        return {
            "type": "object",
            "properties": {"at": when},
            "required": ["at"],
            "minProperties": 2,
            "maxProperties": 2,
        }


def _event(node: Node, at: Context) -> TestEvent | None:
    if not isinstance(node, Mapping):
        at.add(node, "N110", "an event is a mapping", "such as {at: 1h, cart_updated: {cart_id: c1}}")
        return None
    when = node.get("at")
    if when is None:
        at.findings.add(node.mark, "N113", "this event needs 'at'", "a duration from the start or a date")
    names = [(key, value) for key, value in node.entries if key.text != "at"]
    if len(names) != 1:
        extra = names[1][0] if names else None
        text = "one event an item" if extra else "this item names no event"
        at.findings.add(
            extra.mark if extra else node.mark, "N602", text, "such as {at: 1h, cart_updated: {cart_id: c1}}"
        )
        return None
    instant = _instant(when, at) if when is not None else None
    key, value = names[0]
    known = event_properties(at.project, key.text) if key.text != "any" else None
    if key.text == "enroll":
        known = at.scene.entry or {}
    if known is None:
        at.unknown(key, "N301", "event", [*event_names(at.project), "enroll"])
        return None
    properties = typed_fields(value, known, at, f"property of '{key.text}'", NAMING.get(key.text))
    if instant is None or properties is None:
        return None
    return TestEvent(instant, key.text, properties, key.mark)


def _happens(node: Node, at: Context) -> Happens | None:
    found = word(node, at, "NAME at TIME")
    if found is None:
        return None
    name, between, time = found.text.rpartition(" at ")
    instant = (read_duration(time) or moment(time)) if between else None
    if instant is None:
        at.add(
            node, "N603", f"{said(node)} does not say when", "write 'cart/reminder at 1d2h' or '… at 2026-03-09T09:00'"
        )
        return None
    at.refer("expected", Scalar(node.mark, name.strip()))
    return Happens(name.strip(), instant, node.mark)


def _entered(node: Node, at: Context) -> bool | int | None:
    found = word(node, at, "true, false or a number")
    if found is None:
        return None
    if found.text in ("true", "false"):
        return found.text == "true"
    value = Number("a count", 0, whole=True).read(node, at)
    return value if isinstance(value, int) else None


def _reason(words: tuple[str, ...], also: str = "") -> Kind:
    def read(node: Node, at: Context) -> str | None:
        found = word(node, at, "a reason")
        if found is None or found.text in words or (also and found.text.startswith(also)):
            return found.text if found else None
        near = did_you_mean(found.text, words)
        at.add(node, "N604", f"{said(node)} is never a reason here", f"{near} reasons: {', '.join(words)}".strip())
        return None

    known: Schema = {"enum": list(words)}
    return Via(read, {"anyOf": [known, {"type": "string", "pattern": f"^{also}"}]} if also else known)


def _refused(node: Node, at: Context) -> dict[str, str] | None:
    found: dict[str, str] | None = MapOf(_reason(REFUSALS), "'refused'").read(node, at)
    if isinstance(node, Mapping):
        for key, _ in node.entries:
            at.refer("expected", key)
    return found


def _end(node: Node, at: Context) -> str | None:
    found = word(node, at, "how it ended")
    if found is None or _ENDED.fullmatch(found.text):
        return found.text if found else None
    near = {"exit": "write 'exit(REASON)'", "failed": "write 'failed(REASON)'"}.get(found.text, _ENDED_HINT)
    at.add(node, "N605", f"{said(node)} is no end", near)
    return None


def _expect(got: Got, at: Context) -> Expect:
    values = {("stages" if key == "stage" else key): value for key, value in got.values.items()}
    return Expect(**values)


_NAME_AT_TIME: Schema = {
    "type": "string",
    "pattern": r".+ at .+",
    "patternErrorMessage": "Write the name and when: cart/reminder at 1d2h.",
    "examples": ["welcome/hello at 1h"],
}
_HAPPENS = ListOf(Via(_happens, _NAME_AT_TIME), "a list of NAME at TIME", empty=True)
EXPECT = Record(
    "'expect'",
    {
        "entered": Key(
            Via(_entered, {"type": ["boolean", "integer"], "minimum": 0}),
            "true, false, or how many enrollments.",
            example=True,
        ),
        "not_entered": Key(_reason(NOT_ENTERED, "cancelled by "), "The reason for which it did not enter."),
        "sent": Key(_HAPPENS, "The whole list of mails, in order: NAME at TIME."),
        "notified": Key(_HAPPENS, "The whole list of notices, in order: NAME at TIME."),
        "refused": Key(
            Via(_refused, lambda: MapOf(_reason(REFUSALS))),
            "Mails that were refused, with the reason.",
            example={"welcome/hello": "no consent"},
        ),
        "stage": Key(_STAGES, "Where the lead stands at the end; one, or one of each funnel.", example="customer"),
        "tags": Key(_TAGS, "The lead's tags at the end.", example=["hot"]),
        "consents": Key(_TOPICS, "The topics it may be mailed on at the end.", example=["newsletter"]),
        "scores": Key(
            _SCORES,
            "Its scores as conditions see them when points were last earned.",
            example={"interest": 40},
        ),
        "ended": Key(
            Via(_end, {"type": "string", "pattern": f"^({_ENDED.pattern})$", "patternErrorMessage": _ENDED_HINT}),
            "The end of the last enrollment.",
            example="finished",
        ),
    },
    _expect,
)
_DEAL = Record(
    "a deal",
    {
        "pipeline": Key(Declared("pipeline"), "The pipeline it is in.", required=True),
        "stage": Key(Declared("deal stage"), "Where it stands.", required=True),
        "amount": Key(Number("an amount", 0), "What it is worth.", example=1200),
        "outcome": Key(Choice(("open", "won", "lost")), "How it ended.", default="open"),
    },
    lambda got, at: (
        TestDeal(got["pipeline"], got["stage"], got["amount"], got["outcome"] or "open")
        if got.whole("pipeline", "stage")
        else None
    ),
)


def _account(node: Node, at: Context) -> dict[str, Any] | None:
    return typed_fields(node, account_fields(at.project), at, "attribute of an account")


def _test(got: Got, at: Context) -> CampaignTest | None:
    if got["name"] is None or got["lead"] is None or got["expect"] is None:
        return None
    return CampaignTest(
        campaign=at.scene.campaign or "",
        name=got["name"],
        mark=got.mark_of("name"),
        lead=got["lead"],
        expect=got["expect"],
        start=got.get("start", DEFAULT_START),
        until=got.get("until", DEFAULT_UNTIL),
        account=got["account"],
        deals=got.get("deals", ()),
        answers=got.get("answers", {}),
        events=got.get("events", ()),
    )


def _answers(node: Node, at: Context) -> dict[str, Any] | None:
    read: dict[str, Node] | None = MapOf(Raw(), "'answers'", Declared("webhook")).read(node, at)
    return None if read is None else {name: plain(value) for name, value in read.items()}


TEST = Record(
    "a test",
    {
        "name": Key(Text("a name"), "What it shows, as a sentence.", required=True, example="a buyer gets no reminder"),
        "start": Key(Date(), "When it begins, in the project's zone.", default=DEFAULT_START.text),
        "until": Key(_INSTANT, "When it is over.", default=str(DEFAULT_UNTIL)),
        "lead": Key(
            Via(_lead, lambda: _Lead()),
            "Who is played: attributes, stage, consents, tags, scores.",
            required=True,
            example={"email": "anna@example.com", "stage": "mql", "consents": ["newsletter"]},
        ),
        "account": Key(Via(_account, {"type": "object"}), "The lead's company.", example={"name": "Café du Port"}),
        "deals": Key(ListOf(_DEAL), "The lead's deals.", example=[{"pipeline": "wholesale", "stage": "quote"}]),
        "answers": Key(Via(_answers, {"type": "object"}), "What webhooks answer.", example={"crm": {"ok": True}}),
        "events": Key(
            ListOf(Via(_event, lambda: _Event()), "a list of events", empty=True),
            "What happens: {at: 1h, EVENT: {…}}.",
            example=[{"at": "1h", "order_completed": {"total": 80}}],
        ),
        "expect": Key(
            EXPECT, "What must hold; what is not named is not looked at.", required=True, example={"ended": "finished"}
        ),
    },
    _test,
)
TESTS = Either("a list of tests", None, ListOf(TEST, empty=True), None)
