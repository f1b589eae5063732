"""No to all marketing, and a yes after it (trust C17)."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from nurture.engine.consent import Changed, Unchanged
from nurture.lead.consent import ALL_MARKETING, Action
from nurture.store import tables as t
from nurture.store.database import Database
from nurture.store.suppressions import lift
from tests.store.office import (
    ANNA,
    HOUR,
    NOW,
    PROJECT,
    Office,
    close,
    declare,
    ledger,
    person,
    reasons,
    row,
    saying,
    told,
)


@pytest.fixture
def office(db: Database) -> Office:
    return Office(db)


# --- everything ---


@pytest.mark.parametrize(
    ("action", "state", "entry", "reason"),
    [
        ("withdraw", "withdrawn", "withdrawn", "withdrew marketing"),
        ("object", "objected", "objection", "objected to marketing"),
    ],
)
def test_c17_leaving_everything_closes_all_topics_with_one_entry(
    office: Office, action: Action, state: str, entry: str, reason: str
) -> None:
    office.say("grant", "offers")
    office.say("grant", "table", evidence={"sale": "1"})
    office.later(hours=1)
    assert office.say(action, ALL_MARKETING) == Changed(state)  # type: ignore[arg-type]
    assert ledger(office)["event"] == entry
    assert reasons(office) == {"marketing": reason}
    for topic in (*PROJECT.topics, ALL_MARKETING):
        found = row(office, topic)
        assert (found.state, found.since, found.expires_at) == (state, NOW + HOUR, None)
    assert told(office)[2:] == [("consent.withdrawn", topic) for topic in PROJECT.topics]
    assert person(office).unprofiled is (action == "object")


def test_c17_a_topic_that_was_left_before_keeps_its_day(office: Office) -> None:
    office.say("withdraw", "offers")
    office.later(hours=1)
    office.say("withdraw", ALL_MARKETING)
    assert row(office).since == NOW
    assert told(office) == [("consent.withdrawn", topic) for topic in ("offers", "letter", "table")]


def test_c17_an_objection_to_everything_is_one_to_what_was_left_before(office: Office) -> None:
    office.say("withdraw", "offers")
    office.say("object", ALL_MARKETING)
    assert row(office).state == "objected"
    assert told(office).count(("consent.withdrawn", "offers")) == 1


def test_c17_everything_is_no_purpose(office: Office) -> None:
    office.say("grant", "tracking_opens")
    office.say("withdraw", ALL_MARKETING)
    assert office.state("tracking_opens") == "granted"


def test_c17_a_topic_that_is_declared_no_more_is_left_with_everything(office: Office) -> None:
    office.world.consent(office.lead, "gone")
    office.say("withdraw", ALL_MARKETING)
    assert office.state("gone") == "withdrawn"


def test_c17_without_an_address_everything_is_left_once(db: Database) -> None:
    office = Office(db, email=None)
    answers = [office.say("withdraw", ALL_MARKETING) for _ in range(2)]
    assert answers == [Changed("withdrawn"), Unchanged("withdrawn")]
    with db.read() as tx:
        assert tx.execute(select(t.suppressions)).all() == []


def test_c17_who_left_everything_and_is_not_on_the_list_is_put_there(office: Office) -> None:
    office.say("withdraw", ALL_MARKETING)
    with office.db.write() as tx:
        lift(tx, [(ANNA, "marketing")])
    assert office.say("withdraw", ALL_MARKETING) == Changed("withdrawn")
    assert reasons(office) == {"marketing": "withdrew marketing"}


def test_c17_two_that_leave_at_once_are_each_other_no_hindrance(office: Office) -> None:
    leaving = [saying(office, "withdraw", ALL_MARKETING), saying(office, "withdraw", ALL_MARKETING)]
    assert declare(office, *leaving) == [Changed("withdrawn"), Unchanged("withdrawn")]


# --- agreeing again ---


def test_c17_left_and_agreed_to_in_one_breath_the_rest_keeps_why(office: Office) -> None:
    declare(office, saying(office, "withdraw", ALL_MARKETING), saying(office, "grant"))
    assert reasons(office) == dict.fromkeys(("topic:letter", "topic:table"), "withdrew marketing")


def test_e14_a_mail_that_leaving_everything_cancels_says_so(office: Office) -> None:
    office.world.mail(office.lead, state="pending", topic="offers", sent_at=None)
    office.say("withdraw", ALL_MARKETING)
    assert [mail.reason for mail in office.mails()] == ["withdrew marketing"]


def test_c17_what_stays_closed_keeps_why(office: Office) -> None:
    close(office, "marketing", "erased")
    office.say("grant", "offers")
    assert reasons(office) == {"topic:letter": "erased", "topic:table": "erased"}


def test_c17_a_yes_takes_back_leaving_everything(office: Office) -> None:
    office.say("object", ALL_MARKETING)
    office.later(hours=1)
    office.say("grant", "offers")
    everything = row(office, ALL_MARKETING)
    assert (everything.state, everything.since) == ("none", NOW + HOUR)


def test_c17_a_yes_of_the_shops_takes_back_nothing(db: Database) -> None:
    office = Office(db, email=None)
    office.say("withdraw", ALL_MARKETING)
    with db.write() as tx:
        tx.execute(update(t.consents).where(t.consents.c.topic == "offers").values(state="none"))
    assert office.say("grant", "offers", "operator") == Changed("granted")
    assert office.state(ALL_MARKETING) == "withdrawn"


def test_c17_left_and_agreed_to_in_one_breath_is_open(office: Office) -> None:
    declare(office, saying(office, "withdraw"), saying(office, "withdraw", "table"), saying(office, "grant"))
    assert reasons(office) == {"topic:table": "withdrew table"}
