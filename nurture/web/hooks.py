"""`POST /hooks/{provider}`: bounces, complaints, deliveries from mail providers, verified and taken once (trust X12).

A request is verified by its provider's own means before anything of it is read, and each happening in it is remembered
with the transaction that acts on it, so that a replay does nothing. A 200 means that it is on disk.
"""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nurture.clock import Clock, machine_now
from nurture.engine.feedback import Feedback, refuse
from nurture.engine.live import Live
from nurture.engine.turn import Turn
from nurture.errors import LostRace, StoreUnavailable
from nurture.mail.report import Kind, Notice
from nurture.store.database import Database
from nurture.store.events import EventKey, accept_keys
from nurture.web.access import client_address
from nurture.web.bodies import LONGEST_BODY, TooLarge, Unpackable, read_body
from nurture.web.providers import READERS, Posted
from nurture.web.providers.posted import NoLogin, Unavailable, Unreadable, Unverified

log = structlog.get_logger()

LONGEST = LONGEST_BODY  # SendGrid posts batches of up to 0.8 MB
_LONGEST_DOCUMENT = 64 * 1024  # octets of a certificate
_PATIENCE = 5.0  # seconds a provider's document is waited for
# Openings and clicks are counted by our own links, with consent (trust C20); nothing of these is kept.
_UNTOLD = (Kind.OPENED, Kind.CLICKED, Kind.QUEUED)


@dataclass
class Hooks:
    """`providers` maps a provider's name to what config.yaml says of it. `feedback` makes the judge for a source's
    name. `live` gives what is live. `now` is machine time: signed times are compared with it."""

    providers: Mapping[str, str]
    database: Database
    clock: Clock
    live: Callable[[], Live | None]
    feedback: Callable[[str], Feedback]
    trusted_proxies: tuple[str, ...] = ()
    now: Callable[[], datetime] = machine_now
    fetch: Callable[[str], bytes] = field(default_factory=lambda: Documents())

    def routes(self) -> list[Route]:
        return [Route("/hooks/{provider}", self._take, methods=["POST"])]

    async def _take(self, request: Request) -> Response:
        name = request.path_params["provider"]
        settings = tuple(self.providers.get(name, "").split())
        if name not in READERS or not settings:
            return _json({"success": False, "message": "no such provider is configured"}, 404)
        try:
            body = await read_body(request, LONGEST)
        except TooLarge:
            return _json({"success": False, "message": "the body is too long"}, 413)
        except Unpackable as error:
            return _json({"success": False, "message": str(error)}, 400)
        address = client_address(request, self.trusted_proxies)
        headers = {key.lower(): value for key, value in request.headers.items()}
        posted = Posted(headers, body, address, self.now(), settings, self.fetch)
        return await run_in_threadpool(self._answer, name, posted)

    def _answer(self, name: str, posted: Posted) -> Response:
        try:
            notices = READERS[name](posted)
            counts = self._store(name, posted, notices)
        except Unverified as error:
            self._refuse(name, "unverified")
            log.warning("hook.unverified", provider=name, why=str(error))
            if isinstance(error, NoLogin):
                challenge = {"WWW-Authenticate": f'Basic realm="{name}"'}
                return _json({"success": False, "message": str(error)}, 401, challenge)
            return _json({"success": False, "message": str(error)}, 403)
        except Unreadable as error:
            self._refuse(name, "unreadable")
            log.warning("hook.unreadable", provider=name, why=str(error))
            return _json({"success": False, "message": str(error)}, 400)
        except (StoreUnavailable, LostRace, NotYet, Unavailable):
            return _json({"success": False, "message": "try again later"}, 503, {"Retry-After": "30"})
        return _json({"success": True, "taken": dict(counts)})

    def _refuse(self, name: str, why: str) -> None:
        with suppress(StoreUnavailable, LostRace), self.database.write() as tx:
            refuse(tx, f"hooks:{name}", why)

    def _store(self, name: str, posted: Posted, notices: Sequence[Notice]) -> Counter[str]:
        told = [notice for notice in notices if notice.kind not in _UNTOLD]
        if not told:
            return Counter()
        live = self.live()
        if live is None:
            raise NotYet
        source, digest = f"hooks:{name}", hashlib.sha256(posted.body).hexdigest()
        # A notice without a name of its own is known by the whole body it came in, and its place there. Names are
        # hashed: they may be long, and hold what a database does not take.
        names = [n.id or f"{digest}:{place}" for place, n in enumerate(told)]
        keys = [EventKey(source, hashlib.sha256(name.encode("utf-8", "replace")).hexdigest(), digest) for name in names]
        with self.database.write() as tx:
            answers = accept_keys(tx, keys, self.now())
            fresh = [notice for notice, answer in zip(told, answers, strict=True) if answer == "new"]
            turn = Turn(tx, live)
            taken = self.feedback(source).take(turn, fresh, self.clock.now())
            turn.flush()
        counts = Counter[str](taken)
        if len(fresh) < len(told):
            counts["replayed"] = len(told) - len(fresh)
        return counts


class NotYet(Exception):
    """Nothing is deployed, so there is nothing it could be about."""


class Documents:
    """Gets small documents over https, each once; follows no redirect. Whose address may be asked is the caller's."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}
        self._opener = urllib.request.build_opener(_NoRedirect)

    def __call__(self, url: str) -> bytes:
        """Raises Unavailable where it cannot be had now."""
        found = self._known.get(url)
        if found is None:
            try:
                with self._opener.open(url, timeout=_PATIENCE) as answer:
                    found = answer.read(_LONGEST_DOCUMENT)
            except (OSError, urllib.error.URLError, ValueError) as error:
                raise Unavailable("a document of the provider's cannot be had now") from error
            if url.endswith(".pem"):
                if len(self._known) > 20:
                    self._known.clear()
                self._known[url] = found
        return found


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_given: Any) -> None:
        return None


def _json(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, "application/json")
