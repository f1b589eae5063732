"""R7: what strangers and callers are told while PostgreSQL is gone, and that it works again by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.web_world import Endpoint, running
from tests.faults import workers
from tests.store.conftest import postgres_url
from tests.store.line import Line, line_to

__all__ = ["postgres_url"]
pytestmark = pytest.mark.postgres
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
async def away(tmp_path: Path, postgres_url: str) -> AsyncIterator[tuple[Endpoint, str, Line]]:
    """An endpoint whose database has just gone, and the path of a member's unsubscribe link."""
    with workers.a_database(postgres_url) as url, line_to(url) as (line, through):
        async with running(tmp_path, database=through) as world:
            lead = world.member()
            world.client.auth = httpx.BasicAuth(world.key("ingest"), "")
            line.cut()
            yield world, world.path(world.links.unsubscribe(lead, "offers", 5)), line


def told(answer: httpx.Response) -> tuple[int, bool]:
    return answer.status_code, bool(answer.headers.get("retry-after"))


async def test_r07_one_click_is_told_to_come_again_while_postgresql_is_away(
    away: tuple[Endpoint, str, Line],
) -> None:
    world, path, _ = away
    assert told(await world.client.post(path, data=ONE_CLICK)) == (503, True)


async def test_r07_the_page_to_leave_stays_up_while_postgresql_is_away(away: tuple[Endpoint, str, Line]) -> None:
    world, path, _ = away
    assert (await world.client.get(path)).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/track", {"userId": "u1", "event": "cart_updated"}), ("/f/guide", {"email": "new@example.com"})],
)
async def test_r07_nothing_is_taken_in_while_postgresql_is_away(
    away: tuple[Endpoint, str, Line], path: str, body: dict[str, str]
) -> None:
    world, _, _ = away
    assert told(await world.client.post(path, json=body)) == (503, True)


async def test_r16_readiness_names_the_database_while_postgresql_is_away(away: tuple[Endpoint, str, Line]) -> None:
    world, _, _ = away
    answer = await world.client.get("/readyz")
    assert (answer.status_code, "database" in answer.text) == (503, True)


async def test_r07_an_endpoint_works_again_once_postgresql_is_back(away: tuple[Endpoint, str, Line]) -> None:
    world, path, line = away
    await world.client.post(path, data=ONE_CLICK)
    line.mend()
    assert (await world.client.post(path, data=ONE_CLICK)).status_code == 200
    [entry] = [e for e in world.entries(1) if e["event"] == "withdrawn"]
    assert entry["topic"] == "offers"
