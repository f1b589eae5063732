"""What stands in the ledger, row by row (trust C1, C2, C4), and what is left of it when somebody is forgotten (C23)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from sqlalchemy import event, select, update

from nurture.lead.consent import ALL_MARKETING, Declaration, Proof, wording_digest
from nurture.store import ledger
from nurture.store import tables as t
from nurture.store.database import Database
from nurture.store.ledger import Entry
from nurture.store.ledger_check import verify
from tests.store.test_ledger import KEYRING, NOW, PROOF, said

DAY = timedelta(days=1)
ANNA, BO, CY = "anna", "bo", "cy"
BY_NAME = {1: ANNA, 2: BO, 3: CY}
# Made by the first release: a later one that hashes otherwise would call every ledger tampered with.
ANNAS_HASH = "2d325acb154b32e90260ebff5f8da347e48d7a516e213349d7004ec26f8165b3"
BOS_HASH = "553e839f90ecd71f4e0978d6087a4fb87913d194ca24a9670b3f5e0bf1c28af3"


def left(lead: int) -> Declaration:
    return Declaration(lead, ALL_MARKETING, "withdraw", "person", "person", NOW, Proof(method="page"))


def append(db: Database, *entries: Entry) -> list[str]:
    """Each lead's chain is named after it."""
    hashes = []
    for entry in entries:
        assert entry.lead is not None
        name = BY_NAME[entry.lead]
        with db.write() as tx:
            hashes += ledger.append(tx, [entry], KEYRING, pseudonym=lambda name=name: name)  # type: ignore[misc]
    return hashes


def granted(lead: int, at: datetime = NOW, **proof: Any) -> Entry:
    declared = msgspec.structs.replace(said(lead), proof=msgspec.structs.replace(PROOF, **proof))
    return Entry(lead, "granted", "letter", declared, at, "acme")


def rows(db: Database) -> list[dict[str, Any]]:
    with db.read() as tx:
        return [dict(row) for row in tx.execute(select(t.consent_ledger).order_by(t.consent_ledger.c.id)).mappings()]


def heads(db: Database) -> dict[str, dict[str, Any]]:
    with db.read() as tx:
        return {row["subject"]: dict(row) for row in tx.execute(select(t.consent_ledger_heads)).mappings()}


def whole(db: Database) -> bool:
    with db.read() as tx:
        return verify(tx, KEYRING) == []


@pytest.fixture
def two(db: Database) -> Database:
    """Anna agreed to the letter, Bo left everything."""
    append(db, granted(1), Entry(2, "withdrawn", ALL_MARKETING, left(2), NOW, "acme"))
    return db


# --- one entry ---


def test_c01_an_entry_holds_all_that_was_said_and_how(two: Database) -> None:
    assert rows(two)[0] == {
        "id": 1,
        "subject": ANNA,
        "ordinal": 1,
        "lead_id": 1,
        "event": "granted",
        "topic": "letter",
        "channel": "email",
        "basis": "consent",
        "jurisdiction": "FR",
        "wording": "Oui, écrivez-moi.",
        "wording_hash": wording_digest("Oui, écrivez-moi."),
        "wording_version": wording_digest("Oui, écrivez-moi.")[:12],
        "locale": "fr",
        "notice": "privacy v3",
        "page": "/f/guide",
        "method": "form",
        "actor": "person",
        "source": "guide",
        "ip": "192.0.2.1",
        "user_agent": "Mozilla/5.0",
        "evidence": {"box": True, "clicks": 2, "of": ["a", "b"]},
        "controller": "acme",
        "occurred_at": NOW,
        "recorded_at": NOW,
        "prev": "0" * 64,
        "hash": ANNAS_HASH,
    }


def test_c01_of_what_was_not_said_the_entry_says_nothing(two: Database) -> None:
    given = {"id", "subject", "ordinal", "lead_id", "event", "channel", "method", "actor", "controller", "prev", "hash"}
    found = rows(two)[1]
    assert {name for name, value in found.items() if value is not None} == given | {"occurred_at", "recorded_at"}
    assert (found["event"], found["method"], found["hash"]) == ("withdrawn", "page", BOS_HASH)


def test_c01_evidence_that_says_nothing_is_none(db: Database) -> None:
    append(db, granted(1, evidence={}))
    assert rows(db)[0]["evidence"] is None


def test_c02_a_version_that_is_given_is_kept(db: Database) -> None:
    append(db, granted(1, wording_version="2026-03"))
    assert rows(db)[0]["wording_version"] == "2026-03"


def test_c04_what_was_said_earlier_and_recorded_now_has_both_instants(db: Database) -> None:
    append(db, granted(1, NOW + DAY))
    assert (rows(db)[0]["occurred_at"], rows(db)[0]["recorded_at"]) == (NOW, NOW + DAY)


def test_c04_each_entry_follows_the_one_before_it_of_the_same_person(db: Database) -> None:
    hashes = append(db, granted(1), granted(2), granted(1))
    assert [(row["subject"], row["ordinal"], row["prev"]) for row in rows(db)] == [
        (ANNA, 1, "0" * 64),
        (BO, 1, "0" * 64),
        (ANNA, 2, hashes[0]),
    ]
    assert [row["hash"] for row in rows(db)] == hashes


def test_c04_a_batch_is_written_in_its_order_and_tells_its_hashes(db: Database) -> None:
    with db.write() as tx:
        hashes = ledger.append(tx, [granted(n) for n in (2, 1, 2)], KEYRING)
        assert ledger.append(tx, [], KEYRING) == []
    found = rows(db)
    assert [(row["lead_id"], row["ordinal"], row["hash"]) for row in found] == [
        (2, 1, hashes[0]),
        (1, 1, hashes[1]),
        (2, 2, hashes[2]),
    ]
    assert whole(db)


def test_c23_a_chain_is_named_by_chance(db: Database) -> None:
    with db.write() as tx:
        ledger.append(tx, [granted(1), granted(2)], KEYRING)
    names = [row["subject"] for row in rows(db)]
    assert [len(bytes.fromhex(name)) for name in names] == [16, 16]
    assert len(set(names)) == 2


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (1.5, "1.5"),
        ("a\x00b", "ab"),
        (NOW, "2026-03-02T09:00:00.000000Z"),
        (datetime(2026, 3, 2, 11, 0, tzinfo=timezone(2 * timedelta(hours=1))), "2026-03-02T09:00:00.000000Z"),
        ((1, [NOW.date()]), [1, ["2026-03-02"]]),
        ({1: {"of": (True,)}}, {"1": {"of": [True]}}),
    ],
)
def test_c04_evidence_is_stored_as_both_databases_give_it_back(value: Any, kept: Any) -> None:
    assert ledger.plain(value) == kept


def test_c04_evidence_counts_and_not_the_order_in_which_it_stands(two: Database) -> None:
    [row, _] = rows(two)
    turned = dict(reversed(row["evidence"].items()))
    assert ledger.row_hash(row | {"evidence": turned}, KEYRING) == row["hash"] == ANNAS_HASH
    other = row["evidence"] | {"clicks": 3}
    assert ledger.row_hash(row | {"evidence": other}, KEYRING) != row["hash"]


# --- the guarded ends ---


def test_c04_the_ends_and_their_guards_are_the_same_in_every_release(two: Database) -> None:
    assert {name: (r["lead_id"], r["entries"], r["hash"], r["mac"]) for name, r in heads(two).items()} == {
        ANNA: (1, 1, ANNAS_HASH, "449e6db50047138033630caf6f383c56682b4e62b4776022a7a4c79353b4a386"),
        BO: (2, 1, BOS_HASH, "06efcfe7a52f3f0b51842cf63a0c361a865a91830e0598bc57f2385588a0a8ff"),
        "guard:21": (
            None,
            1,
            "0d2b33fa7e74aa147ecdc84ee507457d990c72c08fd9265fdb0958a49d7e1767",
            "1b3345d3dfdf5c5459e0294e5f3441aa0d28e1418a6df28753e6788f66b43503",
        ),
        "guard:61": (
            None,
            1,
            "be4e1c5aeba27b8b545ca0111e6e6db07ab2111f94ef1ab066d5c514dd5458ab",
            "e265688586bc17e3d1ccc283d2b4e8106f6546d4f02de52d329fe5e8210c7782",
        ),
    }


def test_c04_a_guard_counts_its_chains_and_not_their_entries(two: Database) -> None:
    append(two, granted(2), granted(3))  # Cy's chain has Bo's guard
    assert {name: row["entries"] for name, row in heads(two).items()} == {
        ANNA: 1,
        BO: 2,
        CY: 1,
        "guard:21": 1,
        "guard:61": 2,
    }
    assert whole(two)


def test_c04_the_ends_are_told_without_the_guards(two: Database) -> None:
    with two.read() as tx:
        assert ledger.ends(tx) == {ANNA: (1, ANNAS_HASH), BO: (1, BOS_HASH)}
        assert list(ledger.ends(tx)) == [ANNA, BO]


def test_c04_an_entry_is_found_by_its_place(two: Database) -> None:
    with two.read() as tx:
        places = [(ANNA, 1), (BO, 1), (ANNA, 2), (CY, 1)]
        assert [ledger.hash_at(tx, *place) for place in places] == [ANNAS_HASH, BOS_HASH, None, None]


# --- reading ---


def test_c01_a_persons_entries_come_oldest_first_and_are_theirs_alone(two: Database) -> None:
    append(two, granted(1, NOW - DAY), granted(1, NOW - DAY))
    with two.read() as tx:
        found = ledger.entries_of(tx, 1)
    assert [(row["recorded_at"], row["ordinal"]) for row in found] == [(NOW - DAY, 2), (NOW - DAY, 3), (NOW, 1)]


def test_s27_entries_of_two_chains_come_by_their_instants(two: Database) -> None:
    append(two, granted(2, NOW - DAY))
    with two.write() as tx:
        ledger.adopt(tx, 1, 2, left(1), KEYRING, NOW + DAY)
        found = ledger.entries_of(tx, 1)
    assert [(row["subject"], row["event"]) for row in found] == [
        (BO, "granted"),
        (ANNA, "granted"),
        (BO, "withdrawn"),
        (BO, "merged"),
    ]


def test_s27_entries_of_one_instant_come_chain_by_chain(db: Database) -> None:
    append(db, granted(2), granted(1), granted(2), granted(1))
    with db.write() as tx:
        ledger.adopt(tx, 1, 2, left(1), KEYRING, NOW + DAY)
        found = ledger.entries_of(tx, 1)
    assert [(row["subject"], row["ordinal"]) for row in found] == [(ANNA, 1), (ANNA, 2), (BO, 1), (BO, 2), (BO, 3)]


def test_c01_the_latest_entry_of_a_kind_is_the_evidence(two: Database) -> None:
    append(two, granted(1, NOW + DAY), Entry(1, "withdrawn", "letter", said(1), NOW + 2 * DAY))
    append(two, Entry(1, "granted", "news", said(1), NOW + 3 * DAY))
    with two.read() as tx:
        last = ledger.last_entry(tx, 1, "letter", "granted")
        assert last is not None
        assert last["ordinal"] == 2
        assert ledger.last_entry(tx, 1, "letter", "refused") is None
        assert ledger.last_entry(tx, 3, "letter", "granted") is None


# --- two leads that are one ---


def test_s27_chains_that_change_hands_say_so_themselves(two: Database) -> None:
    append(two, granted(3))
    with two.write() as tx:
        ledger.adopt(tx, 1, 2, left(1), KEYRING, NOW + DAY)
        ledger.adopt(tx, 3, 1, left(1), KEYRING, NOW + DAY)
    merged = [row for row in rows(two) if row["event"] == "merged"]
    assert [(row["subject"], row["ordinal"], row["lead_id"], row["topic"]) for row in merged] == [
        (BO, 2, 1, None),
        (ANNA, 2, 3, None),
        (BO, 3, 3, None),
    ]
    assert {name: row["lead_id"] for name, row in heads(two).items() if name in BY_NAME.values()} == {
        **dict.fromkeys((ANNA, BO, CY), 3)
    }
    assert {row["recorded_at"] for row in merged} == {NOW + DAY}
    assert whole(two)


@pytest.mark.parametrize("first", [1, 2])
def test_s27_what_a_joined_person_says_next_goes_to_the_first_chain_by_name(db: Database, first: int) -> None:
    append(db, granted(first), granted(3 - first))
    with db.write() as tx:
        ledger.adopt(tx, 2, 1, left(2), KEYRING, NOW)
    append(db, granted(2))
    assert (rows(db)[-1]["subject"], rows(db)[-1]["ordinal"]) == (ANNA, 3)
    assert whole(db)


def test_s27_of_whom_nothing_was_ever_said_nothing_is_adopted(two: Database) -> None:
    with two.write() as tx:
        ledger.adopt(tx, 1, 3, left(1), KEYRING, NOW)
    assert len(rows(two)) == 2


# --- forgetting ---


def committed(subject: str, text: str) -> str:
    return KEYRING.commitment(subject, text)


def forget(db: Database, lead: int) -> None:
    with db.write() as tx:
        ledger.forget(tx, lead, left(lead), KEYRING, NOW + DAY)


def test_c23_of_an_erased_person_stays_what_proves_and_not_what_names(two: Database) -> None:
    before = rows(two)
    forget(two, 1)
    first, other, end = rows(two)
    assert first == before[0] | {
        "page": committed(ANNA, "/f/guide"),
        "source": committed(ANNA, "guide"),
        "ip": committed(ANNA, "192.0.2.1"),
        "user_agent": committed(ANNA, "Mozilla/5.0"),
        "evidence": {"erased": committed(ANNA, '{"box":true,"clicks":2,"of":["a","b"]}')},
    }
    assert other == before[1]
    assert (end["subject"], end["event"], end["lead_id"], end["recorded_at"]) == (ANNA, "erased", None, NOW + DAY)
    assert {name: row["lead_id"] for name, row in heads(two).items()}[ANNA] is None
    assert whole(two)


def test_c23_every_entry_of_every_chain_is_forgotten_and_nobody_elses(two: Database) -> None:
    append(two, granted(2), granted(1), granted(3))
    with two.write() as tx:
        ledger.adopt(tx, 1, 2, left(1), KEYRING, NOW)
    forget(two, 1)
    assert [row["subject"] for row in rows(two) if row["ip"] == "192.0.2.1"] == [CY]
    assert whole(two)


def test_c23_forgetting_twice_changes_no_proof(two: Database) -> None:
    with two.write() as tx:
        ledger.forget(tx, 1, left(1), KEYRING, NOW)
    before = rows(two)
    forget(two, 1)
    assert rows(two) == before


def test_c23_who_was_forgotten_and_comes_back_has_a_new_chain(two: Database) -> None:
    forget(two, 1)
    with two.write() as tx:
        ledger.append(tx, [granted(1)], KEYRING)
    assert rows(two)[-1]["subject"] != ANNA
    assert whole(two)


# --- visits, which go sooner ---


def forget_visits(db: Database, before: datetime = NOW + DAY, limit: int = 1_000) -> int:
    with db.write() as tx:
        return ledger.forget_visits(tx, before, KEYRING, limit)


def visits(db: Database, before: datetime = NOW + DAY, but: Any = ()) -> int:
    with db.read() as tx:
        return ledger.count_visits(tx, before, but)


def test_c26_a_visits_network_address_and_browser_become_commitments_and_nothing_else(two: Database) -> None:
    before = rows(two)
    assert forget_visits(two) == 1
    assert rows(two) == [
        before[0] | {"ip": committed(ANNA, "192.0.2.1"), "user_agent": committed(ANNA, "Mozilla/5.0")},
        before[1],
    ]
    assert whole(two)


def test_c26_evidence_that_repeats_them_goes_with_them(db: Database) -> None:
    proof = {"requested": {"ip": "192.0.2.1"}}
    append(db, granted(1, evidence=proof))
    forget_visits(db)
    assert rows(db)[0]["evidence"] == {"erased": committed(ANNA, '{"requested":{"ip":"192.0.2.1"}}')}
    assert whole(db)


@pytest.mark.parametrize(
    ("proof", "found"),
    [
        ({"ip": "192.0.2.1", "user_agent": "Mozilla/5.0"}, 1),
        ({"ip": "192.0.2.1", "user_agent": None}, 1),
        ({"ip": None, "user_agent": "Mozilla/5.0"}, 1),
        ({"ip": None, "user_agent": None}, 0),
        ({"ip": None, "user_agent": None, "evidence": {"requested": {}}}, 0),
        ({"ip": "hmac-sha256:0", "user_agent": "hmac-sha256:0"}, 0),
        ({"ip": "hmac-sha256:0", "user_agent": "Mozilla/5.0"}, 1),
    ],
)
def test_c26_a_visit_is_an_entry_with_a_network_address_or_a_browser(
    db: Database, proof: dict[str, Any], found: int
) -> None:
    append(db, granted(1, **proof))
    assert visits(db) == found
    assert forget_visits(db) == found
    assert visits(db) == 0
    assert whole(db)


def test_c26_a_visit_without_a_browser_gets_none(db: Database) -> None:
    append(db, granted(1, user_agent=None))
    forget_visits(db)
    assert (rows(db)[0]["ip"], rows(db)[0]["user_agent"]) == (committed(ANNA, "192.0.2.1"), None)


def test_c26_a_visit_is_kept_until_its_time(db: Database) -> None:
    append(db, granted(1, NOW), granted(2, NOW - DAY))
    assert (visits(db, NOW), visits(db, NOW - DAY), visits(db, NOW + DAY)) == (1, 0, 2)
    assert forget_visits(db, NOW) == 1
    assert [row["ip"] == "192.0.2.1" for row in rows(db)] == [True, False]


def test_c26_visits_are_counted_without_those_of_the_leads_that_go_anyway(two: Database) -> None:
    append(two, granted(2), granted(3))
    c = t.leads.c
    with two.write() as tx:
        for lead in (1, 2, 3):
            values = {"id": lead, "shard": 0, "created_at": NOW, "changed_at": NOW, "attributes": {}}
            tx.execute(t.leads.insert().values(restricted=False, country="FR" if lead < 3 else "CH", **values))
    going = [select(c.id).where(c.country == "FR", c.id == 1), select(c.id).where(c.country == "CH")]
    assert (visits(two), visits(two, but=going[:1]), visits(two, but=going)) == (3, 2, 1)
    with two.write() as tx:
        tx.execute(update(t.consent_ledger).where(t.consent_ledger.c.lead_id == 3).values(lead_id=None))
    assert visits(two, but=going) == 2  # what is nobody's any more goes with nobody


def test_c26_visits_go_page_by_page_the_oldest_first(db: Database) -> None:
    append(db, granted(1), granted(2), granted(3))
    assert [forget_visits(db, limit=2), forget_visits(db, limit=2), forget_visits(db, limit=2)] == [2, 1, 0]


def test_c26_a_page_takes_the_first_entries(db: Database) -> None:
    append(db, granted(3), granted(2), granted(1))
    forget_visits(db, limit=1)
    assert [row["lead_id"] for row in rows(db) if row["ip"] == "192.0.2.1"] == [2, 1]


def test_c26_a_page_of_visits_is_a_thousand(db: Database) -> None:
    asked: list[Mapping[str, Any] | tuple[Any, ...]] = []
    with db.write() as tx:
        event.listen(tx, "before_cursor_execute", lambda *heard: asked.append(heard[3]))
        ledger.forget_visits(tx, datetime(2026, 1, 1, tzinfo=UTC), KEYRING)
    [values] = asked
    assert 1_000 in (values.values() if isinstance(values, Mapping) else values)
