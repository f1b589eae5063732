"""Segment's tracking API as programs call it."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import event

from nurture.store.keys import list_keys, revoke_key
from nurture.web.app import create_app
from tests.e2e.web_world import NOW, Endpoint, running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Endpoint]:
    async with running(tmp_path) as endpoint:
        endpoint.client.auth = httpx.BasicAuth(endpoint.key("ingest"), "")
        yield endpoint


def names(world: Endpoint) -> list[str]:
    return [row["name"] for row in world.rows("events") if not row["name"].startswith("lead.")]


async def track(world: Endpoint, **fields: Any) -> httpx.Response:
    return await world.client.post("/v1/track", json={"userId": "u1", "event": "cart_updated", **fields})


async def test_a_200_means_it_is_stored(world: Endpoint) -> None:
    answer = await track(world, properties={"total": 5})
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    [stored] = [row for row in world.rows("events") if row["name"] == "cart_updated"]
    assert stored["properties"] == {"total": 5}


async def test_every_kind_of_call_is_taken(world: Endpoint) -> None:
    calls: dict[str, dict[str, Any]] = {
        "identify": {"traits": {"email": "anna@example.com", "firstName": "Anna", "seats": "3"}},
        "page": {"name": "Home", "properties": {"path": "/"}},
        "screen": {"name": "Start"},
        "group": {"groupId": "acme", "traits": {"size": 5}},
        "alias": {"previousId": "a1"},
        "track": {"event": "cart_updated"},
    }
    for kind, fields in calls.items():
        answer = await world.client.post(f"/v1/{kind}", json={"userId": "u1", **fields})
        assert answer.json() == {"success": True}, kind
    [lead] = world.rows("leads")
    assert (lead["email"], lead["first_name"], lead["attributes"]) == ("anna@example.com", "Anna", {"seats": 3})
    assert names(world) == ["page_viewed", "screen_viewed", "cart_updated"]


async def test_a_batch_keeps_its_order(world: Endpoint) -> None:
    batch = [{"type": "track", "userId": "u1", "event": f"e{n}", "messageId": str(n)} for n in range(100)]
    answer = await world.client.post("/v1/batch", json={"batch": batch, "writeKey": "x", "sentAt": "now"})
    assert answer.json() == {"success": True}
    assert names(world) == [f"e{n}" for n in range(100)]


async def test_a_packed_body_is_unpacked(world: Endpoint) -> None:
    body = gzip.compress(msgspec.json.encode({"batch": [{"type": "track", "userId": "u1", "event": "e"}]}))
    answer = await world.client.post("/v1/batch", content=body, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 200
    assert names(world) == ["e"]


async def test_x20_a_bomb_is_not_unpacked(world: Endpoint) -> None:
    bomb = gzip.compress(b'{"batch": [' + b" " * 50_000_000 + b"]}")
    assert len(bomb) < 100_000
    answer = await world.client.post("/v1/batch", content=bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413


async def test_x20_a_long_body_is_refused(world: Endpoint) -> None:
    answer = await world.client.post("/v1/batch", content=b"x" * 600_000)
    assert answer.status_code == 413


async def test_a_large_event_is_refused_and_its_neighbours_are_stored(world: Endpoint) -> None:
    large = {"type": "track", "userId": "u1", "event": "large", "properties": {"x": "y" * 33_000}}
    small = {"type": "track", "userId": "u1", "event": "small"}
    answer = await world.client.post("/v1/batch", json={"batch": [large, small]})
    assert answer.status_code == 200
    assert [error["index"] for error in answer.json()["errors"]] == [0]
    assert names(world) == ["small"]
    assert (await track(world, properties={"x": "y" * 33_000})).status_code == 413


@pytest.mark.parametrize(
    "item",
    [
        {"event": "e"},
        {"userId": "u1"},
        {"userId": "u1", "event": "consent.granted"},
        {"userId": "u1", "event": "e", "properties": [1]},
        {"userId": "u1", "event": "e", "timestamp": "yesterday"},
        {"userId": "u1", "event": "e", "timestamp": "0001-01-01T00:00:00Z"},
        {"userId": "u" * 400, "event": "e"},
        {"userId": {"id": 1}, "event": "e"},
    ],
)
async def test_a_wrong_call_is_a_400_that_says_why(world: Endpoint, item: dict[str, Any]) -> None:
    answer = await world.client.post("/v1/track", json=item)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert not names(world)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b"\xff\xff", b'{"batch": 5}', b"[" * 100_000, b'{"batch": [5]}', b'{"userId":"\\ud800"}'],
)
async def test_what_is_no_json_is_a_400(world: Endpoint, content: bytes) -> None:
    answer = await world.client.post("/v1/batch", content=content)
    assert answer.status_code == 400


async def test_r14_the_same_id_with_another_body_is_a_409(world: Endpoint) -> None:
    first = await track(world, messageId="m1", properties={"total": 1})
    again = await track(world, messageId="m1", properties={"total": 1})
    other = await track(world, messageId="m1", properties={"total": 2})
    assert [a.status_code for a in (first, again, other)] == [200, 200, 409]
    assert names(world) == ["cart_updated"]


async def test_r14_an_idempotency_key_serves_as_message_id(world: Endpoint) -> None:
    said = {"userId": "u1", "event": "e"}
    for _ in range(2):
        await world.client.post("/v1/track", json=said, headers={"Idempotency-Key": "k1"})
    assert names(world) == ["e"]


async def test_an_address_that_is_none_is_told_and_the_rest_is_kept(world: Endpoint) -> None:
    traits = {"email": "anna at example", "seats": 3}
    answer = await world.client.post("/v1/identify", json={"userId": "u1", "traits": traits})
    assert answer.status_code == 200
    assert answer.json()["notes"][0]["note"].startswith("email: ")
    assert world.rows("leads")[0]["attributes"] == {"seats": 3}


async def test_x11_no_key_is_a_401(world: Endpoint) -> None:
    world.client.auth = None
    assert (await track(world)).status_code == 401
    world.client.auth = httpx.BasicAuth("nk_" + "x" * 43, "")
    assert (await track(world)).status_code == 401


async def test_x11_a_key_of_another_scope_is_a_403(world: Endpoint) -> None:
    world.client.auth = httpx.BasicAuth(world.key("read"), "")
    assert (await track(world)).status_code == 403


async def test_x11_a_revoked_key_ends_within_a_second_everywhere(
    world: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("nurture.clock.Stopwatch.seconds", lambda _: now[0])
    elsewhere = httpx.ASGITransport(create_app(world.services))
    async with httpx.AsyncClient(transport=elsewhere, base_url="http://other", auth=world.client.auth) as other:
        for client in (world.client, other):
            assert (await client.post("/v1/track", json={"userId": "u1", "event": "e"})).status_code == 200
        with world.database.write() as tx:
            assert revoke_key(tx, list_keys(tx)[0].id, NOW)
        now[0] += 0.99
        for client in (world.client, other):
            assert (await client.post("/v1/track", json={"userId": "u1", "event": "e"})).status_code == 401


async def test_x11_the_key_is_nowhere_in_the_database(world: Endpoint) -> None:
    key = world.key("ingest")
    dump = repr(world.rows("api_keys"))
    assert key not in dump
    assert key[11:] not in dump


async def test_r07_a_database_that_cannot_be_written_answers_503(world: Endpoint) -> None:
    await track(world)
    world.database.engine.dispose()

    @event.listens_for(world.database.engine, "connect")
    def read_only(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    answer = await track(world)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


async def test_r15_more_than_may_wait_is_a_503(tmp_path: Path) -> None:
    async with running(tmp_path, limits={"most_waiting": 30}) as world:
        world.client.auth = httpx.BasicAuth(world.key("ingest"), "")
        with world.database.write():  # nothing is written meanwhile
            batch = [{"type": "track", "userId": "u1", "event": "e"}] * 20
            first = asyncio.create_task(world.client.post("/v1/batch", json={"batch": batch}))
            await asyncio.sleep(0.2)
            second = await world.client.post("/v1/batch", json={"batch": batch})
        assert second.status_code == 503
        assert second.headers["retry-after"]
        assert (await first).status_code == 200
        assert len(names(world)) == 20


async def test_many_requests_share_a_transaction(world: Endpoint) -> None:
    await track(world)
    with world.database.write():
        waiting = [asyncio.create_task(track(world)) for _ in range(50)]
        await asyncio.sleep(0.3)
    answers = await asyncio.gather(*waiting)
    assert {a.status_code for a in answers} == {200}
    assert world.ingest.counts["batches"] <= 4
    assert len(names(world)) == 51


async def test_stopping_writes_what_waits(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        world.client.auth = httpx.BasicAuth(world.key("ingest"), "")
        await track(world)
        with world.database.write():
            waiting = asyncio.create_task(track(world))
            await asyncio.sleep(0.2)
        await asyncio.to_thread(world.ingest.stop)
        assert (await waiting).status_code == 200
        assert (await track(world)).status_code == 503
