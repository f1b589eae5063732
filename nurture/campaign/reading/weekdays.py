"""Weekdays as they are written."""

from __future__ import annotations

from dataclasses import dataclass

from nurture.campaign.reading.context import Context
from nurture.campaign.reading.kinds import word
from nurture.campaign.reading.schema import Schema
from nurture.campaign.source import Node, Sequence

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Days:
    """Weekdays: `mon-fri`, `sat`, `[mon, wed]` or `mon,wed`; Monday is 0."""

    noun: str = "weekdays such as mon-fri"

    def read(self, node: Node, at: Context) -> tuple[int, ...] | None:
        items = node.items if isinstance(node, Sequence) else (node,)
        days: set[int] = set()
        for item in items:
            found = word(item, at, self.noun)
            for part in found.text.split(",") if found else []:
                days.update(self._range(part.strip(), item, at))
        return tuple(sorted(days)) or None

    def _range(self, text: str, node: Node, at: Context) -> list[int]:
        first, _, last = text.partition("-")
        start, end = _weekday(first, node, at), _weekday(last, node, at) if last else None
        if start is None or (last and end is None):
            return []
        if end is None:
            return [start]
        return [(start + n) % 7 for n in range((end - start) % 7 + 1)]

    def schema(self, defs: dict[str, Schema]) -> Schema:
        day = "|".join(WEEKDAYS)
        days: Schema = {
            "type": "string",
            "pattern": rf"^\s*({day})(-({day}))?(\s*,\s*({day})(-({day}))?)*\s*$",
            "patternErrorMessage": f"Weekdays are {', '.join(WEEKDAYS)}; a range is mon-fri.",
            "examples": ["mon-fri"],
        }
        return {"anyOf": [days, {"type": "array", "items": days, "minItems": 1}]}


def _weekday(text: str, node: Node, at: Context) -> int | None:
    short = text.strip()
    if short in WEEKDAYS:
        return WEEKDAYS.index(short)
    near = short[:3].lower()
    hint = f"write '{near}'" if near in WEEKDAYS else f"weekdays are {', '.join(WEEKDAYS)}; a range is 'mon-fri'"
    at.add(node, "N204", f"'{short[:20]}' is not a weekday", hint)
    return None
