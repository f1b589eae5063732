"""One open SMTP connection: the dialogue after greeting, TLS and AUTH, pipelined where offered (RFC 2920).

With PIPELINING a mail costs one round trip: the end of a message and the next one's MAIL, RCPT and DATA go together.
The next message's content waits for its own 354, which comes after the answer to the dot before it. So at any instant
at most one message per connection is between its dot and its answer, and only that one can become unknown (E18, R3).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass

from nurture.clock import Stopwatch
from nurture.delivery.feed import Feed, Turn
from nurture.delivery.replies import Features, Garbage, RawReply, ReplyReader, envelope, stuffed
from nurture.delivery.transport import Dropped, Refused, Reply, Result, Sent

CHUNK = 65_536  # longer messages are written in pieces, the dot apart, so that a drop in between is known to be one
MOST_UNREAD = 16  # replies; a pipelined group has five
PATIENCE = 0.25  # seconds; a server that answers slower gets DATA only when its turn has come (E14)


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


@dataclass(slots=True)
class Transaction:
    """A mail's way through this connection so far."""

    turn: Turn
    commands: tuple[bytes, bytes]
    written: int = 0  # of MAIL, RCPT, DATA
    ahead: bool = False  # its commands travelled behind the dot of the mail before it
    phase: str = "mail"  # what was last waited for
    heard: bool = False  # the server answered something about it
    refusal: Reply | None = None  # the first no, which stands whatever follows
    dot_written: bool = False
    began: float = 0.0


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
        self._wrote_at = 0.0
        self._slow = True  # the server's pace is not known before its first answer to a dot
        self._dirty = False  # a transaction was left half-way: RSET before the next
        self._ahead: Transaction | None = None
        transport.set_write_buffer_limits(high=CHUNK, low=0)
        transport.set_protocol(self)
        if transport.is_closing():
            self._lose("the connection was closed")

    def data_received(self, data: bytes) -> None:
        if self._gone is not None:
            return
        for reply in self._reader.feed(data):
            if isinstance(reply, Garbage):
                self._lose(str(reply))
                self._transport.abort()
                return
            self._replies.append(reply)
        if len(self._replies) > MOST_UNREAD:
            self._lose("the server talks without being asked")
            self._transport.abort()
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
        # No waiting for a peer's half of the close: a TLS peer that never answers would hold the socket.
        self._transport.abort()

    async def serve(self, feed: Feed, most: int) -> bool:
        """Send mails of the feed until it is empty, `most` were answered here, or the connection ends.

        True while the connection can be used again. Every mail taken has been settled or put back.
        """
        current: Transaction | None = None
        try:
            while (current := self._ahead or await self._take(feed)) is not None:
                self._ahead = None
                result = await self._deliver(current, feed, last=self.answered + 1 >= most)
                if result is not None:
                    self.answered += 1
                    feed.settle(result)
                if self.answered >= most or (self._gone is not None and self._ahead is None):
                    return False
        except ConnectionGone as gone:
            self.abort()  # also where it still stands: after an answer that makes no sense nothing on it does
            self._settle_lost(current, feed, str(gone))
        except asyncio.CancelledError:
            self.abort()
            self._settle_lost(current, feed, "this program ended the connection")
            raise
        return self.usable

    # One mail

    async def _take(self, feed: Feed) -> Transaction | None:
        while (turn := await feed.take()) is not None:
            if (transaction := self._prepared(turn, feed)) is not None:
                return transaction
        return None

    def _take_now(self, feed: Feed) -> Transaction | None:
        while (turn := feed.take_now()) is not None:
            if (transaction := self._prepared(turn, feed)) is not None:
                return transaction
        return None

    def _prepared(self, turn: Turn, feed: Feed) -> Transaction | None:
        """The mail's commands, or None and its refusal settled when this server cannot be asked at all."""
        commands = envelope(turn.mail, self._features)
        if isinstance(commands, Reply):
            feed.settle(Refused(turn.mail.id, commands))
            return None
        return Transaction(turn, commands)

    async def _deliver(self, current: Transaction, feed: Feed, *, last: bool) -> Result | None:
        """One transaction with one recipient (E20). None: it was withdrawn, and the feed knows."""
        mail = current.turn.mail
        if not current.ahead:
            if self._gone is not None:
                raise ConnectionGone(self._gone)
            self._write(self._opening(current))
        if not await self._envelope(current, feed):
            return None if current.refusal is None else Refused(mail.id, current.refusal)
        await self._write_content(current, feed, last=last)
        reply = await self._hear(current, "dot", self._timeouts.dot)
        seconds = self._watch.seconds() - current.began
        if reply.code // 100 == 2:
            return Sent(mail.id, reply.told_at("dot"), seconds)
        if reply.code // 100 == 3:
            raise ConnectionGone("the answer to the message makes no sense")
        self._refuse(current, reply)
        assert current.refusal is not None
        return Refused(mail.id, current.refusal)

    def _opening(self, current: Transaction) -> bytes:
        """As many of MAIL, RCPT, DATA as may travel together now."""
        sender, recipient = current.commands
        current.began = self._watch.seconds()
        group = b"RSET\r\n" + sender if self._dirty else sender
        if not self._features.pipelining:
            current.written = 1
            return group
        if self._slow:
            current.written = 2
            return group + recipient
        current.written = 3
        return group + recipient + b"DATA\r\n"

    async def _envelope(self, current: Transaction, feed: Feed) -> bool:
        """From MAIL to 354. True: the server waits for the content. False: refused, or withdrawn and settled."""
        if self._dirty:
            reset = await self._hear(current, "mail", self._timeouts.command, counts=False)
            if reset.code // 100 != 2:
                raise ConnectionGone("the server does not take RSET")
            self._dirty = False
        sender = await self._hear(current, "mail", self._timeouts.mail)
        if sender.code // 100 != 2:
            self._refuse(current, sender)
        elif current.written < 2:
            current.written = 2
            self._write(current.commands[1])
        named = False
        if current.written >= 2:
            recipient = await self._hear(current, "rcpt", self._timeouts.rcpt)
            named = recipient.code // 100 == 2
            if not named:
                self._refuse(current, recipient)
        if current.written < 3 and current.refusal is None:
            if not await feed.still_allowed(current.turn):
                self._dirty = True
                return False
            current.written = 3
            self._write(b"DATA\r\n")
        return current.written == 3 and await self._data_accepted(current, feed, named=named)

    async def _data_accepted(self, current: Transaction, feed: Feed, *, named: bool) -> bool:
        reply = await self._hear(current, "data", self._timeouts.data)
        if reply.code // 100 == 2:
            raise ConnectionGone("the answer to DATA makes no sense")
        if reply.code // 100 != 3:
            self._refuse(current, reply)
            return False
        if current.refusal is None:
            if await feed.still_allowed(current.turn):
                return True
            # After 354 the only way back is to hang up: without the dot the server forgets what it has.
            self.abort()
        elif named:
            self.abort()  # a lone dot would deliver an empty message
        else:
            # A server that says 354 with no recipient named expects a message; a lone dot ends it (RFC 2920 §3.1).
            self._write(b".\r\n")
            await self._hear(current, "data", self._timeouts.data)
        return False

    async def _write_content(self, current: Transaction, feed: Feed, *, last: bool) -> None:
        """Content, dot, and behind the dot the opening of the next mail where one is ready and the server is quick."""
        current.phase = "body"
        content = stuffed(current.turn.mail.data)
        if len(content) > CHUNK:
            for start in range(0, len(content), CHUNK):
                self._write(content[start : start + CHUNK])
                await self._drain()
            content = b""
            if self._replies:
                raise ConnectionGone("the server answered before the end of the message")
        if self._gone is not None:
            raise ConnectionGone(self._gone)
        try:
            feed.on_dot(current.turn.mail, self.number)
        except Exception as error:
            # Without a trace of it the dot must not go.
            self.abort()
            feed.fail(error)
            raise ConnectionGone("the attempt could not be noted") from error
        content += b".\r\n"
        if self._features.pipelining and not self._slow and not last:
            self._ahead = self._take_now(feed)
        if self._ahead is not None:
            self._ahead.ahead = True
            content += self._opening(self._ahead)
        current.phase, current.dot_written = "dot", True
        self._write(content)
        self._slow = False  # until an answer shows otherwise

    def _refuse(self, current: Transaction, reply: RawReply) -> None:
        """Keep the first refusal, and leave the connection so that the next transaction starts clean."""
        phase = current.phase
        if reply.code // 100 in (2, 3):
            raise ConnectionGone(f"the answer to {phase.upper()} makes no sense")
        fact = reply.told_at(phase)
        self._dirty = self._dirty or phase != "dot"
        if reply.code == 421:  # "closing transmission channel", whatever it was asked (RFC 5321 §3.8)
            self._replies.clear()
            self.abort()
            if phase == "mail" and self.answered and not (fact.enhanced or "").startswith("4.7."):
                # The session ends between two mails, not over this one; only 4.7.x is about the sender's pace.
                current.heard = False
                raise ConnectionGone("the server ended the session")
        if current.refusal is None:
            current.refusal = fact

    def _settle_lost(self, current: Transaction | None, feed: Feed, why: str) -> None:
        """What the end of the connection means for the mails on it."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead is not current:
            feed.put_back(ahead.turn.mail)
        if current is None:
            return
        mail = current.turn.mail
        if current.refusal is not None:
            feed.settle(Refused(mail.id, current.refusal))
        elif current.dot_written:
            feed.settle(Dropped(mail.id, Reply("dot", None, None, why), True))
        elif current.phase == "body" and self._replies and self._replies[0].code >= 400:
            # Too large, or content it will not have: said before the end, then hung up.
            feed.settle(Refused(mail.id, self._replies[0].told_at("body")))
        elif not current.heard and (self.answered or not current.written):
            # The server hung up between two mails; this one only came next.
            feed.put_back(mail)
        else:
            feed.settle(Dropped(mail.id, Reply(current.phase, None, None, why), False))

    # Bytes and waiting

    def _write(self, data: bytes) -> None:
        if self._gone is not None:
            raise ConnectionGone(self._gone)
        self._wrote_at = self._watch.seconds()
        self._transport.write(data)

    async def _drain(self) -> None:
        while self._paused and self._gone is None:
            await self._wait(self._timeouts.block)

    async def _hear(self, current: Transaction, phase: str, limit: float, *, counts: bool = True) -> RawReply:
        """The server's next answer, which is about this transaction."""
        current.phase = phase
        reply = await self._next(limit)
        current.heard = current.heard or counts
        return reply

    async def _next(self, limit: float) -> RawReply:
        """The next reply; those that came before the connection went are still answers."""
        while not self._replies:
            if self._gone is not None:
                raise ConnectionGone(self._gone)
            await self._wait(limit)
            if self._watch.seconds() - self._wrote_at > PATIENCE:
                self._slow = True
        return self._replies.popleft()

    async def _wait(self, limit: float) -> None:
        """Until something arrives, the peer takes more bytes, or the connection is lost."""
        self._deadline = self._watch.seconds() + limit
        if self._timer is None or self._timer_at > self._deadline:
            self._set_timer(limit)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter, self._deadline = None, None

    def _set_timer(self, seconds: float) -> None:
        """One timer for many waits, since making one costs more than a mail's share of anything else here."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._watch.seconds() + seconds
        self._timer = self._loop.call_later(seconds, self._check_deadline)

    def _check_deadline(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        left = self._deadline - self._watch.seconds()
        if left > 0.001:
            self._set_timer(left)
            return
        self._lose("no answer in time")
        self._transport.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _lose(self, why: str) -> None:
        if self._gone is None:
            self._gone = why
        self._wake()
