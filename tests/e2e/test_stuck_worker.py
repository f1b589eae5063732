"""A worker whose loop lives while its work does not (trust R16)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from nurture.app import App
from nurture.clock import machine_now
from nurture.serving import Endpoint
from nurture.store import backlog
from nurture.store.backlog import INTERVAL, SILENT
from nurture.web.app import create_app
from nurture.worker import Rhythm, Worker
from tests.faults.project import Project, opened

OFTEN = Rhythm(passes=0.01, dispatch=0.01, heartbeat=0.01)


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """What was said of the work's last move, each time it was said."""
    said: list[datetime] = []
    beat = backlog.beat

    def heard(tx: Any, worker: str, at: datetime) -> None:
        beat(tx, worker, at)
        said.append(at)

    monkeypatch.setattr(backlog, "beat", heard)
    return said


async def more(beats: list[datetime], count: int = 3) -> None:
    wanted = len(beats) + count
    while len(beats) < wanted:  # noqa: ASYNC110 — a thread does it
        await asyncio.sleep(0.01)


@asynccontextmanager
async def at_work(worker: Worker) -> AsyncIterator[None]:
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await running


async def ready(app: App, at: datetime) -> tuple[int, str]:
    """What the endpoint answers at that instant: the status, and what it says of the worker."""
    services = replace(Endpoint(app, "127.0.0.1", 0).services(), machine_now=lambda: at)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(services)), base_url="http://x") as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()["checks"]["worker"]


@pytest.fixture
def project(tmp_path: Path) -> Any:
    with opened(tmp_path / "project", f"sqlite:///{tmp_path / 'nurture.db'}", 9, 0) as made:
        yield made


async def test_r16_a_pass_that_is_stuck_makes_the_worker_unready_within_two_intervals(
    project: Project, beats: list[datetime]
) -> None:
    hung, freed = threading.Event(), threading.Event()

    def hang() -> bool:
        hung.set()
        return freed.wait()

    worker = Worker(project.app, OFTEN)
    worker._passes.stopping = hang
    async with at_work(worker):
        await asyncio.to_thread(hung.wait)
        stuck = machine_now()
        try:
            await more(beats)  # the loop lives
            assert max(beats) <= stuck
            assert await ready(project.app, stuck + INTERVAL) == (200, "ok")
            status, said = await ready(project.app, stuck + SILENT + timedelta(seconds=1))
            assert (status, said.partition(" for ")[0]) == (503, "no worker's work has moved on")
            assert worker.standing() > 0
        finally:
            freed.set()


async def test_r16_a_worker_with_nothing_to_do_is_not_stuck(project: Project, beats: list[datetime]) -> None:
    async with at_work(Worker(project.app, OFTEN)):
        before = machine_now()
        while not beats or beats[-1] < before:  # noqa: ASYNC110 — a thread does it
            await asyncio.sleep(0.01)
        assert await ready(project.app, beats[-1] + INTERVAL) == (200, "ok")


async def test_r16_a_worker_that_ended_in_good_order_is_not_missed(project: Project, beats: list[datetime]) -> None:
    async with at_work(Worker(project.app, OFTEN)):
        await more(beats)
    assert await ready(project.app, beats[-1] + 2 * SILENT) == (200, "ok")


async def test_r16_a_worker_that_was_killed_is_missed_until_another_one_works(
    project: Project, beats: list[datetime]
) -> None:
    long_ago = machine_now() - timedelta(minutes=2)
    with project.app.database.write() as tx:
        backlog.beat(tx, "killed", long_ago)
    assert (await ready(project.app, machine_now()))[0] == 503
    async with at_work(Worker(project.app, OFTEN)):
        await more(beats)
        assert await ready(project.app, machine_now()) == (200, "ok")
