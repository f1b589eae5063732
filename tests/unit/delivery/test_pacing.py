"""E17: lanes keep a provider's pace, slow down when told, recover, and do not touch each other."""

from __future__ import annotations

import pytest

from nurture.delivery.pacing import (
    FIRST_SUSPENSION,
    ONE_STORM,
    SLOWEST,
    STEP_UP,
    Cut,
    Lane,
    Lanes,
    Pace,
)
from nurture.mail.provider import provider_of

START = 1000.0


def a_lane(rate: float | None = 10.0, burst: int = 20) -> Lane:
    return Lane("google", Pace(rate=rate, burst=burst), START)


@pytest.mark.parametrize(
    ("address", "provider"),
    [
        ("a@gmail.com", "google"),
        ("a@GoogleMail.com", "google"),
        ("a@hotmail.fr", "microsoft"),
        ("a@live.com", "microsoft"),
        ("a@msn.com", "microsoft"),
        ("a@ymail.com", "yahoo"),
        ("a@aol.com", "yahoo"),
        ("a@yahoo.ro", "yahoo"),
        ("a@web.de", "united-internet"),
        ("a@gmx.net", "united-internet"),
        ("a@wanadoo.fr", "orange"),
        ("a@orange.fr", "orange"),
        ("a@icloud.com", "apple"),
        ("a@example.net", "example.net"),
        ("a@example.net.", "example.net"),
        ('"odd@gmail.com"@example.net', "example.net"),
        ("a@notgmail.com", "notgmail.com"),
    ],
)
def test_e17_an_address_belongs_to_the_lane_of_its_provider(address: str, provider: str) -> None:
    assert provider_of(address) == provider


# (seconds after the start, wanted, granted)
WALKS = {
    "a burst, then the rate": ([(0, 100, 20), (0, 1, 0), (0.1, 5, 1), (1.1, 50, 10), (1.1, 1, 0)], 10.0, 20),
    "rest saves up one burst and no more": ([(0, 20, 20), (3600, 100, 20)], 10.0, 20),
    "below one a second": ([(0, 5, 1), (1, 1, 0), (2, 1, 1)], 0.5, 1),
    "unlimited": ([(0, 5000, 5000), (0, 5000, 5000)], None, 20),
    "nothing wanted": ([(0, 0, 0), (0, 20, 20)], 10.0, 20),
    "time standing still or going back grants nothing": ([(5, 20, 20), (4, 1, 0), (5, 1, 0)], 10.0, 20),
}


@pytest.mark.parametrize("name", WALKS)
def test_e17_a_lane_grants_its_rate(name: str) -> None:
    steps, rate, burst = WALKS[name]
    lane = a_lane(rate, burst)
    assert [lane.take(wanted, START + after) for after, wanted, _ in steps] == [granted for *_, granted in steps]


def test_e17_over_an_hour_a_lane_grants_rate_times_time_and_one_burst() -> None:
    lane = a_lane(rate=3.0, burst=10)
    granted = sum(lane.take(100, START + tick * 0.37) for tick in range(int(3600 / 0.37)))
    assert granted == pytest.approx(3.0 * 3600 + 10, abs=3)


@pytest.mark.parametrize(
    ("cut", "rate"),
    [
        (Cut(rate=10 / 60, lasting=1800), 10 / 60),  # Gmail, unusual rate
        (Cut(rate=1 / 60, lasting=1800), 1 / 60),  # Yahoo [TS02]
        (Cut(), 5.0),  # half of its own
        (Cut(rate=50.0), 10.0),  # never above the configured
        (Cut(rate=0.0), SLOWEST),
    ],
    ids=str,
)
def test_e17_a_throttle_reply_cuts_the_rate(cut: Cut, rate: float) -> None:
    lane = a_lane(rate=10.0)
    lane.take(5, START)
    assert lane.throttled(cut, START + 1)
    assert lane.rate(START + 2) == pytest.approx(rate)
    assert lane.take(100, START + 1.05) == 0, "what was saved up is gone"


def test_e17_an_unlimited_lane_is_cut_to_half_of_what_it_lately_sent() -> None:
    lane = a_lane(rate=None)
    lane.take(1200, START + 50)
    lane.take(600, START + 90)
    lane.throttled(Cut(), START + 100)
    assert lane.rate(START + 100) == pytest.approx(1800 / 60 / 2)


def test_e17_one_storm_of_replies_cuts_once_and_the_next_again() -> None:
    lane = a_lane(rate=8.0)
    assert lane.throttled(Cut(), START)
    assert not lane.throttled(Cut(), START + 1)
    assert lane.rate(START + 1) == 4.0
    assert lane.throttled(Cut(), START + ONE_STORM)
    assert lane.rate(START + ONE_STORM) == 2.0


def test_e17_a_cut_lane_sends_at_its_lower_rate_without_saving_up() -> None:
    lane = a_lane(rate=10.0)
    lane.throttled(Cut(rate=1 / 60, lasting=1800), START)
    grants = [lane.take(100, START + 60 * minute) for minute in range(1, 11)]
    assert grants == [1] * 10
    assert lane.take(100, START + 60 * 20) == 1


def test_e17_a_cut_lane_recovers_in_steps() -> None:
    lane = a_lane(rate=10.0)
    lane.throttled(Cut(rate=2.0, lasting=600), START)
    rates = [lane.rate(START + after) for after in (599, 600, 600 + STEP_UP, 600 + 2 * STEP_UP)]
    assert rates == [2.0, 4.0, 8.0, 10.0]
    assert lane.connections(START + 599 + 3 * STEP_UP) == lane.pace.connections


def test_e17_an_unlimited_lane_that_was_cut_becomes_unlimited_again() -> None:
    lane = a_lane(rate=None, burst=20)
    lane.throttled(Cut(rate=1 / 60, lasting=600), START)
    assert lane.rate(START + 600 + 12 * STEP_UP) is None


def test_e17_a_suspension_closes_the_lane_for_its_time() -> None:
    lane = a_lane()
    lane.throttled(Cut(hold=7200, lasting=0), START)  # Yahoo [TSS04]
    assert lane.take(1, START + 7199) == 0
    assert lane.next_at(START + 10) == START + 7200
    assert lane.take(1, START + 7200) == 1


def test_e17_a_slowed_lane_uses_one_connection() -> None:
    lane = a_lane()
    assert lane.connections(START) == 10
    lane.throttled(Cut(), START)
    assert lane.connections(START) == 1


def test_e17_next_at_is_when_take_grants_again() -> None:
    lane = a_lane(rate=4.0, burst=2)
    assert lane.next_at(START) == START
    lane.take(2, START)
    instant = lane.next_at(START)
    assert instant == pytest.approx(START + 0.25)
    assert lane.take(1, instant - 0.01) == 0
    assert lane.take(1, instant) == 1


def test_e17_a_lane_that_cannot_be_reached_is_tried_ever_more_rarely_by_one_mail() -> None:
    lane, at, waits = a_lane(), START, []
    for _ in range(10):
        waits.append(lane.unreachable(at))
        assert lane.take(100, at + waits[-1] - 1) == 0
        at += waits[-1]
        assert lane.take(100, at) == 1
    assert waits == [min(FIRST_SUSPENSION * 2**n, 3600.0) for n in range(10)]
    lane.answered()
    assert lane.take(5, at + 10) == 5


def test_e17_many_mails_that_fail_together_close_a_lane_once() -> None:
    lane = a_lane()
    assert [lane.unreachable(START) for _ in range(50)] == [FIRST_SUSPENSION] * 50


def test_e17_mails_given_back_can_be_taken_again() -> None:
    lane = a_lane(rate=1.0, burst=10)
    lane.take(10, START)
    lane.give_back(4, START)
    assert lane.take(10, START) == 4


def test_e17_one_lane_in_trouble_leaves_the_others_alone() -> None:
    lanes = Lanes(Pace(rate=10.0, burst=10))
    lanes.of("a@gmail.com", START).throttled(Cut(hold=3600), START)
    assert lanes.of("b@googlemail.com", START).take(1, START) == 0
    assert lanes.of("c@example.net", START).take(10, START) == 10
    assert [lane.name for lane in lanes.slowed(START)] == ["google"]


def test_e17_a_provider_can_have_a_pace_of_its_own() -> None:
    lanes = Lanes(Pace(rate=None), {"yahoo": Pace(rate=2.0, burst=2)})
    assert lanes.of("a@aol.com", START).take(100, START) == 2
    assert lanes.of("a@example.net", START).take(100, START) == 100


def test_e17_a_fleet_s_shares_add_up_to_the_pace() -> None:
    share = Pace(rate=12.0, burst=8, connections=8).share(4)
    assert (share.rate, share.burst, share.connections) == (3.0, 2, 2)
    assert Pace(rate=None).share(4).rate is None
    assert Pace(burst=1, connections=1).share(4) == Pace(None, 1, 1)
