"""The embedded worker: APScheduler ticks, the passes and dispatch do the work, a signal drains it.

Per-lead timers are rows, never scheduled jobs: the scheduler has a handful of fixed ticks (its SQL store adds 750 jobs
a second where rows take 166,000).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from nurture.app import App, worker_name
from nurture.clock import Stopwatch, machine_now
from nurture.delivery import recovery
from nurture.delivery.calls import Calls
from nurture.delivery.dispatch import Dispatch
from nurture.delivery.journal import Journal
from nurture.delivery.smtp import SmtpTransport
from nurture.engine import upkeep
from nurture.errors import NurtureError, SchemaMismatch, UserError
from nurture.fleet import Fleet
from nurture.mail.message import self_test
from nurture.store import backlog, migrate
from nurture.store.database import Database

log = structlog.get_logger()

GUARD_EVERY = 4  # rounds of upkeep: what comes of mails is judged once a minute


@dataclass(frozen=True)
class Rhythm:
    """How often things are looked at, in seconds of machine time."""

    passes: float = 1.0
    dispatch: float = 0.25
    calls: float = 0.5
    jobs: float = 0.5
    upkeep: float = 15.0
    heartbeat: float = backlog.INTERVAL.total_seconds()
    retention: float = 600.0


@dataclass
class Worker:
    """One worker over all shards. On SQLite it is alone and holds the file's lock."""

    app: App
    rhythm: Rhythm = field(default_factory=Rhythm)
    name: str = field(default_factory=worker_name)
    busy_s: float = 0.0
    shared: bool | None = None  # whether the work is shared with other workers by jobs; None: on PostgreSQL

    def __post_init__(self) -> None:
        if self.shared is None:
            self.shared = not self.app.database.is_sqlite
        self._stop = asyncio.Event()
        self._rounds = 0
        self._passes = self.app.passes()
        self._passes.stopping = self._stop.is_set
        self._working = asyncio.Lock()
        self._sending = asyncio.Lock()
        self._calling = asyncio.Lock()
        self._retaining = asyncio.Lock()
        self._beating = asyncio.Lock()
        self._outdated: SchemaMismatch | None = None
        self._calls: Calls | None = None
        self._dispatch: Dispatch | None = None

    def stop(self) -> None:
        """Take up nothing new; what is under way is finished."""
        self._stop.set()

    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    async def stopped(self) -> None:
        """Wait until `stop` is called."""
        await self._stop.wait()

    def standing(self) -> float:
        """Seconds for which a pass that is under way has not moved on."""
        return self._passes.standing()

    async def run(self) -> None:
        """Work until `stop` is called, then drain. Raises UserError where another worker has the SQLite file, and
        SchemaMismatch, drained, once the database was brought to a schema that is not this program's (trust R17)."""
        with alone(self.app.database):
            journal = self._start()
            dispatch = self._dispatch = self.app.dispatch(self.name, journal)
            self._calls = self.app.calls(dispatch)
            try:
                await (self._work_in(self._fleet(dispatch)) if self.shared else self._work_alone())
            finally:
                await dispatch.transport.aclose()
                journal.close()
                log.info("worker.stopped", worker=self.name)
        if self._outdated is not None:
            raise self._outdated

    async def _work_alone(self) -> None:
        async with self._ticks((self._tick, self.rhythm.passes), (self._send, self.rhythm.dispatch)):
            await self._stop.wait()

    async def _work_in(self, fleet: Fleet) -> None:
        async with self._ticks((fleet.tick, self.rhythm.jobs)):
            serving = asyncio.create_task(fleet.run())
            told = asyncio.create_task(self._stop.wait())
            await asyncio.wait((serving, told), return_when=asyncio.FIRST_COMPLETED)
            told.cancel()
            fleet.stop()
            await self._hang_up()
            await serving

    async def _hang_up(self) -> None:
        """Dialogues under way end, what waits is given back: a slow server holds a drain up for no more than a mail."""
        if self._dispatch is not None:
            await self._dispatch.transport.aclose()

    def _fleet(self, dispatch: Dispatch) -> Fleet:
        fleet = Fleet(self.app.database, self.app.clock, self._passes, dispatch, self._guarded)
        fleet.check()
        return fleet

    @asynccontextmanager
    async def _ticks(self, *ticks: tuple[Callable[[], Awaitable[None]], float]) -> AsyncIterator[None]:
        """These and the upkeep, now and then every so many seconds, until the end of the block; those that have begun
        are finished."""
        scheduler = AsyncIOScheduler(timezone="UTC")
        options = {"max_instances": 1, "coalesce": True, "misfire_grace_time": None, "next_run_time": machine_now()}
        always = [
            (self._beat, self.rhythm.heartbeat),
            (self._call, self.rhythm.calls),
            (self._upkeep, self.rhythm.upkeep),
            (self._retain, self.rhythm.retention),
        ]
        if (returns := self.app.returns()) is not None:
            always.append((self._read_returns, returns.box.every))
        for tick, seconds in (*ticks, *always):
            scheduler.add_job(tick, "interval", seconds=seconds, **options)
        scheduler.start()
        log.info("worker.started", worker=self.name)
        try:
            yield
        finally:
            # Even shutdown(wait=False) cancels coroutines that run: they are awaited first (trust R8).
            scheduler.pause()
            await self._leave()
            await self._hang_up()
            async with self._working, self._sending, self._calling, self._retaining:
                scheduler.shutdown(wait=False)

    async def once(self) -> int:
        """Do all that is due now and end; how many items were played and messages taken up."""
        done = 0
        async with self.by_hand() as turn:
            while round_ := await turn():
                done += round_
        return done

    @asynccontextmanager
    async def by_hand(self) -> AsyncIterator[Callable[[], Awaitable[int]]]:
        """A worker that does nothing by itself. Each call plays what is due and sends what is pending, and says how
        much that was: 0 where nothing is left to do now, or `stop` was called."""
        with alone(self.app.database):
            journal = self._start()
            transport = self.app.transport()
            dispatch = self._dispatch = self.app.dispatch(self.name, journal, transport)
            calls = self.app.calls(dispatch)

            async def turn() -> int:
                if self._stop.is_set():
                    return 0
                played = await asyncio.to_thread(self._passes.run, self.app.clock.now())
                return played + await dispatch.run() + await calls.run()

            try:
                yield turn
            finally:
                await transport.aclose()
                journal.close()

    def _start(self) -> Journal:
        """What must hold before the first mail: a safe interpreter, our schema, the claims of the dead taken over."""
        self_test()
        self.app.check()
        journal = Journal(self.app.journals, self.name)
        self._take_over(alone=self.app.database.is_sqlite)
        return journal

    def _take_over(self, *, alone: bool = False) -> None:
        live, now = self.app.live(), self.app.clock.now()
        if live is not None:
            recovery.adopt(self.app.database, live, self.app.journals, now)
            recovery.end_leases(self.app.database, live, now, machine_now(), alone=alone)

    async def _tick(self) -> None:
        if self._stop.is_set() or self._working.locked():
            return
        async with self._working:
            watch = Stopwatch()
            with self._guarded("passes"):
                played = await asyncio.to_thread(self._passes.run, self.app.clock.now())
                if played:
                    log.debug("pass.played", items=played, took_s=round(watch.seconds(), 3))

    async def _send(self) -> None:
        if self._stop.is_set() or self._sending.locked() or self._dispatch is None:
            return
        async with self._sending:
            with self._guarded("dispatch"):
                while not self._stop.is_set() and await self._dispatch.run():
                    pass

    async def _call(self) -> None:
        if self._stop.is_set() or self._calling.locked() or self._calls is None:
            return
        async with self._calling:
            with self._guarded("calls"):
                while not self._stop.is_set() and await self._calls.run():
                    pass

    async def _upkeep(self) -> None:
        if self._stop.is_set():
            return
        with self._guarded("upkeep"):
            try:
                await asyncio.to_thread(migrate.check, self.app.database)
            except SchemaMismatch as error:
                self._outdated = error
                return self.stop()
            await asyncio.to_thread(self._take_over)
            await asyncio.to_thread(upkeep.run, self.app.database, self.app.rules(), self.app.clock.now())
            self._rounds += 1
            if self._rounds % GUARD_EVERY == 1:
                await asyncio.to_thread(self.app.guard)

    async def _beat(self) -> None:
        """Say when the work was last seen to move: that this loop lives is not enough (trust R16)."""
        if self._stop.is_set():
            return
        async with self._beating:
            standing = timedelta(seconds=self.standing())
            if standing > backlog.SILENT:
                log.error("worker.stuck", tick="passes", stands_s=round(standing.total_seconds()))
            with self._guarded("heartbeat"):
                await asyncio.to_thread(self._said, backlog.beat, machine_now() - standing)

    async def _leave(self) -> None:
        async with self._beating:
            with self._guarded("heartbeat"):
                await asyncio.to_thread(self._said, backlog.leave)

    def _said(self, how: Callable[..., None], *at: datetime) -> None:
        with self.app.database.write() as tx:
            how(tx, self.name, *at)

    async def _retain(self) -> None:
        """Beside the upkeep, which a night with much to take away must not keep waiting."""
        if self._stop.is_set() or self._retaining.locked():
            return
        async with self._retaining:
            with self._guarded("retention"):
                await asyncio.to_thread(self.app.retain, self._stop.is_set)

    async def _read_returns(self) -> None:
        """Apart from the upkeep: a mail server that is away must not hold that up."""
        if not self._stop.is_set():
            with self._guarded("returns"):
                await asyncio.to_thread(self.app.read_returns)

    @contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        """A failure of one tick is told and the next one tries again: the worker lives through a full disk."""
        try:
            yield
        except NurtureError as error:
            log.error("worker.tick_failed", tick=what, why=error.message)
        except Exception as error:
            log.exception("worker.tick_broke", tick=what, kind=type(error).__name__)


@contextmanager
def alone(database: Database) -> Iterator[None]:
    """Hold the lock of a SQLite file's worker; nothing to hold on PostgreSQL. The lock ends with the process."""
    path = database.path
    if path is None:
        yield
        return
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"another worker is at work on {path.name}; a SQLite file has one",
                hint="stop it first, or move to PostgreSQL, where any number of workers share the work",
            ) from error
        yield
    finally:
        os.close(lock)


def settle_in() -> None:
    """Once, in a process that is a worker's own and has loaded its code. What stands by now stays for good, and a batch
    makes a hundred thousand objects that are gone when it ends: walking them all, again and again, was a fifth of a
    pass."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@contextmanager
def signals(worker: Worker) -> Iterator[None]:
    """SIGTERM and SIGINT drain; a second one closes the connections at once, and what was on the wire is unknown."""
    loop = asyncio.get_running_loop()
    asked: list[int] = []

    def on_signal(number: int) -> None:
        asked.append(number)
        worker.stop()
        dispatch = worker._dispatch
        if len(asked) > 1 and dispatch is not None and isinstance(dispatch.transport, SmtpTransport):
            dispatch.transport.abort()

    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError, RuntimeError):
                loop.remove_signal_handler(number)
