"""The ledger shows whatever is done to it behind the program's back (trust C4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from nurture.errors import UserError
from nurture.lead.consent import Declaration, Proof
from nurture.lead.keyring import Keyring
from nurture.store import tables as t
from nurture.store.database import Database
from nurture.store.ledger import Entry, adopt, append, entries_of, forget
from nurture.store.ledger_check import Tampering, verify
from nurture.store.suppressions import guard

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEYRING = Keyring(["secret"])
PROOF = Proof(
    method="form",
    wording="Oui, écrivez-moi.",
    locale="fr",
    notice="privacy v3",
    page="/f/guide",
    source="guide",
    ip="192.0.2.1",
    user_agent="Mozilla/5.0",
    jurisdiction="FR",
    evidence={"box": True, "clicks": 2, "of": ["a", "b"]},
)
_c, _h = t.consent_ledger.c, t.consent_ledger_heads.c


def said(lead: int, topic: str = "letter", proof: Proof = PROOF) -> Declaration:
    return Declaration(lead, topic, "grant", "person", "person", NOW, proof, "consent")


def write(db: Database, lead: int, *words: str) -> None:
    with db.write() as tx:
        append(tx, [Entry(lead, w, "letter", said(lead), NOW, "acme") for w in words], KEYRING)


@pytest.fixture
def ledger(db: Database) -> Database:
    """Two people: lead 1 with three entries, lead 2 with two."""
    write(db, 1, "requested", "confirmed")
    write(db, 2, "granted", "withdrawn")
    write(db, 1, "withdrawn")
    return db


def found(db: Database, keyring: Keyring = KEYRING) -> list[Tampering]:
    with db.read() as tx:
        return verify(tx, keyring)


def run(db: Database, statement: Any) -> None:
    with db.write() as tx:
        assert tx.execute(statement).rowcount != 0


def of_lead(lead: int, ordinal: int) -> Any:
    return (_c.lead_id == lead) & (_c.ordinal == ordinal)


def id_of(db: Database, lead: int, ordinal: int) -> int:
    with db.read() as tx:
        return int(tx.execute(select(_c.id).where(of_lead(lead, ordinal))).scalar_one())


def test_c04_an_untouched_ledger_is_whole(ledger: Database) -> None:
    assert found(ledger) == []


def test_c04_an_empty_ledger_is_whole(db: Database) -> None:
    assert found(db) == []


def _other(column: str, value: Any) -> Any:
    match value:
        case datetime():
            return value + timedelta(microseconds=1)
        case dict():
            return {**value, "box": False}
        case int():
            return value + 5
        case None:
            return "made up"
    return f"{value}x" if column not in ("prev", "hash") else "1" * 64


@pytest.mark.parametrize("column", [c.name for c in t.consent_ledger.columns])
def test_c04_an_edit_of_any_column_is_found(ledger: Database, column: str) -> None:
    middle = id_of(ledger, 1, 2)
    with ledger.read() as tx:
        value = tx.execute(select(_c[column]).where(_c.id == middle)).scalar()
    run(ledger, update(t.consent_ledger).where(_c.id == middle).values({column: _other(column, value)}))
    assert found(ledger), f"an edit of '{column}' went unnoticed"
    if column not in ("id", "ordinal", "subject"):
        assert middle in [finding.entry for finding in found(ledger)]


def _takes(db: Database, statement: str) -> bool:
    """SQLite keeps any value in any column; PostgreSQL refuses what is not of the column's type."""
    try:
        with db.write() as tx:
            tx.exec_driver_sql(statement)
    except DBAPIError:
        assert db.engine.dialect.name == "postgresql"
        return False
    return True


@pytest.mark.parametrize("column", ["evidence", "occurred_at", "recorded_at", "ordinal", "lead_id"])
def test_c04_nonsense_written_past_the_program_is_named_not_stumbled_over(ledger: Database, column: str) -> None:
    middle = id_of(ledger, 1, 2)
    if not _takes(ledger, f"UPDATE consent_ledger SET {column} = '{{x' WHERE id = {middle}"):
        assert found(ledger) == []
        return
    assert middle in [finding.entry for finding in found(ledger)]


@pytest.mark.parametrize("column", ["entries", "hash", "mac", "lead_id"])
def test_c04_nonsense_in_a_guarded_end_is_found(ledger: Database, column: str) -> None:
    taken = _takes(ledger, f"UPDATE consent_ledger_heads SET {column} = 'x'")
    assert bool(found(ledger)) is taken


def test_c04_an_edited_entry_is_named(ledger: Database) -> None:
    run(ledger, update(t.consent_ledger).where(of_lead(1, 2)).values(wording="Something else"))
    assert [str(f).split("(")[0] + f.what for f in found(ledger)] == [f"entry {id_of(ledger, 1, 2)} was edited"]


@pytest.mark.parametrize(
    ("ordinal", "what"), [(1, "number 1 before it was deleted"), (2, "number 2 before it was deleted"), (3, "cut off")]
)
def test_c04_a_deleted_entry_is_found_at_once(ledger: Database, ordinal: int, what: str) -> None:
    run(ledger, delete(t.consent_ledger).where(of_lead(1, ordinal)))
    assert any(what in finding.what for finding in found(ledger))


def test_c04_entries_that_changed_places_are_found(ledger: Database) -> None:
    first, second = id_of(ledger, 1, 1), id_of(ledger, 1, 2)
    run(ledger, update(t.consent_ledger).where(_c.id == first).values(ordinal=99))
    run(ledger, update(t.consent_ledger).where(_c.id == second).values(ordinal=1))
    run(ledger, update(t.consent_ledger).where(_c.id == first).values(ordinal=2))
    assert {first, second} <= {finding.entry for finding in found(ledger)}


def test_c04_an_entry_made_up_behind_the_end_is_found(ledger: Database) -> None:
    with ledger.read() as tx:
        row = dict(tx.execute(select(t.consent_ledger).where(of_lead(2, 2))).mappings().one())
    del row["id"]
    run(ledger, insert(t.consent_ledger).values(row | {"ordinal": 3, "prev": row["hash"]}))
    assert any("added behind the guarded end" in finding.what for finding in found(ledger))


def test_c04_a_chain_cut_off_with_its_head_moved_is_found(ledger: Database) -> None:
    """Whoever writes the tables but does not know the secret cannot move the end."""
    with ledger.read() as tx:
        before = tx.execute(select(_c.hash, _c.subject).where(of_lead(1, 2))).one()
    run(ledger, delete(t.consent_ledger).where(of_lead(1, 3)))
    run(
        ledger,
        update(t.consent_ledger_heads).where(_h.subject == before.subject).values(entries=2, hash=before.hash),
    )
    assert any("the guarded end was changed" in finding.what for finding in found(ledger))


def test_c04_a_head_given_to_somebody_else_is_found(ledger: Database) -> None:
    run(ledger, update(t.consent_ledger_heads).where(_h.lead_id == 1).values(lead_id=7))
    assert any("the guarded end was changed" in finding.what for finding in found(ledger))


def test_c04_a_person_removed_whole_is_missed(ledger: Database) -> None:
    run(ledger, delete(t.consent_ledger).where(_c.lead_id == 1))
    run(ledger, delete(t.consent_ledger_heads).where(_h.lead_id == 1))
    assert any("1 whole chain(s) were deleted" in finding.what for finding in found(ledger))


def test_c04_a_state_without_proof_is_found(ledger: Database) -> None:
    row = {"lead_id": 3, "topic": "letter", "state": "granted", "since": NOW, "requests": 0}
    run(ledger, insert(t.consents).values(row))
    assert [finding.lead for finding in found(ledger)] == [3]


def test_c04_another_secret_does_not_vouch_for_it(ledger: Database) -> None:
    assert found(ledger, Keyring(["another"]))


def test_a_new_secret_in_front_changes_nothing(ledger: Database) -> None:
    assert found(ledger, Keyring(["new", "secret"])) == []


def test_c23_erasing_leaves_the_chain_whole_and_names_nobody(ledger: Database) -> None:
    with ledger.write() as tx:
        forget(tx, 1, said(1), KEYRING, NOW)
    assert found(ledger) == []
    with ledger.read() as tx:
        rows = tx.execute(select(t.consent_ledger)).mappings().all()
        assert not entries_of(tx, 1)
    erased = [row for row in rows if row["lead_id"] == 1]
    assert len(erased) == 3
    assert not any("192.0.2.1" in str(dict(row)) or "Mozilla" in str(dict(row)) for row in erased)


@pytest.mark.parametrize("name", ["page", "source", "evidence"])
def test_c23_erasing_leaves_no_free_text_about_anybody(ledger: Database, name: str) -> None:
    text = "told Anna on the phone"
    given: dict[str, Any] = {name: {"note": text} if name == "evidence" else text}
    proof = Proof(method="oral", **given)
    with ledger.write() as tx:
        append(tx, [Entry(1, "granted", "offers", msgspec.structs.replace(said(1), proof=proof), NOW)], KEYRING)
    with ledger.write() as tx:
        forget(tx, 1, said(1), KEYRING, NOW)
    assert found(ledger) == []
    with ledger.read() as tx:
        assert "Anna" not in str(tx.execute(select(t.consent_ledger)).all())


def test_c04_an_edit_after_erasure_is_still_found(ledger: Database) -> None:
    with ledger.write() as tx:
        forget(tx, 1, said(1), KEYRING, NOW)
    run(ledger, update(t.consent_ledger).where(of_lead(1, 1)).values(ip="hmac-sha256:" + "0" * 64))
    assert found(ledger)


def test_s27_joined_leads_keep_both_chains(ledger: Database) -> None:
    with ledger.write() as tx:
        adopt(tx, 1, 2, said(1), KEYRING, NOW)
    write(ledger, 1, "granted")
    assert found(ledger) == []
    with ledger.read() as tx:
        events = [row["event"] for row in entries_of(tx, 1)]
    assert sorted(events) == ["confirmed", "granted", "granted", "merged", "requested", "withdrawn", "withdrawn"]


def test_many_people_in_one_batch(db: Database) -> None:
    with db.write() as tx:
        append(tx, [Entry(n, "granted", "letter", said(n), NOW) for n in range(1, 301)], KEYRING)
    assert found(db) == []


def test_the_suppression_list_refuses_another_oldest_secret(db: Database) -> None:
    with db.write() as tx:
        guard(tx, Keyring(["old"]), NOW)
        guard(tx, Keyring(["new", "old"]), NOW)
        with pytest.raises(UserError, match="oldest secret"):
            guard(tx, Keyring(["new"]), NOW)
