"""How long the endpoint waits for a request, and how much of its head it reads (trust X20).

uvicorn waits for ever for the rest of a request, and httptools puts no bound to its headers: a few hundred connections
that send a byte now and then would hold everybody up, an unsubscribe too.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PATIENCE = 20.0  # seconds from a request's first octet, or from the connection, to the last octet of its body
LONGEST_HEAD = 32 * 1024  # octets of request line and headers
MOST_CONNECTIONS = 800  # below the 1,024 open files that most systems allow; one more is told 503


class Patience(HttpToolsProtocol):
    """HTTP/1.1 of uvicorn, that hangs up on a request which takes too long to come or has too long a head. How often
    something comes does not matter: the time runs from the beginning."""

    _limit: asyncio.TimerHandle | None = None
    _head: int | None = None  # octets of the head so far; None outside of one

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._limit is None and (self.cycle is None or self.cycle.response_complete):
            self._wait()  # also for what is no request yet, such as empty lines
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > LONGEST_HEAD and not self.transport.is_closing():
                self.send_400_response("The head of this request is too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0
        if self._limit is None:
            self._wait()

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._done()
        super().on_message_complete()

    def _wait(self) -> None:
        self._limit = self.loop.call_later(PATIENCE, self._hang_up)

    def _done(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _hang_up(self) -> None:
        self._limit = None
        if not self.transport.is_closing():
            self.transport.close()
