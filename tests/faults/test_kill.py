"""`kill -9` at random instants: every mail is accepted at most once, and once but for what is listed as unknown."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.delivery.server import ScriptedServer, Wait
from tests.faults import project as projects
from tests.faults import workers
from tests.faults.project import Project

KILLS = int(os.environ.get("NURTURE_KILLS", "50"))
LEADS = int(os.environ.get("NURTURE_KILL_LEADS", "2000"))
CONNECTIONS = 4
# A worker's four connections are at work for a minute at this pace, longer than all killed workers live together; two
# workers are given more than twice the time.
ANSWER = {1: 0.06, 2: 0.15}  # seconds after the last dot, by number of workers


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[str]:
    with workers.a_database(postgres_url) as url:
        yield url


async def play(project: Project, number: int, kills: int, leads: int) -> int:
    """Kill a worker `kills` times while there is work, then let the work come to its end. How often it was there to be
    interrupted."""
    chance, interrupted = random.Random(7), 0
    async with asyncio.timeout(900), workers.Crew() as crew:
        running = [await crew.start(project.root) for _ in range(number)]
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(0.0, 1.0))
            await on_the_wire(project)
            await asyncio.sleep(chance.uniform(0.0, 0.1))
            which = chance.randrange(number)
            interrupted += bool(workers.states(project)[0].get("sending"))
            running[which].kill()
            await running[which].wait()
            running[which] = await crew.start(project.root)
        await workers.finished(project, leads)
        await workers.end(*running)
    return interrupted


async def on_the_wire(project: Project) -> None:
    """Until something is on the wire, where there is anything left to send: a worker that idles is not worth a kill."""
    for _ in range(40):
        if workers.states(project)[0].get("sending"):
            return
        await asyncio.sleep(0.05)


def judge(project: Project, server: ScriptedServer, interrupted: int) -> None:
    assert len(workers.once_each(project, server, LEADS)) <= CONNECTIONS * KILLS
    assert interrupted >= KILLS // 5, "most kills hit workers that had nothing on the wire"


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_r01_r02_on_sqlite_a_killed_worker_sends_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    async with ScriptedServer({"DOT": Wait(ANSWER[1])}) as server:
        with projects.opened(tmp_path / "p", "sqlite:///nurture.db", server.port, LEADS) as project:
            judge(project, server, await play(project, 1, KILLS, LEADS))


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(1200)
async def test_r01_r02_on_postgresql_two_workers_send_nothing_twice_and_lose_nothing(
    tmp_path: Path, postgres: str
) -> None:
    async with ScriptedServer({"DOT": Wait(ANSWER[2])}) as server:
        with projects.opened(tmp_path / "p", postgres, server.port, LEADS) as project:
            judge(project, server, await play(project, 2, KILLS, LEADS))
