"""Who we talk to: the fields of a lead, and what callers' traits become.

Built-in fields are columns; everything else is an attribute. Declared attributes are stored in their declared type:
numbers as numbers, dates as `YYYY-MM-DD` or as the fixed-width UTC text of an instant, so that comparing needs no
guessing; what is undeclared, or cannot be read as declared, stays as given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

LeadId = int
Moment = Callable[[str], datetime | None]  # reads a date-time as written; without an offset in the zone it was made for

SHARDS = 64
LONGEST_TEXT = 10_000  # characters of a built-in field; longer ones are cut

# Built-in fields by the names callers use: ours, and Segment's reserved traits.
BUILT_IN: Mapping[str, str] = {
    "email": "email",
    "first_name": "first_name",
    "firstName": "first_name",
    "last_name": "last_name",
    "lastName": "last_name",
    "name": "name",
    "phone": "phone",
    "country": "country",
    "locale": "locale",
    "timezone": "zone",
    "source": "source",
    "owner": "owner",
}
OPENED_ON = "last_opened_on"  # an attribute that only the program sets: the day of the last opening (trust C20)
_NOT_ATTRIBUTES = frozenset({"id", "created_at", "createdAt", "external_id", "account_id", "restricted", OPENED_ON})
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII)


def shard_of(lead: LeadId) -> int:
    """0–63, for ever the same for an id. Integers small enough that both databases compute it too (Knuth's
    multiplicative hash on 16 bits)."""
    return lead * 40_503 % 65_536 // 1_024


def field_name(column: str) -> str:
    """The name a campaign knows a column by."""
    return "timezone" if column == "zone" else column


def split_traits(traits: Mapping[str, Any]) -> tuple[dict[str, str | None], dict[str, Any]]:
    """Traits as (built-in columns, attributes). An empty text clears a built-in field; other values become text.

    Segment's `address: {country}` is read where no `country` is given; `createdAt` and ids are not a caller's to set.
    """
    columns: dict[str, str | None] = {}
    attributes: dict[str, Any] = {}
    for name, value in traits.items():
        column = BUILT_IN.get(name)
        if column is None:
            if name not in _NOT_ATTRIBUTES:
                attributes[name] = value
        elif value is None or isinstance(value, (str, int, float)):
            text = "" if value is None else str(value).strip()[:LONGEST_TEXT]
            columns[column] = text or None
    address = traits.get("address")
    if "country" not in columns and isinstance(address, Mapping) and isinstance(address.get("country"), str):
        columns["country"] = address["country"].strip()[:LONGEST_TEXT] or None
    return columns, attributes


def typed(shape: Any, value: Any, moment: Moment) -> Any:
    """`value` as declared by `shape` (a type's name, a mapping, or [mapping] for a list); as given where it does not
    fit: one dirty value must not lose an event."""
    match shape:
        case "number":
            return _number(value)
        case "date":
            return _date(value, moment)
        case "bool" | "true/false":
            return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value
        case "text" | "url":
            return _text(value)
        case {} if isinstance(value, Mapping):
            return typed_fields(shape, value, moment)
        case [inner] if isinstance(value, list):
            return [typed(inner, item, moment) for item in value]
    return value


def typed_fields(shapes: Mapping[str, Any], values: Mapping[str, Any], moment: Moment) -> dict[str, Any]:
    """Every declared field of `values` in its type; undeclared ones as given."""
    return {n: typed(shapes[n], v, moment) if n in shapes and v is not None else v for n, v in values.items()}


def instant_text(instant: datetime) -> str:
    """UTC, microseconds, fixed width: text order is time order."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _number(value: Any) -> Any:
    if not isinstance(value, str) or not _NUMBER.fullmatch(value.strip()):
        return value
    text = value.strip()
    number = float(text)
    if not math.isfinite(number):
        return value
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,15}", text) else number


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


def _date(value: Any, moment: Moment) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        if len(text) == 10:
            return date.fromisoformat(text).isoformat()
        found = moment(text)
    except ValueError:
        return value
    return instant_text(found) if found is not None and found.year >= 1000 else value
