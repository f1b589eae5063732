"""Durations as authors write them: exact hours beside calendar days, months and working days.

`h`, `m`, `s` are exact. `d`, `w`, `mo`, `y`, `bd` are calendar steps taken in a zone at the same local time; the
arithmetic lives in `journey.timing`, this module only reads, holds and writes them.
"""

from __future__ import annotations

import re

import msgspec

_PART = re.compile(r"([0-9]{1,9})(mo|bd|[smhdwy])")
_DAY, _MONTH = 86_400, 2_629_746  # seconds; of a month the mean
_WHOLE = re.compile(r"[+-]?(?:[0-9]{1,9}(?:mo|bd|[smhdwy])){1,9}")


class Duration(msgspec.Struct, frozen=True, omit_defaults=True):
    """A length of time: calendar parts first, then the exact seconds. `sign` is -1 for `-30d`.

    `months` holds `mo` and 12 × `y`; `days` holds `d` and 7 × `w`; `workdays` holds `bd`; `seconds` the exact rest.
    """

    months: int = 0
    days: int = 0
    workdays: int = 0
    seconds: int = 0
    sign: int = 1

    @property
    def exact(self) -> bool:
        """True where no calendar is needed to add it."""
        return not (self.months or self.days or self.workdays)

    @property
    def zero(self) -> bool:
        return self.exact and not self.seconds

    def at_least_seconds(self) -> int:
        """A lower bound in seconds, for ordering durations and for lint (28-day months, 23-hour days)."""
        return self.sign * (self.months * 28 * 82_800 + (self.days + self.workdays) * 82_800 + self.seconds)

    def at_most_seconds(self) -> int:
        """An upper bound in seconds (31-day months, 25-hour days, three calendar days a working day)."""
        return self.sign * (self.months * 31 * 90_000 + (self.days + 3 * self.workdays) * 90_000 + self.seconds)

    def mean_seconds(self) -> int:
        """Its mean length, for decay, which is no matter of calendars: a day has 24 hours, a working day too, a month
        is a twelfth of the Gregorian year of 365.2425 days."""
        return self.sign * (self.months * _MONTH + (self.days + self.workdays) * _DAY + self.seconds)

    def negated(self) -> Duration:
        return msgspec.structs.replace(self, sign=-self.sign)

    def __str__(self) -> str:
        years, months = divmod(self.months, 12)
        hours, rest = divmod(self.seconds, 3600)
        minutes, seconds = divmod(rest, 60)
        parts = [(years, "y"), (months, "mo"), (self.days, "d"), (self.workdays, "bd"), (hours, "h"), (minutes, "m")]
        text = "".join(f"{n}{unit}" for n, unit in [*parts, (seconds, "s")] if n)
        return ("-" if self.sign < 0 else "") + (text or "0h")


def read_duration(text: str) -> Duration | None:
    """`45s 15m 36h 3d 2w 3mo 1y 5bd` or several together (`1d12h`), with an optional sign; None for anything else."""
    text = text.strip()
    if not _WHOLE.fullmatch(text):
        return None
    months = days = workdays = seconds = 0
    for digits, unit in _PART.findall(text):
        n = int(digits)
        match unit:
            case "y":
                months += 12 * n
            case "mo":
                months += n
            case "w":
                days += 7 * n
            case "d":
                days += n
            case "bd":
                workdays += n
            case "h":
                seconds += 3600 * n
            case "m":
                seconds += 60 * n
            case _:
                seconds += n
    return Duration(months, days, workdays, seconds, -1 if text.startswith("-") else 1)
