"""When mails may go out: weekdays, clock times, holidays, and whose clock."""

from __future__ import annotations

import msgspec


class ClockTime(msgspec.Struct, frozen=True, order=True):
    """A local time of day to the minute; `24:00` is minute 1440, the end of the day."""

    minute: int

    def __str__(self) -> str:
        return f"{self.minute // 60:02}:{self.minute % 60:02}"


class Window(msgspec.Struct, frozen=True, omit_defaults=True):
    """Open on `days` (Monday is 0) between `opens` and `closes`, local to `zone`, but not on a holiday.

    `closes` not after `opens` runs into the next morning and belongs to the day it opened on. `zone` is `lead`,
    `project` or an IANA name. `holidays` are country codes (`FR`, `CH-ZH`) or names of the project's own lists.
    """

    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    opens: ClockTime = ClockTime(0)
    closes: ClockTime = ClockTime(1440)
    zone: str = "lead"
    holidays: tuple[str, ...] = ()
