"""Files with people in them are made for their owner alone, whatever the machine's umask allows (trust X22)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from nurture.cli.privacy import write_private
from nurture.delivery.journal import Journal
from nurture.delivery.local import FolderTransport
from nurture.engine.rejects import Rejects
from nurture.store import migrate
from nurture.store.database import open_database
from nurture.store.suppression_journal import suppression_journal
from nurture.worker import alone
from tests.delivery.conftest import mails
from tests.delivery.recording import RecordingWire


@pytest.fixture(autouse=True)
def _careless() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def names(root: Path) -> set[str]:
    return {path.name for path in root.rglob("*")}


def open_to_others(root: Path) -> list[str]:
    """All that group or others may do anything with."""
    return [path.name for path in root.rglob("*") if stat.S_IMODE(path.lstat().st_mode) & 0o077]


async def test_x22_the_mail_folder_and_its_mails(tmp_path: Path) -> None:
    await FolderTransport(tmp_path / "mails").send(mails(2), RecordingWire())
    assert names(tmp_path) == {"mails", "1.eml", "2.eml"}
    assert open_to_others(tmp_path) == []


def test_x22_the_database_its_copy_and_the_workers_lock(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'nurture.db'}")
    migrate.upgrade(database)
    migrate.backup(database, tmp_path / "copy.db")
    with alone(database):
        assert names(tmp_path) >= {"nurture.db", "copy.db", "nurture.db.lock"}
        assert open_to_others(tmp_path) == []
    database.close()


def test_x22_the_wire_journal_and_the_journal_of_those_who_said_no(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journals", "worker")
    suppression_journal(tmp_path / "project").append([])
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 2
    assert open_to_others(tmp_path / "journals") == []
    assert open_to_others(tmp_path / "project") == []
    journal.close()


def test_x22_an_export_and_the_rows_an_import_refused(tmp_path: Path) -> None:
    write_private(tmp_path / "anna.json", "{}")
    with Rejects(tmp_path / "leads.csv") as rejects:
        rejects.note(1, "no address")
    assert names(tmp_path) == {"anna.json", "leads.csv.rejects.csv"}
    assert open_to_others(tmp_path) == []
