"""HTTP calls to other systems: the `call:` step and notices through a channel.

A call is a row of the outbox like a mail. It is signed as Standard Webhooks asks (id, time and body under HMAC-SHA256),
and its id is the message's, so that a receiver can drop a repetition. Where it goes is decided once: the name is
resolved, every address of it is looked at, and the connection is made to that address; private networks are refused
(trust X13), but for a host that names this machine itself. No redirect is followed.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import h11

from nurture.delivery.loopback import is_local
from nurture.errors import NurtureError

LONGEST_ANSWER = 64 * 1024  # octets of a webhook's answer that are kept
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class CallFailed(NurtureError):
    """The other system could not be asked, or said no. `again`: it may be asked once more."""

    def __init__(self, message: str, *, again: bool) -> None:
        super().__init__(message)
        self.again = again


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes, read from its address."""

    host: str
    port: int
    path: str
    tls: bool

    @property
    def here(self) -> bool:
        """Whether the address itself names this machine."""
        return is_local(self.host)


def target(url: str) -> Target:
    """Read an address. Raises CallFailed for one that is not https, unless it names this machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise CallFailed("the webhook's address cannot be read", again=False) from None
    if parts.scheme not in ("http", "https") or not host:
        raise CallFailed("the webhook's address is not one of the web", again=False)
    if parts.scheme == "http" and not is_local(host):
        raise CallFailed("a webhook is called over https", again=False)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(host, port or (443 if parts.scheme == "https" else 80), path, parts.scheme == "https")


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the machine knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def signature(secret: bytes, call_id: str, at: datetime, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body` (Standard Webhooks 1.0)."""
    signed = f"{call_id}.{int(at.timestamp())}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode("ascii")


async def post(
    where: Target,
    body: bytes,
    headers: Sequence[tuple[str, str]],
    *,
    seconds: float,
    lookup: Resolve = resolve,
    trust: ssl.SSLContext | None = None,
) -> object:
    """POST JSON and return the answer's JSON, None for an empty one. `seconds` bound the whole of it. Raises
    CallFailed; never more than LONGEST_ANSWER octets are read."""
    try:
        async with asyncio.timeout(seconds):
            address = await _address(where, lookup)
            context = (trust or ssl.create_default_context()) if where.tls else None
            reader, writer = await asyncio.open_connection(
                address, where.port, ssl=context, server_hostname=where.host if context else None
            )
            try:
                return await _exchange(reader, writer, where, body, headers)
            finally:
                writer.close()
    except TimeoutError:
        raise CallFailed(f"no answer within {seconds:g} s", again=True) from None
    except ssl.SSLError as error:
        raise CallFailed(f"its certificate does not hold: {error.reason}", again=True) from error
    except (OSError, h11.RemoteProtocolError) as error:
        raise CallFailed(f"it cannot be reached: {type(error).__name__}", again=True) from error


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_TRANSLATED, _PUBLIC = ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("2000::/3")


async def _address(where: Target, lookup: Resolve) -> str:
    """The one address that is connected to. Refused when any address of the name is not a public one: a name with two
    faces is not trusted with either."""
    found = await lookup(where.host, where.port)
    if not found:
        raise CallFailed("its name is not known", again=True)
    for text in found:
        address = _reached(ipaddress.ip_address(text.partition("%")[0]))
        allowed = address.is_loopback if where.here else address.is_global and not address.is_multicast
        if not allowed:
            raise CallFailed("its name leads into a private network", again=False)
    return found[0]


def _reached(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 one leads to, where it leads to one: a private network must not hide behind a
    translator (RFC 4291 §2.5.5, RFC 3056, RFC 6052). What lies outside 2000::/3 is nobody's public address."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address if address.is_loopback or address in _PUBLIC else ipaddress.IPv6Address("::")


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    where: Target,
    body: bytes,
    headers: Sequence[tuple[str, str]],
) -> object:
    connection = h11.Connection(h11.CLIENT)
    default = 443 if where.tls else 80
    host = where.host if where.port == default else f"{where.host}:{where.port}"
    sent = [("host", host), ("content-length", str(len(body))), ("connection", "close"), *headers]
    writer.write(connection.send(h11.Request(method="POST", target=where.path, headers=sent)) or b"")
    writer.write(connection.send(h11.Data(data=body)) or b"")
    writer.write(connection.send(h11.EndOfMessage()) or b"")
    await writer.drain()
    status, answer = 0, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(16_384))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            answer += event.data
            if len(answer) > LONGEST_ANSWER:
                raise CallFailed("its answer has more than 64 KB", again=False)
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            return _answer(status, bytes(answer))


def _answer(status: int, body: bytes) -> object:
    if not 200 <= status < 300:
        # A redirect is no answer: where it leads has not been looked at.
        raise CallFailed(f"it answered {status}", again=status >= 500 or status in (408, 425, 429))
    if not body.strip():
        return None
    try:
        return json.loads(body)
    except ValueError:
        raise CallFailed("its answer is not JSON", again=False) from None
