"""The reaction pass: what is new about leads, played in order of acceptance (campaigns.md S1–S15, S30).

A pass takes new events and timers whose instant has come, at most `limit`, and plays them in rounds: each round holds
one item of each lead, the earliest, at the item's own instant. So the worker's pass, the simulator's and a backtest are
the same function, and how late a pass ran changes nothing.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from nurture.engine import entries, scoring
from nurture.engine.live import Live
from nurture.engine.triggers import Happened, trigger
from nurture.engine.turn import Turn
from nurture.journey.reads import event_touches
from nurture.store import acceptance, facts, timers
from nurture.store.acceptance import Arrival
from nurture.store.database import Transaction
from nurture.store.scope import Scope
from nurture.store.shards import lock_shards
from nurture.store.timers import Timer

BATCH = 1_000
Item = Arrival | Timer


def react_batch(tx: Transaction, live: Live, scope: Scope, limit: int = BATCH) -> int:
    """Play what is new in this scope; how many items were played. 0 means that nothing is new."""
    lock_shards(tx, scope.shards, wait=True)
    arrived, fired = acceptance.arrivals(tx, scope, limit), timers.due(tx, scope, limit)
    # Where a page is full, what is later than its last item waits for the next page: of one lead nothing overtakes
    # what happened before it.
    horizon = max(a.accepted_at for a in arrived) if len(arrived) >= limit else None
    full = limit in (len(arrived), len(fired))
    if len(fired) >= limit:
        last = max(t.due for t in fired if t.due is not None)
        arrived = [a for a in arrived if a.accepted_at <= last]
    fired = _before(fired, horizon)
    if not arrived and not fired:
        return 0
    queues = _Queues(tx, scope, [*arrived, *fired], full=full, horizon=horizon)
    sweeping = timers.sweeping(tx, scope)
    while queues.waiting:
        quiet, playing = queues.take(live)
        spoken = _play(tx, live, quiet, playing, scope, sweeping)
        queues.refill(spoken)
    return queues.played


def _before(fired: Sequence[Timer], horizon: datetime | None) -> list[Timer]:
    return [t for t in fired if t.due is not None and (horizon is None or t.due < horizon)]


class _Queues:
    """What is still to be played of each lead, in its order."""

    def __init__(
        self, tx: Transaction, scope: Scope, items: Sequence[Item], *, full: bool, horizon: datetime | None
    ) -> None:
        self.tx, self.scope, self.full, self.horizon = tx, scope, full, horizon
        self.waiting: dict[int, deque[Item]] = defaultdict(deque)
        self.played = 0
        self._newest = max((i.id for i in items if isinstance(i, Arrival)), default=0)
        for item in sorted(items, key=_order):
            self.waiting[item.lead].append(item)

    def take(self, live: Live) -> tuple[list[Arrival], list[Item]]:
        """The next item of each lead, and the events before it that nobody listens to: they need no round of their
        own."""
        quiet: list[Arrival] = []
        playing: list[Item] = []
        for lead in list(self.waiting):
            queue = self.waiting[lead]
            while isinstance(first := queue[0], Arrival) and not live.hears(first.name) and len(queue) > 1:
                quiet.append(first)
                queue.popleft()
            playing.append(queue.popleft())
            if not queue:
                del self.waiting[lead]
        self.played += len(quiet) + len(playing)
        return quiet, playing

    def refill(self, spoken: Iterable[int]) -> None:
        """What the round brought forth comes before what is later: whether one late pass plays a day or many passes
        in time do, it is the same day."""
        found: list[Item] = []
        # After a full page they would come behind all that still waits, whosever it is.
        if heard := [lead for lead in spoken if self.full or lead in self.waiting]:
            new = acceptance.arrivals_of(self.tx, heard, self._newest)
            found += [a for a in new if self.horizon is None or a.accepted_at <= self.horizon]
        if not self.waiting and not found:
            return
        self._newest = max([self._newest, *(i.id for i in found)])
        known = {(i.id, i.due) for queue in self.waiting.values() for i in queue if isinstance(i, Timer)}
        open_ = {*self.waiting, *(i.lead for i in found)}
        due = _before(timers.due_of(self.tx, {lead: self.scope.of(lead) for lead in open_}), self.horizon)
        found += [t for t in due if (t.id, t.due) not in known]
        by_lead: dict[int, list[Item]] = defaultdict(list)
        for item in found:
            by_lead[item.lead].append(item)
        for lead, items in by_lead.items():
            self.waiting[lead] = deque(sorted([*self.waiting.get(lead, ()), *items], key=_order))


def _order(item: Item) -> tuple[datetime, int, int]:
    if isinstance(item, Arrival):
        return item.accepted_at, 0, item.id
    assert item.due is not None
    return item.due, 1, item.id


def _play(
    tx: Transaction,
    live: Live,
    quiet: Sequence[Arrival],
    playing: Sequence[Item],
    scope: Scope,
    sweeping: Mapping[tuple[str, int], int],
) -> Iterable[int]:
    """One round; the leads of whom the engine had something to say in it."""
    events = [item for item in playing if isinstance(item, Arrival)]
    fired = _still_due(tx, [item for item in playing if isinstance(item, Timer)])
    acceptance.accept(tx, [*quiet, *events])
    events = [e for e in events if live.hears(e.name)]
    if not events and not fired:
        return ()
    turn = Turn(tx, live, sweeping=sweeping)
    turn.load([*(e.lead for e in events), *(t.lead for t in fired)])
    events = [e for e in events if e.lead in turn.leads]
    fired = [t for t in fired if t.lead in turn.leads]
    happened = [
        Happened(e.lead, min(e.accepted_at, scope.of(e.lead)), e.id, e.name, e.at, e.properties, fact=e.fact)
        for e in events
    ]
    turn.silent = {e.lead for e in events if e.fact}
    for e in events:
        turn.touch(e.lead, *event_touches(e.name))
    at = {h.lead: h.now for h in happened} | scoring.fallen(turn, fired)
    scoring.score_events(turn, happened)
    scoring.cross(turn, at)
    scoring.move_by_rules(turn, {h.lead: h.now for h in happened})
    colleagues = _colleagues(turn, happened)
    trigger(turn, [*happened, *_looks_at_enrollments(fired), *colleagues])
    entries.react(turn, events, [*colleagues, *happened])
    entries.fire(turn, fired)
    turn.flush()
    return turn.spoken


def _still_due(tx: Transaction, fired: Sequence[Timer]) -> list[Timer]:
    """Timers that an earlier round of this pass has not moved or taken away; they are taken away now."""
    standing = {t.id: t.due for t in timers.by_ids(tx, [t.id for t in fired])} if fired else {}
    found = [t for t in fired if standing.get(t.id) == t.due]
    timers.remove(tx, [t.id for t in found])
    return found


def _looks_at_enrollments(fired: Iterable[Timer]) -> list[Happened]:
    return [
        Happened(t.lead, t.due, only=int(t.owner.partition(":")[2]))
        for t in fired
        if t.owner.startswith("enrollment:") and t.due is not None
    ]


def _colleagues(turn: Turn, happened: Sequence[Happened]) -> list[Happened]:
    """What one of a company does may turn conditions of the others, where somebody asks `by: account`."""
    if not turn.live.asks_accounts:
        return []
    sources: dict[int, list[Happened]] = defaultdict(list)
    for h in happened:
        account = turn.leads[h.lead].account
        if account is not None:
            sources[account].append(h)
    if not sources:
        return []
    played = {h.lead for h in happened}
    touched = {h.lead: frozenset(turn.touched.get(h.lead, ())) for h in happened}
    found = []
    for account, members in facts.colleagues(turn.tx, sorted(sources)).items():
        turn.load(members)
        for member in members:
            others = [h for h in sources[account] if h.lead != member]
            if not others:
                continue
            turn.touch(member, "account", *frozenset().union(*(touched[h.lead] for h in others)))
            if member not in played:
                latest = max(others, key=lambda h: (h.now, h.lead))
                fact = all(h.fact for h in others)
                found.append(replace(latest, lead=member, event=None, name=None, at=None, properties=None, fact=fact))
    return found
