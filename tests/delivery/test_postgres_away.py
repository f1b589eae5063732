"""R7, R20: PostgreSQL is gone for a while. Nothing leaves that could not be written down, and nothing leaves twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from nurture.errors import StoreUnavailable
from nurture.worker import Worker
from tests.delivery.post import Post, post
from tests.delivery.server import ScriptedServer
from tests.faults import workers
from tests.store.conftest import postgres_url
from tests.store.line import Line, line_to

__all__ = ["postgres_url"]
pytestmark = pytest.mark.postgres


@pytest.fixture
def way(postgres_url: str) -> Iterator[tuple[Line, str]]:
    with workers.a_database(postgres_url) as url, line_to(url) as way:
        yield way


async def drained(shop: Post) -> dict[str, int]:
    while await shop.send(timedelta(hours=1)):
        pass
    return dict(shop.states())


async def test_r07_while_postgresql_is_away_no_mail_leaves_and_afterwards_each_leaves_once(
    tmp_path: Path, way: tuple[Line, str]
) -> None:
    line, url = way
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=20, database=url) as shop:
            line.cut()
            for _ in range(3):
                with pytest.raises(StoreUnavailable):
                    await shop.send()
            assert server.received == []
            line.mend()
            assert await drained(shop) == {"sent": 20}
            assert len(server.received) == 20


@pytest.mark.parametrize("point", ["claimed", "gate", "gated", "settling", "settled"])
async def test_r07_r20_connections_that_end_in_the_midst_of_sending_repeat_no_mail(
    tmp_path: Path, way: tuple[Line, str], point: str
) -> None:
    line, url = way
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=20, database=url) as shop:
            await shop.interrupted(point, line.drop)
            assert await drained(shop) == {"sent": 20}
            assert len(server.received) == 20


async def test_r07_a_worker_outlives_the_absence_of_postgresql(tmp_path: Path, way: tuple[Line, str]) -> None:
    line, url = way
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=5, database=url) as shop:
            worker = Worker(shop.project.app)
            line.cut()
            await worker._tick()
            await worker._send()
            await worker._upkeep()
            line.mend()
            assert await drained(shop) == {"sent": 5}
