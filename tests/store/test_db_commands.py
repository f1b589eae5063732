"""`nurture db` on a project with a SQLite file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nurture.cli.db import app
from nurture.errors import UserError
from nurture.store import migrate
from nurture.store.database import open_database


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text("project: acme\ndatabase: sqlite:///acme.db\n")
    return tmp_path


def run(*arguments: object) -> Any:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def test_upgrade_makes_a_database_where_there_is_none(project: Path) -> None:
    assert f"now at schema {migrate.needed()}" in run("upgrade", "--project", project)
    database = open_database(f"sqlite:///{project / 'acme.db'}")
    migrate.check(database)
    database.close()


def test_x17_a_new_sqlite_file_and_its_journals_are_for_their_owner_alone(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path / 'new.db'}")
    try:
        migrate.upgrade(db)
        modes = {file.name: file.stat().st_mode & 0o077 for file in tmp_path.iterdir()}
    finally:
        db.close()
    assert modes
    assert set(modes.values()) == {0}


def test_x17_a_sqlite_file_keeps_the_mode_it_was_given(tmp_path: Path) -> None:
    file = tmp_path / "shared.db"
    file.touch()
    file.chmod(0o660)
    db = open_database(f"sqlite:///{file}")
    try:
        migrate.upgrade(db)
    finally:
        db.close()
    assert file.stat().st_mode & 0o777 == 0o660


def test_upgrade_twice_does_nothing_and_copies_nothing(project: Path) -> None:
    run("upgrade", "--project", project)
    again = json.loads(run("upgrade", "--json", "--project", project))
    assert again == {"from": migrate.needed(), "to": migrate.needed(), "backup": None}


def test_upgrade_copies_an_older_file_first(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("upgrade", "--project", project)
    monkeypatch.setattr(migrate, "needed", lambda: "0009")
    copy = json.loads(run("upgrade", "--json", "--project", project))["backup"]
    assert Path(copy).name == "acme-before-upgrade-from-0001.db"
    second = json.loads(run("upgrade", "--json", "--project", project))["backup"]
    assert Path(second).name == "acme-before-upgrade-from-0001-2.db"
    assert json.loads(run("upgrade", "--json", "--no-backup", "--project", project))["backup"] is None


def test_backup_copies_the_database(project: Path) -> None:
    run("upgrade", "--project", project)
    told = json.loads(run("backup", project / "copy.db", "--json", "--project", project))
    assert told["bytes"] == (project / "copy.db").stat().st_size > 0


def test_backup_of_a_database_that_is_not_there_makes_none(project: Path) -> None:
    with pytest.raises(UserError, match="no database yet"):
        run("backup", project / "copy.db", "--project", project)
    assert not (project / "acme.db").exists()
