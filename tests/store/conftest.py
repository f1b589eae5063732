"""One suite for both databases: every test that takes `db` runs on SQLite and on PostgreSQL.

PostgreSQL is the server named by NURTURE_TEST_POSTGRES, else the local one. A session makes a database of its own and
drops it. Where no server answers the PostgreSQL half is skipped, and says so.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from nurture.store.database import Database, open_database
from nurture.store.tables import metadata

SERVER = os.environ.get("NURTURE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")


def _listens(host: str, port: int) -> bool:
    """Whether a server is there. One that is there and busy is no reason to leave a test out."""
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


def _create(admin: Engine, name: str) -> None:
    for attempt in range(1, 7):
        try:
            with admin.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
                # Nothing here has to outlive the server.
                connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
            return
        except OperationalError:  # too many clients at this moment, or slow to answer
            if attempt == 6:
                raise
            time.sleep(attempt)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of an empty PostgreSQL database that lives as long as the session."""
    url = make_url(SERVER).set(drivername="postgresql+psycopg")
    if not _listens(url.host or "127.0.0.1", url.port or 5432):
        pytest.skip("no PostgreSQL server answers at NURTURE_TEST_POSTGRES")
    admin = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 10})
    name = f"nurture_{uuid.uuid4().hex[:12]}"
    _create(admin, name)
    yield url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(scope="session")
def _postgres(postgres_url: str) -> Iterator[Database]:
    database = open_database(postgres_url, pool_size=5)
    metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture(scope="session")
def _sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with every table, to be copied: that takes a tenth of making them."""
    path = tmp_path_factory.mktemp("fresh") / "nurture.db"
    database = open_database(f"sqlite:///{path}", durable=False)
    metadata.create_all(database.engine)
    database.close()
    return path


# TRUNCATE of all tables takes 0.1–0.6 s, this 10 ms.
_EMPTY = """
DO $$ DECLARE found record; BEGIN
    {deletes}
    FOR found IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
        PERFORM setval(quote_ident(found.sequencename), 1, false);
    END LOOP;
END $$
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with every table, on each of the two in turn."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("_sqlite_file"), tmp_path / "nurture.db")
        database = open_database(f"sqlite:///{tmp_path / 'nurture.db'}", durable=False)
        yield database
        database.close()
        return
    database = request.getfixturevalue("_postgres")
    yield database
    with database.write() as tx:
        tx.exec_driver_sql(_EMPTY.format(deletes=" ".join(f"DELETE FROM {t.name};" for t in metadata.sorted_tables)))
