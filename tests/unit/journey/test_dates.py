"""Dates waited for, anniversaries, schedules."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from nurture.campaign.plan import DateRef, EnterDate, EnterSchedule
from nurture.campaign.window import ClockTime
from nurture.journey.dates import Occurrence, anniversary, next_date, next_occurrence, resolve_date
from nurture.journey.timing import Workdays
from tests.unit.journey.made import ZURICH, at, d

VALUES = {
    "lead": {"renewal": "2026-06-01", "plan": {"ends": "2026-05-01T12:00:00Z"}, "junk": {"not": "a date"}},
    "entry": {"starts_at": "2026-04-01T18:00:00+02:00"},
}


class TestDatesWaitedFor:
    @pytest.mark.parametrize(
        ("ref", "instant"),
        [
            (DateRef("lead", ("renewal",)), "05-31 22:00"),
            (DateRef("lead", ("renewal",), offset=d("-30d"), at=ClockTime(540)), "05-02 07:00"),
            (DateRef("lead", ("plan", "ends")), "05-01 12:00"),
            (DateRef("entry", ("starts_at",), offset=d("-1h")), "04-01 15:00"),
            (DateRef("literal", text="2026-11-27T18:00"), "11-27 17:00"),
        ],
    )
    def test_a_date_is_moved_and_then_set_to_its_clock_time(self, ref: DateRef, instant: str) -> None:
        assert resolve_date(ref, VALUES, ZURICH) == at(instant)

    @pytest.mark.parametrize("path", [("gone",), ("junk",), ("renewal", "deeper")])
    def test_a_missing_or_dirty_date_is_none(self, path: tuple[str, ...]) -> None:
        assert resolve_date(DateRef("lead", path), VALUES, ZURICH) is None

    def test_an_offset_in_working_days_uses_the_campaigns(self) -> None:
        ref = DateRef("literal", text="2026-03-02T10:00", offset=d("-1bd"))
        assert resolve_date(ref, {}, ZURICH, workdays=Workdays(days=(5,))) == at("02-28 09:00")


class TestAnniversaries:
    def test_s14_the_29th_of_february_is_the_28th_in_other_years(self) -> None:
        assert anniversary(date(1988, 2, 29), 2026) == date(2026, 2, 28)

    def test_s14_the_29th_of_february_is_itself_in_leap_years(self) -> None:
        assert anniversary(date(1988, 2, 29), 2028) == date(2028, 2, 29)

    @pytest.mark.parametrize(
        ("after", "found"),
        [("03-02 09:00", "2026-03-08"), ("03-08 07:59", "2026-03-08"), ("03-08 08:00", "2027-03-08")],
    )
    def test_a_birthday_comes_every_year_at_its_time(self, after: str, found: str) -> None:
        enter = EnterDate(("birthday",), at=ClockTime(540), yearly=True)
        hit = next_date(enter, "1990-03-08", ZURICH, at(after))
        assert hit is not None
        assert hit.key == found

    def test_an_offset_over_new_year_still_finds_the_next(self) -> None:
        enter = EnterDate(("birthday",), offset=d("-30d"), yearly=True)
        hit = next_date(enter, "1990-01-10", "UTC", at("12-01 00:00"))
        assert hit == Occurrence(datetime(2026, 12, 11, tzinfo=UTC), "2027-01-10")

    def test_a_yearly_date_in_the_future_first_counts_in_its_own_year(self) -> None:
        hit = next_date(EnterDate(("renewal",), yearly=True), "2029-05-01", "UTC", at("03-02 09:00"))
        assert hit == Occurrence(datetime(2029, 5, 1, tzinfo=UTC), "2029-05-01")

    def test_s14_a_date_that_passed_does_not_come(self) -> None:
        assert next_date(EnterDate(("renewal",)), "2026-03-01", ZURICH, at("03-02 09:00")) is None

    def test_s14_a_catch_up_looks_so_far_back(self) -> None:
        hit = next_date(EnterDate(("renewal",)), "2026-03-01", ZURICH, at("02-23 09:00"))
        assert hit == Occurrence(at("02-28 23:00"), "2026-03-01")

    def test_a_dirty_date_never_comes(self) -> None:
        assert next_date(EnterDate(("renewal",), yearly=True), "soon", ZURICH, at("03-02 09:00")) is None


class TestSchedules:
    WEEKLY = EnterSchedule("2026-03-05T17:00", repeat=d("1w"))

    def test_a_schedule_is_in_each_leads_zone(self) -> None:
        hit = next_occurrence(self.WEEKLY, at("03-02 09:00"), "Europe/Lisbon", ZURICH)
        assert hit == Occurrence(at("03-05 17:00"), "2026-03-05T17:00")

    def test_a_schedule_of_the_project_does_not_ask_the_lead(self) -> None:
        enter = EnterSchedule("2026-03-05T17:00", zone="project")
        assert next_occurrence(enter, at("03-02 09:00"), "Europe/Lisbon", ZURICH) == Occurrence(
            at("03-05 16:00"), "2026-03-05T17:00"
        )

    def test_s15_the_key_is_the_same_in_every_zone(self) -> None:
        keys = {
            next_occurrence(self.WEEKLY, at("03-28 09:00"), zone, ZURICH).key  # type: ignore[union-attr]
            for zone in ("Europe/Lisbon", "Asia/Kathmandu", None)
        }
        assert keys == {"2026-04-02T17:00"}

    def test_a_week_over_the_clock_change_keeps_the_local_time(self) -> None:
        hit = next_occurrence(self.WEEKLY, at("03-27 00:00"), None, ZURICH)
        assert hit == Occurrence(at("04-02 15:00"), "2026-04-02T17:00")

    def test_an_occurrence_is_after_not_at(self) -> None:
        hit = next_occurrence(self.WEEKLY, at("03-05 16:00"), None, ZURICH)
        assert hit == Occurrence(at("03-12 16:00"), "2026-03-12T17:00")

    def test_a_monthly_one_on_the_31st_comes_back_to_the_31st(self) -> None:
        enter = EnterSchedule("2026-01-31T09:00", repeat=d("1mo"))
        days, now = [], at("01-01 00:00")
        for _ in range(4):
            hit = next_occurrence(enter, now, None, "UTC")
            assert hit is not None
            days.append(hit.key[5:10])
            now = hit.at
        assert days == ["01-31", "02-28", "03-31", "04-30"]

    def test_until_is_the_last_one_allowed(self) -> None:
        enter = EnterSchedule("2026-03-05T17:00", repeat=d("1w"), until="2026-03-12T17:00")
        assert next_occurrence(enter, at("03-06 00:00"), None, ZURICH) is not None
        assert next_occurrence(enter, at("03-12 16:00"), None, ZURICH) is None

    def test_one_that_does_not_repeat_happens_once(self) -> None:
        enter = EnterSchedule("2026-11-27T09:30")
        assert next_occurrence(enter, at("11-27 08:30"), None, ZURICH) is None

    def test_with_an_offset_it_is_one_instant_for_all(self) -> None:
        enter = EnterSchedule("2026-11-27T09:30+01:00")
        hit = next_occurrence(enter, at("03-02 09:00"), "Asia/Kathmandu", ZURICH)
        assert hit == Occurrence(at("11-27 08:30"), "2026-11-27T09:30")

    def test_far_in_its_series_it_is_still_found(self) -> None:
        enter = EnterSchedule("2026-03-02T09:00", repeat=d("1bd"))
        hit = next_occurrence(enter, datetime(2036, 3, 1, 12, tzinfo=UTC), None, "UTC")
        assert hit == Occurrence(datetime(2036, 3, 3, 9, tzinfo=UTC), "2036-03-03T09:00")
