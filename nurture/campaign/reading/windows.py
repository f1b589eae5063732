"""Sending windows and holidays as they are written."""

from __future__ import annotations

from functools import cache

from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.kinds import Either, Got, Key, ListOf, Record, word
from nurture.campaign.reading.scalars import Zone, clock
from nurture.campaign.reading.schema import Schema
from nurture.campaign.reading.weekdays import Days
from nurture.campaign.source import Node, Scalar
from nurture.campaign.window import ClockTime, Window

NO_WINDOW = "none"


class Between:
    """`09:00-20:00`, read to the two times."""

    noun = "opening hours such as 09:00-20:00"

    def read(self, node: Node, at: Context) -> tuple[ClockTime, ClockTime] | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        first, dash, last = found.text.replace("–", "-").partition("-")
        if not dash:
            at.add(node, "N203", f"{said(node)} is not a span of the day", "write it as '09:00-20:00'")
            return None
        opens, closes = clock(first, node, at), clock(last, node, at, end=True)
        if opens is None or closes is None:
            return None
        if opens == closes:
            at.add(node, "N332", "this window never opens: it closes the minute it opens", "'00:00-24:00' is all day")
            return None
        return opens, closes

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {
            "type": "string",
            "pattern": r"^\s*([01]?\d|2[0-3]):[0-5]\d\s*[-–]\s*(([01]?\d|2[0-3]):[0-5]\d|24:00)\s*$",
            "patternErrorMessage": "Write opening hours as 09:00-20:00.",
            "examples": ["09:00-20:00"],
        }


class Holidays:
    """A country such as `FR` or `CH-ZH`, or a list of the project's own."""

    noun = "a country such as FR or CH-ZH, or one of your own lists"

    def read(self, node: Node, at: Context) -> str | None:
        found = word(node, at, self.noun)
        if found is None or found.text in at.project.holidays:
            return found.text if found else None
        country, _, region = found.text.partition("-")
        known = countries()
        if country in known and (not region or region in known[country]):
            return found.text
        names = [
            *at.project.holidays,
            *(known if "-" not in found.text else [f"{country}-{r}" for r in known.get(country, ())]),
        ]
        at.unknown(found, "N312", "holidays", names, "the list of holidays")
        return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "minLength": 1, "examples": ["FR"]}


@cache
def countries() -> dict[str, tuple[str, ...]]:
    """Countries whose holidays are known, with their regions."""
    import holidays  # 0.2 s, and most checks never ask

    return {country: tuple(regions) for country, regions in holidays.list_supported_countries().items()}


def _window(got: Got, at: Context) -> Window | None:
    if not got.nodes or any(got[key] is None for key in got.nodes):
        return None
    opens, closes = got.get("between", (ClockTime(0), ClockTime(1440)))
    return Window(
        days=got.get("days", (0, 1, 2, 3, 4, 5, 6)),
        opens=opens,
        closes=closes,
        zone=got.get("zone", "lead"),
        holidays=got.get("holidays", ()),
    )


WINDOW = Record(
    "a window",
    {
        "days": Key(Days(), "Weekdays such as mon-fri."),
        "between": Key(Between(), "Opening hours such as 09:00-20:00; they may run past midnight."),
        "zone": Key(Zone(("lead", "project")), "Whose clock: lead, project or a time zone.", default="lead"),
        "holidays": Key(
            ListOf(Holidays(), bare=True), "Closed on these holidays: countries or lists of your own.", example="FR"
        ),
    },
    _window,
)


class _None:
    noun = "'none'"

    def read(self, node: Node, at: Context) -> str | None:
        assert isinstance(node, Scalar)
        if node.text == NO_WINDOW:
            return NO_WINDOW
        at.add(node, "N207", f"{said(node)} is not a window", "write 'none' or {days: mon-fri, between: 09:00-18:00}")
        return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"const": NO_WINDOW}


STEP_WINDOW = Either("a window or 'none'", _None(), None, WINDOW)
