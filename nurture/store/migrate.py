"""The schema of a database: bringing it up to this program's, refusing another, and a copy before it is touched.

Each schema has a number, `0001` first. The database carries its own in `alembic_version`. An upgrade goes forward only
and is one transaction: killed anywhere, it has changed nothing, and is run again from the start (trust R17).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from nurture.errors import SchemaMismatch, StoreError, UserError
from nurture.store import jobs
from nurture.store.database import Database, Transaction
from nurture.store.tables import metadata

if TYPE_CHECKING:  # a third of a second to import, and every command asks for the schema, while few change it
    from alembic.config import Config

_SCRIPTS = Path(__file__).parent / "migrations"
_UPGRADE = "run 'nurture db upgrade' (takes a backup first)"
_LOCK = 0x6E757274  # any number, always the same: two upgrades of one PostgreSQL database take turns


def configuration(tx: Transaction | None = None) -> Config:
    """Alembic's settings, without a file; its steps run inside `tx`."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = tx
    return config


def revisions() -> list[str]:
    """All schemas this program knows, oldest first: each is a file that is named by its number."""
    return sorted(path.name[:4] for path in (_SCRIPTS / "versions").glob("[0-9]*_*.py"))


def needed() -> str:
    """The schema this program works with."""
    return revisions()[-1]


def present(db: Database) -> str | None:
    """The schema the database is at; None where it has none of our tables."""
    with db.read() as tx:
        return _present(tx)


def _present(tx: Transaction) -> str | None:
    if not inspect(tx).has_table("alembic_version"):
        return None
    found = tx.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def upgrade(db: Database) -> tuple[str | None, str]:
    """Bring the database to this program's schema, in one transaction: all of it or nothing. Returns from where and to
    where. Raises SchemaMismatch for a database of a later program."""
    from alembic import command

    with db.write() as tx:
        if not db.is_sqlite:
            tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        before = _present(tx)
        _refuse_later(before)
        if before is None and inspect(tx).has_table("leads"):
            raise SchemaMismatch(
                "the database has tables but no schema number", hint="it was not made by this program; name another"
            )
        command.upgrade(configuration(tx), "head")
        if not db.is_sqlite:
            jobs.install(tx)
    return before, needed()


def create_fresh(db: Database) -> None:
    """All tables at once in an empty database, at this program's schema; the same as upgrading it, and faster."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with db.write() as tx:
        metadata.create_all(tx)
        MigrationContext.configure(tx).stamp(ScriptDirectory.from_config(configuration()), "head")
        if not db.is_sqlite:
            jobs.install(tx)


def check(db: Database) -> None:
    """Nothing where the database is at this program's schema. Raises SchemaMismatch otherwise."""
    at, need = present(db), needed()
    if at == need:
        return
    if at is None:
        raise SchemaMismatch("nothing is deployed yet: the database is empty", hint="run 'nurture deploy'")
    _refuse_later(at)
    raise SchemaMismatch(f"the database is at schema {at}, this program needs {need}", hint=_UPGRADE)


def _refuse_later(at: str | None) -> None:
    if at is not None and at not in revisions():
        raise SchemaMismatch(
            f"the database is at schema {at}, this program knows schemas up to {needed()}",
            hint="a later version of nurture has used it; install that version",
        )


def backup(db: Database, path: Path) -> None:
    """A whole, checked copy of a SQLite database in a new file that its owner alone may read; writers may go on
    meanwhile. Raises UserError where the file exists, cannot be written, or the database is a server's."""
    if not db.is_sqlite:
        name = db.engine.url.database
        raise UserError(
            "a PostgreSQL database is backed up by its own tools",
            hint=f"run 'pg_dump --format=custom --file={path} {name}' where the server can be reached",
        )
    try:
        # Made here and not by SQLite: an existing file stays untouched, and nobody else may read the copy.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise UserError(f"{path} exists already", hint="name a new file") from error
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
    try:
        _copy(db, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _copy(db: Database, path: Path) -> None:
    try:
        with db.engine.connect() as source, closing(sqlite3.connect(path)) as target:
            driver = source.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.backup(target, pages=4096)
            (verdict,) = target.execute("PRAGMA quick_check").fetchone()
    except sqlite3.OperationalError as error:
        raise UserError(f"{path} could not be written whole: {error}", hint="is the disk full?") from error
    if verdict != "ok":
        raise StoreError(f"the copy is damaged: {verdict}", hint="so may be the database; run 'nurture doctor'")
