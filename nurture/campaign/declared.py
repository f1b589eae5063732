"""What may be tested and printed: the engine's own events and fields beside those a project declares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nurture.campaign.condition import FieldType
from nurture.campaign.project import Project, Shape

ANY_EVENT = "any"  # any event without a dot

LEAD_FIELDS: dict[str, Shape] = {
    "email": "text",
    "external_id": "text",
    "first_name": "text",
    "last_name": "text",
    "name": "text",
    "phone": "text",
    "country": "text",
    "locale": "text",
    "timezone": "text",
    "source": "text",
    "owner": "text",
    "created_at": "date",
    "last_opened_on": "date",  # where `tracking: hygiene_only` keeps it
}
ACCOUNT_FIELDS: dict[str, Shape] = {"id": "text", "name": "text"}

_DEAL: dict[str, Shape] = {
    "deal_id": "text",
    "pipeline": "text",
    "stage": "text",
    "amount": "number",
    "currency": "text",
    "reason": "text",
}
_MAIL: dict[str, Shape] = {"mail": "text"}
ENGINE_EVENTS: dict[str, dict[str, Shape]] = {
    "consent.granted": {"topic": "text"},
    "consent.withdrawn": {"topic": "text"},
    "form.submitted": {"form": "text"},  # and the form's own fields
    "mail.sent": _MAIL,
    "mail.clicked": _MAIL,
    "mail.replied": _MAIL,
    "mail.bounced": _MAIL,
    "stage.entered": {"stage": "text", "funnel": "text", "from": "text", "reason": "text"},
    "score.crossed": {"score": "text", "threshold": "text", "value": "number", "direction": "text"},
    "lead.changed": {},  # any attribute
    "deal.opened": _DEAL,
    "deal.moved": _DEAL,
    "deal.won": _DEAL,
    "deal.lost": _DEAL,
}
# Properties of the engine's events whose values are names declared elsewhere.
_MAIL_NAMES = {"mail": "mail"}
_DEAL_NAMES = {"pipeline": "pipeline", "stage": "deal stage"}
NAMING: dict[str, dict[str, str]] = {
    "consent.granted": {"topic": "topic"},
    "consent.withdrawn": {"topic": "topic"},
    "form.submitted": {"form": "form"},
    "stage.entered": {"stage": "stage", "from": "stage"},
    "score.crossed": {"score": "score"},
    **{name: _MAIL_NAMES for name in ENGINE_EVENTS if name.startswith("mail.")},
    **{name: _DEAL_NAMES for name in ENGINE_EVENTS if name.startswith("deal.")},
}


def lead_fields(project: Project) -> dict[str, Shape]:
    """Built-in fields and the project's own; an own declaration of a built-in name changes nothing."""
    return {**project.attributes, **LEAD_FIELDS}


def account_fields(project: Project) -> dict[str, Shape]:
    return {**project.account_attributes, **ACCOUNT_FIELDS}


def event_names(project: Project) -> list[str]:
    return [*project.events, *ENGINE_EVENTS]


def event_properties(project: Project, event: str, forms: Iterable[str] = ()) -> dict[str, Shape] | None:
    """The declared properties of an event, None where it is not declared. `forms` are those a `form.submitted` is
    narrowed to; without them, and for `any`, everything that could be there."""
    if event == ANY_EVENT:
        return united(project.events.values())
    if event == "form.submitted":
        chosen = [project.forms[name] for name in forms if name in project.forms] or list(project.forms.values())
        return {**united(form.fields for form in chosen), **ENGINE_EVENTS[event]}
    if event == "lead.changed":
        return lead_fields(project)
    return ENGINE_EVENTS.get(event) or project.events.get(event)


def united(shapes: Iterable[Mapping[str, Shape]]) -> dict[str, Shape]:
    """All names; one that is declared in two ways is text."""
    union: dict[str, Shape] = {}
    for shape in shapes:
        for name, kind in shape.items():
            union[name] = kind if union.get(name, kind) == kind else "text"
    return union


def locate(shapes: Mapping[str, Shape], dotted: str) -> tuple[tuple[str, ...], Shape] | None:
    """Where a name such as `total` or `address.city` leads, and what is declared there."""
    if dotted in shapes:
        return (dotted,), shapes[dotted]
    head, _, rest = dotted.partition(".")
    inner = shapes.get(head)
    if not rest or not isinstance(inner, dict):
        return None
    found = locate(inner, rest)
    return ((head, *found[0]), found[1]) if found else None


def field_type(shape: Shape) -> FieldType | None:
    """The type tests go by; None for a mapping, which is tested by its parts."""
    match shape:
        case "text" | "number" | "date" | "url" | "bool":
            return shape
        case list():
            return "list"
    return None


def paths(shapes: Mapping[str, Shape]) -> list[str]:
    """Every name one may test, mappings by their dotted parts."""
    found: list[str] = []
    for name, shape in shapes.items():
        found += [f"{name}.{inner}" for inner in paths(shape)] if isinstance(shape, dict) else [name]
    return found
