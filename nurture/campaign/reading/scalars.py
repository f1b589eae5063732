"""Words with a type: durations, clock times, dates, shares, numbers, names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from nurture.campaign.condition import Moment
from nurture.campaign.duration import Duration, read_duration
from nurture.campaign.problems import did_you_mean
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.kinds import one_of_words, word
from nurture.campaign.reading.schema import Schema, defined
from nurture.campaign.source import PLACEHOLDER, Node, Scalar
from nurture.campaign.window import ClockTime

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_WHOLE = re.compile(r"[+-]?\d{1,15}")
_NAME = re.compile(r"[^\W_][\w./ -]*")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?")
_ADDRESS = r"[^\s@<>,;\"]+@[^\s@<>,;\"]+"
_SPOKEN = re.compile(r"([+-]?)(\d+)\s*([a-zA-Z]+)\.?")
_UNITS = {
    "mo": ("month", "months", "mon"),
    "bd": ("workday", "workdays", "businessday", "businessdays", "wd"),
    "m": ("min", "mins", "minute", "minutes"),
    "h": ("hr", "hrs", "hour", "hours"),
    "d": ("day", "days"),
    "w": ("wk", "week", "weeks"),
    "y": ("yr", "year", "years"),
    "s": ("sec", "secs", "second", "seconds"),
}
_UNITS_TOLD = "45s, 15m (minutes), 36h, 3d, 2w, 3mo (months), 1y, 5bd (working days), or together: 1d12h"
_DURATION: Schema = {
    "type": "string",
    "pattern": r"^\+?(?=.*[1-9])(\d{1,9}(mo|bd|[smhdwy])){1,9}$",
    "patternErrorMessage": f"Write how long: {_UNITS_TOLD}.",
    "examples": ["3d"],
}
_OFFSET: Schema = {
    "type": "string",
    "pattern": r"^[+-]?(\d{1,9}(mo|bd|[smhdwy])){1,9}$",
    "patternErrorMessage": f"Write how much: {_UNITS_TOLD}; -30d is before, 30d after.",
    "examples": ["-30d"],
}


@dataclass(frozen=True)
class Text:
    noun: str = "a text"
    example: str = ""

    def read(self, node: Node, at: Context) -> str | None:
        found = word(node, at, self.noun)
        return found.text if found else None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        text: Schema = {"type": ["string", "number", "boolean"], "minLength": 1}
        return {**text, "examples": [self.example]} if self.example else text


@dataclass(frozen=True)
class Name:
    """A name of the user's own: letters, digits, `. / - _` and spaces inside. `dots`: whether a dot may be in it."""

    noun: str = "a name"
    dots: bool = True

    def read(self, node: Node, at: Context) -> str | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        if not _NAME.fullmatch(found.text) or len(found.text) > 120:
            at.add(node, "N209", f"{said(node)} is not {self.noun}", "use letters, digits, '-', '_' and '/'")
            return None
        if not self.dots and "." in found.text:
            at.add(node, "N209", f"{said(node)} has a dot; only the engine's own names do", "use '_' or '-'")
            return None
        return found.text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": ["string", "number"], "minLength": 1, "maxLength": 120}


@dataclass(frozen=True)
class Choice:
    words: tuple[str, ...]

    @property
    def noun(self) -> str:
        return one_of_words(self.words)

    def read(self, node: Node, at: Context) -> str | None:
        found = word(node, at, self.noun)
        if found is None or found.text in self.words:
            return found.text if found else None
        at.add(node, "N207", f"{said(node)} is not one of {self.noun}", did_you_mean(found.text, self.words))
        return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Flag:
    noun: str = "'true' or 'false'"

    def read(self, node: Node, at: Context) -> bool | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        if found.text in ("true", "false"):
            return found.text == "true"
        hint = {"yes": "write 'true'", "on": "write 'true'", "no": "write 'false'", "off": "write 'false'"}
        at.add(node, "N208", f"{said(node)} is neither 'true' nor 'false'", hint.get(found.text.lower(), ""))
        return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Number:
    """A number, whole where it is written so. `least` and `most` count as inside."""

    noun: str = "a number"
    least: float | None = None
    most: float | None = None
    whole: bool = False

    def read(self, node: Node, at: Context) -> int | float | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        value = number(found.text)
        if value is None or (self.whole and not isinstance(value, int)):
            kind = "a whole number" if self.whole else "a number"
            at.add(node, "N206", f"{said(node)} is not {kind}", _number_hint(found.text))
            return None
        if (self.least is not None and value < self.least) or (self.most is not None and value > self.most):
            at.add(node, "N212", f"{said(node)} is out of range; {self.noun} is {self._range()}")
            return None
        return value

    def _range(self) -> str:
        if self.least is not None and self.most is not None:
            return f"{self.least:g} to {self.most:g}"
        return f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"

    def schema(self, defs: dict[str, Schema]) -> Schema:
        schema: Schema = {"type": "integer" if self.whole else "number"}
        if self.least is not None:
            schema["minimum"] = self.least
        if self.most is not None:
            schema["maximum"] = self.most
        return schema


def number(text: str) -> int | float | None:
    """The number a text says; None where it says none (`1,5`, `0x10`, `1_000`, `nan` are none)."""
    if _WHOLE.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        value = float(text)
        return value if abs(value) < 1e300 else None
    return None


def _number_hint(text: str) -> str:
    if number(text.replace(",", ".")) is not None:
        return f"write '{text.replace(',', '.')}'"
    stripped = text.rstrip("%€$ ")
    return f"write '{stripped}'" if number(stripped) is not None else ""


@dataclass(frozen=True)
class Share:
    """A share of a hundred, `25%` → 25.0."""

    noun: str = "a share such as 25%"

    def read(self, node: Node, at: Context) -> float | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        value = number(found.text[:-1].strip()) if found.text.endswith("%") else None
        if value is None or not 0 <= value <= 100:
            bare = number(found.text)
            hint = f"write '{bare:g}%'" if bare is not None and bare > 1 else "write a share as '25%'"
            if bare is not None and 0 < bare <= 1:
                hint = f"write '{bare * 100:g}%'"
            at.add(node, "N205", f"{said(node)} is not a share of 0% to 100%", hint)
            return None
        return float(value)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {
            "type": "string",
            "pattern": r"^(100(\.0*)?|\d{1,2}(\.\d*)?)\s*%$",
            "patternErrorMessage": "Write a share as 25%.",
            "examples": ["50%"],
        }


@dataclass(frozen=True)
class Span:
    """A duration. `signed`: it may be negative; `long`: minutes there are likely meant as months."""

    noun: str = "a duration such as 3d"
    signed: bool = False
    long: bool = False
    zero: bool = False

    def read(self, node: Node, at: Context) -> Duration | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        value = read_duration(found.text)
        if value is None:
            at.add(node, "N201", f"{said(node)} is not a duration", _duration_hint(found.text))
            return None
        if value.months > 1200 or value.days + value.workdays > 40_000 or value.seconds > 3_500_000_000:
            at.add(node, "N201", f"{said(node)} is longer than a hundred years")
            return None
        if value.sign < 0 and not self.signed:
            at.add(node, "N201", f"{said(node)} is negative; a time to pass is not", f"write '{value.negated()}'")
            return None
        if value.zero and not (self.zero or self.signed):
            at.add(node, "N201", f"{said(node)} is no time at all", "write how long, such as '3d'")
            return None
        if self.long and value.exact and 0 < value.seconds < 3600 and found.text.endswith("m"):
            at.warn(node, "N220", f"{said(node)} is minutes", f"months are written '{found.text}o'")
        return value

    def schema(self, defs: dict[str, Schema]) -> Schema:
        if self.signed:
            return defined(defs, "offset", _OFFSET)
        return {**defined(defs, "duration", _DURATION), **({"examples": ["2y"]} if self.long else {})}


def _duration_hint(text: str) -> str:
    if _WHOLE.fullmatch(text):
        return f"a bare number says no unit; write '{text}d' for days or '{text}h' for hours"
    if (spoken := _SPOKEN.fullmatch(text.strip())) and len(text) < 20:
        sign, digits, unit = spoken.groups()
        for short, long in _UNITS.items():
            if unit == short or unit.lower() in long:
                return f"write '{sign}{digits}{short}'"
        if unit.lower() in ("d", "h", "w", "y", "s"):
            return f"write '{sign}{digits}{unit.lower()}'"
        if unit == "M":
            return f"write '{sign}{digits}mo' for months or '{sign}{digits}m' for minutes"
    if re.fullmatch(r"\d+[.,]\d+\s*[hdw]", text):
        return "write whole numbers: '1h30m', '1d12h'"
    return "write it as 45s, 15m (minutes), 36h, 3d, 2w, 3mo (months), 1y, 5bd (working days) or together: 1d12h"


@dataclass(frozen=True)
class Clock:
    """A time of day. `end`: 24:00 may be written, the end of the day."""

    noun: str = "a time of day such as 09:00"
    end: bool = False

    def read(self, node: Node, at: Context) -> ClockTime | None:
        found = word(node, at, self.noun)
        return clock(found.text, found, at, end=self.end) if found else None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {
            "type": "string",
            "pattern": r"^([01]?\d|2[0-3]):[0-5]\d$",
            "patternErrorMessage": "Write a time of day as 09:00 (24-hour).",
            "examples": ["09:00"],
        }


def clock(text: str, node: Node, at: Context, *, end: bool = False) -> ClockTime | None:
    if found := _CLOCK.fullmatch(text.strip()):
        minute = int(found[1]) * 60 + int(found[2])
        if int(found[2]) < 60 and minute < (1441 if end else 1440):
            return ClockTime(minute)
    at.add(node, "N203", f"'{text.strip()[:20]}' is not a time of day", _clock_hint(text))
    return None


def _clock_hint(text: str) -> str:
    match = re.fullmatch(r"(\d{1,2})(?:[:.h](\d\d))?\s*([aApP])?\.?[mM]?\.?h?", text.strip())
    if match and int(match[1]) < 24 and int(match[2] or 0) < 60:
        hour = int(match[1])
        if match[3]:
            hour = hour % 12 + (12 if match[3] in "pP" else 0)
        return f"write '{hour:02}:{match[2] or '00'}' (24-hour)"
    return "write it as '09:00' (24-hour)"


@dataclass(frozen=True)
class Date:
    """An ISO 8601 date or date-time, kept as written; without an offset it is local time."""

    noun: str = "a date such as 2026-11-27T09:30"

    def read(self, node: Node, at: Context) -> Moment | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        value = moment(found.text)
        if value is None:
            at.add(node, "N202", f"{said(node)} is not a date", date_hint(found.text))
        return value

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {
            "type": "string",
            "pattern": f"^{_DATE.pattern}$",
            "patternErrorMessage": "Write a date year first: 2026-11-27 or 2026-11-27T09:30.",
            "examples": ["2026-11-27T09:30"],
        }


def moment(text: str) -> Moment | None:
    """The date a text says in ISO 8601, None for anything else (`2026-02-30` too)."""
    if not _DATE.fullmatch(text):
        return None
    try:
        datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return Moment(text.replace(" ", "T"))


def date_hint(text: str) -> str:
    if found := re.fullmatch(r"(\d{1,2})[./](\d{1,2})[./](\d{4})", text):
        day, month, year = found.groups()
        if int(month) <= 12:
            return f"write it year first: '{year}-{int(month):02}-{int(day):02}'"
    if _DATE.fullmatch(text):
        return "there is no such day or hour"
    return "write it as '2026-11-27' or '2026-11-27T09:30', with '+01:00' behind if it shall not be local time"


@dataclass(frozen=True)
class Zone:
    """An IANA time zone, or one of `words`."""

    words: tuple[str, ...] = ()
    noun: str = "a time zone such as Europe/Paris"

    def read(self, node: Node, at: Context) -> str | None:
        found = word(node, at, self.noun)
        if found is None or found.text in self.words or unresolved(found):
            return found.text if found else None
        try:
            ZoneInfo(found.text)
        except (ValueError, OSError, KeyError):
            zones = available_timezones() | set(self.words)
            also = f"{one_of_words(self.words)}, or " if self.words else ""
            hint = f"{did_you_mean(found.text, zones)} write {also}a name such as 'Europe/Paris'".strip()
            at.add(node, "N210", f"{said(node)} is not a time zone", hint)
            return None
        return found.text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        plain: Schema = {"type": "string", "minLength": 1, "examples": ["Europe/Paris"]}
        return {"anyOf": [{"enum": list(self.words)}, plain]} if self.words else plain


@dataclass(frozen=True)
class Address:
    noun: str = "an e-mail address"

    def read(self, node: Node, at: Context) -> str | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        if not is_address(found.text) and not unresolved(found):
            at.add(node, "N211", f"{said(node)} is not an e-mail address")
            return None
        return found.text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {
            "type": "string",
            "pattern": rf"^{_ADDRESS}$|\$\{{",
            "patternErrorMessage": "This is not an e-mail address.",
            "examples": ["lea@frunza.example"],
        }


def is_address(text: str) -> bool:
    """The form of an address; whether it can be mailed is found when it is mailed."""
    return re.fullmatch(_ADDRESS, text) is not None


def unresolved(node: Scalar) -> bool:
    """A `${NAME}` still stands in it, so its value cannot be judged here."""
    return PLACEHOLDER.search(node.text) is not None
