"""How each kind of tampering is named: which chain, which entry, what was done (trust C4)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from nurture.lead.keyring import Keyring
from nurture.store import ledger
from nurture.store import tables as t
from nurture.store.database import Database
from nurture.store.ledger import Entry
from nurture.store.ledger_check import Tampering, verify
from tests.store.test_ledger import KEYRING, NOW, _takes, said

_c, _h = t.consent_ledger.c, t.consent_ledger_heads.c
ANNA, BO, CY = "anna", "bo", "cy"  # Bo's and Cy's ends hang on one guard, Anna's on another
LEADS = {ANNA: 1, BO: 2, CY: 3}
ANNAS, BOS = "guard:21", "guard:61"
MOVED = "the guarded end was changed, or its secret is no longer in `secrets`"
REPLACED = "the end of one of these chains was changed or replaced"
BEHIND = "the last entry is not the one the end was guarded with"
OUT_OF_PLACE = "does not follow the entry before it: one of the two was inserted, replaced or moved"


@pytest.fixture
def chains(db: Database) -> Database:
    """Ids 1 to 4 are Anna's, 5 and 6 Bo's, 7 Cy's."""
    for name, lead in LEADS.items():
        with db.write() as tx:
            for _ in range({ANNA: 4, BO: 2, CY: 1}[name]):
                entry = Entry(lead, "granted", "letter", said(lead), NOW)
                ledger.append(tx, [entry], KEYRING, pseudonym=lambda name=name: name)  # type: ignore[misc]
    return db


def run(db: Database, *statements: Any) -> None:
    with db.write() as tx:
        for statement in statements:
            tx.execute(statement)


def found(db: Database, keyring: Keyring = KEYRING) -> list[Tampering]:
    with db.read() as tx:
        return verify(tx, keyring)


def edit(id_: int, **values: Any) -> Any:
    return update(t.consent_ledger).where(_c.id == id_).values(**values)


def remove(*ids: int) -> Any:
    return delete(t.consent_ledger).where(_c.id.in_(ids))


def head(subject: str, **values: Any) -> Any:
    return update(t.consent_ledger_heads).where(_h.subject == subject).values(**values)


def behead(*subjects: str) -> Any:
    return delete(t.consent_ledger_heads).where(_h.subject.in_(subjects))


def entry(id_: int, what: str) -> Tampering:
    """A finding about one of Anna's entries."""
    return Tampering(ANNA, id_, id_, 1, what)


def test_c04_a_whole_ledger_is_whole(chains: Database) -> None:
    assert found(chains) == []


def test_c04_an_edited_entry_is_named(chains: Database) -> None:
    run(chains, edit(2, wording="Something else"))
    assert found(chains) == [entry(2, "was edited")]


@pytest.mark.parametrize("last", [4, 3])
def test_c04_an_edited_hash_is_named_and_so_is_what_followed_from_it(chains: Database, last: int) -> None:
    run(chains, edit(last, hash="f" * 64))
    follows = [entry(4, OUT_OF_PLACE)] if last == 3 else [Tampering(ANNA, 4, None, 1, BEHIND)]
    assert found(chains) == [entry(last, "was edited"), *follows]


def test_c04_an_entry_given_another_lead_is_named_under_it(chains: Database) -> None:
    run(chains, edit(2, lead_id=7))
    assert found(chains) == [Tampering(ANNA, 2, 2, 7, "was edited")]


def test_c04_the_end_of_a_chain_is_the_last_entrys_leads(chains: Database) -> None:
    run(chains, edit(4, lead_id=7), head(ANNA, entries=9))
    assert Tampering(ANNA, 5, None, 7, "cut off: 4 of 9 entries are there") in found(chains)


@pytest.mark.parametrize(
    ("ids", "at", "which"), [((1,), 2, "1"), ((2,), 3, "2"), ((1, 2), 3, "1 to 2"), ((2, 3), 4, "2 to 3")]
)
def test_c04_what_is_missing_is_told_before_the_entry_behind_it(
    chains: Database, ids: tuple[int, ...], at: int, which: str
) -> None:
    run(chains, remove(*ids))
    assert found(chains) == [entry(at, f"number {which} before it was deleted")]


def test_c04_an_entry_with_a_foreign_past_is_named(chains: Database) -> None:
    run(chains, edit(2, prev="f" * 64))
    assert found(chains) == [entry(2, OUT_OF_PLACE), entry(2, "was edited")]


@pytest.mark.parametrize("there", [2, 3])
def test_c04_entries_cut_off_are_counted(chains: Database, there: int) -> None:
    run(chains, remove(*range(there + 1, 5)))
    assert found(chains) == [Tampering(ANNA, there + 1, None, 1, f"cut off: {there} of 4 entries are there")]


def added(db: Database) -> None:
    """A fifth entry of Anna's by somebody who knows how they are hashed."""
    with db.read() as tx:
        row = dict(tx.execute(select(t.consent_ledger).where(_c.id == 4)).mappings().one())
    row |= {"id": 50, "ordinal": 5, "prev": row["hash"]}
    run(db, insert(t.consent_ledger).values(row | {"hash": ledger.row_hash(row, KEYRING)}))


def test_c04_an_entry_made_up_behind_the_end_is_found_even_by_one_who_knows_how(chains: Database) -> None:
    added(chains)
    assert found(chains) == [Tampering(ANNA, 5, None, 1, "entries were added behind the guarded end")]


def test_c04_a_last_entry_that_was_replaced_is_found_even_by_one_who_knows_how(chains: Database) -> None:
    with chains.read() as tx:
        row = dict(tx.execute(select(t.consent_ledger).where(_c.id == 4)).mappings().one()) | {"locale": "de"}
    run(chains, edit(4, locale="de", hash=ledger.row_hash(row, KEYRING)))
    assert found(chains) == [Tampering(ANNA, 4, None, 1, BEHIND)]


def test_c04_every_entry_of_a_chain_deleted_is_one_finding(chains: Database) -> None:
    run(chains, remove(1, 2, 3, 4))
    assert found(chains) == [Tampering(ANNA, None, None, 1, "every entry of this chain was deleted")]


def test_c04_a_guarded_end_that_was_deleted_is_found_twice(chains: Database) -> None:
    run(chains, behead(ANNA))
    assert found(chains) == [
        Tampering(ANNA, None, None, 1, "the guarded end of this chain was deleted"),
        Tampering(ANNAS, None, None, None, "1 whole chain(s) were deleted"),
    ]


def test_c04_a_chain_that_vanished_with_its_end_is_missed_by_its_guard(chains: Database) -> None:
    run(chains, remove(5, 6, 7), behead(BO, CY))
    assert found(chains) == [Tampering(BOS, None, None, None, "2 whole chain(s) were deleted")]


def test_c04_of_two_chains_of_a_guard_the_one_that_vanished_is_missed(chains: Database) -> None:
    run(chains, remove(7), behead(CY))
    assert found(chains) == [Tampering(BOS, None, None, None, "1 whole chain(s) were deleted")]


def test_c04_an_end_that_was_moved_is_named(chains: Database) -> None:
    run(chains, head(CY, lead_id=9))
    assert found(chains) == [
        Tampering(CY, None, None, 9, MOVED),
        Tampering(BOS, None, None, None, REPLACED),
    ]


def made_up(subject: str, lead: int = 9) -> Any:
    """A guarded end by somebody who knows the secret, and no entry."""
    mac = KEYRING.mac(ledger.HEAD_USE, ledger.head_text(subject, lead, 0, ledger.GENESIS))
    row = {"subject": subject, "lead_id": lead, "entries": 0, "hash": ledger.GENESIS, "mac": mac}
    return insert(t.consent_ledger_heads).values(**row)


def test_c04_a_chain_that_was_made_up_is_met_by_its_guard(chains: Database) -> None:
    others = [name for name in (f"x{n}" for n in range(999)) if ledger.guard_of(name) == ANNAS][:2]
    run(chains, *(made_up(name) for name in others))
    assert found(chains) == [Tampering(ANNAS, None, None, None, "2 whole chain(s) were added")]


def test_c04_a_chain_with_a_guard_of_its_own_that_was_deleted_is_found(chains: Database) -> None:
    run(chains, behead(BOS))
    assert found(chains) == [Tampering(BOS, None, None, None, "the guard of these chains was deleted")]


def test_c04_behind_a_guard_that_was_deleted_the_others_are_asked(chains: Database) -> None:
    run(chains, behead(ANNAS), head(BOS, entries=1))
    assert found(chains) == [
        Tampering(ANNAS, None, None, None, "the guard of these chains was deleted"),
        Tampering(BOS, None, None, None, MOVED),
        Tampering(BOS, None, None, None, "1 whole chain(s) were added"),
    ]


def test_c04_a_guard_without_a_chain_is_asked_too(chains: Database) -> None:
    run(chains, remove(1, 2, 3, 4), behead(ANNA))
    assert found(chains) == [Tampering(ANNAS, None, None, None, "1 whole chain(s) were deleted")]


def test_c04_under_another_secret_no_end_holds(chains: Database) -> None:
    moved = [Tampering(name, None, None, LEADS.get(name), MOVED) for name in (ANNA, BO, CY, ANNAS, BOS)]
    assert found(chains, Keyring(["another", "secret"])) == []
    assert [f for f in found(chains, Keyring(["another"])) if f.what == MOVED] == moved


@pytest.mark.parametrize(("lead", "state", "findings"), [(8, "granted", 1), (8, "none", 0), (1, "granted", 0)])
def test_c04_a_state_that_no_chain_speaks_of_is_found(chains: Database, lead: int, state: str, findings: int) -> None:
    for topic in ("letter", "offers"):
        run(chains, insert(t.consents).values(lead_id=lead, topic=topic, state=state, since=NOW, requests=0))
    what = f"lead {lead} has a consent state and no entry that proves it"
    assert found(chains) == [Tampering("", None, None, lead, what)] * findings


def test_c04_states_without_proof_come_by_their_leads(chains: Database) -> None:
    for lead in (9, 8, 30):
        run(chains, insert(t.consents).values(lead_id=lead, topic="letter", state="granted", since=NOW, requests=0))
    assert [f.lead for f in found(chains)] == [8, 9, 30]


# --- nonsense: SQLite keeps any value in any column, PostgreSQL refuses it ---


@pytest.mark.parametrize(
    ("change", "findings"),
    [
        (
            "consent_ledger SET ordinal = 'x' WHERE id = 2",
            [
                entry(3, "number 2 before it was deleted"),
                Tampering(ANNA, "x", 2, 1, "its number was edited"),  # type: ignore[arg-type]
            ],
        ),
        ("consent_ledger SET evidence = '{x' WHERE id = 2", [entry(2, "was edited")]),
        ("consent_ledger SET occurred_at = 'x' WHERE id = 2", [entry(2, "was edited")]),
        ("consent_ledger SET recorded_at = 'x' WHERE id = 2", [entry(2, "was edited")]),
        ("consent_ledger SET hash = x'00' WHERE id = 2", [entry(2, "was edited"), entry(3, OUT_OF_PLACE)]),
        ("consent_ledger_heads SET mac = x'00' WHERE subject = 'cy'", [Tampering(CY, None, None, 3, MOVED)]),
        (
            "consent_ledger_heads SET entries = 'x' WHERE subject = 'cy'",
            [
                Tampering(CY, 1, None, 3, "entries were added behind the guarded end"),
                Tampering(CY, None, None, 3, MOVED),
                Tampering(BOS, None, None, None, REPLACED),
            ],
        ),
    ],
)
def test_c04_nonsense_is_named_and_the_rest_read(chains: Database, change: str, findings: list[Tampering]) -> None:
    taken = _takes(chains, f"UPDATE {change}")
    assert found(chains) == (findings if taken else [])


def test_c04_every_number_that_is_none_is_named(chains: Database) -> None:
    taken = _takes(chains, "UPDATE consent_ledger SET ordinal = 'x' || id WHERE id IN (2, 3)")
    named = [finding.entry for finding in found(chains) if finding.what == "its number was edited"]
    assert named == ([2, 3] if taken else [])


def test_c04_a_chain_whose_end_has_no_name_has_no_end(chains: Database) -> None:
    taken = _takes(chains, "UPDATE consent_ledger_heads SET subject = x'00' WHERE subject = 'cy'")
    deleted = Tampering(CY, None, None, 3, "the guarded end of this chain was deleted")
    assert (deleted in found(chains)) is taken


# --- in words ---


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        (Tampering("anna", 2, 17, 1, "was edited"), "entry 17 (number 2 of anna): was edited"),
        (Tampering("anna", 2, None, 1, "cut off"), "(number 2 of anna): cut off"),
        (Tampering("anna", None, None, 1, "deleted"), "(anna): deleted"),
        (Tampering("anna", 0, 0, 1, "was edited"), "entry 0 (anna): was edited"),
    ],
)
def test_c04_a_finding_says_where_and_what(finding: Tampering, words: str) -> None:
    assert str(finding) == words
