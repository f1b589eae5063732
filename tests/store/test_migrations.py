"""Schemas: migrated equals fresh, others are refused, a kill does no harm (trust R17); copies are whole."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from nurture.errors import SchemaMismatch, UserError
from nurture.store import migrate
from nurture.store.database import Database, open_database
from nurture.store.tables import metadata
from tests.store.people import World


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    if request.param == "sqlite":
        database = open_database(f"sqlite:///{tmp_path / 'nurture.db'}", durable=False)
        yield database
        database.close()
        return
    server = open_database(request.getfixturevalue("postgres_url"))
    name = f"empty_{uuid.uuid4().hex[:12]}"
    outside = server.engine.execution_options(isolation_level="AUTOCOMMIT")
    with outside.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    database = open_database(server.engine.url.set(database=name).render_as_string(hide_password=False))
    yield database
    database.close()
    with outside.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.close()


def shape(db: Database) -> dict[str, Any]:
    """All that a schema says, table by table."""
    inspector = inspect(db.engine)
    return {
        table: {
            "columns": [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in inspector.get_columns(table)],
            "key": inspector.get_pk_constraint(table),
            "unique": sorted(inspector.get_unique_constraints(table), key=str),
            "foreign": inspector.get_foreign_keys(table),
            "indexes": sorted(
                (i["name"], i["column_names"], bool(i["unique"]), {k: str(v) for k, v in i["dialect_options"].items()})
                for i in inspector.get_indexes(table)
            ),
        }
        for table in inspector.get_table_names()
    }


def drop_everything(db: Database) -> None:
    with db.write() as tx:
        metadata.drop_all(tx)
        tx.execute(text("DROP TABLE alembic_version"))


def test_r17_migrated_equals_fresh(empty: Database) -> None:
    migrate.upgrade(empty)
    migrated = shape(empty)
    drop_everything(empty)
    migrate.create_fresh(empty)
    assert migrated == shape(empty)


def test_the_migrations_lead_to_the_tables_as_declared(empty: Database) -> None:
    migrate.upgrade(empty)
    with empty.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_schemas_are_numbered_without_a_gap() -> None:
    assert migrate.revisions() == [f"{n + 1:04}" for n in range(len(migrate.revisions()))]


def test_a_schemas_file_is_named_by_its_number() -> None:
    scripts = ScriptDirectory.from_config(migrate.configuration())
    assert migrate.revisions() == [script.revision for script in reversed(list(scripts.walk_revisions()))]


def test_an_empty_database_is_told_from_one_at_this_schema(empty: Database) -> None:
    assert migrate.present(empty) is None
    with pytest.raises(SchemaMismatch, match="the database is empty"):
        migrate.check(empty)
    assert migrate.upgrade(empty) == (None, migrate.needed())
    migrate.check(empty)


def test_a_fresh_database_is_at_this_programs_schema(empty: Database) -> None:
    migrate.create_fresh(empty)
    migrate.check(empty)
    assert migrate.upgrade(empty) == (migrate.needed(), migrate.needed())


def test_an_upgrade_keeps_what_is_there(empty: Database) -> None:
    migrate.upgrade(empty)
    World(empty).lead(email="anna@example.com")
    migrate.upgrade(empty)
    with empty.read() as tx:
        assert tx.execute(text("SELECT email FROM leads")).scalars().all() == ["anna@example.com"]


def at_schema(db: Database, number: str) -> None:
    migrate.create_fresh(db)
    with db.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})


def test_r17_an_older_schema_is_refused_with_both_numbers(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    at_schema(empty, "0007")
    monkeypatch.setattr(migrate, "revisions", lambda: ["0007", "0008", "0009"])
    with pytest.raises(SchemaMismatch) as caught:
        migrate.check(empty)
    assert f"{caught.value.message}; {caught.value.hint}" == (
        "the database is at schema 0007, this program needs 0009; run 'nurture db upgrade' (takes a backup first)"
    )


def test_r17_a_later_schema_is_neither_used_nor_upgraded(empty: Database) -> None:
    at_schema(empty, "9999")
    with pytest.raises(SchemaMismatch, match="schema 9999"):
        migrate.check(empty)
    with pytest.raises(SchemaMismatch, match="schema 9999"):
        migrate.upgrade(empty)


def test_tables_of_another_program_are_left_alone(empty: Database) -> None:
    with empty.write() as tx:
        tx.execute(text("CREATE TABLE leads (id INTEGER)"))
    with pytest.raises(SchemaMismatch, match="no schema number"):
        migrate.upgrade(empty)
    assert inspect(empty.engine).get_table_names() == ["leads"]


def test_r17_a_failed_upgrade_changes_nothing(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    run = command.upgrade

    def interrupted(*args: Any) -> None:
        run(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "upgrade", interrupted)
    with pytest.raises(KeyboardInterrupt):
        migrate.upgrade(empty)
    assert inspect(empty.engine).get_table_names() == []


# --- killed

# Upgrades a copy whole, then others that it kills: before their n-th statement, the last before the commit. Prints the
# copies that were killed.
_KILLED = """
import json, os, shutil, signal, sys
from sqlalchemy import event
from nurture.store import migrate
from nurture.store.database import open_database

old, folder, most = sys.argv[1], sys.argv[2], int(sys.argv[3])

def upgrade(copy, last=0):
    shutil.copy(old, copy)
    database, moments = open_database(f"sqlite:///{copy}"), 0

    def moment(*_):
        nonlocal moments
        moments += 1
        if moments == last:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(database.engine, "before_cursor_execute", moment)
    event.listen(database.engine, "commit", moment)
    migrate.upgrade(database)
    database.close()
    return moments

moments = upgrade(f"{folder}/whole.db")
killed = []
for n in sorted({1 + (moments - 1) * k // (most - 1) for k in range(most)}):
    copy = f"{folder}/killed-{n}.db"
    child = os.fork()
    if not child:
        upgrade(copy, n)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    killed.append(copy)
json.dump(killed, sys.stdout)
"""


@pytest.mark.slow
@pytest.mark.parametrize("before", [None, *migrate.revisions()[:-1]])
def test_r17_an_upgrade_killed_at_any_statement_is_run_again(before: str | None, tmp_path: Path) -> None:
    """From every schema there was; at forty statements where there are more, the first and the last among them."""
    old = tmp_path / "old.db"
    start = open_database(f"sqlite:///{old}")
    with start.write() as tx:
        if before is not None:
            command.upgrade(migrate.configuration(tx), before)
    start.close()
    run = [sys.executable, "-c", _KILLED, str(old), str(tmp_path), "40"]
    killed = json.loads(subprocess.run(run, check=True, capture_output=True, text=True, timeout=100).stdout)
    assert killed

    fresh = open_database(f"sqlite:///{tmp_path / 'fresh.db'}", durable=False)
    migrate.create_fresh(fresh)
    wanted = shape(fresh)
    fresh.close()
    for path in killed:
        database = open_database(f"sqlite:///{path}", durable=False)
        assert migrate.present(database) == before, path
        assert migrate.upgrade(database) == (before, migrate.needed())
        assert shape(database) == wanted
        with database.read() as tx:
            assert tx.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
        database.close()


# --- copies


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'nurture.db'}")
    migrate.create_fresh(database)
    yield database
    database.close()


def test_a_backup_is_whole_private_and_can_be_used(sqlite: Database, tmp_path: Path) -> None:
    World(sqlite).lead(email="anna@example.com")
    copy = tmp_path / "copy.db"
    migrate.backup(sqlite, copy)
    assert copy.stat().st_mode & 0o777 == 0o600
    restored = open_database(f"sqlite:///{copy}")
    migrate.check(restored)
    with restored.read() as tx:
        assert tx.execute(text("SELECT email FROM leads")).scalars().all() == ["anna@example.com"]
    restored.close()


def test_a_backup_does_not_hold_what_is_not_committed(sqlite: Database, tmp_path: Path) -> None:
    World(sqlite).lead(email="anna@example.com")
    with sqlite.write() as tx:
        tx.execute(text("UPDATE leads SET email = 'bo@example.com'"))
        migrate.backup(sqlite, tmp_path / "copy.db")
    found = sqlite3.connect(tmp_path / "copy.db")
    assert found.execute("SELECT email FROM leads").fetchall() == [("anna@example.com",)]
    found.close()


def test_a_backup_overwrites_nothing(sqlite: Database, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        migrate.backup(sqlite, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"


def test_a_backup_to_nowhere_is_told_plainly(sqlite: Database, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        migrate.backup(sqlite, tmp_path / "no" / "copy.db")


def test_a_backup_that_failed_leaves_no_half_file(sqlite: Database, tmp_path: Path, monkeypatch: Any) -> None:
    def full(*_: Any) -> None:
        raise UserError("the disk is full")

    monkeypatch.setattr(migrate, "_copy", full)
    with pytest.raises(UserError):
        migrate.backup(sqlite, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


@pytest.mark.postgres
def test_a_postgresql_database_is_left_to_its_own_tools(postgres_url: str, tmp_path: Path) -> None:
    database = open_database(postgres_url)
    with pytest.raises(UserError) as caught:
        migrate.backup(database, tmp_path / "copy")
    assert "pg_dump" in (caught.value.hint or "")
    database.close()
