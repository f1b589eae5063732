"""The sections of config.yaml that give campaigns their meaning: what may stand in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nurture.campaign.project import Alerts, Cap, DealStage, Input, Recycle, Sender, Shape
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.kinds import Either, Got, Key, ListOf, MapOf, Raw, Record, Schema, Via, word
from nurture.campaign.reading.names import Declared
from nurture.campaign.reading.scalars import Address, Choice, Date, Flag, Name, Number, Share, Span, Text, Zone
from nurture.campaign.reading.windows import WINDOW
from nurture.campaign.source import Mapping, Node, Scalar, Sequence

TYPES = {"text": "text", "number": "number", "date": "date", "url": "url", "true/false": "bool", "bool": "bool"}
_CONDITION = Raw({"$ref": "campaign.schema.json#/$defs/condition"})


# declared shapes


def read_shape(node: Node, at: Context) -> Shape | None:
    """`text`, `number`, `date`, `url`, `true/false`, a mapping of further names, or a list of one such mapping."""
    match node:
        case Mapping():
            return read_shapes(node, at)
        case Sequence(items=(Mapping() as inner,)):
            shapes = read_shapes(inner, at)
            return None if shapes is None else [shapes]
        case Sequence():
            at.add(
                node,
                "N217",
                "a list is declared by one mapping of its elements",
                "such as [{name: text, price: number}]",
            )
            return None
    found = word(node, at, "a type")
    if found is None or found.text in TYPES:
        return TYPES[found.text] if found else None
    near = {
        "string": "text",
        "str": "text",
        "int": "number",
        "integer": "number",
        "float": "number",
        "datetime": "date",
    }
    near |= {"boolean": "true/false", "link": "url", "true": "true/false", "time": "date", "decimal": "number"}
    hint = f"did you mean '{near[found.text]}'? " if found.text in near else ""
    at.add(node, "N217", f"{said(node)} is not a type", f"{hint}types: text, number, date, url, true/false, [{{…}}]")
    return None


def read_shapes(node: Node, at: Context) -> dict[str, Shape] | None:
    shapes: dict[str, Shape] | None = MapOf(_SHAPE, "a declaration", Name("a property")).read(node, at)
    return shapes


_SHAPE = Via(read_shape, {})
_SHAPES = Via(read_shapes, {"type": "object"})


# funnels and pipelines


def _stage(node: Node, at: Context) -> Got | None:
    if isinstance(node, Scalar):
        name = Name("a stage", dots=False).read(node, at)
        return None if name is None else Got(node.mark, Mapping(node.mark, ()), {"name": name}, {"name": node})
    if isinstance(node, Mapping) and len(node.entries) == 1 and isinstance(node.entries[0][1], Mapping):
        key, inner = node.entries[0]  # `- mql: {sla: 2d}`
        got: Got | None = _STAGE_BODY.collect(inner, at, f"stage {said(key)}")
        if got is not None:
            got.values["name"], got.nodes["name"] = key.text, key
        return got
    found: Got | None = _STAGE.read(node, at)
    return found if found is not None and found["name"] else None


_STAGE_BODY = Record(
    "a stage",
    {
        "band": Key(Choice(("tofu", "mofu", "bofu")), "Top, middle or bottom of the funnel."),
        "enter_if": Key(_CONDITION, "Leads for whom this holds move here by themselves."),
        "sla": Key(Span(), "How long a lead may stand here."),
        "moves": Key(
            ListOf(Text("a stage"), bare=True), "Stages one may be moved to from here besides those further on."
        ),
    },
)
_STAGE = Record("a stage", {"name": Key(Name("a stage", dots=False), "", required=True), **_STAGE_BODY.keys})
STAGES = ListOf(Via(_stage, {}), "a list of stages")
_FUNNEL = Record("a funnel", {"stages": Key(STAGES, "In order.", required=True)})
FUNNEL_SHORT = Either("a list of stages", None, STAGES, _FUNNEL)


def _deal_stage(node: Node, at: Context) -> DealStage | None:
    if isinstance(node, Scalar):
        name = Name("a stage").read(node, at)
        return None if name is None else DealStage(name)
    if isinstance(node, Mapping) and len(node.entries) == 1 and isinstance(node.entries[0][1], Mapping):
        key, inner = node.entries[0]
        got: Got | None = Record("a stage", {"probability": Key(Share())}).collect(inner, at, f"stage {said(key)}")
        return None if got is None else _probable(key.text, got["probability"])
    got = _DEAL_STAGE.read(node, at)
    return _probable(got["name"], got["probability"]) if got is not None and got["name"] else None


def _probable(name: str, share: float | None) -> DealStage:
    return DealStage(name, None if share is None else share / 100)


_DEAL_STAGE = Record(
    "a stage",
    {"name": Key(Name("a stage"), "", required=True), "probability": Key(Share(), "How likely such a deal is won.")},
)
RECYCLE = Record(
    "'recycle'",
    {
        "to": Key(Declared("stage"), "The stage a lost deal's lead goes back to.", required=True),
        "after": Key(Span(long=True), "Once this time has passed.", required=True),
    },
    lambda got, at: Recycle(got["to"], got["after"]) if got.whole("to", "after") else None,
)
_REASONS = ListOf(Text("a reason"), "a list of reasons", bare=True, empty=True)
PIPELINE = Record(
    "a pipeline",
    {
        "stages": Key(ListOf(Via(_deal_stage, {}), "a list of stages"), "In order.", required=True),
        "won": Key(_REASONS, "Reasons one may give for a deal won."),
        "lost": Key(_REASONS, "Reasons one may give for a deal lost."),
        "recycle": Key(Raw(lambda: RECYCLE), "What becomes of the lead of a lost deal."),
    },
)


# scores


def _threshold(node: Node, at: Context) -> tuple[float, float] | None:
    if isinstance(node, Scalar):
        value = Number("a threshold").read(node, at)
        return None if value is None else (float(value), 0.0)
    got: Got | None = _THRESHOLD.read(node, at)
    if got is None or got["at"] is None:
        return None
    return float(got["at"]), float(got.get("hysteresis", 0))


_THRESHOLD = Record(
    "a threshold",
    {
        "at": Key(Number(), "Crossed upward at this value.", required=True),
        "hysteresis": Key(Number(least=0), "Fallen only so much below it."),
    },
)
RULE = Record(
    "a score rule",
    {
        "event": Key(Declared("event"), "Points for each such event; they decay."),
        "where": Key(Raw({"type": "object"}), "Tests on the event's properties."),
        "if": Key(_CONDITION, "Points while this holds; they do not decay."),
        "points": Key(Number(), "How many; negative ones take away.", required=True),
    },
    one_of=("event", "if"),
)
SCORE = Record(
    "a score",
    {
        "rules": Key(ListOf(Raw(lambda: RULE), empty=True), "Points for events or while conditions hold."),
        "at_most": Key(Number(), "It never counts more than this."),
        "half_life": Key(Span(long=True), "Points of events are worth half after this time."),
        "thresholds": Key(MapOf(Via(_threshold, {}), "'thresholds'"), "Values whose crossing is an event."),
    },
)


# topics, forms and the small sections


def _by_locale(node: Node, at: Context) -> dict[str, str] | None:
    """A text by locale; a bare text is the project's."""
    if isinstance(node, Scalar):
        text = Text().read(node, at)
        return None if text is None else {at.project.locale: text}
    found: dict[str, str] | None = MapOf(Text(), "a text by locale", _LOCALE).read(node, at)
    return found


class _Locale:
    noun = "a locale such as fr or fr-CH"

    def read(self, node: Node, at: Context) -> str | None:
        found = word(node, at, self.noun)
        parts = found.text.replace("_", "-").split("-") if found else []
        if found and not (2 <= len(parts[0]) <= 3 and all(p.isalnum() for p in parts) and parts[0].isalpha()):
            at.add(node, "N216", f"{said(node)} is not a locale", "write 'fr' or 'fr-CH'")
            return None
        return found.text.replace("_", "-") if found else None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string"}


_LOCALE = _Locale()
_TEXTS = Via(_by_locale, {"type": ["string", "object"]})
BASES = ("consent", "soft_opt_in", "legitimate_interest", "service")


def _topic(got: Got, at: Context) -> Got | None:
    if any(got[key] is None for key in got.nodes):
        return None
    if got["basis"] == "legitimate_interest" and ("assessment" not in got or "countries" not in got):
        hint = "write 'assessment:' (a reference to it) and 'countries:' where it is allowed"
        at.add(got.nodes["basis"], "N504", "legitimate interest needs its assessment and the countries it covers", hint)
    if got["basis"] == "soft_opt_in" and "similar_to" not in got:
        hint = "write 'similar_to:', what was sold that the mails are about the like of; nothing else here can tell"
        at.warn(got.nodes["basis"], "N507", "a soft opt-in covers mails about similar products only", hint)
    return got


TOPIC = Record(
    "a topic",
    {
        "title": Key(_TEXTS, "What people read, by locale."),
        "wording": Key(_TEXTS, "The exact text agreed to, by locale."),
        "basis": Key(Choice(BASES), "The legal basis; consent if not written."),
        "double_opt_in": Key(Flag(), "A mail asks to confirm; true if not written."),
        "expires_after": Key(Span(long=True), "A consent ends after this time."),
        "similar_to": Key(Text(), "Of a soft opt-in: what was sold that its mails are about the like of."),
        "assessment": Key(Text(), "Of a legitimate interest: where its assessment lies."),
        "countries": Key(ListOf(Text("a country"), bare=True), "Of a legitimate interest: where it is allowed."),
    },
    _topic,
)
_INPUT = Record(
    "an input",
    {
        "label": Key(_TEXTS, "What people read beside it, by locale; the field's name if not written."),
        "choices": Key(MapOf(_TEXTS, "'choices'"), "Answers to pick one of: value, and what people read, by locale."),
        "lines": Key(Number("a count", 1, whole=True), "So many lines to write in; 1 if not written."),
    },
    lambda got, at: Input(got.get("label", {}), got.get("choices", {}), int(got.get("lines", 1))),
)


def _form(got: Got, at: Context) -> Got:
    inputs = got.nodes.get("inputs")
    for key, _ in inputs.entries if isinstance(inputs, Mapping) else ():
        if key.text not in got.get("fields", {}):
            at.unknown(key, "N302", "field of this form", got.get("fields", {}), "its 'fields:'")
    return got


FORM = Record(
    "a form",
    {
        "fields": Key(_SHAPES, "What is asked, with its type."),
        "title": Key(_TEXTS, "What people read, by locale."),
        "topics": Key(ListOf(Declared("topic"), bare=True), "Topics one may tick; never ticked beforehand."),
        "inputs": Key(MapOf(_INPUT, "'inputs'"), "How a field is asked for: its label, its choices."),
    },
    _form,
)
_CAP = Record(
    "a cap",
    {
        "at_most": Key(Number("a count", 1, whole=True), "So many marketing mails.", required=True),
        "per": Key(Span(), "In this rolling time.", required=True),
    },
    lambda got, at: Cap(got["at_most"], got["per"]) if got.whole("at_most", "per") else None,
)


def _no_date(node: Node, at: Context) -> str | None:
    found = Date("a day such as 2026-12-24").read(node, at)
    if found is not None and "T" in found.text:
        at.add(node, "N202", f"{said(node)} is not a whole day", "write '2026-12-24'")
        return None
    return found.text if found else None


_SENDER = Record(
    "'sender'",
    {
        "name": Key(Text(), "Who the mails are from."),
        "email": Key(Address(), "The address they are from."),
        "reply_to": Key(Address(), "Where answers go."),
        "postal_address": Key(Text(), "Printed in every marketing mail."),
    },
    lambda got, at: Sender(got.get("name", ""), got.get("email", ""), got["reply_to"], got.get("postal_address", "")),
)
_WEBHOOK = Record(
    "a webhook",
    {
        "url": Key(Text("an address"), "Where it is called; may be '${NAME}'.", required=True),
        "timeout": Key(Span(), "How long one call may take."),
        "erasures": Key(Flag(), "Told of every erasure of a lead, again and again until it is taken."),
    },
)
_ALERTS = Record(
    "'alerts'",
    {
        "blast": Key(
            Number("a count", 1, whole=True),
            "More leads at once, or more mails of one campaign in an hour, need a yes; 10,000 if not written.",
        ),
        "per_hour": Key(
            Number("a count", 1, whole=True),
            "More mails of all campaigns in an hour pause all but service mails.",
        ),
        "growth": Key(
            Number("a share such as 0.5", 0),
            "A larger growth of an audience needs a yes; 0.5 if not written.",
        ),
        "fallback": Key(Address(), "Who is told of alerts, and where a lead has no owner."),
    },
    lambda got, at: Alerts(got.get("blast", 10_000), got["fallback"], got["per_hour"], got.get("growth", 0.5)),
)


@dataclass(frozen=True)
class _Tracking:
    noun: str = "'true', 'false' or 'hygiene_only'"

    def read(self, node: Node, at: Context) -> bool | Literal["hygiene_only"] | None:
        if isinstance(node, Scalar) and node.text == "hygiene_only":
            return "hygiene_only"
        return Flag(self.noun).read(node, at)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"enum": [True, False, "hygiene_only"]}


LANGUAGE: dict[str, Key] = {
    "project": Key(Name("a project's name"), "The project's name.", required=True),
    "timezone": Key(Zone(), "The project's time zone, such as Europe/Paris."),
    "locale": Key(_LOCALE, "The project's language, such as fr."),
    "currency": Key(Name("a currency such as EUR"), "The project's currency, such as EUR."),
    "sender": Key(_SENDER, "Who the mails are from."),
    "funnel": Key(Raw(lambda: FUNNEL_SHORT), "The only funnel: a list of stages, in order."),
    "funnels": Key(Raw(lambda: MapOf(FUNNEL_SHORT)), "Funnels by name, each with its stages in order."),
    "pipelines": Key(Raw(lambda: MapOf(PIPELINE)), "Sales pipelines by name."),
    "scores": Key(Raw(lambda: MapOf(SCORE)), "Scores by name."),
    "topics": Key(Raw(lambda: MapOf(TOPIC)), "What a lead can agree to."),
    "segments": Key(Raw({"type": "object"}), "Named conditions."),
    "events": Key(MapOf(_SHAPES, "'events'", Name("an event", dots=False)), "Your events and their properties."),
    "attributes": Key(_SHAPES, "Attributes of leads besides the built-in ones."),
    "account_attributes": Key(_SHAPES, "Attributes of companies."),
    "forms": Key(Raw(lambda: MapOf(FORM)), "Hosted forms and their fields."),
    "caps": Key(Record("'caps'", {"marketing": Key(_CAP, "At most so many in a time.")}), "How much mail is too much."),
    "window": Key(Raw(lambda: WINDOW), "When mails may go, for all campaigns."),
    "holidays": Key(MapOf(ListOf(Via(_no_date, {"type": "string"})), "'holidays'"), "Your own lists of days, by name."),
    "teams": Key(MapOf(ListOf(Address(), bare=True), "'teams'"), "Teams by name, with their addresses."),
    "channels": Key(Raw({"type": "object"}), "Channels one can notify: a name and its webhook."),
    "webhooks": Key(MapOf(_WEBHOOK, "'webhooks'"), "What campaigns may call."),
    "alerts": Key(_ALERTS, "Who is told, and when a deploy asks."),
    "late_events": Key(Span(), "Events accepted later than this are facts only; 24h if not written."),
    "expires_after": Key(Span(), "A mail that could not go for so long is dropped; 72h if not written."),
    "tracking": Key(
        _Tracking(),
        "true: opens and clicks of those who agreed to it; hygiene_only: the day of the last opening and nothing else.",
    ),
}
