"""The rules about live passes are proven on both databases, as the store's are."""

from __future__ import annotations

from tests.store.conftest import _postgres, _sqlite_file, db, postgres_url

__all__ = ["_postgres", "_sqlite_file", "db", "postgres_url"]
