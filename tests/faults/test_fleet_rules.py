"""What a fleet puts up, and on what terms; with a database where it is the database that decides."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import text

from nurture.clock import VirtualClock
from nurture.delivery.dispatch import Dispatch
from nurture.delivery.pacing import Lanes, Pace
from nurture.engine.passes import Passes
from nurture.errors import SchemaMismatch, UserError
from nurture.fleet import SLOTS, Fleet
from nurture.lead.event import Happening
from nurture.store import jobs, migrate
from nurture.store.database import Database, open_database
from nurture.store.events import store_events
from nurture.store.jobs import Job
from nurture.store.tables import messages, shards
from tests.faults import workers

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Sender:
    """As much of a dispatch as the fleet asks when it puts up jobs."""

    def __init__(self, rate: float | None) -> None:
        self.lanes = Lanes(Pace(rate=rate))


def fleet(rate: float | None = None, database: Database | None = None) -> Fleet:
    return Fleet(
        cast(Database, database),
        VirtualClock(NOW),
        cast(Passes, None),
        cast(Dispatch, Sender(rate)),
        lambda _what: nullcontext(),
    )


def arguments(put_up: list[Job]) -> list[Any]:
    return [next(iter(job.arguments.values())) for job in put_up]


def test_a_small_fleet_takes_many_shards_at_once_and_a_large_one_few() -> None:
    everything = list(range(64))
    assert arguments(fleet()._plays(everything, 2)) == [everything[:32], everything[32:]]
    assert len(fleet()._plays(everything, 8)) == 8
    assert arguments(fleet()._plays(everything, 200)) == [[n] for n in everything]


def test_groups_without_due_work_have_no_job() -> None:
    assert arguments(fleet()._plays([0, 1, 63], 8)) == [[0, 1], [63]]


def test_a_lane_without_a_rate_gets_a_slot_for_each_page_that_waits() -> None:
    assert [job.lock for job in fleet()._sends([("google", 501), ("other", 3)])] == [
        "lane:google:0",
        "lane:google:1",
        "lane:google:2",
        "lane:other:0",
    ]


def test_a_lane_with_a_rate_gets_all_its_slots_since_each_may_use_only_its_part() -> None:
    assert len(fleet(rate=10)._sends([("google", 1)])) == SLOTS


def test_a_slot_just_taken_over_has_nothing_saved_up() -> None:
    lanes = Lanes(Pace(rate=8.0, burst=16))
    with lanes.hold("google", 8, lambda: 100.0) as lane:
        assert lane.rate(100.0) == 1.0
        assert lane.room(100.0) == 0
        assert lane.room(101.0) == 1


def test_the_slots_one_worker_holds_add_up_to_its_share() -> None:
    lanes = Lanes(Pace(rate=8.0, burst=16))
    with lanes.hold("google", 8, lambda: 100.0), lanes.hold("google", 8, lambda: 100.0) as lane:
        assert lane.rate(100.0) == 2.0
    assert lane.rate(100.0) == 1.0


def test_without_a_rate_a_slot_takes_all_there_is() -> None:
    with Lanes(Pace()).hold("google", 8, lambda: 0.0) as lane:
        assert lane.room(0.0) is None


def test_without_procrastinate_a_worker_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "procrastinate"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "procrastinate", None)
    with pytest.raises(UserError, match="Procrastinate, which is not installed") as told:
        jobs._mark()
    assert told.value.hint == "run: pip install 'nurture[postgres]'"


def test_without_a_driver_a_postgresql_database_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match="cannot speak to PostgreSQL") as told:
        open_database("postgresql://nobody@127.0.0.1/none")
    assert told.value.hint == "run: pip install 'nurture[postgres]'"


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    with workers.a_database(postgres_url) as url:
        opened = open_database(url)
        migrate.upgrade(opened)
        yield opened
        opened.close()


LOOKS = [Job("passes", "play", f"shards:{n}", {"shards": [n]}) for n in range(3)]


def state_of_jobs(database: Database) -> dict[str, str]:
    with database.read() as tx:
        rows = tx.execute(text("SELECT lock, status::text FROM nurture_jobs.procrastinate_jobs")).all()
    return {row[0]: row[1] for row in rows}


def take(database: Database, lock: str, heartbeat_ago: float) -> None:
    """A worker whose last heartbeat is so many seconds old has this job in hand."""
    with database.write() as tx:
        tx.execute(text("SET LOCAL search_path = nurture_jobs"))
        told = text(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => :ago))"
            " RETURNING id"
        )
        worker = tx.execute(told, {"ago": heartbeat_ago}).scalar_one()
        taken = text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = :worker WHERE lock = :lock")
        tx.execute(taken, {"worker": worker, "lock": lock})


@pytest.mark.postgres
class TestJobs:
    def test_the_ticks_of_many_workers_put_a_job_up_once(self, database: Database) -> None:
        assert [jobs.defer(database, LOOKS), jobs.defer(database, LOOKS)] == [3, 0]

    def test_a_job_in_hand_is_not_put_up_beside_itself(self, database: Database) -> None:
        jobs.defer(database, LOOKS)
        take(database, "shards:1", 0)
        assert jobs.defer(database, LOOKS) == 0

    def test_the_job_of_a_worker_that_fell_silent_is_put_up_anew(self, database: Database) -> None:
        jobs.defer(database, LOOKS)
        take(database, "shards:1", 11)
        take(database, "shards:2", 9)
        assert jobs.drop_stalled(database, 10) == 1
        assert jobs.defer(database, LOOKS) == 1
        assert state_of_jobs(database) == {"shards:0": "todo", "shards:1": "todo", "shards:2": "doing"}

    def test_those_that_serve_are_counted_by_their_heartbeats(self, database: Database) -> None:
        jobs.defer(database, LOOKS)
        take(database, "shards:1", 11)
        take(database, "shards:2", 9)
        with database.read() as tx:
            assert jobs.servants(tx, 10) == 1

    def test_tables_of_another_release_are_refused_and_made_anew_by_an_upgrade(self, database: Database) -> None:
        with database.write() as tx:
            tx.execute(text("COMMENT ON SCHEMA nurture_jobs IS 'procrastinate of old'"))
        with database.read() as tx, pytest.raises(SchemaMismatch, match="another release's tables"):
            jobs.check(tx)
        migrate.upgrade(database)
        with database.read() as tx:
            jobs.check(tx)

    def test_only_shards_with_something_due_are_looked_at(self, database: Database) -> None:
        with database.write() as tx:
            tx.execute(shards.insert(), [{"shard": n, "seq": 0} for n in range(64)])  # as the first deploy does
            store_events(tx, [Happening(1, "go", NOW, NOW, {})])
        with database.read() as tx:
            assert jobs.due_shards(tx, NOW) == [39]

    def test_lanes_are_found_with_what_waits_in_them_counted_up_to_what_is_asked(self, database: Database) -> None:
        late, soon = NOW + timedelta(hours=1), NOW - timedelta(hours=1)
        row = {"shard": 0, "visit": 0, "kind": "mail", "options": {}, "state": "pending", "released_at": NOW}
        rows = [("google", soon)] * 5 + [("other", late)] + [("yahoo", soon)]
        with database.write() as tx:
            tx.execute(messages.insert(), [row | {"lane": lane, "due": due} for lane, due in rows])
            tx.execute(messages.insert(), [row | {"lane": "apple", "due": soon, "state": "sent"}])
        with database.read() as tx:
            assert jobs.due_lanes(tx, NOW, 3) == [("google", 3), ("yahoo", 1)]
