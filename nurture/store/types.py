"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine


def instant_text(instant: datetime) -> str:
    """The one text form of an instant: UTC, microseconds, fixed width, so that text order is time order."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no zone; instants are stored in UTC")
    return _utc_text(instant if instant.tzinfo is UTC else instant.astimezone(UTC))


# A batch holds few instants many times over: the pass's own, the release's, the entry's. Only instants that are UTC
# already are kept: local ones that differ in their fold would be taken for equal.
@lru_cache(maxsize=8_192)
def _utc_text(instant: datetime) -> str:
    # isoformat, not strftime: that writes the year 999 with three digits, and takes half as long again.
    return instant.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


@lru_cache(maxsize=8_192)
def read_instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


class UTCDateTime(TypeDecorator[datetime]):
    """An instant. `timestamptz` on PostgreSQL; fixed-width UTC text on SQLite, whose own type drops the offset.

    Refuses naive values; returns aware UTC ones.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return instant_text(value)
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no zone; instants are stored in UTC")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return read_instant(value) if isinstance(value, str) else value.astimezone(UTC)


# SQLite counts rows by itself only where the key is its own INTEGER.
Id = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON().with_variant(JSONB(), "postgresql")
