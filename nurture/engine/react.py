"""The reaction pass: what is new about leads, played in order of acceptance (campaigns.md S1–S15, S30).

A pass takes new events and timers whose instant has come, at most `limit`, and plays them in rounds: each round holds
one item of each lead, the earliest, at the item's own instant. So the worker's pass, the simulator's and a backtest are
the same function, and how late a pass ran changes nothing.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
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
from nurture.store.timers import Timer

BATCH = 1_000
Item = Arrival | Timer


def react_batch(tx: Transaction, live: Live, scope: Scope, limit: int = BATCH) -> int:
    """Play what is new in this scope; how many items were played. 0 means that nothing is new."""
    arrived = acceptance.arrivals(tx, scope, limit)
    fired = timers.due(tx, scope, limit)
    queues: dict[int, deque[Item]] = defaultdict(deque)
    items: list[Item] = [*arrived, *fired]
    for item in sorted(items, key=_order):
        queues[item.lead].append(item)
    while queues:
        quiet, playing = [], []
        for lead in list(queues):
            queue = queues[lead]
            # Events that nobody listens to need no round of their own.
            while isinstance(queue[0], Arrival) and not live.hears(queue[0].name) and len(queue) > 1:
                quiet.append(queue.popleft())
            playing.append(queue.popleft())
            if not queue:
                del queues[lead]
        _play(tx, live, [i for i in quiet if isinstance(i, Arrival)], playing, scope)
    return len(arrived) + len(fired)


def _order(item: Item) -> tuple[datetime, int, int]:
    if isinstance(item, Arrival):
        return item.accepted_at, 0, item.id
    assert item.due is not None
    return item.due, 1, item.id


def _play(tx: Transaction, live: Live, quiet: Sequence[Arrival], playing: Sequence[Item], scope: Scope) -> None:
    """One round."""
    events = [item for item in playing if isinstance(item, Arrival)]
    fired = _still_due(tx, [item for item in playing if isinstance(item, Timer)])
    acceptance.accept(tx, [*quiet, *events])
    events = [e for e in events if live.hears(e.name)]
    if not events and not fired:
        return
    turn = Turn(tx, live)
    turn.load([*(e.lead for e in events), *(t.lead for t in fired)])
    events = [e for e in events if e.lead in turn.leads]
    happened = [
        Happened(e.lead, min(e.accepted_at, scope.of(e.lead)), e.id, e.name, e.at, e.properties, fact=e.fact)
        for e in events
    ]
    for e in events:
        turn.touch(e.lead, *event_touches(e.name))
    scoring.score_events(turn, happened)
    at = {h.lead: h.now for h in happened}
    scoring.cross(turn, at)
    scoring.move_by_rules(turn, at)
    colleagues = _colleagues(turn, happened)
    trigger(turn, [*happened, *_looks_at_enrollments(fired), *colleagues])
    entries.react(turn, events, {h.lead: h.now for h in [*colleagues, *happened]})
    entries.fire(turn, [t for t in fired if not t.owner.startswith("enrollment:")])
    turn.flush()


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
    by_account = {turn.leads[h.lead].account: h for h in happened if turn.leads[h.lead].account is not None}
    if not by_account:
        return []
    played = {h.lead for h in happened}
    found = []
    for account, members in facts.colleagues(turn.tx, [a for a in by_account if a is not None]).items():
        source = by_account[account]
        turn.load([m for m in members if m not in played])
        for member in members:
            if member not in played:
                turn.touch(member, "account", *turn.touched.get(source.lead, ()))
                found.append(replace(source, lead=member, event=None, name=None, at=None, properties=None))
    return found
