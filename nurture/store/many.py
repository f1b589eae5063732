"""One statement run for many rows at once, compiled once a dialect, with its values converted column by column.

SQLAlchemy prepares the parameters of every row anew: in a pass that writes four rows a mail it was a fifth of the whole
time. Here what it has compiled is kept, and the driver gets plain tuples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, Dialect, Insert, Table, Update, bindparam, insert

Convert = Callable[[Any], Any]


class _Place(NamedTuple):
    """A parameter of the compiled statement: where in a row its value stands, or the one value it always has."""

    name: str
    at: int | None
    convert: Convert | None
    always: Any = None


class _Compiled(NamedTuple):
    sql: str
    places: list[_Place]
    positional: bool


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
        columns: list[Sequence[Any]] = [
            (p.always,) * len(rows) if p.at is None else _converted(given[p.at], p.convert) for p in places
        ]
        if positional:
            return tx.exec_driver_sql(sql, list(zip(*columns, strict=True))).rowcount
        names = [p.name for p in places]
        named = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        return tx.exec_driver_sql(sql, named).rowcount

    def _for(self, dialect: Dialect) -> _Compiled:
        known = self._compiled.get(dialect.name)
        if known is None:
            compiled = self._statement.compile(dialect=dialect)
            wanted = compiled.positiontup if compiled.positional else list(compiled.binds)
            places = [self._place(compiled.binds[name], name, dialect) for name in wanted or ()]
            known = self._compiled[dialect.name] = _Compiled(str(compiled), places, compiled.positional)
        return known

    def _place(self, bind: BindParameter[Any], name: str, dialect: Dialect) -> _Place:
        convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
        if name in self._names:
            return _Place(name, self._names.index(name), convert)
        value = bind.effective_value
        return _Place(name, None, None, value if convert is None else convert(value))


def _converted(values: Sequence[Any], convert: Convert | None) -> Sequence[Any]:
    return values if convert is None else [convert(value) for value in values]


@cache
def inserting(table: Table, names: tuple[str, ...]) -> tuple[Many, tuple[Any, ...]]:
    """An insert of these columns, and of those that have a default in Python: the values of the latter follow."""
    own = [c for c in table.columns if c.name not in names and c.default is not None and not c.default.is_sequence]
    every = (*names, *(c.name for c in own))
    statement = insert(table).values({n: bindparam(n, type_=table.c[n].type) for n in every})
    return Many(statement, every), tuple(_default(c.default) for c in own)


def _default(default: Any) -> Any:
    return default.arg if default.is_scalar else default.arg(None)
