"""Time over many zones and dates: clock changes, windows, steps of the calendar, draws."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from nurture.campaign.duration import Duration, read_duration
from nurture.campaign.plan import EnterDate, EnterSchedule
from nurture.campaign.project import Project
from nurture.campaign.window import ClockTime, Window
from nurture.journey.dates import anniversary, next_date, next_occurrence
from nurture.journey.draw import draw, point
from nurture.journey.timing import at_local, is_open, local, next_open, shift, until

ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Zurich",
        "America/Sao_Paulo",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Africa/Casablanca",
        "Pacific/Apia",
        "America/St_Johns",
        "Asia/Gaza",
        "Pacific/Kiritimati",
    ]
)
INSTANTS = st.datetimes(datetime(2005, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))
NAIVE = st.datetimes(datetime(2005, 1, 1), datetime(2037, 1, 1))
MINUTES = st.integers(0, 1439).map(ClockTime)
DAYS = st.sets(st.integers(0, 6), min_size=1).map(lambda found: tuple(sorted(found)))
WINDOWS = st.builds(Window, days=DAYS, opens=MINUTES, closes=st.integers(1, 1440).map(ClockTime))
DURATIONS = st.builds(
    Duration,
    months=st.integers(0, 30),
    days=st.integers(0, 60),
    workdays=st.integers(0, 30),
    seconds=st.integers(0, 200_000),
    sign=st.sampled_from([1, -1]),
)
QUIET = settings(deadline=None)  # a busy machine is no failure


@QUIET
@given(NAIVE, ZONES)
def test_r9_a_local_time_that_exists_is_met_and_one_in_a_gap_is_passed_once(naive: datetime, zone: str) -> None:
    found = at_local(naive, zone)
    shown = local(found, zone)
    assert shown >= naive
    if shown != naive:  # in a gap: one microsecond earlier the clock had not reached it
        assert local(found - timedelta(microseconds=1), zone) < naive


@QUIET
@given(INSTANTS, ZONES)
def test_r9_of_a_time_that_happens_twice_it_is_the_first(instant: datetime, zone: str) -> None:
    assert at_local(local(instant, zone), zone) <= instant


@QUIET
@given(NAIVE, st.integers(0, 86_400 * 3), ZONES)
def test_later_local_times_are_never_earlier_instants_across_a_day(naive: datetime, more: int, zone: str) -> None:
    assert at_local(naive + timedelta(days=1, seconds=more), zone) >= at_local(naive, zone)


@QUIET
@given(INSTANTS, DURATIONS, ZONES)
def test_a_shift_goes_the_way_of_its_sign(instant: datetime, duration: Duration, zone: str) -> None:
    moved = shift(instant, duration, zone)
    # A day or two of calendar may be an hour short of a clock change's repetition, never more.
    slack = timedelta(hours=2)
    assert moved >= instant - slack if duration.sign > 0 else moved <= instant + slack


@QUIET
@given(INSTANTS, DURATIONS, ZONES)
def test_a_shift_lies_between_the_durations_bounds(instant: datetime, duration: Duration, zone: str) -> None:
    plain = Duration(duration.months, duration.days, 0, duration.seconds, duration.sign)
    low, high = sorted((plain.at_least_seconds(), plain.at_most_seconds()))
    moved = (shift(instant, plain, zone) - instant).total_seconds()
    assert low - 90_000 <= moved <= high + 90_000


@QUIET
@given(INSTANTS, st.integers(0, 60), ZONES)
def test_whole_days_keep_the_local_time_outside_of_a_gap(instant: datetime, days: int, zone: str) -> None:
    moved = shift(instant, Duration(days=days), zone)
    wanted = local(instant, zone) + timedelta(days=days)
    assert moved == (instant if days == 0 else at_local(wanted, zone))


@QUIET
@given(WINDOWS, INSTANTS, ZONES)
def test_the_next_opening_is_open_and_nothing_before_it_is(window: Window, now: datetime, zone: str) -> None:
    project = Project(zone=zone)
    opens = next_open(window, now, None, project)
    assert opens >= now
    assert is_open(window, opens, None, project)
    if opens > now:
        assert not is_open(window, now, None, project)
        assert not is_open(window, opens - timedelta(microseconds=1), None, project)
        middle = now + (opens - now) / 2
        assert next_open(window, middle, None, project) == opens


@QUIET
@given(WINDOWS, INSTANTS, ZONES)
def test_an_opening_is_on_a_day_of_the_window(window: Window, now: datetime, zone: str) -> None:
    opens = local(next_open(window, now, None, Project(zone=zone)), zone)
    overnight = window.closes <= window.opens
    days = {opens.weekday(), (opens - timedelta(days=1)).weekday()} if overnight else {opens.weekday()}
    assert days & set(window.days)


@QUIET
@given(MINUTES, DAYS, INSTANTS, ZONES)
def test_a_clock_time_comes_within_its_week_on_its_days(
    at: ClockTime, days: tuple[int, ...], now: datetime, zone: str
) -> None:
    then = until(at, days, now, zone)
    # Samoa has left out a day: its weekday came two weeks apart.
    assert now <= then <= now + timedelta(days=15)
    shown = local(then, zone).replace(second=0, microsecond=0)
    named = shown.replace(hour=0, minute=0) + timedelta(minutes=at.minute)
    assert shown == named or at_local(named, zone) == then or shown.date() != local(now, zone).date()


@QUIET
@given(MINUTES, INSTANTS, ZONES)
def test_r9_a_daily_time_comes_once_a_local_day(at: ClockTime, now: datetime, zone: str) -> None:
    seen = []
    for _ in range(5):
        now = until(at, (), now, zone, after_this=True)
        seen.append(local(now, zone).date())
    assert len(set(seen)) == len(seen)


@QUIET
@given(st.dates(date(1930, 1, 1), date(2030, 1, 1)), INSTANTS, ZONES)
def test_s14_a_birthday_comes_once_a_year(day: date, now: datetime, zone: str) -> None:
    enter = EnterDate(("birthday",), at=ClockTime(540), yearly=True)
    first = next_date(enter, str(day), zone, now)
    assert first is not None
    second = next_date(enter, str(day), zone, first.at)
    assert second is not None
    assert (int(second.key[:4]) - int(first.key[:4]), second.at > first.at > now) == (1, True)


@QUIET
@given(st.dates(), st.integers(1, 9999))
def test_s14_every_day_has_an_anniversary_in_every_year(day: date, year: int) -> None:
    found = anniversary(day, year)
    assert found.year == year
    assert found.month == day.month
    assert found.day == day.day or (day.month, day.day, found.day) == (2, 29, 28)


@QUIET
@given(INSTANTS, ZONES, st.sampled_from(["1d", "1w", "1mo", "36h"]))
def test_s15_occurrences_come_one_after_the_other_with_a_key_each(after: datetime, zone: str, every: str) -> None:
    enter = EnterSchedule("2004-01-31T02:30", repeat=read_duration(every))
    keys, now = [], after
    for _ in range(4):
        hit = next_occurrence(enter, now, zone, "UTC")
        assert hit is not None
        assert hit.at > now
        keys.append(hit.key)
        now = hit.at
    assert keys == sorted(set(keys))


@QUIET
@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.text(max_size=20))
def test_s36_a_draw_hangs_on_its_words_alone_and_always_falls_into_a_share(parts: list[int], lead: str) -> None:
    shares = [(f"arm{n}", 100 * part / sum(parts)) for n, part in enumerate(parts)]
    found = draw(shares, point(lead, "c", "s"))
    assert found == draw(shares, point(lead, "c", "s"))
    assert found in dict(shares)
