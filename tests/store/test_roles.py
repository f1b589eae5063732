"""PostgreSQL: the role that works may change no tables (trust X22), as docs/how-to/run-as-a-service.md sets it up."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from nurture.store import migrate
from nurture.store.database import Database, open_database
from tests.store.people import World

pytestmark = pytest.mark.postgres
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "run-as-a-service.md"


@pytest.fixture
def roles(postgres_url: str) -> Iterator[tuple[Database, Database]]:
    """The owner's database and the worker's, made by the page's own statements."""
    mark = uuid.uuid4().hex[:10]
    found = re.search(r"```sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    script = re.sub(r"\bnurture(_owner)?\b", lambda m: f"n{mark}{m[1] or ''}", found[1])
    outer, _, inner = script.partition("\\c")
    server = open_database(postgres_url)

    def opened(role: str | None) -> Database:
        url = server.engine.url.set(database=f"n{mark}", username=role or server.engine.url.username)
        return open_database(url.render_as_string(hide_password=False))

    outside = server.engine.execution_options(isolation_level="AUTOCOMMIT")
    with outside.connect() as connection:
        for statement in filter(None, map(str.strip, outer.split(";"))):
            connection.execute(text(statement))
        connection.execute(text(f"ALTER DATABASE n{mark} OWNER TO n{mark}_owner"))
    root, owner, worker = opened(None), opened(f"n{mark}_owner"), opened(f"n{mark}")
    with root.write() as tx:  # PostgreSQL before 15 lets nobody but its own role own the schema
        tx.execute(text(f"ALTER SCHEMA public OWNER TO n{mark}_owner"))
    with owner.write() as tx:
        for statement in filter(None, map(str.strip, inner.partition("\n")[2].split(";"))):
            tx.execute(text(statement))
    yield owner, worker
    for database in (root, owner, worker):
        database.close()
    with outside.connect() as connection:
        for statement in (f"DROP DATABASE n{mark} WITH (FORCE)", f"DROP ROLE n{mark}", f"DROP ROLE n{mark}_owner"):
            connection.execute(text(statement))
    server.close()


def test_x22_the_owner_upgrades_and_the_worker_works(roles: tuple[Database, Database]) -> None:
    owner, worker = roles
    migrate.upgrade(owner)
    migrate.check(worker)
    World(worker).lead(email="anna@example.com")
    with worker.write() as tx:
        assert tx.execute(text("DELETE FROM leads")).rowcount == 1


PROJECT = """\
project: acme
database: {database}
base_url: http://127.0.0.1:9
secrets: ["0123456789abcdef0123456789abcdef"]
sender: {{name: Acme, email: news@acme.example, postal_address: "1 rue X, Paris"}}
transport: folder
topics: {{offers: {{title: {{en: Offers}}, wording: {{en: "Yes."}}}}}}
"""


def test_x22_a_worker_and_a_deploy_run_as_the_role_that_changes_no_tables(
    roles: tuple[Database, Database], tmp_path: Path
) -> None:
    owner, worker = roles
    migrate.upgrade(owner)
    database = worker.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    (tmp_path / "config.yaml").write_text(PROJECT.format(database=database))
    (tmp_path / "config.yaml").chmod(0o600)
    for words in (["deploy", "--yes"], ["worker", "--once"]):
        command = [sys.executable, "-c", "from nurture.cli import main; main()", "--project", str(tmp_path), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
        assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE leads", "ALTER TABLE leads ADD COLUMN x INT", "CREATE TABLE x (y INT)", "TRUNCATE consent_ledger"],
)
def test_x22_the_worker_changes_no_tables(roles: tuple[Database, Database], statement: str) -> None:
    owner, worker = roles
    migrate.upgrade(owner)
    with pytest.raises(ProgrammingError, match=r"must be owner|permission denied"), worker.write() as tx:
        tx.execute(text(statement))
