"""A new sender's days (trust E17)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from nurture.mail.warming import WarmUp

FIRST = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
DOUBLING = WarmUp(date(2026, 11, 23), first=50, growth=2.0, most=1_000)


def test_e17_a_new_sender_s_days_grow_until_it_is_warm() -> None:
    days = [DOUBLING.allowed(FIRST + timedelta(days=day)) for day in range(7)]
    assert days == [50, 100, 200, 400, 800, None, None]


def test_e17_before_its_first_day_a_new_sender_sends_nothing() -> None:
    assert DOUBLING.allowed(FIRST - timedelta(days=1)) == 0


def test_e17_a_sender_that_does_not_grow_stays_where_it_is() -> None:
    assert WarmUp(date(2026, 11, 23), first=50, growth=1).allowed(FIRST + timedelta(days=5_000)) == 50


def test_e17_a_steep_growth_is_warm_and_no_overflow() -> None:
    assert WarmUp(date(2026, 11, 23), growth=10).allowed(FIRST + timedelta(days=100_000)) is None


def test_e17_the_next_day_begins_at_midnight_utc() -> None:
    assert DOUBLING.next_day(FIRST) == datetime(2026, 11, 24, tzinfo=UTC)
