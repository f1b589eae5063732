"""Events as they come in: stored once by (source, message id); the reaction pass gives them their order later.

`events` has no unique key of its own: keys live in `event_keys` with a retention, so that years of events are not
indexed twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import delete, select

from nurture.errors import LostRace
from nurture.lead.event import Happening
from nurture.lead.lead import shard_of
from nurture.store.database import Transaction, insert_rows, upserting
from nurture.store.tables import event_keys, events

Acceptance = Literal["new", "replay", "clash"]
_PAGE = 500  # keys a query; two parameters each, well below SQLite's 32,766


@dataclass(frozen=True, slots=True)
class EventKey:
    """`body` is a hash of what was said, to tell a replay from another event under the same id."""

    source: str
    message_id: str
    body: str


def accept_keys(tx: Transaction, keys: Sequence[EventKey], now: datetime) -> list[Acceptance]:
    """Claim these keys; for each, in order: `new` (store the event), `replay` (already stored, do nothing) or `clash`
    (the id was used for something else). A key twice in the batch is new once. Raises LostRace where another
    transaction claimed one of them meanwhile: nothing is to be kept then, the whole is to be tried again."""
    first: dict[tuple[str, str], EventKey] = {}
    for key in keys:
        first.setdefault((key.source, key.message_id), key)
    known = _bodies(tx, first.values())
    fresh = first.keys() - known.keys()
    _claim(tx, [first[name] for name in fresh], now)
    answers: list[Acceptance] = []
    for key in keys:
        name = (key.source, key.message_id)
        if name in fresh:
            fresh.discard(name)
            known[name] = key.body
            answers.append("new")
        else:
            answers.append("replay" if known[name] == key.body else "clash")
    return answers


def _claim(tx: Transaction, keys: Sequence[EventKey], now: datetime) -> None:
    """Write the keys; counting the rows is four times as fast as having them returned."""
    if not keys:
        return
    insert = upserting(tx, event_keys)
    # In key order, so that two endpoints with overlapping batches wait for each other instead of deadlocking.
    rows = [
        {"source": k.source, "message_id": k.message_id, "body_hash": k.body, "received_at": now}
        for k in sorted(keys, key=lambda k: (k.source, k.message_id))
    ]
    counted = {"preserve_rowcount": True}  # else PostgreSQL's driver is not asked how many an INSERT wrote
    if tx.execute(insert.on_conflict_do_nothing(), rows, execution_options=counted).rowcount != len(rows):
        raise LostRace("another endpoint took one of these events first")


def _bodies(tx: Transaction, keys: Iterable[EventKey]) -> dict[tuple[str, str], str]:
    by_source: dict[str, list[str]] = {}
    for key in keys:
        by_source.setdefault(key.source, []).append(key.message_id)
    found: dict[tuple[str, str], str] = {}
    c = event_keys.c
    for source, ids in by_source.items():
        for start in range(0, len(ids), _PAGE):
            query = select(c.message_id, c.body_hash).where(
                c.source == source, c.message_id.in_(ids[start : start + _PAGE])
            )
            found.update(((source, row[0]), row[1]) for row in tx.execute(query))
    return found


def store_events(tx: Transaction, happenings: Iterable[Happening]) -> None:
    """Store these in order, without an order of acceptance: the reaction pass of their shard gives it (S1)."""
    rows = [
        {
            "lead_id": h.lead,
            "shard": shard_of(h.lead),
            "name": h.name,
            "at": min(h.at, h.accepted_at),
            "accepted_at": h.accepted_at,
            "seq": None,
            "fact": h.fact,
            "source": h.source,
            "properties": h.properties,
        }
        for h in happenings
    ]
    insert_rows(tx, events, rows)


def forget_keys(tx: Transaction, before: datetime) -> int:
    """Drop keys received before then; a replay older than that is a new event. How many."""
    return tx.execute(delete(event_keys).where(event_keys.c.received_at < before)).rowcount


def oldest_waiting(tx: Transaction) -> datetime | None:
    """When the oldest event that no reaction pass has taken yet was accepted. Uses ix_events_new."""
    query = select(events.c.accepted_at).where(events.c.seq.is_(None)).order_by(events.c.id).limit(1)
    return tx.execute(query).scalar()
