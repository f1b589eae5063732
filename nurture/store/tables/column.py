"""The columns that all tables are made of, and the names of indexes and keys."""

from __future__ import annotations

from typing import Any

from sqlalchemy import MetaData, Text
from sqlmodel import Field, SQLModel

from nurture.store.types import Id, Json, UTCDateTime

SHARDS = 64

metadata: MetaData = SQLModel.metadata
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def key(**kwargs: Any) -> Any:
    return Field(default=None, primary_key=True, sa_type=Id, **kwargs)


def ref(**kwargs: Any) -> Any:
    return Field(sa_type=Id, **kwargs)


def instant(**kwargs: Any) -> Any:
    return Field(sa_type=UTCDateTime, **kwargs)


def json(**kwargs: Any) -> Any:
    return Field(sa_type=Json, **kwargs)


def text(**kwargs: Any) -> Any:
    return Field(sa_type=Text, **kwargs)
