"""The endpoint as a server: what it listens on, and whom it does not wait for (trust X20)."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nurture.serving import Endpoint
from nurture.web import patience
from tests.faults.project import opened


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Endpoint]:
    with opened(folder / "project", "sqlite:///nurture.db", 9, 1) as project, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        endpoint = Endpoint(project.app, "127.0.0.1", port)
        await endpoint.start()
        yield endpoint
        await endpoint.stop()


@pytest.fixture
async def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Endpoint]:
    monkeypatch.setattr(patience, "PATIENCE", 0.3)
    async with served(tmp_path) as endpoint:
        yield endpoint


async def said(endpoint: Endpoint, *parts: bytes, every: float = 0.0) -> bytes:
    """All that is answered to these, until the server hangs up; `every` seconds between parts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)

    async def speak() -> None:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(every)

    speaking = asyncio.create_task(speak())
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        speaking.cancel()
        writer.close()


POST = b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"


@pytest.mark.parametrize(
    ("parts", "every"),
    [
        ((), 0),
        ((b"\r\n",) * 10_000, 0.01),
        ((b"GET /healthz HTTP/1.1\r\nHost: x\r\n",), 0),
        ((b"GET /healthz HTTP/1.1\r\n", *(b"X-%d: 1\r\n" % n for n in range(10_000))), 0.01),
        ((POST + b"\r\n",), 0),
        ((POST + b"\r\n", *(b"{" for _ in range(99))), 0.05),
        ((b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /hea"), 0.1),
    ],
    ids=["silence", "empty lines", "half a head", "a header a moment", "no body", "an octet a moment", "a second half"],
)
async def test_x20_who_sends_too_slowly_is_hung_up_on(
    endpoint: Endpoint, parts: tuple[bytes, ...], every: float
) -> None:
    answer = await said(endpoint, *parts, every=every)
    assert answer.count(b"HTTP/1.1 200") == (1 if b"\r\n\r\n" in b"".join(parts[:1])[:40] else 0)


async def test_x20_slow_connections_keep_nobody_waiting(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 60)
    slow = [await asyncio.open_connection("127.0.0.1", endpoint.port) for _ in range(200)]
    for _, writer in slow:
        writer.write(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
    answer = await said(endpoint, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    for _, writer in slow:
        writer.close()


async def test_x20_a_head_without_end_is_refused(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 60)
    line = b"X-Long: " + b"x" * 8_000 + b"\r\n"
    answer = await said(endpoint, b"GET /healthz HTTP/1.1\r\nHost: x\r\n", *[line] * 1_000, every=0.001)
    assert answer.startswith(b"HTTP/1.1 400") or answer == b""  # reset where we still speak


async def test_x20_one_connection_more_than_may_be_is_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nurture.serving.MOST_CONNECTIONS", 3)
    async with served(tmp_path) as endpoint:
        slow = [await asyncio.open_connection("127.0.0.1", endpoint.port) for _ in range(3)]
        answer = await said(endpoint, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503")
        for _, writer in slow:
            writer.close()


def listening() -> set[tuple[str, int]]:
    """What this process listens on, as `ss -ltnp` would show it."""
    mine = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            mine.add(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    found = set()
    for table, size in (("tcp", 4), ("tcp6", 16)):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in mine:
                address, _, port = fields[1].partition(":")
                raw = bytes.fromhex(address)
                octets = b"".join(raw[n : n + 4][::-1] for n in range(0, size, 4))
                family = socket.AF_INET if size == 4 else socket.AF_INET6
                found.add((socket.inet_ntop(family, octets), int(port, 16)))
    return found


async def test_x20_it_listens_where_it_was_told_and_nowhere_else(tmp_path: Path) -> None:
    before = listening()
    async with served(tmp_path) as endpoint:
        assert listening() - before == {("127.0.0.1", endpoint.port)}
