"""Several workers on one PostgreSQL, as on several machines: each has a project folder and journals of its own."""

from __future__ import annotations

import asyncio
import collections
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from nurture.clock import Stopwatch
from nurture.store.tables import enrollments, messages
from tests.delivery.server import ScriptedServer, Wait
from tests.faults import project as projects
from tests.faults import workers
from tests.faults.project import CAMPAIGN, CONFIG, Project

LEADS = int(os.environ.get("NURTURE_FLEET_LEADS", "2000"))
pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.timeout(400)]


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[str]:
    with workers.a_database(postgres_url) as url:
        yield url


async def until(holds: Callable[[], object], seconds: float = 60.0) -> float:
    """Wait until it holds; how long that took."""
    watch = Stopwatch()
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 — another process does it
            await asyncio.sleep(0.05)
    return watch.seconds()


def count(project: Project, query: str) -> int:
    with project.app.database.read() as tx:
        return int(tx.execute(text(query)).scalar_one())


def running_passes(project: Project) -> int:
    query = "SELECT count(*) FROM nurture_jobs.procrastinate_jobs WHERE queue_name = 'passes' AND status = 'doing'"
    return count(project, query)


async def longest_standstill(project: Project) -> float:
    """Wait until all leads have entered; the longest time, in seconds, in which none did."""
    longest, watch, before = 0.0, Stopwatch(), -1
    async with asyncio.timeout(90):
        while before < LEADS:
            entered = count(project, "SELECT count(*) FROM enrollments")
            if entered > before:
                longest, watch, before = max(longest, watch.seconds()), Stopwatch(), entered
            await asyncio.sleep(0.05)
    return longest


async def test_three_workers_share_the_work_and_send_nothing_twice(tmp_path: Path, postgres: str) -> None:
    # Slow enough that one worker alone would need 50 s: the last to start finds work, on a busy machine too.
    async with ScriptedServer({"DOT": Wait(0.05)}) as server, workers.Crew() as crew:
        with projects.opened(tmp_path / "one", postgres, server.port, LEADS) as project:
            roots = [project.root, project.elsewhere("two"), project.elsewhere("three")]
            running = [await crew.start(root) for root in roots]
            await workers.finished(project, LEADS)
            await workers.end(*running)
            assert workers.once_each(project, server, LEADS) == set()
            shares = workers.by_worker(project)
            assert len(shares) == 3
            assert min(shares.values()) > 0
            assert count(project, "SELECT count(*) FROM nurture_jobs.procrastinate_jobs WHERE status <> 'todo'") == 0


async def test_a_killed_workers_shards_go_on_within_fifteen_seconds(tmp_path: Path, postgres: str) -> None:
    async with ScriptedServer() as server, workers.Crew() as crew:
        with projects.opened(tmp_path / "one", postgres, server.port, LEADS) as project:
            killed = await crew.start(project.root)
            await until(lambda: running_passes(project) == 1)
            await crew.start(project.elsewhere("two"))
            await until(lambda: running_passes(project) == 2)
            killed.kill()
            assert await longest_standstill(project) < 15


async def test_r05_a_worker_that_stood_still_past_its_leases_sends_nothing_twice(tmp_path: Path, postgres: str) -> None:
    leads = min(LEADS, 600)
    async with ScriptedServer({"DOT": Wait(0.05)}) as server, workers.Crew() as crew:
        with projects.opened(tmp_path / "one", postgres, server.port, leads) as project:
            still = await crew.start(project.root, lease=3)
            await until(lambda: len(server.received) > 20 and workers.states(project)[0].get("sending"))
            still.send_signal(signal.SIGSTOP)
            other = await crew.start(project.elsewhere("two"), lease=3)
            # All that it had in hand is taken over while it stands still.
            async with asyncio.timeout(120):
                await workers.finished(project, leads)
            accepted = len(server.received)
            still.send_signal(signal.SIGCONT)
            await asyncio.sleep(5)
            await workers.end(still, other)
            workers.once_each(project, server, leads)
            # What was behind its last dot has been answered meanwhile; at most one a connection was in the making.
            assert len(server.received) - accepted <= 4


async def test_a_worker_told_to_end_finishes_what_is_on_the_wire_and_gives_back_the_rest(
    tmp_path: Path, postgres: str
) -> None:
    async with ScriptedServer({"DOT": Wait(0.5)}) as server, workers.Crew() as crew:
        with projects.opened(tmp_path / "one", postgres, server.port, 200) as project:
            worker = await crew.start(project.root)
            await until(lambda: len(server.received) > 4)
            watch = Stopwatch()
            await workers.end(worker)
            assert watch.seconds() < 10
            found, _ = workers.states(project)
            assert set(found) == {"sent", "pending"}
            assert found["sent"] == len(server.received)


SECOND = CAMPAIGN.replace("campaign: two-mails", "campaign: other").replace("  - wait: 1s\n  - send: two\n", "")
FIRST = CAMPAIGN.replace("  - wait: 1s\n  - send: two\n", "").replace("send: one", "send: two")
CAPPED = CONFIG + "caps: {{marketing: {{at_most: 1, per: 7d}}}}\n"


async def test_r11_a_cap_holds_where_two_campaigns_on_two_workers_are_due_at_once(
    tmp_path: Path, postgres: str
) -> None:
    async with ScriptedServer() as server, workers.Crew() as crew:
        with projects.opened(tmp_path / "one", postgres, server.port, LEADS, FIRST, SECOND, config=CAPPED) as project:
            running = [await crew.start(root) for root in (project.root, project.elsewhere("two"))]
            await until(lambda: workers.states(project)[0].get("sent", 0) >= LEADS, 120)
            await asyncio.sleep(3)
            await workers.end(*running)
            with project.app.database.read() as tx:
                each = [n for (n,) in tx.execute(select(func.count(messages.c.id)).group_by(messages.c.lead_id)).all()]
                entered = tx.execute(select(func.count()).select_from(enrollments)).scalar_one()
            assert entered == 2 * LEADS
            assert each == [1] * LEADS


PACED = CONFIG.replace("connections: 4", "connections: 4, rate: 5")
ONE_MAIL = CAMPAIGN.replace("  - wait: 1s\n  - send: two\n", "")


async def test_a_providers_rate_holds_over_two_workers(tmp_path: Path, postgres: str) -> None:
    async with ScriptedServer() as server, workers.Crew() as crew:
        with projects.opened(tmp_path / "one", postgres, server.port, 210, ONE_MAIL, config=PACED) as project:
            running = [await crew.start(root) for root in (project.root, project.elsewhere("two"))]
            await until(lambda: len(server.received) == 210, 60)
            await workers.end(*running)
    lanes: dict[str, list[float]] = collections.defaultdict(list)
    for mail in server.received:
        lanes[mail.recipients[0].partition("@")[2]].append(mail.at)
    assert len(lanes) == 7
    for instants in lanes.values():
        # 30 mails at 5 a second; each of the eight slots may have one in hand when it begins.
        assert max(instants) - min(instants) >= (30 - 8) / 5 - 0.5
