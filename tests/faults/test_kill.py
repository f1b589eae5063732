"""`kill -9` at random instants: every mail is accepted at most once, and once but for those listed as unknown."""

from __future__ import annotations

import asyncio
import collections
import os
import random
import re
import signal
from pathlib import Path

import pytest
from sqlalchemy import func, select

from nurture.store.tables import enrollments, messages
from tests.delivery.server import ScriptedServer, Wait
from tests.faults import project as projects
from tests.faults.project import Project

KILLS = int(os.environ.get("NURTURE_KILLS", "50"))
LEADS = int(os.environ.get("NURTURE_KILL_LEADS", "2000"))
CONNECTIONS = 4
_SUBJECT = re.compile(rb"^Subject: (.*)\r$", re.MULTILINE)


@pytest.fixture
def postgres(postgres_url: str) -> str:
    return postgres_url


async def start(project: Project) -> asyncio.subprocess.Process:
    """A worker that has begun to work."""
    process = await asyncio.create_subprocess_exec(*project.worker(), stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    async for line in process.stderr:
        if b"worker.started" in line:
            break
    else:
        raise AssertionError("the worker ended before it began to work")
    asyncio.get_running_loop().create_task(_drain(process.stderr))
    return process


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


def states(project: Project) -> tuple[dict[str, int], int]:
    """Messages by state, and how many enrollments have finished."""
    with project.app.database.read() as tx:
        found = dict(tx.execute(select(messages.c.state, func.count()).group_by(messages.c.state)).all())
        done = tx.execute(select(func.count()).where(enrollments.c.state == "finished")).scalar_one()
    return found, done


async def play(project: Project, server: ScriptedServer, workers: int, kills: int, leads: int) -> None:
    """Kill a worker `kills` times while there is work, then let the work come to its end."""
    chance = random.Random(7)
    running = [await start(project) for _ in range(workers)]
    killed = 0
    async with asyncio.timeout(900):
        while True:
            if killed < kills:
                await asyncio.sleep(chance.uniform(0.0, 0.5))
                number = chance.randrange(workers)
                running[number].kill()
                await running[number].wait()
                killed += 1
                running[number] = await start(project)
                continue
            await asyncio.sleep(0.5)
            found, done = states(project)
            if done == leads and not set(found) - {"sent", "unknown"}:
                break
    for process in running:
        process.send_signal(signal.SIGTERM)
    assert [await process.wait() for process in running] == [0] * workers


def judge(project: Project, server: ScriptedServer, leads: int, kills: int) -> None:
    received = collections.Counter(_SUBJECT.search(mail.data)[1].decode() for mail in server.received)  # type: ignore[index]
    twice = {subject: n for subject, n in received.items() if n > 1}
    assert not twice
    expected = {f"Number {n} for lead{i}" for n in (1, 2) for i in range(leads)}
    with project.app.database.read() as tx:
        rows = tx.execute(
            select(messages.c.template, messages.c.lead_id, messages.c.state).where(messages.c.kind == "mail")
        ).all()
    names = {lead: f"lead{n}" for n, lead in enumerate(project.leads)}
    number = {"one": 1, "two": 2}
    unknown = {f"Number {number[t]} for {names[lead]}" for t, lead, state in rows if state == "unknown"}
    assert expected - received.keys() <= unknown
    assert len(rows) == len(expected)
    assert len(unknown) <= CONNECTIONS * kills


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_r02_on_sqlite_a_killed_worker_sends_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    async with ScriptedServer({"DOT": Wait(0.02)}) as server:
        project = projects.make(tmp_path / "p", "sqlite:///nurture.db", server.port, LEADS)
        await play(project, server, 1, KILLS, LEADS)
        judge(project, server, LEADS, KILLS)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(1200)
async def test_r02_on_postgresql_two_workers_send_nothing_twice_and_lose_nothing(tmp_path: Path, postgres: str) -> None:
    async with ScriptedServer({"DOT": Wait(0.02)}) as server:
        project = projects.make(tmp_path / "p", postgres, server.port, LEADS)
        await play(project, server, 2, KILLS, LEADS)
        judge(project, server, LEADS, KILLS)
