"""Segment's tracking API: `/v1/identify`, `track`, `page`, `screen`, `group`, `alias`, `batch`.

A 200 means that it is on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nurture.engine.ingest import Busy, Stopped
from nurture.engine.recording import Receipt
from nurture.engine.segment import KINDS, LONGEST_BATCH, Said, Unreadable, read_batch, read_call
from nurture.errors import StoreUnavailable
from nurture.store.keys import Key
from nurture.web.access import Keys, Refused
from nurture.web.bodies import TooLarge, Unpackable, read_body
from nurture.web.services import Services

CLASH = "this messageId was used for another event"


class IngestRoutes:
    """The routes, over the endpoint's services."""

    def __init__(self, services: Services, keys: Keys) -> None:
        self._services = services
        self._keys = keys

    def routes(self) -> list[Route]:
        single = [Route(f"/v1/{kind}", self._single, methods=["POST"], name=kind) for kind in sorted(KINDS)]
        return [Route("/v1/batch", self._batch, methods=["POST"]), *single]

    async def _single(self, request: Request) -> Response:
        taken = await self._take(request)
        if isinstance(taken, Response):
            return taken
        key, body = taken
        said = read_call(body, request.url.path.rpartition("/")[2])
        if isinstance(said, Unreadable):
            return _problem(413 if said.too_large else 400, said.reason)
        if said.message_id is None and (given := request.headers.get("idempotency-key")):
            said = replace(said, message_id=given[:300])
        return await self._store([said], key)

    async def _batch(self, request: Request) -> Response:
        taken = await self._take(request)
        if isinstance(taken, Response):
            return taken
        key, body = taken
        items = read_batch(body)
        if isinstance(items, Unreadable):
            return _problem(400, items.reason)
        return await self._store(items, key)

    async def _take(self, request: Request) -> tuple[Key, bytes] | Response:
        try:
            key = await self._keys.require(request, "ingest")
            return key, await read_body(request, LONGEST_BATCH)
        except Refused as error:
            headers = {"WWW-Authenticate": 'Basic realm="write key"'} if error.status == 401 else None
            return _problem(error.status, error.reason, headers)
        except TooLarge:
            return _problem(413, f"a body has at most {LONGEST_BATCH // 1024} KB, unpacked")
        except Unpackable as error:
            return _problem(400, str(error))

    async def _store(self, items: Sequence[Said | Unreadable], key: Key) -> Response:
        said = [item for item in items if isinstance(item, Said)]
        source = f"api:{key.name}" if key.name else "api"
        try:
            receipts = await self._services.ingest.store(said, source)
        except (Busy, Stopped) as error:
            return _problem(503, error.message, {"Retry-After": str(error.retry_after)})
        except StoreUnavailable:
            return _problem(503, "nothing can be stored at the moment; try again", {"Retry-After": "30"})
        return _answer(items, iter(receipts))


def _answer(items: Sequence[Said | Unreadable], receipts: Any) -> Response:
    """`{"success": true}`; where items were refused, each with its place and the reason. The items around them are
    stored all the same, so a whole batch is an error only where nothing of it was."""
    errors: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    stored = 0
    status = 400
    for index, item in enumerate(items):
        if isinstance(item, Unreadable):
            errors.append({"index": index, "messageId": item.message_id, "error": item.reason})
            status = 413 if item.too_large and len(items) == 1 else status
            continue
        receipt: Receipt = next(receipts)
        if receipt.outcome == "clash":
            errors.append({"index": index, "messageId": item.message_id, "error": CLASH, "status": 409})
            status = 409 if len(errors) == 1 else status
            continue
        stored += 1
        notes += [{"index": index, "note": note} for note in receipt.notes]
    body: dict[str, Any] = {"success": not errors}
    if errors:
        first = errors[0]["error"]
        body |= {
            "code": "conflict" if status == 409 else "invalid",
            "message": first,
            "stored": stored,
            "errors": errors,
        }
    if notes:
        body["notes"] = notes
    return _json(body, 200 if stored or not errors else status)


def _problem(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    """`code` and `message` are what Segment's libraries read of an error."""
    return _json({"success": False, "code": str(status), "message": reason}, status, headers)


def _json(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, "application/json")
