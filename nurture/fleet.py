"""Many workers on one PostgreSQL: who does what is told by Procrastinate, an existing task engine.

Every worker ticks. A tick puts up a job for each group of shards with due work and for slots of each lane with pending
messages, where none waits or runs yet; any worker takes it. A job holds no data: it is a reason to look, and looks with
the same passes and the same dispatch as a worker that is alone. So a job that is lost, late or done twice does no harm:
what keeps leads and mails right are the shards' row locks, fences, revisions and unique keys beneath.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from nurture.clock import Clock, Stopwatch
from nurture.delivery.dispatch import Dispatch
from nurture.engine.passes import Passes
from nurture.lead.lead import SHARDS
from nurture.store import jobs
from nurture.store.database import Database
from nurture.store.jobs import Job

if TYPE_CHECKING:
    from procrastinate import App

log = structlog.get_logger()

PASSES, LANES = "passes", "lanes"
FEWEST = 2  # groups of shards at least, one job each
SLOTS = 8  # equal parts of a lane's pace: as many workers can write to one provider at once
PAGE = 250  # messages a slot takes up at once
TURN = 3.0  # seconds after which a slot may go to another worker
PACED_TURN = 10.0  # the same where a rate is set: what a slot has saved up is lost when it changes hands
LANES_AT_ONCE = 4  # jobs for lanes a worker has in hand; one is on the connections, the others are claimed and printed
PACED_AT_ONCE = 256  # where a rate is set they mostly wait
HEARTBEAT = 2.0  # seconds
SILENT = 10.0  # seconds without a heartbeat, after which a worker's jobs go to others
FORGOTTEN = 600.0  # seconds after which its name is taken away
POLL = 1.0  # seconds until a job is found whose notification was missed
SETTLING = 0.03  # seconds a finished job needs to be taken away, before a tick may put up the next one


@dataclass
class Fleet:
    """One worker's part in it. `guarded` tells of a failure and swallows it, so that a job always ends."""

    database: Database
    clock: Clock
    passes: Passes
    dispatch: Dispatch
    guarded: Callable[[str], AbstractContextManager[None]]
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _ticking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def check(self) -> None:
        """Raises UserError where Procrastinate is missing, SchemaMismatch where its tables are another release's."""
        with self.database.read() as tx:
            jobs.check(tx)

    async def run(self) -> None:
        """Take up jobs until `stop`; then those under way are finished."""
        app = self._application()
        async with app.open_async():
            at_once = PACED_AT_ONCE if self.dispatch.lanes.paced else LANES_AT_ONCE
            serving = [
                asyncio.create_task(self._serve(app, PASSES, 1)),
                asyncio.create_task(self._serve(app, LANES, at_once)),
                asyncio.create_task(self._tick_when_more()),
            ]
            await self._stop.wait()
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    def stop(self) -> None:
        """Take up no more jobs."""
        self._stop.set()

    async def tick(self) -> None:
        """Put up jobs for all that is due and that none is there for."""
        if self._stop.is_set() or self._ticking.locked():
            return
        async with self._ticking:
            with self.guarded("fleet"):
                await asyncio.to_thread(self._put_up)

    def _put_up(self) -> None:
        stalled = jobs.drop_stalled(self.database, SILENT)
        if stalled:
            log.warning("fleet.taken_over", jobs=stalled)
        now = self.clock.now()
        with self.database.read() as tx:
            shards = jobs.due_shards(tx, now)
            lanes = jobs.due_lanes(tx, now, SLOTS * PAGE)
            servants = jobs.servants(tx, SILENT)
        jobs.defer(self.database, [*self._plays(shards, servants), *self._sends(lanes)])

    def _plays(self, shards: list[int], parts: int) -> list[Job]:
        """One job for neighbouring shards, in as many groups as the fleet can make use of: a batch of thirty leads
        costs nearly as much as one of a thousand. Where groups of two sizes meet, the shards' row locks decide."""
        size = max(1, SHARDS // max(FEWEST, parts))
        groups: dict[int, list[int]] = defaultdict(list)
        for shard in shards:
            groups[shard // size].append(shard)
        return [Job(PASSES, "play", f"shards:{n * size}", {"shards": due}) for n, due in sorted(groups.items())]

    def _sends(self, lanes: list[tuple[str, int]]) -> list[Job]:
        """A slot for each page that is pending; with a rate all slots, since each may use only its own part of it."""
        paced = self.dispatch.lanes.paced
        return [
            Job(LANES, "send", f"lane:{lane}:{slot}", {"lane": lane})
            for lane, count in lanes
            for slot in range(SLOTS if paced else -(-count // PAGE))
        ]

    async def _play(self, shards: list[int]) -> None:
        with self.guarded("passes"):
            watch = Stopwatch()
            played = await asyncio.to_thread(self.passes.run, self.clock.now(), shards)
            log.debug("fleet.played", shards=len(shards), items=played, took_s=round(watch.seconds(), 3))

    async def _send(self, lane: str) -> None:
        with self.guarded("dispatch"):
            await (self._send_paced(lane) if self.dispatch.lanes.paced else self._send_freely(lane))

    async def _send_freely(self, lane: str) -> None:
        """Pages of the lane until there is no whole one, or others get their turn."""
        watch, taken = Stopwatch(), PAGE
        while taken == PAGE and watch.seconds() < TURN and not self._stop.is_set():
            taken = await self.dispatch.run(lane, PAGE)
        if taken == PAGE:
            self._more.set()
        log.debug("fleet.sent", lane=lane, messages=taken, took_s=round(watch.seconds(), 3))

    async def _send_paced(self, lane: str) -> None:
        """Stay with the lane while anything is pending: the slot's part of the rate is counted here."""
        watch, idle = Stopwatch(), 0
        with self.dispatch.lanes.hold(lane, SLOTS, self.dispatch.elapsed) as held:
            while not self._stop.is_set() and watch.seconds() < PACED_TURN and idle < 3:
                at = self.dispatch.elapsed()
                room = held.room(at)
                if room == 0:
                    wait = held.next_at(at) - at
                    if wait > PACED_TURN:
                        break  # it is closed, not slow
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._stop.wait(), wait)
                    continue
                taken = await self.dispatch.run(lane, min(PAGE, room or PAGE))
                idle = 0 if taken else idle + 1
                if not taken:
                    await asyncio.sleep(0.2)

    async def _tick_when_more(self) -> None:
        """A lane whose turn ended goes on at once, not with the next regular tick."""
        while True:
            await self._more.wait()
            self._more.clear()
            await asyncio.sleep(SETTLING)
            await self.tick()

    async def _serve(self, app: App, queue: str, at_once: int) -> None:
        """Run jobs of this queue; where the database goes away, again when it is back."""
        while not self._stop.is_set():
            try:
                await app.run_worker_async(
                    queues=[queue],
                    name=queue,
                    concurrency=at_once,
                    fetch_job_polling_interval=POLL,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    update_heartbeat_interval=HEARTBEAT,
                    stalled_worker_timeout=FORGOTTEN,
                )
            except Exception as error:
                log.error("fleet.broke", queue=queue, kind=type(error).__name__)
            if not self._stop.is_set():
                await asyncio.sleep(1.0)

    def _application(self) -> App:
        from procrastinate import App, PsycopgConnector

        async def enter_schema(connection: Any) -> None:
            await connection.execute(f"SET search_path = {jobs.SCHEMA}")
            await connection.commit()

        connector = PsycopgConnector(
            conninfo=jobs.address(self.database), min_size=1, max_size=6, configure=enter_schema
        )
        app = App(connector=connector)

        @app.task(name="play", queue=PASSES)
        async def play(shards: list[int]) -> None:
            await self._play(shards)

        @app.task(name="send", queue=LANES)
        async def send(lane: str) -> None:
            await self._send(lane)

        return app
