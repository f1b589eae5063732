"""Dates that are waited for: an attribute, a property of the entry event, an answer, or written out."""

from __future__ import annotations

from nurture.campaign.declared import field_type, lead_fields, locate, paths
from nurture.campaign.duration import Duration
from nurture.campaign.plan import DateRef
from nurture.campaign.project import Shape
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.kinds import Got, word
from nurture.campaign.reading.scalars import date_hint, moment
from nurture.campaign.reading.schema import Schema
from nurture.campaign.source import Node, Scalar

_HINT = "write 'lead.FIELD', 'entry.PROPERTY', 'data.WEBHOOK.FIELD' or a date such as 2026-11-27T18:00"


class DateSource:
    """`lead.FIELD`, `entry.PROPERTY`, `data.NAME.FIELD` or an ISO date, without offset and clock time."""

    noun = "a date: lead.FIELD, entry.PROPERTY or 2026-11-27T18:00"

    def read(self, node: Node, at: Context) -> DateRef | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        if (written := moment(found.text)) is not None:
            return DateRef("literal", (), written.text)
        scope, _, rest = found.text.removeprefix("enrollment.").partition(".")
        match scope:
            case "lead" if rest:
                return _declared("lead", rest, lead_fields(at.project), found, at)
            case "entry" if rest and at.scene.entry is not None:
                return _declared("entry", rest, at.scene.entry, found, at)
            case "entry" if at.scene.unsure:
                return None
            case "entry" if rest:
                at.add(node, "N318", "there is no entry event here, so it has no date")
            case "data" if rest:
                return _answer(rest, found, at)
            case _:
                at.add(
                    node, "N202", f"{said(node)} is not a date", date_hint(found.text) if scope[:1].isdigit() else _HINT
                )
        return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "minLength": 1, "examples": ["lead.birthday"]}


def _declared(source: str, rest: str, shapes: dict[str, Shape], node: Scalar, at: Context) -> DateRef | None:
    place = locate(shapes, rest)
    if place is None:
        whose = "attribute of a lead" if source == "lead" else "property of the entry event"
        known = [f"{source}.{path}" for path in paths(shapes)]
        at.unknown(node, "N313" if source == "lead" else "N302", whose, known, "a lead" if source == "lead" else "it")
        return None
    if field_type(place[1]) != "date":
        at.add(node, "N214", f"{said(node)} is not declared as a date")
        return None
    return DateRef("lead" if source == "lead" else "entry", place[0])


def _answer(rest: str, node: Scalar, at: Context) -> DateRef | None:
    name, _, path = rest.partition(".")
    if name not in at.project.webhooks or not path:
        at.unknown(node, "N307", "answer of a webhook", [f"data.{name}.FIELD" for name in at.project.webhooks])
        return None
    return DateRef("data", (name, *path.split(".")))


def moved(got: Got, key: str = "date") -> DateRef | None:
    """The date of a record with `date`, `offset` and `at`; None where one of them had a problem."""
    ref: DateRef | None = got[key]
    if ref is None or any(k in got and got[k] is None for k in ("offset", "at")):
        return None
    return DateRef(ref.source, ref.path, ref.text, got.get("offset", Duration()), got["at"])
