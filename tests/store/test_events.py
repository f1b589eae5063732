"""Events are stored once, whoever repeats them, and marked where they come too late."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from nurture.campaign.project import Project
from nurture.engine.consent import ConsentRules
from nurture.engine.recording import Receipt, record
from nurture.engine.segment import Said, Unreadable, read_call
from nurture.lead.keyring import Keyring
from nurture.store import tables as t
from nurture.store.database import Database
from nurture.store.events import EventKey, accept_keys, oldest_waiting

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PROJECT = Project(
    events={"cart_updated": {"total": "number", "at": "date", "items": [{"price": "number"}]}},
    attributes={"birthday": "date", "seats": "number"},
    account_attributes={"size": "number"},
)
RULES = ConsentRules(PROJECT, Keyring(["secret"]))


def read(kind: str, **fields: Any) -> Said:
    said = read_call(msgspec.json.encode({"userId": "u1", **fields}), kind)
    assert not isinstance(said, Unreadable), said
    return said


def track(name: str = "cart_updated", **fields: Any) -> Said:
    return read("track", event=name, **fields)


def store(db: Database, *said: Said, source: str = "api", now: datetime = NOW) -> Sequence[Receipt]:
    with db.write() as tx:
        return record(tx, [(one, source) for one in said], RULES, now, Counter())


def events(db: Database) -> list[Any]:
    with db.read() as tx:
        c = t.events.c
        return list(tx.execute(select(c.name, c.at, c.fact, c.properties, c.seq).order_by(c.id)).all())


def names(db: Database) -> list[str]:
    return [row.name for row in events(db) if not row.name.startswith("lead.")]


def test_r14_an_event_repeated_is_stored_once(db: Database) -> None:
    answers = [store(db, track(messageId="m1"))[0].outcome for _ in range(3)]
    assert answers == ["stored", "replay", "replay"]
    assert names(db) == ["cart_updated"]


def test_r14_an_id_used_for_something_else_is_a_clash(db: Database) -> None:
    store(db, track(messageId="m1", properties={"total": 1}))
    [answer] = store(db, track(messageId="m1", properties={"total": 2}))
    assert answer.outcome == "clash"
    assert names(db) == ["cart_updated"]


def test_r14_the_same_id_twice_in_one_batch(db: Database) -> None:
    answers = store(db, track(messageId="m1"), track(messageId="m1"), track("other", messageId="m1"))
    assert [a.outcome for a in answers] == ["stored", "replay", "clash"]


def test_two_sources_may_use_the_same_id(db: Database) -> None:
    store(db, track(messageId="1"), source="shop")
    assert store(db, track(messageId="1"), source="crm")[0].outcome == "stored"


@pytest.mark.parametrize("seed", range(3))
def test_r14_batches_replayed_and_shuffled_leave_the_same_state(db: Database, seed: int) -> None:
    said = [track(messageId=f"m{n}", properties={"total": n}) for n in range(20)]
    said += [read("identify", messageId="i1", traits={"seats": 4})]
    store(db, *said)
    before = events(db)
    for _ in range(3):
        random.Random(seed).shuffle(said)
        store(db, *said)
    assert events(db) == before


def test_events_wait_for_their_order_of_acceptance(db: Database) -> None:
    store(db, track())
    assert all(row.seq is None for row in events(db))
    with db.read() as tx:
        assert oldest_waiting(tx) == NOW


def test_s01_an_event_never_happens_after_its_acceptance(db: Database) -> None:
    store(db, track(timestamp="2027-01-01T00:00:00Z"))
    assert events(db)[-1].at == NOW


def test_s02_an_event_that_comes_too_late_is_a_fact_only(db: Database) -> None:
    for hours, n in ((23, 1), (25, 2)):
        store(db, track(messageId=f"m{n}", timestamp=(NOW - timedelta(hours=hours)).isoformat()))
    assert [row.fact for row in events(db) if row.name == "cart_updated"] == [False, True]


def test_a_new_lead_and_its_changes_are_events_too(db: Database) -> None:
    store(db, read("identify", traits={"seats": "12"}), read("identify", traits={"seats": 12}), track())
    assert [(r.name, r.properties) for r in events(db)] == [
        ("lead.created", {}),
        ("lead.changed", {"seats": 12}),
        ("cart_updated", {}),
    ]


def test_declared_properties_are_stored_in_their_type(db: Database) -> None:
    given = {"total": "12.50", "at": "2026-03-02T10:00:00+01:00", "items": [{"price": "3"}], "free": "1"}
    store(db, track(properties=given))
    assert events(db)[-1].properties == {
        "total": 12.5,
        "at": "2026-03-02T09:00:00.000000Z",
        "items": [{"price": 3}],
        "free": "1",
    }


def test_a_dirty_value_is_kept_as_it_came(db: Database) -> None:
    store(db, track(properties={"total": "a lot", "at": "soon", "items": "none"}))
    assert events(db)[-1].properties == {"total": "a lot", "at": "soon", "items": "none"}


def test_a_nul_does_not_lose_the_event(db: Database) -> None:
    store(db, track(properties={"te\x00xt": "a\x00b"}))
    assert events(db)[-1].properties == {"text": "ab"}


def test_undeclared_names_are_stored_and_counted(db: Database) -> None:
    counts: Counter[str] = Counter()
    with db.write() as tx:
        said = [track("never_declared", properties={"a": 1}), track(properties={"total": 1, "colour": "red"})]
        record(tx, [(one, "api") for one in said], RULES, NOW, counts)
    assert (counts["undeclared_events"], counts["undeclared_properties"]) == (1, 1)
    assert names(db) == ["never_declared", "cart_updated"]


def test_a_company_is_set_with_its_attributes(db: Database) -> None:
    store(db, read("group", groupId="acme", traits={"size": "50"}))
    with db.read() as tx:
        account = tx.execute(select(t.accounts)).mappings().one()
        lead = tx.execute(select(t.leads.c.account_id)).scalar()
    assert (account["external_id"], account["attributes"], lead) == ("acme", {"size": 50}, account["id"])
    assert ("lead.changed", {"account": "acme"}) in [(r.name, r.properties) for r in events(db)]


def test_a_company_that_changes_is_told_of_the_lead(db: Database) -> None:
    store(db, read("group", groupId="acme", traits={"size": 50}))
    store(db, read("group", groupId="acme", traits={"size": 60}))
    store(db, read("group", groupId="acme", traits={"size": 60}))
    assert [r.name for r in events(db)] == ["lead.created", "lead.changed", "lead.changed"]


def test_a_page_is_an_event_with_its_address(db: Database) -> None:
    page = {"page": {"path": "/pro", "url": "https://shop.example/pro", "title": "Pro"}}
    store(db, read("page", name="Prices", category="trade", context=page))
    assert events(db)[-1].properties == {
        "name": "Prices",
        "category": "trade",
        "path": "/pro",
        "url": "https://shop.example/pro",
        "title": "Pro",
    }


def test_keys_claimed_by_an_open_transaction_are_not_claimed_twice(db: Database) -> None:
    key = EventKey("api", "m1", "body")
    with db.write() as tx:
        assert accept_keys(tx, [key, key], NOW) == ["new", "replay"]
    with db.write() as tx:
        assert accept_keys(tx, [key], NOW) == ["replay"]
