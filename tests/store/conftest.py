"""One suite for both databases: every test that takes `db` runs on SQLite and on PostgreSQL.

PostgreSQL is the server named by NURTURE_TEST_POSTGRES, else the local one. A session makes a database of its own and
drops it. Where no server answers the PostgreSQL half is skipped, and says so.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from nurture.store.database import Database, open_database
from nurture.store.tables import metadata

SERVER = os.environ.get("NURTURE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of an empty PostgreSQL database that lives as long as the session."""
    url = make_url(SERVER).set(drivername="postgresql+psycopg")
    admin = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2})
    name = f"nurture_{uuid.uuid4().hex[:12]}"
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    except OperationalError:
        pytest.skip("no PostgreSQL server answers at NURTURE_TEST_POSTGRES")
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


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with every table, on each of the two in turn."""
    if request.param == "sqlite":
        database = open_database(f"sqlite:///{tmp_path / 'nurture.db'}", durable=False)
        metadata.create_all(database.engine)
        yield database
        database.close()
        return
    database = request.getfixturevalue("_postgres")
    yield database
    names = ", ".join(table.name for table in metadata.sorted_tables)
    with database.write() as tx:
        tx.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY")
