"""Counts and closures that every worker sees (trust E15, E17, R19), on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nurture.store import closures, tallies
from nurture.store.closures import DESTINATION, SERVER, Strike, Way
from nurture.store.database import Database

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def strikes(way: Way, count: int = 1, after: int = 5) -> list[Strike]:
    return [Strike(way, "rule", "550 no", after, HOUR, 2 * HOUR)] * count


def test_r19_counts_of_an_hour_add_up_over_their_slots(db: Database) -> None:
    with db.write() as tx:
        for minutes in (0, 4, 20, 61):
            tallies.add(tx, "campaign", {"a": 3, "b": 1}, tallies.slot_of(NOW - timedelta(minutes=minutes)))
        assert tallies.total(tx, "campaign", "a", NOW - HOUR) == 9


def test_r19_what_was_counted_two_days_ago_is_forgotten(db: Database) -> None:
    now = NOW
    with db.write() as tx:
        tallies.add(tx, "campaign", {"a": 5}, tallies.slot_of(now - timedelta(days=3)))
        tallies.add(tx, "campaign", {"a": 2}, tallies.slot_of(now))
        tallies.prune(tx, tallies.LEFT, now - timedelta(days=2))
        assert tallies.total(tx, "campaign", "a", now - timedelta(days=9)) == 2


def test_e15_a_way_closes_when_it_has_had_enough(db: Database) -> None:
    way = (SERVER, "s")
    with db.write() as tx:
        first = closures.strike(tx, strikes(way, 4), NOW)
        assert (first, closures.standing(tx)) == ([], {})
        [closed] = closures.strike(tx, strikes(way), NOW)
    assert (closed.way, closed.until, closed.reason) == (way, NOW + 2 * HOUR, "550 no")


def test_e15_old_strikes_do_not_count(db: Database) -> None:
    with db.write() as tx:
        closures.strike(tx, strikes((SERVER, "s"), 4), NOW - HOUR)
        assert closures.strike(tx, strikes((SERVER, "s"), 1), NOW) == []


def test_e15_a_destination_closes_only_where_a_tenth_of_its_mails_is_refused(db: Database) -> None:
    with db.write() as tx:
        tallies.add(tx, "lane", {"google": 1_000}, tallies.slot_of(NOW))
        assert closures.strike(tx, strikes((DESTINATION, "google"), 99), NOW) == []
        assert len(closures.strike(tx, strikes((DESTINATION, "google"), 1), NOW)) == 1


@pytest.mark.parametrize("later", [timedelta(hours=1), timedelta(hours=3)])
def test_e15_a_closed_way_is_told_of_once_and_closed_again_by_what_follows(db: Database, later: timedelta) -> None:
    way = (SERVER, "s")
    with db.write() as tx:
        closures.strike(tx, strikes(way, 1, after=1), NOW)
        assert closures.strike(tx, strikes(way, 1, after=1), NOW + later) == []
        assert closures.standing(tx)[way].shut(NOW + later)


def test_e15_one_worker_tries_a_way_whose_time_is_over(db: Database) -> None:
    way = (SERVER, "s")
    with db.write() as tx:
        closures.strike(tx, strikes(way, 1, after=1), NOW)
        at = NOW + 3 * HOUR
        tries = [closures.postpone(tx, way, at + HOUR, at) for _ in range(3)]
    assert tries == [True, False, False]


def test_e15_a_way_that_opens_has_a_clean_slate(db: Database) -> None:
    way = (SERVER, "s")
    with db.write() as tx:
        closures.strike(tx, strikes(way, 5), NOW)
        assert closures.reopen(tx, [way]) == 1
        assert closures.strike(tx, strikes(way, 4), NOW) == []
