"""Whose rows a pass may touch: some shards (the worker's), or some leads (the simulator's)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, true


@dataclass(frozen=True, slots=True)
class Scope:
    """`shards` None is all of them; `leads` narrows further."""

    shards: tuple[int, ...] | None = None
    leads: tuple[int, ...] | None = None

    def on(self, table: Table) -> ColumnElement[bool]:
        """The condition that keeps a table's rows to this scope."""
        clause: ColumnElement[bool] = true()
        if self.shards is not None:
            clause = clause & table.c.shard.in_(self.shards)
        if self.leads is not None:
            clause = clause & among(table.c.id if table.name == "leads" else table.c.lead_id, self.leads)
        return clause


def among(column: ColumnElement[int], ids: Sequence[int]) -> ColumnElement[bool]:
    """`column` is one of `ids`."""
    return column.in_(ids)


EVERYTHING = Scope()
