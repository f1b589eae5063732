"""When time alone may change an answer.

A statement brings, beside the answers, the instants that relative tests hang on (the oldest event of a window, the day
a stage was entered). From each, and the test's duration, follows the first instant after the row's own at which its
test may turn. An edge that is early costs one more question; one that is late is a bug.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from nurture.campaign.duration import Duration
from nurture.store.batch import Calendar
from nurture.store.types import read_instant

TICK = timedelta(microseconds=1)
# Where a test lies inside an event or a list there may be many instants: it is asked again this often instead (S5).
NESTED_POLL = timedelta(minutes=15)
DECAY_POLL = timedelta(hours=1)
_CHANGE = timedelta(hours=3)  # longer than any change of clocks in use


@dataclass(frozen=True)
class Crossing:
    """The row's instant, moved by `offset`, comes to the base; with `strict`, goes past it."""

    offset: Duration
    strict: bool = False

    def after(self, base: Any, as_of: datetime, zone: str, calendar: Calendar) -> datetime | None:
        if isinstance(base, str) and len(base) == 10:
            return _earliest(
                crossing(midnight, as_of, self.offset, zone, calendar) for midnight in _midnights(base, zone, calendar)
            )
        instant = _read(base)
        if instant is None:
            return None
        return crossing(instant + TICK if self.strict else instant, as_of, self.offset, zone, calendar)


@dataclass(frozen=True)
class Anniversary:
    """A yearly day of the base comes within `ahead`, or is over."""

    ahead: Duration

    def after(self, base: Any, as_of: datetime, zone: str, calendar: Calendar) -> datetime | None:
        if isinstance(base, str) and len(base) == 10:
            days = _days(base)
        else:
            # Its UTC clock time stays, so its local day may be either neighbour of the day it has now.
            instant = _read(base)
            days = [] if instant is None else [instant.date() + timedelta(days=n) for n in (-1, 0, 1)]
        found: list[datetime | None] = []
        for day in days:
            for year in range(as_of.year - 1, calendar.shift(as_of, self.ahead, zone).year + 3):
                for midnight in _midnights(_in_year(day, year).isoformat(), zone, calendar):
                    found.append(crossing(midnight, as_of, self.ahead, zone, calendar))
                    found.append(crossing(midnight, as_of, Duration(), zone, calendar))
        return _earliest(found)


@dataclass(frozen=True)
class Poll:
    """Asked again so often, wherever the base is true."""

    every: timedelta

    def after(self, base: Any, as_of: datetime, zone: str, calendar: Calendar) -> datetime | None:
        return as_of + self.every if base else None


Edge = Crossing | Anniversary | Poll


def crossing(base: datetime, as_of: datetime, offset: Duration, zone: str, calendar: Calendar) -> datetime | None:
    """The first instant after `as_of` which, moved by `offset` in that zone, is not before `base`; None if past.

    A calendar step is no plain distance: a month before 28 March and before 31 March is 28 February, at the same clock
    time. So what has crossed may be behind the base once more at the next midnight, and the step back from the base is
    only a guess, to be proven or else searched for.
    """
    if offset.exact:
        flip = base - timedelta(seconds=offset.sign * offset.seconds)
        return flip if flip > as_of else None
    guess = calendar.shift(base, offset.negated(), zone)
    proven = guess > as_of and (
        calendar.shift(guess, offset, zone) >= base > calendar.shift(guess - TICK, offset, zone)
    )
    if proven and not (offset.months or offset.workdays):
        return guess  # days alone are moved one to one
    here = calendar.shift(as_of, offset, zone)
    if here >= base:
        return _relapse(here - base, as_of, offset, zone, calendar)
    found = guess if proven else _search(base, as_of, max(guess, as_of), offset, zone, calendar)
    return None if found is None else _first(found, base, as_of, offset, zone, calendar)


def _relapse(ahead: timedelta, as_of: datetime, offset: Duration, zone: str, calendar: Calendar) -> datetime | None:
    """When an instant that lies so far past its base may fall behind it; it never falls by more than a day."""
    here = calendar.local(as_of, zone)
    if ahead < _CHANGE and calendar.local(as_of + _CHANGE, zone) - here < _CHANGE:
        return as_of.replace(second=0, microsecond=0) + timedelta(minutes=1)  # clocks go back soon, on a whole minute
    if ahead < _CHANGE + timedelta(days=1) and (offset.months or offset.workdays):
        return calendar.moment((here.date() + timedelta(days=1)).isoformat(), zone)
    return None


def _search(
    base: datetime, low: datetime, high: datetime, offset: Duration, zone: str, calendar: Calendar
) -> datetime | None:
    step = timedelta(days=1)
    while calendar.shift(high, offset, zone) < base:
        high, step = high + step, step * 2
        if step > timedelta(days=4000):
            return None  # at the end of the years that have dates
    while high - low > TICK:
        middle = low + (high - low) / 2
        if calendar.shift(middle, offset, zone) >= base:
            high = middle
        else:
            low = middle
    return high


def _first(
    found: datetime, base: datetime, as_of: datetime, offset: Duration, zone: str, calendar: Calendar
) -> datetime:
    """Of the crossings at one clock time, the first: up to a week of days may be moved to one and the same day (the end
    of a month that is a weekend), and an hour may come twice."""
    earlier = [calendar.shift(found, Duration(days=n, sign=-1), zone) for n in range(7, 0, -1)]
    earlier += [found - timedelta(hours=1), found - timedelta(minutes=30)]
    crossed = (at for at in earlier if at > as_of and calendar.shift(at, offset, zone) >= base)
    return min(crossed, default=found)


def _read(base: Any) -> datetime | None:
    if isinstance(base, datetime):
        return base.astimezone(UTC)
    try:
        return read_instant(base)
    except (TypeError, ValueError):
        return None


def _days(text: str) -> list[date]:
    try:
        return [date.fromisoformat(text)]
    except ValueError:
        return []


def _midnights(text: str, zone: str, calendar: Calendar) -> list[datetime]:
    """The beginning and the end of a local day."""
    days = [day + timedelta(days=n) for day in _days(text) for n in (0, 1)]
    return [found for day in days if (found := calendar.moment(day.isoformat(), zone)) is not None]


def _in_year(day: date, year: int) -> date:
    leapt = (day.month, day.day) == (2, 29)
    return date(year, 2, 28) if leapt and not _has_29(year) else day.replace(year=year)


def _has_29(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _earliest(found: Any) -> datetime | None:
    return min((instant for instant in found if instant is not None), default=None)
