"""One open SMTP connection: the dialogue after greeting, TLS and AUTH, pipelined where the server offers it (RFC 2920).

With PIPELINING a mail costs one round trip: the end of a message and the next one's MAIL, RCPT and DATA travel together.
The next message's content waits for its own 354, which comes after the answer to the dot before it. So at any instant at
most one message per connection is between its dot and its answer, and only that one can become unknown (E18, R3).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass

from nurture.clock import Stopwatch
from nurture.delivery.feed import Feed, Turn
from nurture.delivery.replies import Features, Garbage, RawReply, ReplyReader, envelope, stuffed
from nurture.delivery.transport import Dropped, Mail, Refused, Reply, Result, Sent, Withdrawn

CHUNK = 65_536  # longer messages are written in pieces, the dot apart, so that a drop in between is known to be one
PATIENCE = 0.25  # seconds a server may take to answer a dot and still get the next MAIL FROM behind the dot


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait at each phase (RFC 5321 §4.5.3.2)."""

    connect: float = 30.0
    command: float = 300.0  # greeting, EHLO, STARTTLS, AUTH, RSET
    mail: float = 300.0
    rcpt: float = 300.0
    data: float = 120.0
    block: float = 180.0  # one piece of a long message
    dot: float = 600.0  # shorter makes duplicates: the server may be delivering already (RFC 1047)
    quit: float = 5.0  # nothing depends on it


class ConnectionGone(Exception):
    """The connection cannot be used any more; the text says why in words."""


class Dialogue(asyncio.Protocol):
    """Owns a connected, greeted transport; used by one run at a time."""

    def __init__(
        self, transport: asyncio.Transport, features: Features, timeouts: Timeouts, number: int, watch: Stopwatch
    ) -> None:
        self.number = number
        self.answered = 0  # mails this connection brought to an answer
        self._transport = transport
        self._features = features
        self._timeouts = timeouts
        self._watch = watch
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._replies: deque[RawReply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._gone: str | None = None
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._deadline: float | None = None
        self._dirty = False  # a transaction was refused half-way: RSET before the next
        self._ahead: Turn | None = None  # its MAIL FROM travelled behind the current mail's dot
        self._phase = "mail"
        self._dot_written = False
        self._ends_after = 0
        transport.set_write_buffer_limits(high=CHUNK, low=0)
        transport.set_protocol(self)
        if transport.is_closing():
            self._lose("the connection was closed")

    # What the event loop tells us

    def data_received(self, data: bytes) -> None:
        if self._gone is not None:
            return
        for reply in self._reader.feed(data):
            if isinstance(reply, Garbage):
                self._lose(str(reply))
                self._transport.abort()
                return
            self._replies.append(reply)
        self._wake()

    def eof_received(self) -> bool:
        self._lose("the server closed the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose("the connection was lost" if exc else "the connection was closed")
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._wake()

    # What the pool asks

    @property
    def usable(self) -> bool:
        """Idle and alive. A word out of turn is a server about to hang up (421)."""
        return self._gone is None and not self._replies and not self._transport.is_closing()

    def abort(self) -> None:
        """Hang up at once; a message behind its dot becomes unknown."""
        self._lose("this program ended the connection")
        self._transport.abort()

    async def bye(self) -> None:
        """QUIT and close. Whatever comes of it changes no result (E19)."""
        if self.usable:
            with contextlib.suppress(ConnectionGone):
                self._write(b"QUIT\r\n")
                await self._next(self._timeouts.quit)
        self._lose("this program closed the connection")
        self._transport.close()
        # A TLS peer that never answers the closing alert would hold the socket for half a minute.
        self._loop.call_later(self._timeouts.quit, self._transport.abort)

    async def serve(self, feed: Feed, most: int) -> bool:
        """Send mails of the feed until it is empty, `most` were answered here, or the connection ends.

        True while the connection can be used again. Every mail taken is settled or put back.
        """
        self._ends_after = most
        turn: Turn | None = None
        try:
            while (turn := self._ahead or await feed.take()) is not None:
                opened = self._ahead is not None
                self._ahead = None
                self._phase, self._dot_written = "mail", False
                result = await self._deliver(turn, feed, opened)
                if result is not None:
                    self.answered += 1
                    feed.settle(result)
                if self.answered >= most and self._ahead is None:
                    return False
        except ConnectionGone as gone:
            self._settle_lost(turn, feed, str(gone))
            return False
        return self.usable

    # One mail

    async def _deliver(self, turn: Turn, feed: Feed, opened: bool) -> Result | None:
        """One transaction (one recipient, E20). None: the feed has settled it already."""
        mail, began = turn.mail, self._watch.seconds()
        commands = envelope(mail, self._features)
        if isinstance(commands, Reply):
            return Refused(mail.id, commands)
        refused = await self._open(commands, opened)
        if refused is not None:
            return Refused(mail.id, refused)
        if not await feed.still_allowed(turn):
            # After 354 the only way back is to hang up: without the dot the server drops what it has.
            self.abort()
            return None
        await self._write_content(mail, feed, began)
        reply = await self._next(self._timeouts.dot)
        self._swift = self._watch.seconds() - self._dot_at <= PATIENCE
        if reply.code // 100 == 3:
            raise ConnectionGone("the answer to the message makes no sense")
        if reply.code // 100 != 2:
            self._end_if_closing(reply)
            return Refused(mail.id, reply.told_at("dot"))
        return Sent(mail.id, reply.told_at("dot"), self._watch.seconds() - began)
