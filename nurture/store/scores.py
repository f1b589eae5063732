"""The decaying parts of scores, and which thresholds a lead stands above."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from nurture.store.database import Transaction, upserting
from nurture.store.tables import lead_scores


@dataclass(slots=True)
class Standing:
    """The points of events, as of `at`; `above` names the thresholds crossed upward and not yet fallen below."""

    lead: int
    score: str
    value: float
    at: datetime
    above: list[str]

    def add(self, points: float, at: datetime, half_life_s: float) -> None:
        """Add points earned at that instant. A fold: the order in which they are added does not matter."""
        latest = max(self.at, at)
        self.value = decayed(self.value, latest - self.at, half_life_s) + decayed(points, latest - at, half_life_s)
        self.at = latest


def decayed(value: float, age: timedelta, half_life_s: float) -> float:
    """What points of this age are still worth; a half-life of 0 keeps them."""
    return value * 2.0 ** -(age.total_seconds() / half_life_s) if half_life_s else value


def load(tx: Transaction, lead_ids: Sequence[int]) -> dict[tuple[int, str], Standing]:
    c = lead_scores.c
    query = select(c.lead_id, c.score, c.value, c.at, c.above).where(c.lead_id.in_(lead_ids))
    return {(row[0], row[1]): Standing(row[0], row[1], row[2], row[3], list(row[4])) for row in tx.execute(query)}


def save(tx: Transaction, standings: Iterable[Standing]) -> None:
    rows = [{"lead_id": s.lead, "score": s.score, "value": s.value, "at": s.at, "above": s.above} for s in standings]
    if rows:
        insert = upserting(tx, lead_scores)
        changed = {name: insert.excluded[name] for name in ("value", "at", "above")}
        tx.execute(insert.on_conflict_do_update(index_elements=["lead_id", "score"], set_=changed), rows)
