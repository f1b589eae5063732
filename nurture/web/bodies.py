"""Request bodies: read up to a limit, unpacked up to a limit, taken apart without trust."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl

from python_multipart.exceptions import MultipartParseError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Fields = list[tuple[str, str]]
LONGEST_BODY = 1024 * 1024  # octets: no route reads more (trust X20)
LONGEST_FORM = 64 * 1024  # octets
_MOST_FIELDS = 200


class TooLarge(Exception):
    """The body is longer than this route takes, packed or unpacked."""


class Unpackable(Exception):
    """The body says it is packed and is not."""


class BodyLimit:
    """Ends a request with 413 where its body is longer than `most` octets, for apps that read bodies themselves."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._most:
                raise HTTPException(413, f"a body has at most {self._most // 1024} KB")
            return message

        await self._app(scope, counted, send)


async def read_body(request: Request, most: int) -> bytes:
    """The body, unpacked, of at most `most` octets. Raises TooLarge and Unpackable; a bomb is never unpacked."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise TooLarge
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise TooLarge
            chunks.append(chunk)
    except ClientDisconnect as error:
        raise Unpackable("the sender went away") from error
    body = b"".join(chunks)
    match request.headers.get("content-encoding", "").strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _unpack(body, most)
        case other:
            raise Unpackable(f"'{other[:20]}' is no encoding this endpoint knows; send gzip or none")


def _unpack(body: bytes, most: int) -> bytes:
    """Never more than one octet above the limit is made."""
    machine = zlib.decompressobj(31)
    try:
        unpacked = machine.decompress(body, most + 1)
    except zlib.error as error:
        raise Unpackable("the body is not gzip") from error
    if len(unpacked) > most:
        raise TooLarge
    if not machine.eof:
        raise Unpackable("the body ends too early")
    return unpacked


async def read_fields(request: Request) -> Fields | None:
    """The fields of a form, urlencoded or multipart, in order; None where the body is neither. Raises TooLarge."""
    try:
        body = await read_body(request, LONGEST_FORM)
    except Unpackable:
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _multipart(request.headers, body)
    if kind in ("", "application/x-www-form-urlencoded"):
        try:
            text = body.decode("utf-8").rstrip("\r\n")
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
        except (UnicodeDecodeError, ValueError):
            return None
        return [(name, value.replace("\x00", "")) for name, value in pairs]
    return None


async def _multipart(headers: Headers, body: bytes) -> Fields | None:
    async def stream() -> AsyncIterator[bytes]:
        yield body

    try:
        parser = MultiPartParser(headers, stream(), max_files=0, max_fields=_MOST_FIELDS)  # type: ignore[arg-type]
        form = await parser.parse()
    except (MultiPartException, MultipartParseError, KeyError, ValueError, UnicodeDecodeError):
        return None
    return [(name, value.replace("\x00", "")) for name, value in form.multi_items() if isinstance(value, str)]
