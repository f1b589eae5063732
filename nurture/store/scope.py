"""Whose rows a pass may touch, and which instant it is for each of them.

The worker's pass takes some shards at one instant. The simulator's takes some leads, each at an instant of its own:
leads do not influence each other (campaigns.md S34), so their time may run apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, FromClause, true

from nurture.store.tables import SHARDS


@dataclass(frozen=True, slots=True)
class Scope:
    """`now` is the instant, or the latest of the instants in `at`; `shards` None is all of them; `at` narrows to its
    leads."""

    now: datetime
    shards: tuple[int, ...] | None = None
    at: Mapping[int, datetime] | None = None

    def on(self, table: FromClause) -> ColumnElement[bool]:
        """The condition that keeps a table's rows to this scope."""
        clause: ColumnElement[bool] = true()
        if self.shards is not None:
            clause = clause & table.c.shard.in_(self.shards)
        if self.at is not None:
            clause = clause & table.c.lead_id.in_(list(self.at))
        return clause

    def seeking(self, table: FromClause) -> ColumnElement[bool]:
        """The same, for an index that begins with the shard: all shards are named, or every entry of it is read."""
        every = table.c.shard.in_(range(SHARDS)) if self.shards is None and self.at is None else true()
        return every & self.on(table)

    def of(self, lead: int) -> datetime:
        """What time it is for this lead."""
        return self.now if self.at is None else self.at[lead]


def scope_of_leads(at: Mapping[int, datetime]) -> Scope:
    """These leads, each at its own instant."""
    return Scope(max(at.values()), at=at)
