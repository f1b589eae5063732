"""One statement run for many rows at once, compiled once a dialect, with its values converted column by column.

SQLAlchemy prepares the parameters of every row anew: in a pass that writes four rows a mail it was a fifth of the whole
time. Here what it has compiled is kept, and the driver gets plain tuples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Table, Update, bindparam, insert

Convert = Callable[[Any], Any]
_Compiled = tuple[str, list[tuple[str, int, Convert | None]], bool]  # SQL, (name, place, converter), positional


class Many:
    """An insert or an update whose `bindparam`s are named in `names`; rows are tuples in that order.

    Make it once, beside the function that runs it. It may not hold `IN`, whose list is expanded at each execution.
    """

    def __init__(self, statement: Insert | Update, names: Sequence[str]) -> None:
        self._statement = statement
        self._names = tuple(names)
        self._compiled: dict[str, _Compiled] = {}

    def run(self, tx: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Execute for all of these; how many rows were touched (for an update; a driver need not count inserts)."""
        if not rows:
            return 0
        sql, places, positional = self._for(tx.dialect)
        given = list(zip(*rows, strict=True))
        columns = [given[at] if turn is None else [turn(v) for v in given[at]] for _, at, turn in places]
        if positional:
            return tx.exec_driver_sql(sql, list(zip(*columns, strict=True))).rowcount
        names = [name for name, _, _ in places]
        return tx.exec_driver_sql(
            sql, [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        ).rowcount

    def _for(self, dialect: Dialect) -> _Compiled:
        known = self._compiled.get(dialect.name)
        if known is None:
            compiled = self._statement.compile(dialect=dialect)
            wanted = compiled.positiontup if compiled.positional else list(compiled.binds)
            places: list[tuple[str, int, Convert | None]] = []
            for name in wanted or ():
                kind = compiled.binds[name].type.dialect_impl(dialect)
                places.append((name, self._names.index(name), kind.bind_processor(dialect)))
            known = self._compiled[dialect.name] = (str(compiled), places, compiled.positional)
        return known


@cache
def inserting(table: Table, names: tuple[str, ...]) -> tuple[Many, tuple[Any, ...]]:
    """An insert of these columns, and of those that have a default in Python: the values of the latter follow."""
    own = [c for c in table.columns if c.name not in names and c.default is not None and not c.default.is_sequence]
    every = (*names, *(c.name for c in own))
    statement = insert(table).values({n: bindparam(n, type_=table.c[n].type) for n in every})
    return Many(statement, every), tuple(_default(c.default) for c in own)


def _default(default: Any) -> Any:
    return default.arg if default.is_scalar else default.arg(None)
