"""Local time: clock changes, calendar steps, windows, clock times."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from nurture.campaign.project import Project
from nurture.campaign.window import ClockTime, Window
from nurture.journey.timing import (
    FUTURE,
    NeverOpen,
    Workdays,
    at_local,
    is_open,
    known_holidays,
    known_zone,
    local,
    next_open,
    read_moment,
    shift,
    until,
    workdays,
    zone_name,
)
from tests.unit.journey.made import OFFICE, PROJECT, ZURICH, at, d

LISBON = "Europe/Lisbon"
SHOP = Window(days=(0, 1, 2, 3, 4, 5), opens=ClockTime(540), closes=ClockTime(1200), holidays=("FR",))
NIGHT = Window(days=(4,), opens=ClockTime(1320), closes=ClockTime(360), zone=ZURICH)


def opens(window: Window, now: datetime, project: Project = PROJECT, zone: str | None = None) -> datetime:
    return next_open(window, now, zone, project)


class TestClockChanges:
    def test_a_time_in_the_gap_is_the_first_valid_instant_after_it(self) -> None:
        assert at_local(datetime(2027, 3, 28, 2, 30), ZURICH) == datetime(2027, 3, 28, 1, tzinfo=UTC)

    def test_a_time_that_happens_twice_is_the_first(self) -> None:
        assert at_local(datetime(2026, 10, 25, 2, 30), ZURICH) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)

    def test_a_half_hour_gap_ends_where_lord_howe_says(self) -> None:
        found = at_local(datetime(2026, 10, 4, 2, 10), "Australia/Lord_Howe")
        assert local(found, "Australia/Lord_Howe") == datetime(2026, 10, 4, 2, 30)

    def test_a_day_that_samoa_leapt_over_is_the_next_midnight(self) -> None:
        found = at_local(datetime(2011, 12, 30, 9), "Pacific/Apia")
        assert local(found, "Pacific/Apia") == datetime(2011, 12, 31)

    def test_a_midnight_in_the_gap_is_one_o_clock_in_sao_paulo(self) -> None:
        found = at_local(datetime(2018, 11, 4), "America/Sao_Paulo")
        assert local(found, "America/Sao_Paulo") == datetime(2018, 11, 4, 1)

    @pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "America", "\0", "x" * 999])
    def test_r9_an_unknown_zone_is_the_projects(self, name: str) -> None:
        assert not known_zone(name)
        assert zone_name(name, ZURICH) == ZURICH

    def test_r9_an_unknown_project_zone_is_utc(self) -> None:
        assert zone_name(None, "Nowhere") == "UTC"


class TestShift:
    @pytest.mark.parametrize(
        ("start", "length", "end"),
        [
            ("03-02 09:00", "36h", "03-03 21:00"),
            ("03-28 09:00", "1d", "03-29 08:00"),  # the clock went forward in the night: 23 hours
            ("03-28 09:00", "24h", "03-29 09:00"),
            ("10-24 08:00", "1d", "10-25 09:00"),  # and back: 25 hours
            ("01-31 09:00", "1mo", "02-28 09:00"),
            ("01-31 09:00", "1mo1d", "03-01 09:00"),
            ("03-31 08:00", "-1mo", "02-28 09:00"),
            ("03-02 09:00", "1d12h", "03-03 21:00"),
            ("03-02 09:00", "-30m", "03-02 08:30"),
            ("03-06 09:00", "1bd", "03-09 09:00"),  # Friday to Monday
            ("03-07 09:00", "1bd", "03-09 09:00"),  # Saturday too
            ("03-09 09:00", "-1bd", "03-06 09:00"),
            ("03-02 09:00", "5bd", "03-09 09:00"),
            ("03-02 09:00", "2w", "03-16 09:00"),
            ("03-02 09:00", "0h", "03-02 09:00"),
        ],
    )
    def test_calendar_parts_keep_the_local_time_and_hours_are_exact(self, start: str, length: str, end: str) -> None:
        assert shift(at(start), d(length), ZURICH) == at(end)

    def test_a_leap_day_plus_a_year_is_the_28th(self) -> None:
        assert shift(datetime(2028, 2, 29, 12, tzinfo=UTC), d("1y"), "UTC") == datetime(2029, 2, 28, 12, tzinfo=UTC)

    def test_working_days_are_the_windows_less_its_holidays(self) -> None:
        work = workdays(SHOP, PROJECT)  # Monday to Saturday; 1 May 2026 is a Friday
        assert shift(at("04-30 08:00"), d("1bd"), ZURICH, workdays=work) == at("05-02 08:00")

    def test_working_days_know_the_projects_own_lists(self) -> None:
        window = Window(days=(0, 1, 2, 3, 4), holidays=("ours",))
        work = workdays(window, Project(holidays={"ours": ("2026-03-03", "not a date")}))
        assert shift(at("03-02 09:00"), d("1bd"), ZURICH, workdays=work) == at("03-04 09:00")

    @pytest.mark.parametrize("length", ["90000y", "999999999w", "999999999h"])
    def test_beyond_the_calendar_it_is_the_last_instant_and_nothing_is_raised(self, length: str) -> None:
        assert shift(at("03-02 09:00"), d(length), ZURICH) == FUTURE

    def test_working_days_on_which_nobody_works_never_come(self) -> None:
        assert shift(at("03-02 09:00"), d("1bd"), ZURICH, workdays=Workdays(days=())) == FUTURE


class TestWindows:
    @pytest.mark.parametrize(
        ("now", "open_at"),
        [
            ("03-02 09:00", "03-02 09:00"),
            ("03-02 08:00", "03-02 08:00"),  # 9:00 in Zurich: the opening minute is inside
            ("03-02 07:59", "03-02 08:00"),
            ("03-02 19:00", "03-03 08:00"),  # 20:00: the closing minute is outside
            ("03-06 20:00", "03-09 08:00"),  # Friday evening to Monday
            ("03-27 20:00", "03-30 07:00"),  # over the clock change
        ],
    )
    def test_a_window_opens_on_its_days_at_its_local_time(self, now: str, open_at: str) -> None:
        assert opens(OFFICE, at(now)) == at(open_at)

    def test_it_is_the_leads_clock(self) -> None:
        assert opens(OFFICE, at("03-02 08:30"), zone=LISBON) == at("03-02 09:00")

    def test_an_unknown_lead_zone_has_the_projects_clock(self) -> None:
        assert opens(OFFICE, at("03-02 07:30"), zone="Nowhere/Else") == at("03-02 08:00")

    def test_a_window_of_the_project_does_not_ask_the_lead(self) -> None:
        assert opens(Window(opens=ClockTime(540), zone="project"), at("03-02 07:30"), zone=LISBON) == at("03-02 08:00")

    def test_a_window_with_its_own_zone_does_not_ask_the_lead(self) -> None:
        window = Window(opens=ClockTime(540), zone="Asia/Kathmandu")
        assert opens(window, at("03-02 03:00"), zone=LISBON) == at("03-02 03:15")

    def test_an_overnight_window_belongs_to_the_day_it_opened_on(self) -> None:
        assert is_open(NIGHT, at("03-07 04:59"), None, PROJECT)
        assert opens(NIGHT, at("03-07 05:00")) == at("03-13 21:00")

    def test_an_overnight_window_is_not_open_on_the_morning_of_its_day(self) -> None:
        assert opens(NIGHT, at("03-06 02:00")) == at("03-06 21:00")

    def test_a_public_holiday_is_closed(self) -> None:
        assert opens(SHOP, at("05-01 09:00")) == at("05-02 07:00")

    def test_a_holiday_of_a_part_of_a_country_is_closed(self) -> None:
        assert known_holidays("CH-ZH")
        window = Window(holidays=("CH-ZH",))
        assert opens(window, at("05-01 09:00")) == at("05-01 22:00")  # Labour Day is no holiday of all Switzerland

    def test_an_unknown_country_has_no_holidays(self) -> None:
        assert not known_holidays("XX")
        assert is_open(Window(holidays=("XX-YY",)), at("01-01 09:00"), None, PROJECT)

    def test_the_projects_own_list_is_closed(self) -> None:
        project = Project(zone=ZURICH, holidays={"ours": ("2026-03-02",)})
        assert opens(Window(holidays=("ours",)), at("03-02 09:00"), project) == at("03-02 23:00")

    def test_a_whole_day_runs_on_into_the_next(self) -> None:
        assert is_open(Window(), at("03-02 22:59:59"), None, PROJECT)
        assert is_open(Window(), at("03-02 23:00"), None, PROJECT)

    def test_without_a_window_it_is_always_open(self) -> None:
        assert next_open(None, at("03-02 03:00"), None, PROJECT) == at("03-02 03:00")

    def test_a_window_that_never_opens_says_so(self) -> None:
        with pytest.raises(NeverOpen):
            opens(Window(days=()), at("03-02 09:00"))

    def test_a_window_that_never_opens_is_closed(self) -> None:
        assert not is_open(Window(days=()), at("03-02 09:00"), None, PROJECT)

    def test_r9_a_daily_opening_inside_the_gap_happens_once(self) -> None:
        window = Window(opens=ClockTime(150), closes=ClockTime(240), zone=ZURICH)
        assert opens(window, datetime(2027, 3, 27, 12, tzinfo=UTC)) == datetime(2027, 3, 28, 1, tzinfo=UTC)


class TestClockTimes:
    @pytest.mark.parametrize(
        ("now", "days", "then"),
        [
            ("03-02 07:00", (), "03-02 08:00"),
            ("03-02 08:00", (), "03-02 08:00"),  # 9:00: now
            ("03-02 08:00:40", (), "03-02 08:00:40"),  # still within that minute
            ("03-02 08:01", (), "03-03 08:00"),
            ("03-02 07:00", (1, 2, 3), "03-03 08:00"),
            ("03-05 09:00", (1, 2, 3), "03-10 08:00"),
            ("03-28 09:00", (), "03-29 07:00"),
        ],
    )
    def test_the_next_nine_o_clock_on_those_days(self, now: str, days: tuple[int, ...], then: str) -> None:
        assert until(ClockTime(540), days, at(now), ZURICH) == at(then)

    def test_after_a_mail_the_minute_it_left_in_does_not_count(self) -> None:
        assert until(ClockTime(540), (), at("03-02 08:00"), ZURICH, after_this=True) == at("03-03 08:00")

    def test_r9_every_day_of_two_clock_changes_has_it_once(self) -> None:
        for year, month, day in ((2026, 10, 24), (2027, 3, 27)):
            now = datetime(year, month, day, tzinfo=UTC)
            seen = []
            for _ in range(3):
                now = until(ClockTime(150), (), now, ZURICH, after_this=True)
                seen.append(local(now, ZURICH).date())
            assert seen == [date(year, month, day) + timedelta(days=n) for n in range(3)]


class TestMoments:
    @pytest.mark.parametrize(
        ("text", "instant"),
        [
            ("2026-03-02", "03-01 23:00"),
            ("2026-03-02T10:00", "03-02 09:00"),
            ("2026-03-02 10:00:30", "03-02 09:00:30"),
            ("2026-03-02T10:00Z", "03-02 10:00"),
            ("2026-03-02T10:00+05:45", "03-02 04:15"),
        ],
    )
    def test_a_moment_without_an_offset_is_local(self, text: str, instant: str) -> None:
        assert read_moment(text, ZURICH) == at(instant)

    @pytest.mark.parametrize("value", ["", "soon", "2026-02-30", None, 7, True, [], "0001-01-01"])
    def test_anything_else_is_no_moment(self, value: object) -> None:
        assert read_moment(value, ZURICH) is None
