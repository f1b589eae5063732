"""Two versions of the program on one database: the older one ends (trust R17)."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from nurture.errors import SchemaMismatch
from nurture.worker import Rhythm, Worker
from tests.faults.project import opened


async def test_r17_a_worker_ends_once_its_database_was_brought_to_a_later_schema(tmp_path: Path) -> None:
    with opened(tmp_path / "project", f"sqlite:///{tmp_path / 'nurture.db'}", 9, 0) as project:
        worker = Worker(project.app, Rhythm(upkeep=0.01))
        started = worker._start

        def start_then_upgrade() -> object:
            journal = started()
            with project.app.database.write() as tx:
                tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
            return journal

        worker._start = start_then_upgrade  # type: ignore[method-assign, assignment]
        with pytest.raises(SchemaMismatch, match="schema 9999"):
            await worker.run()
