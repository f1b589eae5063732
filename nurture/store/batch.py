"""The relation `b` that conditions are asked over: one row per (lead, enrollment, event, key, instant), sent as one
JSON parameter, so that a thousand rows cost one statement.

SQL cannot step by calendar days in a lead's zone. So every relative time of the questions is computed here, per row,
and travels as further columns of `b`: as an instant, as the day it falls on, or as the end of that day.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import CTE, BigInteger, ColumnElement, Text, bindparam, cast, func, literal_column, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB

from nurture.campaign.condition import Moment
from nurture.campaign.duration import Duration
from nurture.journey import timing
from nurture.store.types import UTCDateTime, instant_text

Form = Literal["instant", "at", "day", "day_end", "day_end_at", "day_start", "leap"]

# `b.n` is the row's place in the batch; the rest is what the row was built with.
_FIXED = ("lead", "as_of", "enrollment", "event", "key")
_ENCODER = msgspec.json.Encoder()


class Row(NamedTuple):
    """What a question is asked of. `as_of` is "now" in it; `zone` the lead's IANA zone, or the project's.

    `event` is the event at hand (a trigger's, an entry's); `key` the key an enrollment would get. Where `enrollment` is
    given, its own key and entry count instead.
    """

    lead: int
    as_of: datetime
    zone: str
    enrollment: int | None = None
    event: int | None = None
    key: str | None = None


@dataclass(frozen=True)
class Calendar:
    """Local time, as `journey.timing` knows it; an argument so that a test may bring its own."""

    shift: Callable[[datetime, Duration, str], datetime] = timing.shift
    moment: Callable[[object, str], datetime | None] = timing.read_moment
    local: Callable[[datetime, str], datetime] = timing.local


class Slot(NamedTuple):
    """One computed column: a signed distance from the row's instant, or a date as written, in one form."""

    source: Duration | Moment
    form: Form


def is_day(moment: Moment) -> bool:
    """A date without a time means the whole day in the lead's zone."""
    return len(moment.text.strip()) == 10


@dataclass
class Columns:
    """The columns of `b` that a statement needs, gathered while it is compiled, filled for each batch."""

    sqlite: bool
    slots: list[Slot] = field(default_factory=list)

    def fixed(self, name: str) -> ColumnElement[Any]:
        kind: Any = {"as_of": UTCDateTime, "key": Text}.get(name, BigInteger)
        return literal_column(f"b.{name}", kind)

    def need(self, source: Duration | Moment, form: Form) -> ColumnElement[Any]:
        """A column of `b`. `instant`, `day_start` and `day_end` are UTC text, `at` and `day_end_at` the same as a
        timestamp, `day` is local; `leap` is how a 29 February is kept in that day's year, as `MM-DD`."""
        slot = Slot(source, form)
        if slot not in self.slots:
            self.slots.append(slot)
        kind: Any = UTCDateTime if form in ("at", "day_end_at") else Text
        return literal_column(f"b.t{self.slots.index(slot)}", kind)

    def relation(self) -> CTE:
        """`b` itself; materialised, or every reference to a column would parse the parameter again."""
        payload = bindparam("batch", "", type_=Text)
        if self.sqlite:
            each = func.json_each(payload).table_valued("key", "value", name="j")
            picked = [
                each.c.key.label("n"),
                *(func.json_extract(each.c.value, f"$[{i}]").label(name) for i, (name, _) in enumerate(self._names())),
            ]
        else:
            each = (
                func.jsonb_array_elements(cast(payload, JSONB))
                .table_valued("value", with_ordinality="n", name="j", joins_implicitly=True)
                .render_derived()
            )
            value = type_coerce(each.c.value, JSONB)
            picked = [
                (each.c.n - 1).label("n"),
                *(cast(value[i].astext, kind).label(name) for i, (name, kind) in enumerate(self._names())),
            ]
        return select(*picked).cte("b").prefix_with("MATERIALIZED")

    def _names(self) -> list[tuple[str, Any]]:
        kinds: dict[str, Any] = {"as_of": UTCDateTime, "key": Text}
        timed = ("at", "day_end_at")
        return [(name, kinds.get(name, BigInteger)) for name in _FIXED] + [
            (f"t{i}", UTCDateTime if slot.form in timed else Text) for i, slot in enumerate(self.slots)
        ]

    def payload(self, rows: Sequence[Row], calendar: Calendar) -> str:
        """The JSON parameter for these rows. Rows with the same instant and zone share their computed columns."""
        known: dict[tuple[datetime, str], list[str | None]] = {}
        values: list[list[Any]] = []
        for lead, as_of, zone, enrollment, event, key in rows:
            times = known.get((as_of, zone))
            if times is None:
                times = known[as_of, zone] = [instant_text(as_of), *self._times(as_of, zone, calendar)]
            values.append([lead, times[0], enrollment, event, key, *times[1:]])
        return _ENCODER.encode(values).decode()

    def _times(self, as_of: datetime, zone: str, calendar: Calendar) -> list[str | None]:
        bases: dict[Duration | Moment, datetime | None] = {}
        texts = []
        for source, form in self.slots:
            if source not in bases:
                bases[source] = _instant(source, as_of, zone, calendar)
            base = bases[source]
            texts.append(None if base is None else _in_form(base, form, zone, calendar))
        return texts


def _instant(source: Duration | Moment, as_of: datetime, zone: str, calendar: Calendar) -> datetime | None:
    if isinstance(source, Moment):
        return calendar.moment(source.text, zone)
    return as_of if source.zero else calendar.shift(as_of, source, zone)


def _in_form(base: datetime, form: Form, zone: str, calendar: Calendar) -> str | None:
    if form in ("instant", "at"):
        return instant_text(base)
    day = calendar.local(base, zone).date()
    match form:
        case "day":
            return day.isoformat()
        case "leap":
            return "02-29" if isleap(day.year) else "02-28"
        case "day_start":
            edge = calendar.moment(day.isoformat(), zone)
        case _:
            edge = calendar.moment((day + timedelta(days=1)).isoformat(), zone)
    return None if edge is None else instant_text(edge)
