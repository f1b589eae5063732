"""Dispatch: claim what is pending, print it, pass the wire gate, send, write what came of it.

Everything that touches the database runs in a thread, in short transactions; nothing of SMTP happens inside one. What
was not begun goes back; what ended after its last dot without an answer is `unknown`, and policy or a person decides.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from nurture.clock import Clock, Stopwatch, machine_now
from nurture.delivery.dkim import Signer
from nurture.delivery.journal import Journal
from nurture.delivery.judging import Judge, Judged
from nurture.delivery.pacing import Lanes
from nurture.delivery.press import Press, Printed, Spoiled
from nurture.delivery.transport import Dropped, Mail, Refused, Returned, Sent, Transport, Withdrawn
from nurture.delivery.transport import Result as WireResult
from nurture.engine import bounces, outcomes, ways
from nurture.engine.gate import Outside, pass_gate
from nurture.engine.live import Live, load_live
from nurture.engine.turn import Turn
from nurture.errors import LostRace, StoreUnavailable
from nurture.lead.keyring import Keyring
from nurture.mail.builtin import builtin_mails
from nurture.mail.links import Links
from nurture.mail.warming import WarmUp
from nurture.store import closures, letters, outbox, tracking, versions
from nurture.store.closures import DESTINATION, SERVER, Closure, Way
from nurture.store.database import Database, Transaction
from nurture.store.outbox import Claimed, Launch, Result

log = structlog.get_logger()

LEASE = timedelta(minutes=2)  # machine time; renewed while the batch is under way
BATCH = 1_000
FLUSH = 0.05  # seconds outcomes are gathered before they are written
RENEW = 30.0  # seconds between renewals of a batch's leases
LEAST_ROOM = 64 * 1024 * 1024
AGAIN = 0.5  # seconds until outcomes are written once more, where the database could not take them


@dataclass
class Dispatch:
    """One worker's way out. `allowed` is the staging guard: mails go to no other addresses (trust R18). With fewer than
    `least_room` bytes free on a SQLite file's disk nothing is sent any more: what comes in needs them (trust R7)."""

    database: Database
    keyring: Keyring
    links: Links
    transport: Transport
    clock: Clock
    judge: Judge
    worker: str
    allowed: Callable[[str], bool] | None = None
    warm_up: WarmUp | None = None
    least_room: int = LEAST_ROOM
    gather: float = FLUSH
    crash: Callable[[str], None] = lambda _point: None  # named points at which tests kill the process
    journal: Journal | None = None
    signer: Signer = field(default_factory=Signer)
    live: Live | None = None
    press: Press | None = None
    _full: bool = False
    _watch: Stopwatch = field(default_factory=Stopwatch)
    _claiming: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def lanes(self) -> Lanes:
        return self.judge.lanes

    async def run(self, lane: str | None = None, limit: int = BATCH) -> int:
        """Send what is pending now, once; how many messages were taken up."""
        async with self._claiming:  # runs of several lanes may overlap; what they share is changed by one at a time
            batch = await asyncio.to_thread(self._claim, lane, limit)
        if batch is None:
            return 0
        run = _Run(self, batch)
        await run.send()
        return len(batch.claimed)

    def elapsed(self) -> float:
        """The instant on the lanes' clock."""
        return self._watch.seconds()

    # --- in threads ---

    def _claim(self, lane: str | None, limit: int) -> Batch | None:
        now, at = self.clock.now(), self._watch.seconds()
        press = self.present()
        if press is None or (press.live.paused and not press.live.pause_spares_service):
            return None
        if not self._has_room():
            return None
        live = press.live
        with self.database.read() as tx:
            closed = closures.standing(tx)
        limit = self._room_of_server(closed, limit)
        shut = [
            *self.lanes.shut(at),
            *(c.name for c in closed.values() if c.scope == DESTINATION and c.shut(machine_now())),
        ]
        if lane in shut or not limit:
            return None
        standing = sorted(name for name, c in live.campaigns.items() if c.stands)
        with self.database.write() as tx:
            claimed = outbox.claim(
                tx,
                lane,
                now,
                machine_now() + LEASE,
                self.worker,
                limit,
                except_lanes=shut,
                except_campaigns=standing,
                marketing=not live.paused,
            )
            claimed = [_of_the_project(live, m) for m in claimed]
            claimed = self._within_pace(tx, claimed, now, at)
            if not claimed:
                return None
            needed = letters.load(tx, live.project, claimed, now)
            self.fetch_templates(tx, claimed)
        self.crash("claimed")
        return self._print(live, claimed, needed, now)

    def _has_room(self) -> bool:
        room = self.database.room()
        full = room is not None and room < self.least_room
        if full != self._full:
            self._full = full
            log.error("sending.stopped_for_room", free_mb=(room or 0) >> 20) if full else log.info("sending.goes_on")
        return not full

    def _room_of_server(self, closed: Mapping[Way, Closure], limit: int) -> int:
        """How many mails this server may be tried with: none while it is closed, one when that is over."""
        closure = closed.get((SERVER, self.judge.server))
        return limit if closure is None else 0 if closure.shut(machine_now()) else 1

    def present(self) -> Press | None:
        """The press of what is live now; None before the first deploy."""
        with self.database.read() as tx:
            self.live = load_live(tx, self.keyring, self.live, self.allowed)
        if self.live is None:
            return None
        if self.press is None or self.press.live is not self.live:
            self.press = Press(self.live, self.links, self.press, signer=self.signer)
        return self.press

    def _within_pace(self, tx: Transaction, claimed: list[Claimed], now: datetime, at: float) -> list[Claimed]:
        """As many of each lane as its provider takes now; the others go back until it takes more."""
        by_lane: dict[str, list[Claimed]] = defaultdict(list)
        for m in claimed:
            by_lane[m.lane].append(m)
        going = []
        for name, group in by_lane.items():
            lane = self.lanes.named(name, at)
            granted = lane.take(len(group), at)
            going += group[:granted]
            if granted < len(group):
                opens = now + timedelta(seconds=max(0.05, lane.next_at(at) - at))
                outbox.give_back(tx, [(m.id, m.fence) for m in group[granted:]], opens)
        return sorted(going, key=lambda m: (not m.service, m.id))

    def fetch_templates(self, tx: Transaction, claimed: Sequence[Claimed]) -> None:
        """Have the templates of these at hand."""
        assert self.press is not None
        for name, digest in {(m.template, m.template_hash) for m in claimed if m.template}:
            if name and not self.press.has(name, digest or ""):
                files = versions.template_files(tx, name, digest) if digest else builtin_mails().get(name)
                if files is not None:
                    self.press.add(name, digest or "", files)

    def _print(self, live: Live, claimed: Sequence[Claimed], needed: letters.Letters, now: datetime) -> Batch:
        assert self.press is not None
        batch = Batch(live, {m.id: m for m in claimed}, Outside(self.judge.server, self.warm_up))
        machine = machine_now()
        for m in claimed:
            printed = self.press.print(m, needed, now, machine)
            if isinstance(printed, Printed):
                batch.printed[m.id] = printed
            else:
                batch.spoiled.append(printed)
        return batch

    def gate(self, batch: Batch, ids: Collection[int]) -> set[int]:
        """The wire gate for these messages of a batch, in its own transaction."""
        machine = machine_now()
        launches = {i: self._launch(batch, i) for i in ids}
        pages = {i: batch.printed[i].pages for i in ids}
        with self.database.write() as tx:
            self.crash("gate")
            tracking.keep_links(tx, pages)
            claimed = [batch.claimed[i] for i in ids]
            turn = Turn(tx, batch.live)
            allowed = pass_gate(turn, claimed, launches, self.worker, self.clock.now(), machine, batch.outside)
        self.crash("gated")
        return allowed

    def _launch(self, batch: Batch, message: int) -> Launch:
        m, p = batch.claimed[message], batch.printed[message]
        kept = p.mail.data if self.judge.resends(m) else None
        to = p.mail.recipient
        return Launch(message, m.fence, p.mail_id, p.dated, p.sha256, kept, p.sender, to, self.keyring.address_hash(to))

    def write(self, batch: Batch, results: Sequence[WireResult]) -> None:
        """Write what came of these, with what follows from it."""
        now = self.clock.now()
        settled: list[Result] = []
        returned: list[tuple[int, int]] = []
        judged: list[tuple[Claimed, Judged]] = []
        passed: list[int] = []
        at = self._watch.seconds()
        for result in results:
            m = batch.claimed[result.id]
            match result:
                case Returned():
                    returned.append((m.id, m.fence))
                case Withdrawn():
                    pass  # the gate has said what becomes of it
                case Sent(reply=reply):
                    told = Result(m.id, m.fence, "sent", now, phase=reply.phase, code=reply.code, text=reply.text[:500])
                    settled.append(told)
                    passed.append(m.id)
                    self.lanes.named(m.lane, at).answered()
                case Refused() | Dropped():
                    found = self.judge.judge(m, self._launch(batch, m.id), result, now, at)
                    settled.append(found.result)
                    judged.append((m, found))
        with self.database.write() as tx:
            self.crash("settling")
            turn = Turn(tx, batch.live)
            outbox.give_back(tx, returned)
            outcomes.settle(turn, batch.claimed, settled)
            self._note_ways(turn, batch, judged, passed, now)
            dying = [(m, j.outcome, j.result) for m, j in judged if j.outcome.suppress_after]
            recipients = {m.id: batch.printed[m.id].mail.recipient for m, _, _ in dying}
            bounces.note(turn, dying, recipients, self.keyring, now)
            turn.flush()
        self.crash("settled")
        if settled:
            counts: dict[str, int] = defaultdict(int)
            for r in settled:
                counts[r.state] += 1
            log.info("messages.settled", **counts)

    def _note_ways(
        self, turn: Turn, batch: Batch, judged: Sequence[tuple[Claimed, Judged]], passed: Sequence[int], now: datetime
    ) -> None:
        """Ways that close, and those that a mail has passed."""
        ways.close(turn, [j.strike for _, j in judged if j.strike is not None], now, machine_now())
        launches = {i: self._launch(batch, i) for i in passed} if batch.outside.standing else {}
        ways.passed(turn, batch.claimed, launches, batch.outside, machine_now())

    def spoil(self, batch: Batch, spoiled: Sequence[Spoiled]) -> None:
        """Messages that could not be printed: failed; enrollments stand aside where a template is at fault."""
        now = self.clock.now()
        with self.database.write() as tx:
            turn = Turn(tx, batch.live)
            failed = [Result(s.message, batch.claimed[s.message].fence, "failed", now, s.reason) for s in spoiled]
            outcomes.settle(turn, batch.claimed, failed)
            parked = {
                e: (s.reason, now)
                for s in spoiled
                if s.template and (e := batch.claimed[s.message].enrollment) is not None
            }
            outcomes.park(turn, parked)
            turn.flush()
        log.warning("messages.spoiled", count=len(spoiled))

    def renew(self, batch: Batch, ids: Collection[int]) -> None:
        with self.database.write() as tx:
            outbox.renew(tx, [(i, batch.claimed[i].fence) for i in ids], machine_now() + LEASE)


@dataclass
class Batch:
    """Messages claimed together, printed or spoiled."""

    live: Live
    claimed: dict[int, Claimed]
    outside: Outside
    printed: dict[int, Printed] = field(default_factory=dict)
    spoiled: list[Spoiled] = field(default_factory=list)


class _Run:
    """One batch on its way; the transport's `Wire`."""

    def __init__(self, dispatch: Dispatch, batch: Batch) -> None:
        self._dispatch = dispatch
        self._batch = batch
        self._results: list[WireResult] = []
        self._open = set(batch.printed)
        self._wake = asyncio.Event()
        self._closed = False

    async def send(self) -> None:
        if self._batch.spoiled:
            await asyncio.to_thread(self._dispatch.spoil, self._batch, self._batch.spoiled)
        writer = asyncio.create_task(self._write())
        keeper = asyncio.create_task(self._keep())
        try:
            await self._dispatch.transport.send([p.mail for p in self._batch.printed.values()], self)
        finally:
            keeper.cancel()
            self._closed = True
            self._wake.set()
            await asyncio.shield(writer)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            if not self._closed:
                await asyncio.sleep(self._dispatch.gather)
            self._wake.clear()
            results, self._results = self._results, []
            if results:
                await self._write_down(results)
                if self._dispatch.journal is not None:
                    claimed = self._batch.claimed
                    self._dispatch.journal.settled((r.id, claimed[r.id].fence) for r in results)
            if self._closed and not self._results:
                return
            if self._closed or self._results:
                self._wake.set()

    async def _write_down(self, results: Sequence[WireResult]) -> None:
        """Written for certain while the leases last: what the server said is known nowhere else but in the journal."""
        watch = Stopwatch()
        while True:
            try:
                return await asyncio.to_thread(self._dispatch.write, self._batch, results)
            except (LostRace, StoreUnavailable) as error:
                if watch.seconds() > LEASE.total_seconds():
                    raise
                log.warning("outcomes.delayed", count=len(results), why=error.message)
                await asyncio.sleep(AGAIN)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(RENEW)
            try:
                await asyncio.to_thread(self._dispatch.renew, self._batch, set(self._open))
            except StoreUnavailable as error:
                log.warning("leases.not_renewed", why=error.message)

    async def gate(self, mails: Sequence[Mail]) -> Collection[int]:
        return await asyncio.to_thread(self._dispatch.gate, self._batch, [mail.id for mail in mails])

    def on_dot(self, mail: Mail, connection: int) -> None:
        if self._dispatch.journal is not None:
            self._dispatch.journal.dotted(mail.id, self._batch.claimed[mail.id].fence)
        self._dispatch.crash("dot")

    def on_result(self, result: WireResult) -> None:
        if self._dispatch.journal is not None and not (isinstance(result, Dropped) and result.dot_written):
            fence = self._batch.claimed[result.id].fence
            self._dispatch.journal.answered(result.id, fence, sent=isinstance(result, Sent))
        self._dispatch.crash("result")
        self._open.discard(result.id)
        self._results.append(result)
        self._wake.set()


def _of_the_project(live: Live, m: Claimed) -> Claimed:
    """The engine's own mails are printed from the project's template where it has one of the same name."""
    own = live.templates.get(m.template) if m.template and m.template_hash is None else None
    return m if own is None else replace(m, template_hash=own)
