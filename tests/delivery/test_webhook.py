"""Calls of webhooks: where they may go, what they say, what their answers mean (trust X13)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from nurture.delivery.webhook import CallFailed, post, signature, target

ANSWER = b'{"items": [1, 2]}'


@dataclass
class Receiver:
    """A small HTTP server that keeps what it was told."""

    status: int = 200
    answer: bytes = ANSWER
    headers: bytes = b""
    port: int = 0
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")[1:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.heard.append((headers, body))
        length = str(len(self.answer)).encode()
        writer.write(b"HTTP/1.1 %d X\r\n%scontent-length: %s\r\n\r\n" % (self.status, self.headers, length))
        writer.write(self.answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def receiver(status: int = 200, answer: bytes = ANSWER, headers: bytes = b"") -> AsyncIterator[Receiver]:
    made = Receiver(status, answer, headers)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


def names(*addresses: str) -> Callable[[str, int], object]:
    async def lookup(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return lookup


async def test_an_answer_in_json_comes_back() -> None:
    async with receiver() as there:
        where = target(f"http://127.0.0.1:{there.port}/hook?x=1")
        found = await post(where, b"{}", [("webhook-id", "call_7")], seconds=5)
    assert found == {"items": [1, 2]}
    assert there.heard[0][0]["webhook-id"] == "call_7"


async def test_an_empty_answer_is_one_too() -> None:
    async with receiver(204, b"") as there:
        assert await post(target(f"http://127.0.0.1:{there.port}/"), b"{}", [], seconds=5) is None


@pytest.mark.parametrize(("status", "again"), [(500, True), (503, True), (429, True), (404, False), (400, False)])
async def test_a_refusal_says_whether_to_ask_again(status: int, again: bool) -> None:
    async with receiver(status) as there:
        with pytest.raises(CallFailed) as failed:
            await post(target(f"http://127.0.0.1:{there.port}/"), b"{}", [], seconds=5)
    assert failed.value.again is again


async def test_x13_a_redirect_is_not_followed() -> None:
    async with receiver(302, b"", b"location: http://127.0.0.1:1/\r\n") as there:
        with pytest.raises(CallFailed, match="302"):
            await post(target(f"http://127.0.0.1:{there.port}/"), b"{}", [], seconds=5)


async def test_x13_an_answer_over_64_kb_is_refused() -> None:
    async with receiver(200, b"[" + b"1," * 40_000 + b"1]") as there:
        with pytest.raises(CallFailed, match="64 KB"):
            await post(target(f"http://127.0.0.1:{there.port}/"), b"{}", [], seconds=5)


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "127.0.0.1", "0.0.0.0", "100.64.0.1"),
        *("224.0.0.1", "240.0.0.1", "198.18.0.1", "192.0.0.1", "255.255.255.255"),
        *("::1", "::", "fd00::1", "fe80::1", "fe80::1%eth0", "ff02::1"),
        *("::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:127.0.0.1"),
        *("64:ff9b::169.254.169.254", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:a9fe:a9fe::1", "2002:7f00:1::"),
        *("2001:0:7f00:1::", "2001:db8::1"),
    ],
)
async def test_x13_a_name_that_leads_into_a_private_network_is_refused(address: str) -> None:
    with pytest.raises(CallFailed, match="private network"):
        await post(target("https://hooks.example/"), b"{}", [], seconds=5, lookup=names("93.184.216.34", address))  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["0x7f000001", "2130706433", "127.1", "0177.0.0.1", "[::ffff:127.0.0.1]"])
async def test_x13_another_spelling_of_this_machine_is_this_machine(host: str) -> None:
    with pytest.raises(CallFailed, match="private network"):
        await post(target(f"https://{host}/"), b"{}", [], seconds=5)


async def test_x13_the_address_that_was_looked_at_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    connected: list[str] = []

    async def two_faced(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["93.184.216.34"] if len(asked) == 1 else ["127.0.0.1"]

    async def connect(address: str, *_: object, **__: object) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio, "open_connection", connect)
    with pytest.raises(CallFailed, match="cannot be reached"):
        await post(target("https://hooks.example/"), b"{}", [], seconds=5, lookup=two_faced)
    assert (asked, connected) == (["hooks.example"], ["93.184.216.34"])


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
async def test_x13_a_public_address_is_called(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio, "open_connection", connect)
    with pytest.raises(CallFailed, match="cannot be reached"):
        await post(target("https://hooks.example/"), b"{}", [], seconds=5, lookup=names(address))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url", ["http://hooks.example/", "http://0x7f000001/", "ftp://127.0.0.1/", "//evil", "javascript:1"]
)
def test_x13_only_https_is_called(url: str) -> None:
    with pytest.raises(CallFailed):
        target(url)


async def test_a_silent_system_is_given_up_in_time() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        gone.set()

    gone = asyncio.Event()
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(CallFailed, match="no answer") as failed:
        await post(target(f"http://127.0.0.1:{port}/"), b"{}", [], seconds=0.2)
    assert failed.value.again
    await gone.wait()
    server.close()
    await server.wait_closed()


def test_a_call_is_signed_as_standard_webhooks_ask() -> None:
    at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    body = json.dumps({"a": 1}).encode()
    told = signature(b"secret", "call_1", at, body)
    expected = hmac.new(b"secret", b"call_1.%d." % int(at.timestamp()) + body, hashlib.sha256).digest()
    assert told == "v1," + base64.b64encode(expected).decode()
