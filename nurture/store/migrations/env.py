"""Run by Alembic for every command; `nurture.store.migrate` hands over the connection, in a transaction it began."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import JSON, BigInteger

from nurture.store.tables import metadata
from nurture.store.types import UTCDateTime

OURS = {UTCDateTime: "UTCDateTime()", JSON: "Json", BigInteger: "Id"}  # as `store.types` names them
FROM = "from nurture.store.types import "


def render(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    """How a drafted step writes the column types that differ between the two databases; Alembic knows the others."""
    written = OURS.get(type(item)) if kind == "type" else None
    if written is None:
        return False
    known = {name for line in autogen.imports for name in line.removeprefix(FROM).split(", ")}
    autogen.imports.clear()
    autogen.imports.add(FROM + ", ".join(sorted({*known, written.removesuffix("()")})))
    return written


config = context.config
connection = config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_item=render,
    transactional_ddl=True,  # SQLite too can roll back a step that failed half-way
    render_as_batch=config.attributes.get("batch", False),
)
with context.begin_transaction():
    context.run_migrations()
