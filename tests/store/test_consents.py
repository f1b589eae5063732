"""The present state of consent as it is stored and read back, and what it allows (trust C6, C11, C14)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from nurture.campaign.project import Project, Topic
from nurture.lead.permission import Standing
from nurture.lead.soft_opt_in import Grounds
from nurture.store.consents import (
    Confirmed,
    Consent,
    Person,
    confirmations,
    due_to_expire,
    people,
    sale_columns,
    sale_of,
    save,
)
from nurture.store.database import Database
from nurture.store.permissions import permit, standing
from tests.store.people import DAY, NOW, World

SALE = Grounds("sale", "order 1042", NOW - DAY, objection_offered=True)
HASH = "a" * 64


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


# --- people ---


def test_c06_a_person_is_read_with_everything_that_consent_is_about(world: World) -> None:
    known: dict[str, Any] = {
        "email": "anna@example.com",
        "address_hash": HASH,
        "country": "FR",
        "zone": "Europe/Paris",
        "locale": "fr",
        "restricted": True,
        "unprofiled": True,
        "paused_until": NOW + DAY,
    }
    lead = world.lead(**known)
    world.suppress(HASH, "topic:offers")
    asked = Consent(lead, "offers", "granted", NOW - DAY, "soft_opt_in", NOW + DAY, 2, NOW - 2 * DAY, SALE)
    with world.db.write() as tx:
        save(tx, [asked])
        assert people(tx, [lead]) == {
            lead: Person(lead, **known, consents={"offers": asked}, scopes={"topic:offers": "test"})
        }


def test_c06_each_person_has_their_own_consents_and_suppressions(world: World) -> None:
    anna, bo, nobody = world.lead(address_hash=HASH), world.lead(address_hash="b" * 64), world.lead()
    for lead, topic in ((anna, "offers"), (bo, "letter"), (nobody, "table")):
        world.consent(lead, topic)
    world.suppress(HASH, "all")
    world.suppress("b" * 64, "marketing")
    world.suppress("", "marketing")  # nobody's: a lead without an address is not suppressed by it
    with world.db.read() as tx:
        found = people(tx, [nobody, bo, anna, bo])
    assert {lead: (set(p.consents), set(p.scopes)) for lead, p in found.items()} == {
        anna: ({"offers"}, {"all"}),
        bo: ({"letter"}, {"marketing"}),
        nobody: ({"table"}, set()),
    }
    assert list(found) == sorted(found)


@pytest.mark.parametrize("there", [True, False])
def test_x07_a_lead_that_is_not_there_costs_as_many_queries_as_one_that_is(world: World, there: bool) -> None:
    lead = world.lead(address_hash=HASH)
    asked: list[object] = []
    with world.db.read() as tx:
        event.listen(tx, "before_cursor_execute", lambda *_: asked.append(None))
        assert list(people(tx, [lead if there else lead + 1])) == [lead] * there
    assert len(asked) == 3


def test_c06_a_state_that_is_written_again_is_the_later_one(world: World) -> None:
    lead = world.lead()
    first = Consent(lead, "offers", "requested", NOW, "consent", None, 1, NOW)
    other = replace(first, topic="letter")
    then = Consent(lead, "offers", "granted", NOW + DAY, "soft_opt_in", NOW + 9 * DAY, 0, None, SALE)
    with world.db.write() as tx:
        save(tx, [first, other])
        save(tx, [then])
        assert people(tx, [lead])[lead].consents == {"letter": other, "offers": then}


def test_c06_no_state_is_written_where_none_is_given(world: World) -> None:
    lead = world.lead()
    with world.db.write() as tx:
        save(tx, [])
        assert people(tx, [lead])[lead].consents == {}


def test_c10_a_sale_is_stored_column_by_column_and_read_back(world: World) -> None:
    columns = sale_columns(SALE)
    assert columns == {
        "sale_kind": "sale",
        "sale_reference": "order 1042",
        "sold_at": NOW - DAY,
        "objection_offered": True,
    }
    assert sale_of(columns) == SALE


# --- what ran out ---


@pytest.mark.parametrize(
    ("state", "expires_at", "due"),
    [
        ("granted", NOW - DAY, True),
        ("granted", NOW, True),
        ("granted", NOW + timedelta(seconds=1), False),
        ("granted", None, False),
        ("expired", NOW - DAY, False),
        ("withdrawn", NOW - DAY, False),
    ],
)
def test_c14_a_consent_is_due_to_expire_from_its_instant_on(
    world: World, state: str, expires_at: Any, due: bool
) -> None:
    lead = world.lead()
    world.consent(lead, "offers", state, expires_at=expires_at)
    with world.db.read() as tx:
        assert due_to_expire(tx, NOW, 10) == [(lead, "offers")] * due


def test_c14_what_ran_out_comes_in_the_same_order_page_by_page(world: World) -> None:
    one, two = world.lead(), world.lead()
    for lead, topic in ((two, "letter"), (one, "offers"), (two, "art"), (one, "letter")):
        world.consent(lead, topic, expires_at=NOW)
    with world.db.read() as tx:
        assert due_to_expire(tx, NOW, 3) == [(one, "letter"), (one, "offers"), (two, "art")]


# --- confirmation mails ---


def test_x18_confirmation_mails_are_counted_by_person_and_mailbox_with_the_latest(world: World) -> None:
    one, two = world.lead(), world.lead()
    for lead, mailbox, days in ((one, "a", 3), (one, "a", 1), (one, "a", 2), (one, "b", 5), (two, "a", 4)):
        at = NOW - days * DAY
        world.mail(lead, kind="confirm", options={"mailbox": mailbox}, sent_at=at, released_at=at - DAY)
    with world.db.read() as tx:
        assert confirmations(tx, [one, two]) == {
            (one, "a"): Confirmed(3, NOW - DAY),
            (one, "b"): Confirmed(1, NOW - 5 * DAY),
            (two, "a"): Confirmed(1, NOW - 4 * DAY),
        }
        assert set(confirmations(tx, [two])) == {(two, "a")}


@pytest.mark.parametrize(
    ("values", "counted"),
    [
        ({}, Confirmed(1, NOW)),
        ({"sent_at": None, "state": "pending"}, Confirmed(1, NOW - DAY)),
        ({"state": "unknown"}, Confirmed(1, NOW)),
        ({"state": "cancelled"}, None),
        ({"kind": "mail"}, None),
    ],
)
def test_x18_what_was_cancelled_or_asks_nothing_is_no_confirmation_mail(
    world: World, values: dict[str, Any], counted: Confirmed | None
) -> None:
    lead = world.lead()
    world.mail(lead, **{"kind": "confirm", "sent_at": NOW, "released_at": NOW - DAY, **values})
    with world.db.read() as tx:
        assert confirmations(tx, [lead]).get((lead, "")) == counted


# --- what it allows ---

PROJECT = Project(
    topics={
        "offers": Topic("offers", basis="legitimate_interest", countries=("US",), similar_to="tea"),
        "orders": Topic("orders", basis="service"),
    }
)


def somebody(**changes: Any) -> Person:
    values: dict[str, Any] = {
        "id": 1,
        "email": "anna@example.com",
        "address_hash": HASH,
        "country": "US",
        "zone": None,
        "locale": None,
        "restricted": False,
    }
    return Person(**{**values, **changes})


def test_c06_permission_is_judged_by_everything_that_is_known_of_the_person() -> None:
    row = Consent(1, "offers", "granted", NOW, "legitimate_interest", NOW + DAY, grounds=SALE)
    who = somebody(restricted=True, paused_until=NOW + DAY, consents={"offers": row}, scopes={"all": "bounce"})
    assert standing(PROJECT, who, "offers") == Standing(
        has_address=True,
        restricted=True,
        state="granted",
        basis="legitimate_interest",
        expires_at=NOW + DAY,
        scopes={"all": "bounce"},
        country="US",
        countries=("US",),
        grounds=SALE,
        similar=True,
        paused_until=NOW + DAY,
    )


def test_c06_of_a_topic_nobody_declared_or_answered_nothing_is_known() -> None:
    assert standing(PROJECT, somebody(email=None, country=None), "unheard of") == Standing(
        has_address=False, restricted=False, state="none", basis=None, expires_at=None, scopes={}, country=None
    )


@pytest.mark.parametrize(
    ("changes", "service", "topics"),
    [
        ({}, "ok", {"offers": "no consent", "orders": "ok", "unheard of": "no consent"}),
        ({"email": None}, "no address", {"offers": "no address", "orders": "no address", "unheard of": "no address"}),
        ({"restricted": True}, "suppressed", {"orders": "suppressed"}),
        ({"scopes": {"all": "bounce"}}, "suppressed", {"orders": "suppressed"}),
        ({"scopes": {"topic:orders": "left"}}, "ok", {"orders": "suppressed"}),
        ({"consents": {"offers": Consent(1, "offers", "granted", NOW)}}, "ok", {"offers": "ok"}),
        (
            {"consents": {"offers": Consent(1, "offers", "granted", NOW, expires_at=NOW)}},
            "ok",
            {"offers": "no consent"},
        ),
    ],
)
def test_c06_c17_each_topic_is_judged_by_itself_and_service_mail_apart(
    changes: dict[str, Any], service: str, topics: dict[str, str]
) -> None:
    may = permit(PROJECT, somebody(**changes), topics, NOW)
    assert (may.service, may.topics) == (service, topics)


def test_c06_a_topic_nobody_declared_needs_consent() -> None:
    gone = {"gone": Consent(1, "gone", "granted", NOW, "consent")}
    assert permit(PROJECT, somebody(consents=gone), ["gone"], NOW).topics == {"gone": "ok"}
