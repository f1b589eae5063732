"""One run's mails on their way to the connections, each behind a gate that is fresh when its turn comes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from nurture.clock import Stopwatch
from nurture.delivery.transport import Dropped, Mail, Refused, Reply, Result, Returned, Wire, Withdrawn

log = structlog.get_logger()

GATE_AGE = 0.5  # seconds between the gate's question and MAIL FROM at most (architecture §3)
PLANNED_AGE = 0.3  # a chunk is cut so that its last mail leaves at about this age
FIRST_CHUNK = 50
LONGEST_CHUNK = 1000
SLOW_GATES = 3  # as often in a row the answer came too late to be used: the database is ill, stop sending (R7)


class Turn(NamedTuple):
    """A mail that may go, and when the gate was asked about it (seconds of the transport's stopwatch)."""

    mail: Mail
    asked_at: float


class Feed:
    """Mails of a batch, gated in chunks of what the connections can take while the answer is fresh.

    Every mail handed in is settled once: by a connection, by the gate, or by `close`.
    """

    def __init__(self, batch: Sequence[Mail], wire: Wire, watch: Stopwatch, *, gate_age: float = GATE_AGE) -> None:
        self._wire = wire
        self._watch = watch
        self._gate_age = gate_age
        self._waiting = deque(batch)
        self._ready: deque[Turn] = deque()
        self._asking = 0  # mails the gate is being asked about
        self._asked_at = 0.0
        self._taken = 0  # since then
        self._chunk = FIRST_CHUNK
        self._slow = 0
        self._lock = asyncio.Lock()
        self._closed = False
        self.workers = 0  # connections that serve this run; the last one to fail settles the rest
        self.error: Exception | None = None

    @property
    def empty(self) -> bool:
        """Nothing is left to take."""
        return self._closed or not (self._waiting or self._ready or self._asking)

    def take_now(self) -> Turn | None:
        """The next mail whose gate is still fresh, or None when that needs a question first."""
        if not self._ready or self._stale(self._ready[0].asked_at):
            return None
        self._taken += 1
        return self._ready.popleft()

    async def take(self) -> Turn | None:
        """The next mail that may go, freshly gated; None when there is none left."""
        while not self.empty:
            if (turn := self.take_now()) is not None:
                return turn
            async with self._lock:
                # Somebody else may have asked while this connection waited for the lock.
                if not self._closed and (not self._ready or self._stale(self._ready[0].asked_at)):
                    await self._ask_about_next()
        return None

    async def still_allowed(self, turn: Turn) -> bool:
        """Whether a mail whose answer may have aged since MAIL FROM can still go; settles it if it cannot."""
        if not self._stale(turn.asked_at):
            return True
        allowed = await self._ask((turn.mail,))
        if allowed is None:
            self.settle(Returned(turn.mail.id))
            return False
        if turn.mail.id not in allowed:
            self.settle(Withdrawn(turn.mail.id))
            return False
        return True

    def on_dot(self, mail: Mail, connection: int) -> None:
        self._wire.on_dot(mail, connection)

    def put_back(self, mail: Mail) -> None:
        """A mail of which no server has heard the content goes first on another connection, gated anew."""
        if self._closed:
            self.settle(Returned(mail.id))
        else:
            self._waiting.appendleft(mail)

    def settle(self, result: Result) -> None:
        """Report a result; an error in the report ends the run but not the dialogues of other mails."""
        try:
            self._wire.on_result(result)
        except Exception as error:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """End the run: what is under way ends by itself, the rest is returned, `send` raises the first error."""
        if self.error is None:
            self.error = error
        if not self._closed:
            self.close()

    def refuse_rest(self, reply: Reply) -> None:
        """No connection can be had: what still waits ends with what the server, or the network, said."""
        for mail in self._drain():
            self.settle(Dropped(mail.id, reply, False) if reply.code is None else Refused(mail.id, reply))

    def close(self) -> None:
        """Give back what no connection has taken."""
        self._closed = True
        for mail in self._drain():
            self.settle(Returned(mail.id))

    def _drain(self) -> list[Mail]:
        rest = [*(turn.mail for turn in self._ready), *self._waiting]
        self._ready.clear()
        self._waiting.clear()
        return rest

    def _stale(self, asked_at: float) -> bool:
        return self._watch.seconds() - asked_at > self._gate_age

    async def _ask_about_next(self) -> None:
        """Fill `_ready` with a chunk cut to the pace of the connections since the last question."""
        if self._taken:
            pace = self._taken / max(self._watch.seconds() - self._asked_at, 0.001)
            self._chunk = max(1, min(int(pace * PLANNED_AGE), self._chunk * 2, LONGEST_CHUNK))
        self._waiting.extendleft(turn.mail for turn in reversed(self._ready))
        self._ready.clear()
        chunk = [self._waiting.popleft() for _ in range(min(self._chunk, len(self._waiting)))]
        if not chunk:
            return
        self._asking, self._taken, self._asked_at = len(chunk), 0, self._watch.seconds()
        asked_at = self._asked_at
        try:
            allowed = await self._ask(chunk)
        finally:
            self._asking = 0
        if allowed is None or self._closed:
            for mail in chunk:
                self.settle(Returned(mail.id))
            return
        for mail in chunk:
            if mail.id in allowed:
                self._ready.append(Turn(mail, asked_at))
            else:
                self.settle(Withdrawn(mail.id))
        self._mind_slow_gate(asked_at)

    async def _ask(self, mails: Sequence[Mail]) -> frozenset[int] | None:
        try:
            return frozenset(await self._wire.gate(mails))
        except Exception as error:
            self.fail(error)
            return None

    def _mind_slow_gate(self, asked_at: float) -> None:
        """An answer that is stale on arrival is never used: ask about fewer, and give up after a few."""
        if not self._stale(asked_at):
            self._slow = 0
            return
        self._slow += 1
        self._chunk = max(1, self._chunk // 4)
        if self._slow >= SLOW_GATES:
            log.warning("gate.too_slow", took_s=round(self._watch.seconds() - asked_at, 2), limit_s=self._gate_age)
            self.close()
