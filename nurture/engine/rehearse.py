"""The simulator: the same passes over a throw-away database, on a clock of each lead's own (campaigns.md S34, S35).

Every turn plays, for up to a thousand leads, the earliest thing that is to happen to each: a scripted event, a timer,
a due step. The transport takes no time and answers 250; webhooks answer from `answers`, else fail.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from nurture.campaign.plan import AnyStep, Assign, Plan, Send
from nurture.campaign.project import Project
from nurture.engine import happenings, outcomes, scoring
from nurture.engine.advance import Pass, advance_batch
from nurture.engine.deploy import deploy, sweep_batch, sweep_leads
from nurture.engine.happenings import Told
from nurture.engine.live import Live, load_live
from nurture.engine.react import react_batch
from nurture.engine.triggers import Happened
from nurture.engine.turn import Turn
from nurture.errors import Bug
from nurture.lead.keyring import Keyring
from nurture.store import casting, copying, enrollments, outbox, timers
from nurture.store.casting import Cast
from nurture.store.database import Database, Transaction, open_database
from nurture.store.outbox import Result
from nurture.store.scope import Scope, scope_of_leads

BATCH = 1_000
TOGETHER = timedelta(minutes=15)  # where leads do influence each other, nobody's time runs further ahead than this
_ROUNDS = 1_000  # at one instant of one lead; more is a circle that the rules should have broken
_KEYRING = Keyring(["rehearsal"])


def _meets_others(step: AnyStep) -> bool:
    """Whether the step reads what became of other leads (S34)."""
    return isinstance(step, Assign) or (isinstance(step, Send) and step.pick is not None)


@dataclass(frozen=True, slots=True)
class Scripted:
    """Something that is to happen to a lead (by its place in the cast); `told` is when it was heard of, where later."""

    at: datetime
    who: int
    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    told: datetime | None = None

    @property
    def due(self) -> datetime:
        """When it is played."""
        return self.told or self.at


@dataclass
class Rehearsal:
    """A stage with its players. Used as a context: the database is thrown away at the end."""

    project: Project
    plans: Mapping[str, Plan]
    start: datetime
    answers: Mapping[str, Any] = field(default_factory=dict)
    templates: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    database: Database = field(default_factory=lambda: open_database("sqlite://", durable=False))
    leads: list[int] = field(default_factory=list)
    _scripts: dict[int, list[Scripted]] = field(default_factory=dict)
    _groups: dict[int, list[int]] = field(default_factory=dict)

    def __enter__(self) -> Rehearsal:
        casting.set_up(self.database)
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    def play(
        self,
        cast: Sequence[Cast],
        script: Iterable[Scripted],
        until: datetime,
        progress: Callable[[datetime], None] | None = None,
    ) -> None:
        """Play the script from `start` until there is nothing left to happen, or `until`. What happened before `start`
        is history: it counts and starts nothing."""
        ordered = sorted(script, key=lambda s: (s.at, s.who))
        with self.database.write() as tx:
            self.leads = casting.put(tx, self.project, cast, self.start, _KEYRING)
            casting.history(tx, [(self.leads[s.who], s.name, s.at, s.properties) for s in ordered if s.at < self.start])
        given = frozenset((lead, name) for lead, one in zip(self.leads, cast, strict=True) for name in one.scores)
        self.perform([s for s in ordered if s.at >= self.start], until, progress, given=given)

    def perform(
        self,
        script: Iterable[Scripted],
        until: datetime,
        progress: Callable[[datetime], None] | None = None,
        *,
        given: Set[tuple[int, str]] = frozenset(),
        newcomers: Set[int] = frozenset(),
    ) -> None:
        """Deploy, and play a script of what is not before `start`, for the leads that stand on the stage with their
        history. `given` are scores (lead, name) that were said and are not folded from it. `newcomers` are only made
        later: their `lead.created` is in the script."""
        with self.database.write() as tx:
            deploy(tx, self.project, self.plans, self.templates, self.start)
            live = load_live(tx, _KEYRING)
            assert live is not None
            self._score_history(tx, live, given)
            known = [lead for lead in self.leads if lead not in newcomers]
            for n in range(0, len(known), BATCH):
                for name in self.plans:
                    sweep_leads(tx, live, name, known[n : n + BATCH], self.start, first=True)
            timers.end_sweeps(tx)
        self._scripts = defaultdict(list)
        for s in reversed(sorted(script, key=lambda s: s.due)):  # noqa: C413 - equal ones keep their order
            self._scripts[self.leads[s.who]].append(s)
        self._run(live, until, progress)

    def _score_history(self, tx: Transaction, live: Live, given: Set[tuple[int, str]]) -> None:
        """What happened before the start earned points, by the rules of today."""
        names = {rule.event for score in self.project.scores.values() for rule in score.rules if rule.event}
        if not names:
            return
        for page in casting.history_pages(tx, names, 10 * BATCH):
            turn = Turn(tx, live)
            turn.load(e.lead for e in page)
            scoring.score_events(turn, [Happened(e.lead, self.start, e.id, e.name, e.at) for e in page], but=given)
        for n in range(0, len(self.leads), BATCH):
            turn = Turn(tx, live)
            scoring.stand(turn, dict.fromkeys(self.leads[n : n + BATCH], self.start), but=given)
            turn.flush()

    def go_on(
        self, lead_ids: Sequence[int], until: datetime, progress: Callable[[datetime], None] | None = None
    ) -> None:
        """Play on from `start` with what the database holds, where these leads stand already: nothing is deployed, no
        event is made up. What is due, not yet looked at or about to leave comes first."""
        self.leads = list(lead_ids)
        with self.database.write() as tx:
            live = load_live(tx, _KEYRING)
            if live is None:
                return
            while sweep_batch(tx, live, Scope(self.start), self.start):
                pass
            # Nobody lifts a pause here, so nothing leaves; to look at it every quarter of an hour took minutes.
            copying.stop(tx, [name for name, c in live.campaigns.items() if live.paused or c.stands])
        self._run(live, until, progress, at_once=True)

    def _run(
        self, live: Live, until: datetime, progress: Callable[[datetime], None] | None, *, at_once: bool = False
    ) -> None:
        """`at_once`: everybody is looked at at the start, whether or not something is due."""
        together = any(_meets_others(step) for plan in self.plans.values() for step in plan.steps)
        waiting: list[tuple[datetime, int]] = []
        with self.database.write() as tx:
            groups = self._grouped(tx, live)
            for n in range(0, len(self.leads), BATCH):
                waiting += self._next(tx, self.leads[n : n + BATCH], groups, until)
        if at_once:
            waiting = [(self.start, group) for group in self._groups]
        heapq.heapify(waiting)
        while waiting:
            at: dict[int, datetime] = {}
            played: set[int] = set()
            last = waiting[0][0] + TOGETHER if together else None
            while waiting and len(played) < BATCH and (last is None or waiting[0][0] < last):
                instant, group = heapq.heappop(waiting)
                if group not in played:
                    played.add(group)
                    at.update(dict.fromkeys(self._groups[group], instant))
            with self.database.write() as tx:
                self._play(tx, live, at)
                for found in self._next(tx, list(at), groups, until):
                    heapq.heappush(waiting, found)
            if progress is not None:
                progress(max(at.values()))

    def _grouped(self, tx: Transaction, live: Live) -> dict[int, int]:
        """lead → group: leads of one account keep one time where a condition looks at the account."""
        accounts = casting.accounts_of(tx) if live.reads_accounts else {}
        groups: dict[int, int] = {}
        first: dict[int, int] = {}
        self._groups = defaultdict(list)
        for lead in self.leads:
            group = first.setdefault(accounts[lead], lead) if lead in accounts else lead
            groups[lead] = group
            self._groups[group].append(lead)
        return groups

    def _next(
        self, tx: Transaction, lead_ids: Sequence[int], groups: Mapping[int, int], until: datetime
    ) -> list[tuple[datetime, int]]:
        """(instant, group) of the next thing to happen to each of these leads."""
        soonest: dict[int, datetime] = {}
        scripted = [(lead, self._scripts[lead][-1].due) for lead in lead_ids if self._scripts.get(lead)]
        for lead, instant in [*scripted, *timers.next_due(tx, lead_ids), *enrollments.next_wake(tx, lead_ids)]:
            group = groups[lead]
            if group not in soonest or instant < soonest[group]:
                soonest[group] = instant
        return [(instant, group) for group, instant in soonest.items() if instant <= until]

    def _play(self, tx: Transaction, live: Live, at: Mapping[int, datetime]) -> None:
        """Everything that happens to these leads at their instants."""
        told = []
        for lead, now in at.items():
            script = self._scripts.get(lead, [])
            while script and script[-1].due <= now:
                s = script.pop()
                told.append(Told(lead, s.name, now, s.properties, s.at))
        turn = Turn(tx, live)
        happenings.take(turn, told)
        turn.flush()
        scope = scope_of_leads(at)
        ran = Pass()
        for _ in range(_ROUNDS):
            busy = react_batch(tx, live, scope, limit=100 * BATCH)
            busy += advance_batch(tx, live, scope, ran, limit=100 * BATCH)
            busy += self._deliver(tx, live, scope)
            if not busy:
                return
        raise Bug("the simulation does not come to rest")

    def _deliver(self, tx: Transaction, live: Live, scope: Scope) -> int:
        """The transport that takes no time."""
        claimed = outbox.claim_of(tx, scope)
        if not claimed:
            return 0
        turn = Turn(tx, live)
        results = []
        for m in claimed:
            now = scope.now if m.lead is None else scope.of(m.lead)
            if m.kind != outbox.CALL:
                results.append(Result(m.id, m.fence, "sent", now, code=250))
            elif (name := str(m.options.get("webhook"))) in self.answers:
                results.append(Result(m.id, m.fence, "sent", now, answer=self.answers[name]))
            else:
                results.append(Result(m.id, m.fence, "failed", now, "no answer in the script"))
        outcomes.settle(turn, {m.id: m for m in claimed}, results)
        turn.flush()
        return len(claimed)
