"""The list of addresses that we must not write to, and the file that remembers it (trust C17, C25)."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, select

from nurture.errors import StoreUnavailable, UserError
from nurture.lead.keyring import Keyring
from nurture.store import suppressions
from nurture.store import tables as t
from nurture.store.database import Database
from nurture.store.suppression_journal import Erasure, Lifted, Suppressed, SuppressionJournal, suppression_journal

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
THEN, AFTER = "2026-03-02T09:00:00.000000Z", "2026-03-03T09:00:00.000000Z"
ANNA, BO = "a" * 64, "b" * 64


def held(db: Database) -> dict[tuple[str, str], Suppressed]:
    with db.read() as tx:
        return suppressions.all_rows(tx)


def suppress(db: Database, *rows: tuple[str, str, str], at: datetime = NOW) -> None:
    with db.write() as tx:
        suppressions.suppress(tx, rows, at)


# --- the list ---


def test_c17_what_is_suppressed_is_on_the_list_with_its_reason_and_its_instant(db: Database) -> None:
    suppress(db, (ANNA, "topic:offers", "withdrew offers"), (BO, "all", "bounce: 5.1.1"))
    assert held(db) == {
        (ANNA, "topic:offers"): Suppressed(ANNA, "topic:offers", "withdrew offers", THEN),
        (BO, "all"): Suppressed(BO, "all", "bounce: 5.1.1", THEN),
    }


@pytest.mark.parametrize(
    ("first", "then", "kept", "at"),
    [
        ("withdrew offers", "erased", "withdrew offers", THEN),
        ("withdrew offers", "complaint: abuse", "complaint: abuse", AFTER),
        ("withdrew offers", "bounce: 5.1.1", "bounce: 5.1.1", AFTER),
        ("complaint: abuse", "withdrew offers", "complaint: abuse", THEN),
        ("complaint: abuse", "bounce: 5.1.1", "complaint: abuse", THEN),
        ("bounce: 5.1.1", "complaint: abuse", "bounce: 5.1.1", THEN),
    ],
)
def test_c17_only_a_reason_that_lasts_takes_the_place_of_one_that_does_not(
    db: Database, first: str, then: str, kept: str, at: str
) -> None:
    suppress(db, (ANNA, "marketing", first))
    suppress(db, (ANNA, "marketing", then), at=LATER)
    assert list(held(db).values()) == [Suppressed(ANNA, "marketing", kept, at)]


def test_c17_a_reason_that_lasts_changes_no_other_scope_and_no_other_address(db: Database) -> None:
    others = [(ANNA, "topic:offers", "withdrew offers"), (BO, "marketing", "withdrew marketing")]
    suppress(db, *others)
    suppress(db, (ANNA, "marketing", "complaint: abuse"), at=LATER)
    assert {(row.address_hash, row.scope, row.reason) for row in held(db).values()} == {
        *others,
        (ANNA, "marketing", "complaint: abuse"),
    }


def test_c17_of_one_address_and_scope_said_twice_at_once_the_last_counts(db: Database) -> None:
    suppress(db, (ANNA, "all", "erased"), (ANNA, "all", "withdrew"))
    assert held(db)[ANNA, "all"].reason == "withdrew"


def test_c17_lifting_opens_that_scope_of_that_address_alone(db: Database) -> None:
    rows = [(ANNA, "topic:offers", "x"), (ANNA, "marketing", "x"), (BO, "topic:offers", "x"), (BO, "all", "x")]
    suppress(db, *rows)
    with db.write() as tx:
        suppressions.lift(tx, [(ANNA, "topic:offers"), (BO, "all")])
    assert set(held(db)) == {(ANNA, "marketing"), (BO, "topic:offers")}


def test_c17_lifting_nothing_opens_nothing(db: Database) -> None:
    suppress(db, (ANNA, "all", "x"))
    with db.write() as tx:
        suppressions.lift(tx, [])
    assert set(held(db)) == {(ANNA, "all")}


def test_c17_every_scope_of_the_addresses_asked_for_is_told_however_many_they_are(db: Database) -> None:
    hashes = [f"{n:064x}" for n in range(2_500)]
    closed = [hashes[n] for n in (0, 1, 999, 1_000, 1_001, 1_999, 2_000, 2_499)]
    suppress(
        db, *((h, "all", f"reason {h[-3:]}") for h in closed), (hashes[0], "marketing", "left"), (ANNA, "all", "x")
    )
    asked: list[object] = []
    with db.read() as tx:
        event.listen(tx, "before_cursor_execute", lambda *_: asked.append(None))
        found = suppressions.scopes(tx, hashes)
    assert len(asked) == 3
    wanted: dict[str, dict[str, str]] = {h: {"all": f"reason {h[-3:]}"} for h in closed}
    wanted[hashes[0]]["marketing"] = "left"
    assert found == wanted


# --- the key it is under ---


def test_c23_the_list_carries_the_mark_of_its_key_which_is_nobodys_suppression(db: Database) -> None:
    with db.write() as tx:
        suppressions.guard(tx, Keyring(["secret"]), NOW)
    with db.read() as tx:
        [row] = tx.execute(select(t.suppressions)).all()
    mark = Keyring(["secret"]).address_hash("guard@nurture.invalid")
    assert tuple(row) == (mark, "key", "marks the key of this list", NOW)
    assert held(db) == {}


def test_c23_under_another_oldest_secret_nothing_starts_and_it_says_what_to_do(db: Database) -> None:
    with db.write() as tx:
        suppressions.guard(tx, Keyring(["old"]), NOW)
        with pytest.raises(UserError) as refused:
            suppressions.guard(tx, Keyring(["new"]), NOW)
    assert refused.value.message == "the oldest secret is not the one the suppression list was made with"
    assert refused.value.hint == "put it back as the last of `secrets` in config.yaml; new secrets go in front"


def test_c23_a_new_secret_in_front_of_the_old_is_no_other_key(db: Database) -> None:
    with db.write() as tx:
        suppressions.guard(tx, Keyring(["old"]), NOW)
        suppressions.guard(tx, Keyring(["new", "old"]), LATER)
    with db.read() as tx:
        assert tx.execute(select(t.suppressions.c.at)).scalars().all() == [NOW]


def test_c23_the_mark_is_known_beside_any_suppression(db: Database) -> None:
    suppress(db, (ANNA, "all", "x"))
    with db.write() as tx:
        suppressions.guard(tx, Keyring(["old"]), NOW)
        with pytest.raises(UserError):
            suppressions.guard(tx, Keyring(["new"]), NOW)


# --- what the journal is told, and how it is put back ---


@pytest.fixture
def journal(db: Database, tmp_path: Path) -> Iterator[SuppressionJournal]:
    found = SuppressionJournal(tmp_path / "beside" / "suppressions.journal")
    db.journal = found
    yield found
    db.journal = None


def lines(journal: SuppressionJournal) -> list[str]:
    return journal.path.read_text().splitlines()


def test_c25_every_no_and_every_yes_is_told_to_the_journal(db: Database, journal: SuppressionJournal) -> None:
    suppress(db, (ANNA, "marketing", "withdrew"), (BO, "all", "bounce"))
    with db.write() as tx:
        suppressions.lift(tx, [(ANNA, "marketing")])
    assert lines(journal) == [
        f'["no","{ANNA}","marketing","withdrew","{THEN}"]',
        f'["no","{BO}","all","bounce","{THEN}"]',
        f'["yes","{ANNA}","marketing"]',
    ]


def test_c25_an_erasure_is_told_with_what_finds_the_person_again(db: Database, journal: SuppressionJournal) -> None:
    with db.write() as tx:
        suppressions.note_erased(tx, 7, ANNA, NOW, LATER)
        suppressions.note_erased(tx, 8, None, NOW, LATER)
        suppressions.note_erased(tx, 9, BO, None, LATER)  # was there already gone: nothing to clean again
    assert journal.read().erased == [Erasure(7, ANNA, THEN, AFTER), Erasure(8, None, THEN, AFTER)]


def test_c25_what_is_put_back_has_its_own_instants_and_tells_the_journal_nothing(
    db: Database, journal: SuppressionJournal
) -> None:
    rows = [Suppressed(ANNA, "marketing", "withdrew", THEN), Suppressed(BO, "all", "bounce", AFTER)]
    with db.write() as tx:
        suppressions.restore(tx, rows)
    assert held(db) == {(row.address_hash, row.scope): row for row in rows}
    assert not journal.path.exists()


def test_c25_a_complaint_that_is_put_back_outlasts_an_earlier_leaving(db: Database) -> None:
    suppress(db, (ANNA, "marketing", "withdrew"))
    with db.write() as tx:
        suppressions.restore(tx, [Suppressed(ANNA, "marketing", "complaint: abuse", AFTER)])
    assert list(held(db).values()) == [Suppressed(ANNA, "marketing", "complaint: abuse", AFTER)]


# --- the file ---


@pytest.fixture
def file(tmp_path: Path) -> SuppressionJournal:
    return SuppressionJournal(tmp_path / "one" / "two" / "suppressions.journal")


def no(scope: str, reason: str = "withdrew", who: str = ANNA) -> Suppressed:
    return Suppressed(who, scope, reason, THEN)


def test_c25_the_journal_of_a_project_lies_beside_its_database(tmp_path: Path) -> None:
    assert suppression_journal(tmp_path).path == tmp_path / ".nurture" / "suppressions.journal"


def test_c25_where_no_journal_is_nothing_is_known(file: SuppressionJournal) -> None:
    known = file.read()
    assert (known.suppressed, known.erased, known.unreadable) == ({}, [], 0)


def test_c25_a_journal_without_a_line_is_made_all_the_same_for_its_owner_alone(file: SuppressionJournal) -> None:
    file.append([])
    assert file.path.read_bytes() == b""
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700


def test_c25_lines_are_added_behind_those_that_are_there(file: SuppressionJournal) -> None:
    file.append([no("all")])
    file.append([no("marketing"), Erasure(3, None, THEN, AFTER)])
    known = file.read()
    assert list(known.suppressed) == [(ANNA, "all"), (ANNA, "marketing")]
    assert known.erased == [Erasure(3, None, THEN, AFTER)]
    assert file.path.read_bytes().count(b"\n") == 3


def test_c25_lines_are_on_the_disk_before_their_transaction_ends(
    file: SuppressionJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    safe: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda number: safe.append(os.pread(number, 99, 0) if number else b""))
    monkeypatch.setattr(os, "O_WRONLY", os.O_RDWR)
    file.append([Lifted(ANNA[:3], "all")])
    assert safe == [b'["yes","aaa","all"]\n']


@pytest.mark.parametrize(
    ("said", "stands"),
    [
        ([no("all"), Lifted(ANNA, "all")], None),
        ([Lifted(ANNA, "all"), no("all")], "withdrew"),
        ([no("all"), Lifted(ANNA, "marketing")], "withdrew"),
        ([no("all"), Lifted(BO, "all")], "withdrew"),
        ([no("all", "first"), no("all", "second")], "second"),
        ([no("all"), no("all", "complaint")], "complaint"),
        ([no("all", "complaint"), no("all")], "complaint"),
        ([no("all", "bounce"), no("all", "complaint")], "complaint"),
        ([no("all", "complaint"), Lifted(ANNA, "all"), no("all")], "withdrew"),
    ],
)
def test_c25_what_stands_last_holds_but_nothing_weakens_a_complaint(
    file: SuppressionJournal, said: list[Suppressed | Lifted], stands: str | None
) -> None:
    file.append(said)
    found = file.read().suppressed.get((ANNA, "all"))
    assert (found.reason if found else None) == stands


def test_c25_behind_a_line_that_cannot_be_read_the_others_count(file: SuppressionJournal) -> None:
    file.append([no("all")])
    with file.path.open("ab") as raw:
        raw.write(b'["no","half\n["what"]\n')
    file.append([no("marketing")])
    known = file.read()
    assert (list(known.suppressed), known.unreadable) == ([(ANNA, "all"), (ANNA, "marketing")], 2)


def test_c25_a_journal_that_cannot_be_written_is_an_error_that_says_which_file(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    file = SuppressionJournal(tmp_path / "in the way" / "suppressions.journal")
    with pytest.raises(StoreUnavailable) as found:
        file.append([no("all")])
    assert found.value.message == f"the suppression journal cannot be written: {os.strerror(errno.EEXIST)}"
    assert found.value.hint == (
        f"it keeps a restored backup from writing to people who left; make {file.path} writable"
    )


def test_c25_a_journal_that_cannot_be_read_is_no_empty_one(tmp_path: Path) -> None:
    file = SuppressionJournal(tmp_path)
    with pytest.raises(StoreUnavailable) as found:
        file.read()
    assert found.value.message == f"the suppression journal cannot be read: {os.strerror(errno.EISDIR)}"
    assert found.value.hint == f"make {tmp_path} readable"
