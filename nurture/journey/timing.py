"""Local time: the one module that knows zones, clock changes, windows, holidays and calendar steps.

Everything that comes in and goes out is an aware UTC instant. One rule for clock changes holds throughout (trust R9): a
local time inside a gap is the first valid instant after it, a local time that happens twice is the first of the two.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from nurture.campaign.duration import Duration
from nurture.campaign.project import Project
from nurture.campaign.window import ClockTime, Window
from nurture.errors import UserError

PAST = datetime(1, 1, 3, tzinfo=UTC)  # a calendar step never leaves [PAST, FUTURE]: local time exists on both sides
FUTURE = datetime(9998, 12, 30, tzinfo=UTC)
SEARCH_DAYS = 3 * 366  # a window that opens on no day of three years never opens
_WEEKDAYS = (0, 1, 2, 3, 4)
_Lists = tuple[tuple[str, ...] | None, ...]  # a project's own list of dates, None for a country


class NeverOpen(UserError):
    """A window that opens on no day of the next three years."""


# ---------------------------------------------------------------------------------------------------- zones


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):  # misspelt, outside the database's folder, or a folder of it ("America")
        return None


def known_zone(name: str) -> bool:
    """True for an IANA name this machine knows."""
    return bool(name) and _zone(name) is not None


def zone_name(lead_zone: str | None, project_zone: str) -> str:
    """The lead's zone where it is known, else the project's, else UTC."""
    if lead_zone and _zone(lead_zone) is not None:
        return lead_zone
    return project_zone if known_zone(project_zone) else "UTC"


def _must(name: str) -> ZoneInfo:
    found = _zone(name) if name else None
    return found if found is not None else ZoneInfo("UTC")


def local(instant: datetime, zone: str) -> datetime:
    """The naive local time at that instant."""
    return instant.astimezone(_must(zone)).replace(tzinfo=None)


def at_local(naive: datetime, zone: str) -> datetime:
    """The UTC instant of a naive local time; in a gap the first valid instant after it, in a fold the first."""
    where = _must(zone)
    found = naive.replace(tzinfo=where, fold=0).astimezone(UTC)
    if found.astimezone(where).replace(tzinfo=None) == naive:
        return found
    # In a gap the two readings (offset before, offset after) lie on both sides of the change: search it to the second.
    low = naive.replace(tzinfo=where, fold=1).astimezone(UTC)
    high, before = found, low.astimezone(where).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle <= low:
            break
        if middle.astimezone(where).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


# ---------------------------------------------------------------------------------------------------- holidays


@lru_cache(maxsize=512)
def _country(code: str, year: int) -> frozenset[date]:
    import holidays  # 70 ms to import, and few projects name a country

    country, _, part = code.partition("-")
    try:
        return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))
    except NotImplementedError:
        return frozenset()


@lru_cache(maxsize=512)
def known_holidays(code: str) -> bool:
    """True for a country (`FR`) or a part of one (`CH-ZH`) whose public holidays are known."""
    import holidays

    country, _, part = code.partition("-")
    try:
        holidays.country_holidays(country, subdiv=part or None)
    except NotImplementedError:
        return False
    return True


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


class Workdays(msgspec.Struct, frozen=True):
    """The days on which work is done: weekdays, less public holidays of `countries`, less the `off` days."""

    days: tuple[int, ...] = _WEEKDAYS
    countries: tuple[str, ...] = ()
    off: frozenset[date] = frozenset()

    def works(self, day: date) -> bool:
        if day.weekday() not in self.days or day in self.off:
            return False
        return not any(day in _country(code, day.year) for code in self.countries)


@lru_cache(maxsize=256)
def _workdays(days: tuple[int, ...], names: tuple[str, ...], lists: _Lists) -> Workdays:
    countries = tuple(name for name, own in zip(names, lists, strict=True) if own is None)
    off = frozenset(day for own in lists for text in own or () if (day := _day(text)) is not None)
    return Workdays(days, countries, off)


def workdays(window: Window | None, project: Project) -> Workdays:
    """The working days `bd` counts: the window's days less its holidays; Monday to Friday without a window."""
    if window is None or not window.days:
        return Workdays()
    lists = tuple(project.holidays.get(name) for name in window.holidays)
    return _workdays(window.days, window.holidays, lists)


# ---------------------------------------------------------------------------------------------------- durations


def _add_months(day: datetime, months: int) -> datetime:
    """The same day of the month so many months on; a missing day becomes the month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return day.replace(year=year, month=month + 1, day=min(day.day, monthrange(year, month + 1)[1]))


def _add_workdays(day: datetime, count: int, work: Workdays) -> datetime:
    step, left, idle = timedelta(days=1 if count > 0 else -1), abs(count), 0
    while left:
        day += step
        works = work.works(day.date())
        left -= works
        idle = 0 if works else idle + 1
        if idle > SEARCH_DAYS:
            raise OverflowError
    return day


def add_calendar(naive: datetime, duration: Duration, work: Workdays | None = None) -> datetime:
    """A naive local time moved by months, then days, then working days; the exact seconds are left alone."""
    if duration.months:
        naive = _add_months(naive, duration.sign * duration.months)
    if duration.days:
        naive += timedelta(days=duration.sign * duration.days)
    if duration.workdays:
        naive = _add_workdays(naive, duration.sign * duration.workdays, work or Workdays())
    return naive


def shift(instant: datetime, duration: Duration, zone: str, *, workdays: Workdays | None = None) -> datetime:
    """The instant that lies the duration away: calendar parts at the same local time in `zone`, then exact seconds.

    `1bd` goes to the next working day at the same local time, from a Saturday too. Beyond the years that have a local
    time everywhere the answer is `FUTURE` or `PAST`; nothing is raised.
    """
    try:
        if not duration.exact:
            instant = at_local(add_calendar(local(instant, zone), duration, workdays), zone)
        instant += timedelta(seconds=duration.sign * duration.seconds)
    except (OverflowError, ValueError):
        return FUTURE if duration.sign > 0 else PAST
    return min(max(instant, PAST), FUTURE)


# ---------------------------------------------------------------------------------------------------- windows


class _Hours:
    """One window on one zone's clock; the spans it is open, by local day, computed once a day."""

    __slots__ = ("_closes", "_opens", "_spans", "_work", "_zone")

    def __init__(self, opens: int, closes: int, zone: str, work: Workdays) -> None:
        self._opens, self._zone, self._work = timedelta(minutes=opens), zone, work
        # Not after its opening: it runs into the next morning and belongs to the day it opened on.
        self._closes = timedelta(minutes=closes if closes > opens else closes + 1440)
        self._spans: dict[int, tuple[datetime, datetime] | None] = {}

    def _span(self, ordinal: int) -> tuple[datetime, datetime] | None:
        try:
            return self._spans[ordinal]
        except KeyError:
            day = date.fromordinal(ordinal)
            span = None
            if self._work.works(day):
                midnight = datetime.combine(day, time())  # naive: local to the zone
                span = (at_local(midnight + self._opens, self._zone), at_local(midnight + self._closes, self._zone))
                if span[0] >= span[1]:  # a day that a zone leapt over
                    span = None
            if len(self._spans) > 8192:
                self._spans.clear()
            self._spans[ordinal] = span
            return span

    def next(self, now: datetime) -> datetime:
        today = now.astimezone(_must(self._zone)).toordinal()
        for ordinal in range(today - 1, today + SEARCH_DAYS):
            span = self._span(ordinal)
            if span is not None and now < span[1]:
                return max(now, span[0])
        raise NeverOpen("this window never opens", hint="look at its days and holidays")


@lru_cache(maxsize=4096)
def _hours(
    window: tuple[tuple[int, ...], int, int],
    zone: str,
    names: tuple[str, ...],
    lists: tuple[tuple[str, ...] | None, ...],
) -> _Hours:
    days, opens, closes = window
    return _Hours(opens, closes, zone, _workdays(days, names, lists))


def window_zone(window: Window, lead_zone: str | None, project: Project) -> str:
    """The zone whose clock the window is on."""
    if window.zone == "lead":
        return zone_name(lead_zone, project.zone)
    return zone_name(None if window.zone == "project" else window.zone, project.zone)


def next_open(window: Window | None, now: datetime, lead_zone: str | None, project: Project) -> datetime:
    """The first instant from `now` on at which the window is open: `now` itself where it is, or without a window.

    The closing minute itself is outside. Raises NeverOpen when it opens on no day of three years.
    """
    if window is None:
        return now
    lists = tuple(project.holidays.get(name) for name in window.holidays) if window.holidays else ()
    hours = (window.days, window.opens.minute, window.closes.minute)
    return _hours(hours, window_zone(window, lead_zone, project), window.holidays, lists).next(now)


def is_open(window: Window | None, now: datetime, lead_zone: str | None, project: Project) -> bool:
    """True while mails may go out; a window that never opens is closed."""
    try:
        return next_open(window, now, lead_zone, project) == now
    except NeverOpen:
        return False


# ---------------------------------------------------------------------------------------------------- clock times


def until(at: ClockTime, days: tuple[int, ...], now: datetime, zone: str, *, after_this: bool = False) -> datetime:
    """The next time a clock in `zone` shows `at`, on one of `days` (0 is Monday; none named: any).

    Reached within that very minute it is `now`: a worker that comes a second late and a rehearsal that is exact agree.
    With `after_this` that minute does not count: one mail then does not follow another at once.
    """
    here = local(now, zone).replace(second=0, microsecond=0)
    midnight = here.replace(hour=0, minute=0)
    for ahead in range(-1, 9 + 7):
        day = midnight + timedelta(days=ahead)
        if days and day.weekday() not in days:
            continue
        named = day + timedelta(minutes=at.minute)
        then = at_local(named, zone)
        if named == here and not after_this and now - then < timedelta(minutes=1):
            return now
        if then > now:
            return then
    raise NeverOpen("no such weekday")  # only for days outside 0–6, which no campaign can say


def read_moment(value: object, zone: str) -> datetime | None:
    """The instant of an ISO 8601 date or date-time; without an offset it is local to `zone`, a date is its midnight.

    None for everything else: one dirty value must not end a batch.
    """
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo is not None else at_local(value, zone)
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value.strip())
        found = read.astimezone(UTC) if read.tzinfo is not None else at_local(read, zone)
    except (ValueError, OverflowError):
        return None
    return found if PAST <= found <= FUTURE else None


def at_clock(instant: datetime, at: ClockTime | None, zone: str) -> datetime:
    """The same local day at that clock time; the instant itself where none is named."""
    if at is None:
        return instant
    midnight = local(instant, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return at_local(midnight + timedelta(minutes=at.minute), zone)
