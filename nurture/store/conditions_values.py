"""A value that conditions test: a column, or a place in a JSON document, on either database.

What a test may ask of a value is the same everywhere: whether it is present, its text, its number, its truth, its date.
Each is NULL where the value is of another kind, so one dirty value answers false and breaks nothing: PostgreSQL would
abort the whole statement at the first cast that fails, SQLite would silently make it 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import (
    Boolean,
    ColumnElement,
    FromClause,
    Numeric,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    true,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB

Sql = ColumnElement[Any]

_DAY_GLOB = "[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]"
_TIME_GLOB = "T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z"
_DAY_REGEX = "^[0-9]{4}-[01][0-9]-[0-3][0-9]$"
_INSTANT_REGEX = "^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9][.][0-9]{6}Z$"


def text_of(value: str) -> Sql:
    return literal(value, Text)


class Value(Protocol):
    """Each part is NULL where the value is missing or of another kind; `present` is never NULL."""

    @property
    def present(self) -> Sql: ...
    @property
    def text(self) -> Sql:
        """Of a text, a number or a boolean, as JSON writes it."""

    @property
    def string(self) -> Sql:
        """Of a text alone."""

    @property
    def number(self) -> Sql: ...
    @property
    def truth(self) -> Sql:
        """A boolean."""

    @property
    def instant(self) -> Sql | None:
        """A timestamp column, compared as such; None: dates are ISO text in `string`."""


@dataclass(frozen=True)
class Plain:
    """A column or an expression of one known kind."""

    present: Sql
    text: Sql
    string: Sql
    number: Sql
    truth: Sql
    instant: Sql | None = None


_NO_TEXT, _NO_NUMBER, _NO_TRUTH = cast(null(), Text), cast(null(), Numeric), cast(null(), Boolean)


def text_column(column: Sql) -> Plain:
    return Plain(column.is_not(None), column, column, _NO_NUMBER, _NO_TRUTH)


def number_column(column: Sql) -> Plain:
    return Plain(column.is_not(None), _NO_TEXT, _NO_TEXT, column, _NO_TRUTH)


def instant_column(column: Sql) -> Plain:
    return Plain(column.is_not(None), _NO_TEXT, _NO_TEXT, _NO_NUMBER, _NO_TRUTH, column)


MISSING = Plain(false(), _NO_TEXT, _NO_TEXT, _NO_NUMBER, _NO_TRUTH)


class Dialect(Protocol):
    """What the two databases say differently."""

    sqlite: bool

    def json(self, document: Sql, path: tuple[str, ...]) -> Value:
        """The value at that place of a JSON column."""

    def inner(self, value: Value, path: tuple[str, ...]) -> Value:
        """A place inside a JSON value; the value itself for an empty path."""

    def elements(self, value: Value, name: str) -> tuple[FromClause, Value]:
        """The elements of a list as rows, none for anything else, and the element at hand."""

    def literal(self, number: float) -> Sql:
        """A number to compare with one of JSON: as a float8, 1e400 in a document would end the statement."""

    def fold(self, text: Sql) -> Sql:
        """Lower case as Python's `str.lower`, for all of Unicode."""

    def position(self, text: Sql, part: str) -> Sql:
        """Where `part` first stands in the text, from 1; 0 for nowhere."""

    def ordered(self, text: Sql) -> Sql:
        """The text, to be compared by code points."""

    def is_day(self, text: Sql) -> Sql:
        """It looks like a date without a time."""

    def is_instant(self, text: Sql) -> Sql:
        """It looks like `types.instant_text`; any other way to write an instant is no date here."""

    def written(self, instant: Sql) -> Sql:
        """A timestamp column as `types.instant_text` writes it."""

    def seconds(self, since: Sql, until: Sql) -> Sql:
        """Seconds from one timestamp to another, not below 0."""

    def halved(self, value: Sql, seconds: Sql, half_life: float) -> Sql:
        """What is left of the value after so many seconds."""

    def rounded(self, number: Sql) -> Sql:
        """To six decimals, so that both databases agree on what a sum of 0.1s equals."""


# --- SQLite -----------------------------------------------------------------------------------------------------


class SqliteJson:
    instant: Sql | None = None

    def __init__(self, document: Sql, path: Sql) -> None:
        self.document, self.path = document, path
        kind, found = func.json_type(document, path), func.json_extract(document, path)
        self.kind = kind
        self.present = func.coalesce(kind, "null") != "null"
        self.string = case((kind == "text", found))
        self.text = case(
            (kind == "text", found),
            (kind.in_(_literals("integer", "real", "true", "false")), document.op("->", precedence=15)(path)),
        )
        self.number = case((kind.in_(_literals("integer", "real")), found))
        self.truth = case((kind == "true", true()), (kind == "false", false()))


def _literals(*texts: str) -> list[Sql]:
    return [literal_column(f"'{text}'", Text) for text in texts]


def _sqlite_path(path: tuple[str, ...]) -> str | None:
    # SQLite's path language quotes a name but cannot escape a quote in it; such a name is nowhere, on both databases.
    if any('"' in name for name in path):
        return None
    return "".join(f'."{name}"' for name in path)


class SqliteDialect:
    sqlite = True

    def json(self, document: Sql, path: tuple[str, ...]) -> Value:
        where = _sqlite_path(path)
        return MISSING if where is None else SqliteJson(type_coerce(document, Text), text_of("$" + where))

    def inner(self, value: Value, path: tuple[str, ...]) -> Value:
        where = _sqlite_path(path)
        if not isinstance(value, SqliteJson) or where is None:
            return MISSING
        return SqliteJson(value.document, value.path + text_of(where) if where else value.path)

    def elements(self, value: Value, name: str) -> tuple[FromClause, Value]:
        assert isinstance(value, SqliteJson)
        # json_each gives a scalar as its own only element.
        safe = case((value.kind == "array", value.document))
        each = func.json_each(safe, value.path).table_valued("value", "fullkey", name=name)
        return each, SqliteJson(value.document, type_coerce(each.c.fullkey, Text))

    def literal(self, number: float) -> Sql:
        return literal(number)

    def fold(self, text: Sql) -> Sql:
        return func.fold(text, type_=Text)

    def position(self, text: Sql, part: str) -> Sql:
        return func.instr(text, text_of(part))

    def ordered(self, text: Sql) -> Sql:
        return text

    def is_day(self, text: Sql) -> Sql:
        return text.op("GLOB")(text_of(_DAY_GLOB))

    def is_instant(self, text: Sql) -> Sql:
        return text.op("GLOB")(text_of(_DAY_GLOB + _TIME_GLOB))

    def written(self, instant: Sql) -> Sql:
        return type_coerce(instant, Text)

    def seconds(self, since: Sql, until: Sql) -> Sql:
        return func.max(0.0, (func.julianday(until) - func.julianday(since)) * 86_400.0)

    def halved(self, value: Sql, seconds: Sql, half_life: float) -> Sql:
        return value * func.half_lives(seconds, half_life)

    def rounded(self, number: Sql) -> Sql:
        return func.round(number, 6)


# --- PostgreSQL -------------------------------------------------------------------------------------------------


class PostgresJson:
    instant: Sql | None = None

    def __init__(self, document: Sql) -> None:
        self.document = document
        kind, text = func.jsonb_typeof(document), type_coerce(document.op("#>>")(literal_column("'{}'")), Text)
        self.kind = kind
        self.present = func.coalesce(kind, "null") != "null"
        self.string = case((kind == "string", text))
        self.text = case((kind.in_(_literals("string", "number", "boolean")), text))
        self.number = case((kind == "number", cast(document, Numeric)))
        self.truth = case((kind == "boolean", text == "true"))


class PostgresDialect:
    sqlite = False

    def json(self, document: Sql, path: tuple[str, ...]) -> Value:
        if any('"' in name for name in path):
            return MISSING
        found: Sql = type_coerce(document, JSONB)
        for name in path:  # by name alone: #> would take '0' for a list's first
            found = type_coerce(found.op("->")(text_of(name)), JSONB)
        return PostgresJson(found)

    def inner(self, value: Value, path: tuple[str, ...]) -> Value:
        return self.json(value.document, path) if isinstance(value, PostgresJson) else MISSING

    def elements(self, value: Value, name: str) -> tuple[FromClause, Value]:
        assert isinstance(value, PostgresJson)
        safe = case((value.kind == "array", value.document))
        each = func.jsonb_array_elements(safe).table_valued("value", name=name).render_derived()
        return each, PostgresJson(type_coerce(each.c.value, JSONB))

    def literal(self, number: float) -> Sql:
        return cast(literal(number), Numeric)

    def fold(self, text: Sql) -> Sql:
        # The root locale of ICU lowers as Unicode says; the database's own collation may know ASCII only.
        return func.lower(text.collate("und-x-icu"), type_=Text)

    def position(self, text: Sql, part: str) -> Sql:
        return func.strpos(text, text_of(part))

    def ordered(self, text: Sql) -> Sql:
        return text.collate("C")

    def is_day(self, text: Sql) -> Sql:
        return text.op("~")(text_of(_DAY_REGEX))

    def is_instant(self, text: Sql) -> Sql:
        return text.op("~")(text_of(_INSTANT_REGEX))

    def written(self, instant: Sql) -> Sql:
        utc = func.timezone(literal_column("'UTC'"), instant)
        return func.to_char(utc, literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""), type_=Text)

    def seconds(self, since: Sql, until: Sql) -> Sql:
        return func.greatest(0.0, func.extract("epoch", until - since))

    def halved(self, value: Sql, seconds: Sql, half_life: float) -> Sql:
        return value * func.power(literal_column("0.5::float8"), seconds / literal(half_life))

    def rounded(self, number: Sql) -> Sql:
        return func.round(cast(number, Numeric), 6)


def plainly(test: Sql) -> Sql:
    """True or false, never NULL: `not` must be the plain opposite."""
    return func.coalesce(test, false())


def all_of(tests: list[Sql]) -> Sql:
    return and_(true(), *tests)


def any_of(tests: list[Sql]) -> Sql:
    return or_(false(), *tests)
