"""Who is asking: API keys with their scopes, and the address a request really comes from."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import ipaddress
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from nurture.clock import Clock, Stopwatch
from nurture.errors import NurtureError
from nurture.store.database import Database
from nurture.store.keys import Key, find_key, touch_key

_KEPT = 0.5  # seconds a key's answer is remembered: so long a revoked key may still work, anywhere (trust X11)
_MOST_KEPT = 1_000
_TOUCH = 3_600.0  # seconds between two notes of a key's use


class Refused(Exception):
    """The request may not; `status` 401 (no valid key) or 403 (the key lacks the scope)."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Keys:
    """Finds the key of a request, at most twice a second for each key."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._watch = Stopwatch()
        self._known: dict[str, tuple[float, Key | None]] = {}
        self._touched: dict[int, float] = {}
        self._noting: set[asyncio.Task[None]] = set()

    async def require(self, request: HTTPConnection, scope: str) -> Key:
        """The key, which has this scope. Raises Refused."""
        text = key_text(request.headers.get("authorization", ""))
        if text is None:
            raise Refused(401, "send the key as the user of Basic authentication, or as a Bearer token")
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
        at = self._watch.seconds()
        kept = self._known.get(digest)
        if kept is None or at - kept[0] > _KEPT:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            kept = self._known[digest] = (at, await run_in_threadpool(self._find, text))
        key = kept[1]
        if key is None or not key.valid(self._clock.now()):
            raise Refused(401, "this key is not valid")
        if not key.allows(scope):
            raise Refused(403, f"this key has no scope '{scope}'")
        self._note_use(key, at)
        return key

    def _find(self, text: str) -> Key | None:
        with self._database.read() as tx:
            return find_key(tx, text)

    def _note_use(self, key: Key, at: float) -> None:
        """Beside the request: who asks does not wait for this write."""
        if at - self._touched.get(key.id, -_TOUCH) < _TOUCH:
            return
        self._touched[key.id] = at
        task = asyncio.create_task(run_in_threadpool(self._touch, key.id))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    def _touch(self, key: int) -> None:
        with suppress(NurtureError), self._database.write() as tx:
            touch_key(tx, key, self._clock.now())


def key_text(header: str) -> str | None:
    """The key in an Authorization header: `Basic base64(key:)` as Segment's libraries send it, or `Bearer key`."""
    scheme, _, rest = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip() or None
        case "basic":
            try:
                return base64.b64decode(rest.strip(), validate=True).decode("utf-8").partition(":")[0] or None
            except (binascii.Error, UnicodeDecodeError):
                return None
    return None


def client_address(request: HTTPConnection, trusted: Sequence[str]) -> str | None:
    """The address the request comes from. A proxy's word is taken only from a trusted proxy, from right to left until
    one is not trusted (RFC 7239 §5.2; trust C3)."""
    peer = request.client.host if request.client else None
    if peer is None or not _is_trusted(peer, tuple(trusted)):
        return peer
    said = [part.strip() for line in request.headers.getlist("x-forwarded-for") for part in line.split(",")]
    for address in reversed(said):
        if not _is_address(address):
            return peer
        if not _is_trusted(address, tuple(trusted)):
            return address
        peer = address
    return peer


def network_of(address: str | None) -> str:
    """The network that limits count by: /24 of IPv4, /56 of IPv6."""
    if address is None or not _is_address(address):
        return "unknown"
    bits = 24 if ipaddress.ip_address(address).version == 4 else 56
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=16)
def _networks(trusted: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in trusted)


def _is_trusted(address: str, trusted: tuple[str, ...]) -> bool:
    if not trusted or not _is_address(address):
        return False
    own = ipaddress.ip_address(address)
    return any(own in network for network in _networks(trusted) if network.version == own.version)
