"""The sections of config.yaml that give campaigns their meaning: what may stand in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nurture.campaign.project import Alerts, Cap, Input, Sender, Shape
from nurture.campaign.reading.conditions import CONDITION
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.funnels import FUNNEL_SHORT, IN_ORDER, PIPELINE, RULES, SCORE
from nurture.campaign.reading.kinds import Either, Got, Key, ListOf, MapOf, Raw, Record, Via, word
from nurture.campaign.reading.names import Declared
from nurture.campaign.reading.scalars import Address, Choice, Date, Flag, Name, Number, Span, Text, Zone
from nurture.campaign.reading.schema import Schema, defined
from nurture.campaign.reading.windows import WINDOW
from nurture.campaign.source import Mapping, Node, Scalar, Sequence

TYPES = {"text": "text", "number": "number", "date": "date", "url": "url", "true/false": "bool", "bool": "bool"}


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


class _Shape:
    def schema(self, defs: dict[str, Schema]) -> Schema:
        again: Schema = {"$ref": "#/$defs/type"}
        mapping: Schema = {"type": "object", "additionalProperties": again, "minProperties": 1}
        words: Schema = {"enum": list(TYPES)}
        told = "text, number, date, url, true/false; a mapping of further names; or [{…}], a list of such mappings"
        listed: Schema = {"type": "array", "items": mapping, "minItems": 1, "maxItems": 1}
        return defined(defs, "type", {"description": told, "anyOf": [words, mapping, listed]})


class _Shapes:
    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "object", "additionalProperties": _Shape().schema(defs)}


_SHAPE = Via(read_shape, lambda: _Shape())
_SHAPES = Via(read_shapes, lambda: _Shapes())


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
        return {"type": "string", "pattern": "^[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*$", "examples": ["fr"]}


_LOCALE = _Locale()
_TEXTS = Via(_by_locale, lambda: Either("a text", Text(), None, MapOf(Text(), key=_LOCALE)))
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
        "title": Key(
            _TEXTS, "What people read, by locale.", example={"fr": "La lettre du thé", "en": "The tea letter"}
        ),
        "wording": Key(_TEXTS, "The exact text agreed to, by locale.", example={"en": "Yes, send me the tea letter."}),
        "basis": Key(Choice(BASES), "The legal basis.", default="consent"),
        "double_opt_in": Key(Flag(), "A mail asks to confirm.", default=True),
        "expires_after": Key(Span(long=True), "A consent ends after this time.", example="2y"),
        "similar_to": Key(
            Text(), "Of a soft opt-in: what was sold that its mails are about the like of.", example="teas"
        ),
        "assessment": Key(Text(), "Of a legitimate interest: where its assessment lies.", example="legal/lia-2026.pdf"),
        "countries": Key(
            ListOf(Text("a country"), bare=True), "Of a legitimate interest: where it is allowed.", example=["FR", "CH"]
        ),
    },
    _topic,
)
_CHOICES = {"green": {"en": "Green tea"}, "black": {"en": "Black tea"}}
_INPUT = Record(
    "an input",
    {
        "label": Key(
            _TEXTS,
            "What people read beside it, by locale; the field's name if not written.",
            example={"en": "Your name"},
        ),
        "choices": Key(
            MapOf(_TEXTS, "'choices'"),
            "Answers to pick one of: value, and what people read, by locale.",
            example=_CHOICES,
        ),
        "lines": Key(Number("a count", 1, whole=True), "So many lines to write in.", default=1),
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
        "fields": Key(_SHAPES, "What is asked, with its type.", example={"first_name": "text"}),
        "title": Key(_TEXTS, "What people read, by locale.", example={"en": "The restaurant tea guide"}),
        "topics": Key(
            ListOf(Declared("topic"), bare=True),
            "Topics one may tick; never ticked beforehand.",
            example=["newsletter"],
        ),
        "inputs": Key(
            MapOf(_INPUT, "'inputs'"),
            "How a field is asked for: its label, its choices.",
            example={"first_name": {"label": "Your name"}},
        ),
    },
    _form,
)
_CAP = Record(
    "a cap",
    {
        "at_most": Key(Number("a count", 1, whole=True), "So many marketing mails.", required=True, example=3),
        "per": Key(Span(), "In this rolling time.", required=True, example="7d"),
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
        "name": Key(Text(), "Who the mails are from.", example="Maison Frunza"),
        "email": Key(Address(), "The address they are from."),
        "reply_to": Key(Address(), "Where answers go."),
        "postal_address": Key(
            Text(), "Printed in every marketing mail.", example="12 rue du Samovar, 75011 Paris, France"
        ),
    },
    lambda got, at: Sender(got.get("name", ""), got.get("email", ""), got["reply_to"], got.get("postal_address", "")),
)
_WEBHOOK = Record(
    "a webhook",
    {
        "url": Key(
            Text("an address"),
            "Where it is called; may be '${NAME}'.",
            required=True,
            example="https://crm.example/hook",
        ),
        "timeout": Key(Span(), "How long one call may take.", default="10s"),
        "erasures": Key(Flag(), "Told of every erasure of a lead, again and again until it is taken.", default=False),
    },
)
_ALERTS = Record(
    "'alerts'",
    {
        "blast": Key(
            Number("a count", 1, whole=True),
            "More leads at once, or more mails of one campaign in an hour, need a yes.",
            default=10_000,
        ),
        "per_hour": Key(
            Number("a count", 1, whole=True),
            "More mails of all campaigns in an hour pause all but service mails.",
            example=20_000,
        ),
        "growth": Key(
            Number("a share such as 0.5", 0),
            "A larger growth of an audience needs a yes.",
            default=0.5,
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


_WHOLE_DAY: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$", "examples": ["2026-12-24"]}
_PIPELINES = {"wholesale": {"stages": [{"name": "tasting", "probability": "35%"}, "quote"], "lost": ["price"]}}
_EVENTS = {
    "page_viewed": {"path": "text"},
    "cart_updated": {"cart_id": "text", "total": "number"},
    "order_completed": {"cart_id": "text", "total": "number", "items": [{"name": "text", "category": "text"}]},
}
LANGUAGE: dict[str, Key] = {
    "project": Key(Name("a project's name"), "The project's name.", required=True, example="frunza"),
    "timezone": Key(Zone(), "The project's time zone.", default="UTC", example="Europe/Paris"),
    "locale": Key(_LOCALE, "The project's language.", default="en", example="fr"),
    "currency": Key(Name("a currency such as EUR"), "The project's currency.", default="EUR"),
    "sender": Key(
        _SENDER, "Who the mails are from.", example={"name": "Maison Frunza", "email": "lettre@frunza.example"}
    ),
    "funnel": Key(Raw(lambda: FUNNEL_SHORT), "The only funnel: a list of stages, in order.", example=IN_ORDER),
    "funnels": Key(
        Raw(lambda: MapOf(FUNNEL_SHORT)),
        "Funnels by name, each with its stages in order.",
        example={"shop": IN_ORDER},
    ),
    "pipelines": Key(Raw(lambda: MapOf(PIPELINE)), "Sales pipelines by name.", example=_PIPELINES),
    "scores": Key(
        Raw(lambda: MapOf(SCORE)), "Scores by name.", example={"interest": {"half_life": "30d", "rules": RULES}}
    ),
    "topics": Key(
        Raw(lambda: MapOf(TOPIC)), "What a lead can agree to.", example={"newsletter": {"title": "The tea letter"}}
    ),
    "segments": Key(Raw(lambda: MapOf(CONDITION)), "Named conditions.", example={"tea-drinkers": {"tag": "tea"}}),
    "events": Key(
        MapOf(_SHAPES, "'events'", Name("an event", dots=False)), "Your events and their properties.", example=_EVENTS
    ),
    "attributes": Key(
        _SHAPES, "Attributes of leads besides the built-in ones.", example={"favourite": "text", "birthday": "date"}
    ),
    "account_attributes": Key(_SHAPES, "Attributes of companies.", example={"seats": "number"}),
    "forms": Key(
        Raw(lambda: MapOf(FORM)),
        "Hosted forms and their fields.",
        example={"guide": {"fields": {"company": "text"}, "topics": ["newsletter"]}},
    ),
    "caps": Key(
        Record("'caps'", {"marketing": Key(_CAP, "At most so many in a time.", example={"at_most": 3, "per": "7d"})}),
        "How much mail is too much.",
    ),
    "window": Key(
        Raw(lambda: WINDOW),
        "When mails may go, for all campaigns.",
        example={"days": "mon-fri", "between": "09:00-18:00"},
    ),
    "holidays": Key(
        MapOf(ListOf(Via(_no_date, _WHOLE_DAY)), "'holidays'"),
        "Your own lists of days, by name.",
        example={"ours": ["2026-12-24"]},
    ),
    "teams": Key(
        MapOf(ListOf(Address(), bare=True), "'teams'"),
        "Teams by name, with their addresses.",
        example={"care": ["lea@frunza.example"]},
    ),
    "channels": Key(
        Raw(lambda: MapOf(Declared("webhook"))),
        "Channels one can notify: a name and its webhook.",
        example={"chat": "crm"},
    ),
    "webhooks": Key(MapOf(_WEBHOOK, "'webhooks'"), "What campaigns may call.", example={"crm": {"url": "${CRM_URL}"}}),
    "alerts": Key(
        _ALERTS, "Who is told, and when a deploy asks.", example={"fallback": "lea@frunza.example", "blast": 1000}
    ),
    "late_events": Key(Span(), "Events accepted later than this are facts only.", default="24h"),
    "expires_after": Key(Span(), "A mail that could not go for so long is dropped.", default="72h"),
    "tracking": Key(
        _Tracking(),
        "true: opens and clicks of those who agreed to it; hygiene_only: the day of the last opening and nothing else.",
        default=False,
    ),
}
