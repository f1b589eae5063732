"""Who claims a row owns it: four processes at once, on both databases; and SQLite is opened so that this holds."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from nurture.errors import StoreUnavailable
from nurture.store import outbox
from nurture.store import tables as t
from nurture.store.database import WAL_IS_SAFE, Database, open_database
from tests.store.people import NOW, World

MESSAGES = 300

# A worker that claims three at a time until nothing is left, and prints what it got.
_CLAIMANT = """
import sys
from datetime import UTC, datetime, timedelta
from nurture.store import outbox
from nurture.store.database import open_database
now = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
database = open_database(sys.argv[1])
sys.stdin.readline()
empty = 0
while empty < 5:  # rows that another is taking are passed over, so one empty page is not the end
    with database.write() as tx:
        page = outbox.claim(tx, None, now, now + timedelta(hours=1), sys.argv[2], 3)
    empty = 0 if page else empty + 1
    for message in page:
        print(message.id)
"""


def test_r04_four_processes_claim_each_message_once(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    made = [world.mail(lead, state="pending", sent_at=None, due=NOW, step=str(n)) for n in range(MESSAGES)]
    url = db.engine.url.render_as_string(hide_password=False)
    crew = [
        subprocess.Popen(
            [sys.executable, "-c", _CLAIMANT, url, f"w{n}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for n in range(4)
    ]
    for claimant in crew:
        assert claimant.stdin is not None
        claimant.stdin.write("go\n")
        claimant.stdin.flush()
    claimed = Counter(int(line) for claimant in crew for line in claimant.communicate()[0].split())
    assert claimed == Counter(made)


def test_x18_what_somebody_waits_for_is_claimed_before_what_was_there_first(db: Database) -> None:
    """A confirmation does not wait for the letter to everybody, however long ago that was released."""
    world = World(db)
    lead = world.lead()
    for n in range(9):
        world.mail(lead, state="pending", sent_at=None, due=NOW - timedelta(hours=9), step=str(n))
    asked = world.mail(lead, state="pending", sent_at=None, due=NOW, step="asked", service=True)
    with db.write() as tx:
        claimed = outbox.claim(tx, None, NOW, NOW + timedelta(hours=1), "w", 3)
    assert [m.id for m in claimed] == [asked, asked - 9, asked - 8]


@pytest.mark.parametrize("lane", [None, "other"])
def test_x18_with_service_mail_paused_the_rest_is_claimed(db: Database, lane: str | None) -> None:
    world = World(db)
    lead = world.lead()
    world.mail(lead, state="pending", sent_at=None, due=NOW, step="asked", service=True)
    letter = world.mail(lead, state="pending", sent_at=None, due=NOW, step="letter")
    with db.write() as tx:
        claimed = outbox.claim(tx, lane, NOW, NOW + timedelta(hours=1), "w", 3, service=False)
    assert [m.id for m in claimed] == [letter]


def test_r05_who_lost_its_claim_settles_nothing(db: Database) -> None:
    world = World(db)
    mail = world.mail(world.lead(), state="pending", sent_at=None, due=NOW)
    with db.write() as tx:
        late = outbox.claim(tx, None, NOW, NOW, "late", 1)
        outbox.give_back(tx, [(m.id, m.fence) for m in late])
        outbox.claim(tx, None, NOW, NOW + timedelta(hours=1), "other", 1)
    with db.write() as tx:
        outbox.give_back(tx, [(m.id, m.fence) for m in late])
        assert tx.execute(select(t.messages.c.state).where(t.messages.c.id == mail)).scalar() == "claimed"


def pragma(database: Database, name: str) -> object:
    with database.read() as tx:
        return tx.exec_driver_sql(f"PRAGMA {name}").scalar()


@pytest.mark.parametrize(("name", "value"), [("synchronous", 2), ("foreign_keys", 1), ("secure_delete", 1)])
def test_r06_a_sqlite_file_is_opened_durably(tmp_path: Path, name: str, value: int) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'n.db'}")
    assert pragma(database, name) == value
    database.close()


@pytest.mark.parametrize(
    ("version", "mode"), [((3, 40, 1), "truncate"), ((3, 51, 2), "truncate"), (WAL_IS_SAFE, "wal"), ((3, 53, 0), "wal")]
)
def test_r06_wal_is_used_only_where_it_cannot_damage_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], mode: str
) -> None:
    monkeypatch.setattr("sqlite3.sqlite_version_info", version)
    database = open_database(f"sqlite:///{tmp_path / 'n.db'}")
    assert pragma(database, "journal_mode") == mode
    database.close()


def test_r06_two_writers_wait_for_each_other_and_lose_no_update(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'n.db'}"
    database = open_database(url)
    with database.write() as tx:
        tx.exec_driver_sql("CREATE TABLE counter (n INTEGER)")
        tx.exec_driver_sql("INSERT INTO counter VALUES (0)")
    counting = (
        "import sys\nfrom nurture.store.database import open_database\n"
        "database = open_database(sys.argv[1])\n"
        "for _ in range(50):\n"
        "    with database.write() as tx:\n"
        "        n = tx.exec_driver_sql('SELECT n FROM counter').scalar()\n"
        "        tx.exec_driver_sql('UPDATE counter SET n = ?', (n + 1,))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", counting, url]) for _ in range(3)]
    assert [w.wait() for w in writers] == [0, 0, 0]
    with database.read() as tx:
        assert tx.exec_driver_sql("SELECT n FROM counter").scalar() == 150
    database.close()


@pytest.mark.postgres
@pytest.mark.parametrize("db", ["postgresql"], indirect=True)
def test_r20_a_connection_cut_in_a_claim_leaves_the_message_to_the_next(db: Database, postgres_url: str) -> None:
    database = open_database(postgres_url, pool_size=2)
    world = World(db)
    mail = world.mail(world.lead(), state="pending", sent_at=None, due=NOW)

    def cut_in_a_claim() -> None:
        with database.write() as tx:
            assert [m.id for m in outbox.claim(tx, None, NOW, NOW, "cut", 1)] == [mail]
            backend = tx.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            with db.write() as other:
                other.exec_driver_sql(f"SELECT pg_terminate_backend({backend})")

    with pytest.raises(StoreUnavailable):
        cut_in_a_claim()
    with database.write() as tx:
        assert [m.id for m in outbox.claim(tx, None, NOW, NOW, "next", 1)] == [mail]
    database.close()
