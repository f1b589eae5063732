"""`id IN (…)` for a batch of ids as one parameter: with a thousand of them SQLAlchemy spends more time on writing the
list out than the database on answering."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import ARRAY, BigInteger, ColumnElement, Dialect, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

_ENCODER = msgspec.json.Encoder()


class _Ids(TypeDecorator[list[int]]):
    """JSON for SQLite, an array for PostgreSQL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(BigInteger()))

    def process_bind_param(self, value: list[int] | None, dialect: Dialect) -> Any:
        return _ENCODER.encode(value).decode() if dialect.name == "sqlite" else value


class _Among(FunctionElement[Any]):
    type = NullType()  # as Boolean it would be written `… = 1` on SQLite, which no index is used for
    inherit_cache = True
    name = "among"


def among(column: ColumnElement[Any], ids: Iterable[int]) -> ColumnElement[bool]:
    """Whether the column holds one of these ids; none of them is given None."""
    return _Among(column, bindparam(None, list(ids), type_=_Ids()))


@compiles(_Among, "sqlite")
def _on_sqlite(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, ids = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({ids}))"  # noqa: S608 — both are SQLAlchemy's own words


@compiles(_Among, "postgresql")
def _on_postgresql(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, ids = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY({ids})"
