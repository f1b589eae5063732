"""Segment's tracking calls, read: `identify`, `track`, `page`, `screen`, `group`, `alias`, singly or in a batch.

The shape is what Segment's own libraries send (HTTP tracking API): https://segment.com/docs/connections/sources/catalog/
libraries/server/http-api/. Bodies are read one item at a time, so that one bad item does not lose the others.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from nurture.lead.event import PAGE_VIEWED, SCREEN_VIEWED, name_problem

Kind = Literal["identify", "track", "page", "screen", "group", "alias"]
KINDS: frozenset[str] = frozenset({"identify", "track", "page", "screen", "group", "alias"})

LONGEST_EVENT = 32 * 1024  # octets of one call
LONGEST_BATCH = 500 * 1024  # octets of a batch, unpacked
LONGEST_ID = 300  # characters
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_Id = str | int | float | None


class _Call(msgspec.Struct, rename="camel"):
    type: str | None = None
    message_id: str | None = None
    user_id: _Id = None
    anonymous_id: _Id = None
    previous_id: _Id = None
    group_id: _Id = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    timestamp: str | None = None


class _Batch(msgspec.Struct):
    batch: list[msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Said:
    """One call, read. `event` is the name it is stored under, None where it is no event. `body` is a hash of what it
    says, the same for a replay."""

    kind: Kind
    message_id: str | None
    body: str
    external: str | None = None
    anonymous: str | None = None
    previous: str | None = None
    group: str | None = None
    event: str | None = None
    at: datetime | None = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why an item cannot be taken, in words for who sent it. `too_large`: nothing else is wrong with it."""

    reason: str
    message_id: str | None = None
    too_large: bool = False


_call = msgspec.json.Decoder(_Call)
_batch = msgspec.json.Decoder(_Batch)


def read_batch(body: bytes) -> list[Said | Unreadable] | Unreadable:
    """Every item of a batch, read or refused; one refusal where the body is no batch at all."""
    try:
        items = _batch.decode(body).batch
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Unreadable(f"not a batch: {_plain(error)}")
    return [read_call(bytes(item), None) for item in items]


def read_call(body: bytes, kind: str | None) -> Said | Unreadable:
    """One call; `kind` is the route's, in a batch each item names its own `type`."""
    if len(body) > LONGEST_EVENT:
        return Unreadable(f"an event has at most {LONGEST_EVENT // 1024} KB", too_large=True)
    try:
        call = _call.decode(body)
        if b"\\u0000" in body:
            call = _call.decode(msgspec.json.encode(_without_nul(msgspec.json.decode(body))))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Unreadable(f"not a call: {_plain(error)}")
    kind = kind or call.type
    if kind not in KINDS:
        return Unreadable(f"'{kind}' is not a type of call" if kind else "the item has no `type`", call.message_id)
    problem = _problem(call, kind)
    if problem:
        return Unreadable(problem, call.message_id)
    at = read_timestamp(call.timestamp)
    if call.timestamp is not None and at is None:
        return Unreadable("`timestamp` is not an ISO 8601 date and time since 1970", call.message_id)
    return Said(
        kind=kind,  # type: ignore[arg-type]
        message_id=call.message_id or None,
        body=_digest(call, kind),
        external=_id(call.user_id),
        anonymous=_id(call.anonymous_id),
        previous=_id(call.previous_id),
        group=_id(call.group_id),
        event=_event(call, kind),
        at=at,
        properties=_properties(call, kind),
        traits=_traits(call, kind),
    )


def read_timestamp(text: str | None) -> datetime | None:
    """An ISO 8601 instant, in UTC where it names no offset; None for what is not one."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at >= _EARLIEST else None


def _problem(call: _Call, kind: str) -> str | None:
    ids = (call.user_id, call.anonymous_id, call.previous_id, call.group_id, call.message_id)
    if any(isinstance(value, float) and not value.is_integer() for value in ids):
        return "an id is a text or a whole number"
    if any(len(str(value)) > LONGEST_ID for value in ids if value is not None):
        return f"an id has at most {LONGEST_ID} characters"
    if _id(call.user_id) is None and (kind == "alias" or _id(call.anonymous_id) is None):
        return "an alias needs `userId`" if kind == "alias" else "a call needs `userId` or `anonymousId`"
    match kind:
        case "track":
            return name_problem(call.event or "")
        case "group" if _id(call.group_id) is None:
            return "a group call needs `groupId`"
        case "alias" if _id(call.previous_id) is None:
            return "an alias needs `previousId`"
    return None


def _id(value: _Id) -> str | None:
    if value is None or value == "":
        return None
    return str(int(value) if isinstance(value, float) else value)  # some libraries write 5 as 5.0


def _event(call: _Call, kind: str) -> str | None:
    match kind:
        case "track":
            return (call.event or "").strip()
        case "page":
            return PAGE_VIEWED
        case "screen":
            return SCREEN_VIEWED
    return None


def _properties(call: _Call, kind: str) -> dict[str, Any]:
    """Of a page or screen also its name, category, and what the library says of it in `context.page`."""
    properties = dict(call.properties or {})
    if kind in ("page", "screen"):
        for name, value in (("name", call.name), ("category", call.category)):
            if value is not None:
                properties.setdefault(name, value)
        page = (call.context or {}).get("page")
        if isinstance(page, dict):
            for name in ("path", "url", "title", "referrer", "search"):
                if page.get(name) is not None:
                    properties.setdefault(name, page[name])
    return properties


def _traits(call: _Call, kind: str) -> dict[str, Any]:
    """Of an identify also the browser's language and zone, where its traits do not say them."""
    traits = dict(call.traits or {})
    if kind == "identify":
        for name in ("locale", "timezone"):
            value = (call.context or {}).get(name)
            if isinstance(value, str) and value:
                traits.setdefault(name, value)
    return traits


def _digest(call: _Call, kind: str) -> str:
    said = (
        *(kind, call.user_id, call.anonymous_id, call.previous_id, call.group_id),
        *(call.event, call.name, call.category, call.properties, call.traits, call.timestamp),
    )
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()


def _without_nul(value: Any) -> Any:
    """PostgreSQL stores no NUL in text or JSON; one such character must not lose the batch it came with."""
    match value:
        case str():
            return value.replace("\x00", "")
        case dict():
            return {k.replace("\x00", ""): _without_nul(v) for k, v in value.items()}
        case list():
            return [_without_nul(v) for v in value]
    return value


def _plain(error: Exception) -> str:
    """What is wrong with the text as JSON, or with a value in it."""
    match error:
        case RecursionError():
            return "nested too deeply"
        case msgspec.ValidationError():
            return str(error)[:200]
    # The decoder calls half of a surrogate pair truncated, too.
    why = str(error).replace("Input data was truncated", "it ends too early, or within a character")
    return f"it is not JSON: {why.removeprefix('JSON is malformed: ')[:200]}"
