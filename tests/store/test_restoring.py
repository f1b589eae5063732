"""After a backup was put back, the journal and the database come to agree (trust C25)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from nurture.campaign.project import Project
from nurture.engine import deploy
from nurture.engine.live import Live, load_live
from nurture.engine.restoring import Replayed, replay
from nurture.errors import UserError
from nurture.lead.keyring import Keyring
from nurture.store import suppressions
from nurture.store import tables as t
from nurture.store.database import Database
from nurture.store.suppression_journal import Erasure, Suppressed, SuppressionJournal
from tests.store.people import World

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
THEN, LATER = "2026-03-02T09:00:00.000000Z", "2026-03-03T09:00:00.000000Z"
ANNA, BO = "a" * 64, "b" * 64
KEYRING = Keyring(["secret"])


@pytest.fixture
def live(db: Database) -> Live:
    with db.write() as tx:
        deploy.deploy(tx, Project(name="acme", zone="UTC"), {}, {}, NOW)
        found = load_live(tx, KEYRING, None)
    assert found is not None
    return found


@pytest.fixture
def journal(db: Database, tmp_path: Path) -> Iterator[SuppressionJournal]:
    found = SuppressionJournal(tmp_path / "suppressions.journal")
    db.journal = found
    yield found
    db.journal = None


def no(reason: str = "withdrew", who: str = ANNA, at: str = THEN) -> Suppressed:
    return Suppressed(who, "marketing", reason, at)


def put(db: Database, *rows: Suppressed) -> None:
    """What the restored database knows; the journal was not there to be told."""
    with db.write() as tx:
        suppressions.restore(tx, rows)


def held(db: Database) -> list[Suppressed]:
    with db.read() as tx:
        return sorted(suppressions.all_rows(tx).values(), key=lambda row: row.address_hash)


def joined(db: Database, at: datetime = NOW) -> int:
    return World(db).lead(created_at=at, email="anna@example.com", address_hash=ANNA)


def notes(db: Database) -> list[dict[str, Any]]:
    with db.read() as tx:
        c = t.privacy_actions.c
        found = tx.execute(select(c.at, c.what, c.actor, c.lead_id, c.reason, c.detail).order_by(c.id)).mappings()
        return [dict(row) for row in found]


@pytest.mark.parametrize(
    ("database", "remembered", "agreed", "forgotten"),
    [
        ([], [no()], [no()], 1),
        ([no()], [no()], [no()], 0),
        ([no("first")], [no("second")], [no("first")], 0),
        ([no()], [no("complaint", at=LATER)], [no("complaint", at=LATER)], 1),
        ([no("complaint")], [no(at=LATER)], [no("complaint")], 0),
        ([no("complaint")], [no("bounce", at=LATER)], [no("complaint")], 0),
        ([no()], [no(who=BO)], [no(), no(who=BO)], 1),
        ([], [no(), no(who=BO)], [no(), no(who=BO)], 2),
    ],
)
def test_c25_what_the_journal_knows_better_is_put_back_and_counted(
    db: Database,
    live: Live,
    journal: SuppressionJournal,
    database: list[Suppressed],
    remembered: list[Suppressed],
    agreed: list[Suppressed],
    forgotten: int,
) -> None:
    put(db, *database)
    journal.append(remembered)
    assert replay(db, journal, live, NOW) == Replayed(suppressed=forgotten, erased=0)
    assert held(db) == agreed


def test_c25_what_only_the_database_knows_is_added_to_the_journal_once(
    db: Database, live: Live, journal: SuppressionJournal
) -> None:
    put(db, no(), no(who=BO, at=LATER))
    journal.append([no()])
    for _ in range(2):
        replay(db, journal, live, NOW)
    assert journal.path.read_text().count("\n") == 2
    assert journal.read().suppressed[BO, "marketing"] == no(who=BO, at=LATER)


def test_c25_an_empty_journal_is_there_when_a_replay_has_been(
    db: Database, live: Live, journal: SuppressionJournal
) -> None:
    replay(db, journal, live, NOW)
    assert journal.path.exists()


def test_c25_c31_a_replay_that_changed_something_is_kept_among_the_privacy_actions(
    db: Database, live: Live, journal: SuppressionJournal
) -> None:
    lead = joined(db)
    journal.append([no(who=BO), Erasure(lead, ANNA, THEN, LATER)])
    assert replay(db, journal, live, NOW) == Replayed(suppressed=1, erased=1)
    found = {row["what"]: row for row in notes(db)}
    assert (found["erase"]["actor"], found["erase"]["lead_id"]) == ("journal", lead)
    assert found["replay"] == {
        "at": NOW,
        "what": "replay",
        "actor": "journal",
        "lead_id": None,
        "reason": None,
        "detail": {"suppressions": 1, "erasures": 1},
    }


@pytest.mark.parametrize("what", ["suppression", "erasure"])
def test_c25_either_alone_is_kept_and_logged(db: Database, live: Live, journal: SuppressionJournal, what: str) -> None:
    lead = joined(db)
    journal.append([no(who=BO)] if what == "suppression" else [Erasure(lead, None, THEN, LATER)])
    with capture_logs() as logged:
        replay(db, journal, live, NOW)
    counts = {"suppressions": int(what == "suppression"), "erasures": int(what == "erasure")}
    assert {"event": "suppressions.replayed", "log_level": "warning", **counts} in logged
    assert [row["detail"] for row in notes(db) if row["what"] == "replay"] == [counts]


def test_c25_where_both_agree_nothing_is_kept_or_logged(db: Database, live: Live, journal: SuppressionJournal) -> None:
    put(db, no())
    journal.append([no()])
    with capture_logs() as logged:
        replay(db, journal, live, NOW)
    assert (logged, notes(db)) == ([], [])


def test_c25_nobody_is_erased_again_where_nothing_is_deployed_and_it_says_what_to_do(
    db: Database, journal: SuppressionJournal
) -> None:
    journal.append([Erasure(joined(db), ANNA, THEN, LATER)])
    with pytest.raises(UserError) as refused:
        replay(db, journal, None, NOW)
    assert refused.value.message == "people who were erased are back in this database"
    assert refused.value.hint == "run 'nurture deploy' first"


def test_c25_without_a_deployment_suppressions_are_put_back_all_the_same(
    db: Database, journal: SuppressionJournal
) -> None:
    journal.append([no()])
    assert replay(db, journal, None, NOW) == Replayed(suppressed=1, erased=0)


def test_c25_of_two_who_were_erased_under_one_number_either_is_erased_again(
    db: Database, live: Live, journal: SuppressionJournal
) -> None:
    lead = joined(db)
    journal.append([Erasure(lead, ANNA, THEN, LATER), Erasure(lead, BO, LATER, LATER)])
    assert replay(db, journal, live, NOW + timedelta(days=2)).erased == 1
