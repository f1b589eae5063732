"""Keys, imports, workers, counts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import SQLModel

from nurture.store.tables import column


class KeyRow(SQLModel, table=True):
    """An API key: a prefix to find it by and the SHA-256 of the whole; the key itself is nowhere (trust X11)."""

    __tablename__ = "api_keys"
    id: int | None = column.key()
    name: str = column.text(default="")
    prefix: str = column.text(index=True)
    hash: str = column.text()
    scopes: list[str] = column.json(default_factory=list, nullable=False)
    created_at: datetime = column.instant()
    expires_at: datetime | None = column.instant(default=None)
    revoked_at: datetime | None = column.instant(default=None)
    used_at: datetime | None = column.instant(default=None)


class KeptKeyRow(SQLModel, table=True):
    """Derived keys that verify what takes consent back, kept for ever: a link in an old mail outlives its secret
    (trust C16). They sign nothing else and do not give away the secrets."""

    __tablename__ = "kept_keys"
    key: str = column.text(primary_key=True)


class ImportRow(SQLModel, table=True):
    """How far an import of one file with one mapping has come, so that it resumes."""

    __tablename__ = "imports"
    id: int | None = column.key()
    kind: str = column.text()
    fingerprint: str = column.text(unique=True)  # of file and mapping
    file: str = column.text()
    rows: int = 0
    accepted: int = 0
    rejected: int = 0
    started_at: datetime = column.instant()
    ended_at: datetime | None = column.instant(default=None)


class WorkerRow(SQLModel, table=True):
    """Heartbeats, for readiness and `doctor`."""

    __tablename__ = "workers"
    id: str = column.text(primary_key=True)
    started_at: datetime = column.instant()
    beat_at: datetime = column.instant()
    detail: dict[str, Any] = column.json(default_factory=dict, nullable=False)


class TallyRow(SQLModel, table=True):
    """How often something happened, counted together by all processes; `store.tallies` knows the scopes. Added to in
    the transaction that does what is counted."""

    __tablename__ = "tallies"
    scope: str = column.text(primary_key=True)
    name: str = column.text(primary_key=True)
    slot: datetime = column.instant(primary_key=True)
    count: int = 0


api_keys = KeyRow.__table__  # type: ignore[attr-defined]
kept_keys = KeptKeyRow.__table__  # type: ignore[attr-defined]
imports = ImportRow.__table__  # type: ignore[attr-defined]
workers = WorkerRow.__table__  # type: ignore[attr-defined]
tallies = TallyRow.__table__  # type: ignore[attr-defined]
