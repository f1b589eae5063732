"""The keys of a mapping file: what one may say of a row, block by block."""

from __future__ import annotations

from typing import get_args

from nurture.campaign.project import Basis
from nurture.campaign.reading.context import Context
from nurture.campaign.reading.kinds import Either, Key, Record
from nurture.campaign.reading.schema import Schema, document
from nurture.campaign.source import Node
from nurture.lead.soft_opt_in import KINDS

BASES: tuple[Basis, ...] = get_args(Basis)
CONSENT_STATES = ("granted", "withdrawn")
OUTCOMES = ("open", "won", "lost")


class _Template:
    """A text, or Jinja over `row`; `words` are those a constant text may be."""

    noun = "a text or a template over `row`"

    def __init__(self, *words: str) -> None:
        self._words = words

    def read(self, node: Node, at: Context) -> Node:
        return node

    def schema(self, defs: dict[str, Schema]) -> Schema:
        if not self._words:
            return {"type": ["string", "number", "boolean", "null"]}
        jinja: Schema = {"type": "string", "pattern": r"\{\{|\{%"}
        return {"anyOf": [{"enum": list(self._words)}, {**jinja, "patternErrorMessage": "One of the words, or Jinja."}]}


class _Values:
    noun = "names with a template each"

    def read(self, node: Node, at: Context) -> Node:
        return node

    def schema(self, defs: dict[str, Schema]) -> Schema:
        value = _Template().schema(defs)
        defs.setdefault(
            "values", {"type": "object", "additionalProperties": {"anyOf": [value, {"$ref": "#/$defs/values"}]}}
        )
        return {"$ref": "#/$defs/values"}


def _row(doc: str, column: str, *, required: bool = False) -> Key:
    return Key(_Template(), doc, required, f"{{{{ row.{column} }}}}")


def _text(doc: str, example: str, *words: str, required: bool = False) -> Key:
    return Key(_Template(*words), doc, required, example)


_LEAD = {
    "email": _row("The address; this or 'external_id' finds the lead again.", "email"),
    "external_id": _row("Your own id of the lead.", "id"),
    "first_name": _row("What one is called by.", "first_name"),
    "last_name": _row("The family's name.", "last_name"),
    "name": _row("The whole name, where it is not in parts.", "name"),
    "phone": _row("A telephone number.", "phone"),
    "country": _row("The country's two letters, such as FR.", "country"),
    "locale": _row("The language, such as fr.", "language"),
    "timezone": _row("The time zone, such as Europe/Paris.", "timezone"),
    "source": _text("Where the lead comes from.", "tea fair"),
    "owner": _row("The address of the colleague it belongs to.", "owner"),
    "created_at": _row("Since when you have known it.", "first_contact"),
}
_STAGE = {
    "name": _text("The stage it stands in.", "customer", required=True),
    "since": _row("The day it entered the stage; reports count from it.", "first_contact", required=True),
    "reason": _text("Why it stands there.", "bought at the fair"),
}
_SALE: dict[str, str] = {
    "sale": "the sale it rests on, such as the receipt's number",
    "contract": "the contract it rests on",
    "account": "the account it rests on",
    "inquiry": "the inquiry it rests on",
}
# A consent nobody can trace is none (trust C13).
_CONSENT: dict[str, Key] = {
    "topic": _text("What was agreed to.", "newsletter", required=True),
    "basis": _text(
        "What allows you to write: consent, soft_opt_in, legitimate_interest or service.",
        "consent",
        *BASES,
        required=True,
    ),
    "at": _row("When it was given.", "agreed_at", required=True),
    "source": _text(
        "Where it was given, such as 'sign-up form'; a consent nobody can trace is none.", "sign-up form", required=True
    ),
    "wording": _text("The words that stood beside the tick box.", "Yes, send me the tea letter."),
    "state": _text("Whether it was given or taken back.", "granted", *CONSENT_STATES),
    "locale": _row("The language of the words.", "language"),
    "evidence": _row("What proves it, such as the number of a form.", "form_number"),
    **{kind: _row(f"Of a soft opt-in: {_SALE.get(kind, 'what it rests on')}.", "receipt") for kind in KINDS},
    "sold_at": _row("Of a soft opt-in: when it was sold.", "bought_on"),
    "objection_offered": _row("Of a soft opt-in: whether one could say no then; yes or no.", "could_say_no"),
}
_EVENT = {
    "lead": _row("Whose event it is: an address or your own id.", "user_id", required=True),
    "name": _text("The event, as config.yaml declares it.", "order_completed", required=True),
    "at": _row("When it happened.", "time", required=True),
    "id": _row("Your own id of the event; the same one twice counts once.", "id"),
    "properties": Key(
        Either("its properties", _Template(), None, _Values()),
        "Its properties, each a template; or one that makes JSON.",
        example={"total": "{{ row.total }}"},
    ),
}
_DEAL = {
    "lead": _row("Whose deal it is: an address or your own id.", "customer_id", required=True),
    "pipeline": _text("The pipeline it is in.", "wholesale", required=True),
    "stage": _row("Where it stands.", "stage"),
    "amount": _row("What it is worth.", "amount"),
    "currency": _text("In which currency.", "EUR"),
    "opened_at": _row("When it was opened.", "opened_at"),
    "closed_at": _row("When it was won or lost.", "closed_at"),
    "outcome": _text("How it ended.", "won", *OUTCOMES),
    "owner": _row("The address of the colleague it belongs to.", "owner"),
    "reason": _row("Why it was won or lost.", "reason"),
    "id": _row("Your own id of the deal.", "id"),
}
FIELDS: dict[str, dict[str, Key]] = {
    "lead": _LEAD,
    "stage": _STAGE,
    "consent": _CONSENT,
    "event": _EVENT,
    "deal": _DEAL,
}
_BLOCKS: dict[str, Key] = {
    "lead": Key(Record("'lead'", _LEAD), "Who the row is of.", example={"email": "{{ row.email }}"}),
    "stage": Key(Record("'stage'", _STAGE), "Where the lead stands, and since when."),
    "attributes": Key(_Values(), "The lead's attributes, as declared.", example={"favourite": "{{ row.tea }}"}),
    "consent": Key(Record("'consent'", _CONSENT), "What the lead agreed to; without it no marketing mail goes out."),
    "event": Key(Record("'event'", _EVENT), "What happened, for 'nurture import events'."),
    "deal": Key(Record("'deal'", _DEAL), "A deal of sales, for 'nurture import deals'."),
}
BLOCKS = tuple(_BLOCKS)


def mapping_schema() -> Schema:
    """JSON Schema (2020-12) of a mapping file."""
    defs: dict[str, Schema] = {}
    body = Record("a mapping file", _BLOCKS).schema(defs)
    body["properties"]["lead"]["anyOf"] = [{"required": ["email"]}, {"required": ["external_id"]}]
    body["dependentRequired"] = {block: ["lead"] for block in ("stage", "attributes", "consent")}
    return document(
        "nurture mapping", "What a row of a table is: a lead, an event or a deal; for 'nurture import'.", body, defs
    )
