"""Events in: many requests, one writer, one transaction for as much as waits (group commit).

A request hands over what it read and waits until it is committed; then it is answered. What waits is bounded: beyond
that a request is told to come again, so that memory is too (trust R15).
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from nurture.clock import Clock, Stopwatch
from nurture.engine.consent import ConsentRules
from nurture.engine.recording import Receipt, record
from nurture.engine.segment import Said
from nurture.errors import LostRace, NurtureError
from nurture.store.database import Database

log = structlog.get_logger(__name__)

BATCH = 1_000  # calls in one transaction, unless one request alone brings more
MOST_WAITING = 20_000  # calls; 32 KB each at worst, some hundred octets as a rule
_RACES = 5  # tries of one transaction


class Busy(NurtureError):
    """More waits than may wait. Come again after `retry_after` seconds."""

    retry_after = 1


class Stopped(NurtureError):
    """The program is ending; nothing was stored."""

    retry_after = 5


@dataclass(slots=True)
class _Waiting:
    said: Sequence[Said]
    source: str
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[list[Receipt]]
    answer: list[Receipt] | BaseException | None = None


@dataclass
class Ingest:
    """Stores calls. `rules` gives what is live when a batch is written. One `start` and one `stop`."""

    database: Database
    clock: Clock
    rules: Callable[[], ConsentRules]
    most_waiting: int = MOST_WAITING
    counts: Counter[str] = field(default_factory=Counter)
    _queue: deque[_Waiting] = field(default_factory=deque)
    _count: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _stopping: bool = False

    def start(self) -> None:
        """From now on what is handed over is written."""
        self._thread = threading.Thread(target=self._write_all, name="ingest", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """What waits has been written or refused; nothing more is taken."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    @property
    def waiting(self) -> int:
        """Calls that wait for their commit."""
        return self._count

    async def store(self, said: Sequence[Said], source: str) -> list[Receipt]:
        """What came of each call, once it is committed. Raises Busy, Stopped, and StoreUnavailable where nothing can be
        written now; nothing was stored then."""
        if not said:
            return []
        loop = asyncio.get_running_loop()
        waiting = _Waiting(said, source, loop, loop.create_future())
        with self._changed:
            if self._stopping:
                raise Stopped("the endpoint is stopping")
            if self._count and self._count + len(said) > self.most_waiting:
                self.counts["busy"] += 1
                raise Busy("too many events are waiting to be stored")
            self._queue.append(waiting)
            self._count += len(said)
            self._changed.notify()
        return await waiting.future

    # --- the writer ---

    def _write_all(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._stopping:
                    self._changed.wait()
                if not self._queue:
                    return
                group = self._take()
            self._write(group)
            with self._changed:
                self._count -= sum(len(w.said) for w in group)
            _answer(group)

    def _take(self) -> list[_Waiting]:
        group = [self._queue.popleft()]
        size = len(group[0].said)
        while self._queue and size + len(self._queue[0].said) <= BATCH:
            group.append(self._queue.popleft())
            size += len(group[-1].said)
        return group

    def _write(self, group: list[_Waiting]) -> None:
        """One transaction for all; where it fails for another reason than the database's state, one for each, so that a
        poisonous call harms only the request it came in."""
        try:
            self._commit(group)
        except NurtureError as error:
            for waiting in group:
                waiting.answer = error
        except Exception as error:
            if len(group) > 1:
                for waiting in group:
                    self._write([waiting])
            else:
                log.exception("ingest.failed", calls=len(group[0].said))
                group[0].answer = error

    def _commit(self, group: list[_Waiting]) -> None:
        watch = Stopwatch()
        said = [(one, waiting.source) for waiting in group for one in waiting.said]
        for left in range(_RACES - 1, -1, -1):
            counts: Counter[str] = Counter()
            try:
                rules = self.rules()  # before the transaction: reading it may need one of its own
                with self.database.write() as tx:
                    receipts = record(tx, said, rules, self.clock.now(), counts)
                break
            except LostRace:
                if not left:
                    raise
        self.counts.update(counts)
        self.counts["batches"] += 1
        log.debug("ingest.stored", calls=len(said), took_s=round(watch.seconds(), 4))
        start = 0
        for waiting in group:
            waiting.answer = receipts[start : start + len(waiting.said)]
            start += len(waiting.said)


def _answer(group: Sequence[_Waiting]) -> None:
    """Wake the requests, each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
    for waiting in group:
        by_loop.setdefault(waiting.loop, []).append(waiting)
    for loop, some in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, some)


def _resolve(group: Sequence[Any]) -> None:
    for waiting in group:
        if waiting.future.done():
            continue
        if isinstance(waiting.answer, BaseException):
            waiting.future.set_exception(waiting.answer)
        else:
            waiting.future.set_result(waiting.answer)
