"""Segment's own library against a real server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import segment.analytics as analytics
import uvicorn

from tests.e2e.web_world import Endpoint, running


@contextlib.asynccontextmanager
async def serving(world: Endpoint) -> AsyncIterator[str]:
    """The address of a server on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(world.app, port=port, log_level="error", lifespan="off"))
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(10):
            while not server.started:  # noqa: ASYNC110 — the server tells it no other way
                await asyncio.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


@pytest.mark.parametrize("packed", [True, False])
async def test_segments_library_delivers_all_its_calls(tmp_path: Path, packed: bool) -> None:
    async with running(tmp_path) as world, serving(world) as url:
        failed: list[Any] = []
        client = analytics.Client(
            world.key("ingest"), host=url, gzip=packed, on_error=lambda *error: failed.append(error), max_retries=1
        )
        client.identify("u1", {"email": "anna@example.com", "seats": 4}, anonymous_id="a1")
        client.track("u1", "cart_updated", {"total": 49.5}, timestamp=datetime(2026, 3, 2, 8, 30, tzinfo=UTC))
        client.page("u1", "docs", "Prices", {"path": "/prices"})
        client.screen("u1", "app", "Start")
        client.group("u1", "acme", {"size": 3})
        client.alias("old-id", "u1")
        await asyncio.to_thread(client.flush)
        await asyncio.to_thread(client.shutdown)
        assert not failed
        [lead] = world.rows("leads")
        assert (lead["external_id"], lead["email"], lead["attributes"]) == ("u1", "anna@example.com", {"seats": 4})
        own = [row for row in world.rows("events") if not row["name"].startswith("lead.")]
        assert [row["name"] for row in own] == ["cart_updated", "page_viewed", "screen_viewed"]
        assert own[0]["at"] == datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
        assert own[1]["properties"] == {"path": "/prices", "name": "Prices", "category": "docs"}
        assert [row["external_id"] for row in world.rows("accounts")] == ["acme"]
