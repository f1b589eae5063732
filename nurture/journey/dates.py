"""Dates that come round: a date waited for, birthdays and renewals, schedules.

Only instants and their keys are made here; local time itself is `timing`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from nurture.campaign.duration import Duration
from nurture.campaign.plan import DateRef, EnterDate, EnterSchedule
from nurture.journey.timing import (
    FUTURE,
    Workdays,
    add_calendar,
    at_clock,
    at_local,
    local,
    read_moment,
    shift,
    zone_name,
)


class Occurrence(msgspec.Struct, frozen=True):
    """One time that a date or schedule comes round. `key` is the enrollment's: a local date or date-time in words."""

    at: datetime
    key: str


def resolve_date(
    ref: DateRef, values: Mapping[str, Mapping[str, Any]], zone: str, *, workdays: Workdays | None = None
) -> datetime | None:
    """The instant a date reference names, past or not; None where the value is missing or no date.

    `values` holds what `lead`, `entry` and `data` name. Moved by the offset first, then set to the clock time.
    """
    if ref.source == "literal":
        value: Any = ref.text
    else:
        value = values.get(ref.source)
        for name in ref.path:
            value = value.get(name) if isinstance(value, Mapping) else None
    found = read_moment(value, zone)
    if found is None:
        return None
    return at_clock(shift(found, ref.offset, zone, workdays=workdays), ref.at, zone)


def anniversary(day: date, year: int) -> date:
    """That day in another year; 29 February is the 28th where there is none (S14)."""
    try:
        return day.replace(year=year)
    except ValueError:
        return day.replace(year=year, day=28)


def next_date(
    enter: EnterDate, value: object, zone: str, after: datetime, *, workdays: Workdays | None = None
) -> Occurrence | None:
    """The first time after `after` that the date is near, with the date itself as the key.

    Not yearly: its only time, or None when that is not after `after`. With a `catch_up` the caller passes an `after`
    that lies so far back. None where the value is no date. A yearly date first counts in its own year.
    """
    moment = read_moment(value, zone)
    if moment is None:
        return None
    base = local(moment, zone)
    if not enter.yearly:
        years = range(base.year, base.year + 1)
    else:
        reach = 2 + abs(enter.offset.at_most_seconds()) // (365 * 86_400)
        here = local(after, zone).year
        years = range(max(base.year, here - reach), max(base.year, here) + reach + 1)
    for year in years:
        day = anniversary(base.date(), year)
        start = at_local(datetime.combine(day, base.time()), zone)
        at = at_clock(shift(start, enter.offset, zone, workdays=workdays), enter.at, zone)
        if at > after:
            return Occurrence(at, day.isoformat())
    return None


def _times(one: Duration, count: int) -> Duration:
    return Duration(one.months * count, one.days * count, one.workdays * count, one.seconds * count, one.sign)


def next_occurrence(
    enter: EnterSchedule, after: datetime, lead_zone: str | None, project_zone: str
) -> Occurrence | None:
    """The first occurrence after `after`, in the zone the schedule is in; None when there is no more, or none to read.

    Each is counted from the first, so a monthly one on the 31st comes back to the 31st. `until` is the last instant
    allowed. The key is the occurrence in the schedule's own words, the same in every zone.
    """
    wanted = {"lead": lead_zone, "project": None}.get(enter.zone, enter.zone)
    zone = zone_name(wanted, project_zone)
    base = read_moment(enter.at, zone)
    if base is None:
        return None
    written = datetime.fromisoformat(enter.at.strip()).replace(tzinfo=None)
    repeat = enter.repeat

    def occurrence(count: int) -> Occurrence:
        if not count or repeat is None:
            return Occurrence(base, written.isoformat(timespec="minutes"))
        step = _times(repeat, count)
        try:
            nominal = add_calendar(written, step) + timedelta(seconds=step.seconds)
        except (OverflowError, ValueError):
            return Occurrence(FUTURE, "")
        return Occurrence(shift(base, step, zone), nominal.isoformat(timespec="minutes"))

    found = occurrence(0)
    if found.at <= after:
        if repeat is None or repeat.at_least_seconds() <= 0:
            return None
        found = occurrence(_first_after(occurrence, after, base, repeat))
    last = read_moment(enter.until, zone) if enter.until is not None else FUTURE
    return found if found.at > after and found.at <= (last or FUTURE) and found.key else None


def _first_after(occurrence: Any, after: datetime, base: datetime, repeat: Duration) -> int:
    """The count of the first occurrence after `after`: found by halving, since occurrences only go forward."""
    low, high = 0, int((after - base).total_seconds()) // repeat.at_least_seconds() + 2
    while high - low > 1:
        middle = (low + high) // 2
        if occurrence(middle).at > after:
            high = middle
        else:
            low = middle
    return high
