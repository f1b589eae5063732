"""What a first address and another one do to what somebody said (S29, trust C17, X18)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nurture.campaign.project import Topic
from nurture.engine.consent import address_changed, carry
from nurture.lead.consent import ALL_MARKETING
from nurture.store.database import Database
from nurture.store.leads import LeadCall, upsert_leads
from nurture.store.suppressions import scopes
from tests.store.office import (
    ANNA,
    DAY,
    HOUR,
    KEYRING,
    NOW,
    PROJECT,
    RULES,
    Office,
    close,
    ledger,
    reasons,
    row,
    waiting,
    with_topics,
)


@pytest.fixture
def office(db: Database) -> Office:
    return Office(db)


def carried(office: Office) -> dict[str, str]:
    with office.db.write() as tx:
        carry(tx, [office.lead], office.rules, NOW)
    return reasons(office)


def test_c17_what_was_left_before_there_was_an_address_is_shut_at_it(office: Office) -> None:
    for topic, state in (("offers", "withdrawn"), ("letter", "objected"), ("table", "granted")):
        office.world.consent(office.lead, topic, state)
    office.world.consent(office.lead, "tracking_opens", "withdrawn")
    why = "withdrew before this address"
    assert carried(office) == {"topic:offers": why, "topic:letter": why}


def test_c17_everything_left_before_is_shut_whole(office: Office) -> None:
    office.world.consent(office.lead, ALL_MARKETING, "withdrawn")
    assert carried(office) == {"marketing": "withdrew before this address"}


def test_c17_where_everything_is_shut_nothing_is_added(office: Office) -> None:
    office.world.consent(office.lead, "offers", "withdrawn")
    close(office, "marketing")
    assert carried(office) == {"marketing": "left"}


def test_c17_without_an_address_there_is_nothing_to_shut_and_the_next_lead_is_asked(db: Database) -> None:
    nobody, office = Office(db, email=None), Office(db, email=None)
    lead = office.world.lead(address_hash=ANNA)
    for who in (nobody.lead, lead):
        office.world.consent(who, "offers", "withdrawn")
    with db.write() as tx:
        carry(tx, [nobody.lead, lead], RULES, NOW)
    assert reasons(office) == {"topic:offers": "withdrew before this address"}


def test_c17_each_of_several_has_their_own_shut(db: Database) -> None:
    office = Office(db)
    other = office.world.lead(address_hash=NEW)
    for who in (office.lead, other):
        office.world.consent(who, "offers", "withdrawn")
    with db.write() as tx:
        carry(tx, [office.lead, other], RULES, NOW)
        assert set(scopes(tx, [ANNA, NEW])) == {ANNA, NEW}


NEW = KEYRING.address_hash("new@example.com")


def moves(office: Office, email: str = "new@example.com") -> dict[str, str]:
    """The lead has another address; what is shut there."""
    with office.db.write() as tx:
        call = LeadCall(external="u1", columns={"email": email})
        [who] = upsert_leads(tx, [call], project=PROJECT, keyring=KEYRING, now=office.now)
        assert who.old_address
        address_changed(tx, office.lead, who.old_address, office.rules, office.now)
        return dict(scopes(tx, [NEW]).get(NEW, {}))


def test_s29_a_persons_no_goes_along_with_its_reason(office: Office) -> None:
    for scope, reason in (("marketing", "withdrew"), ("topic:offers", "left"), ("all", "bounce")):
        close(office, scope, reason)
    close(office, "topic:letter", "complaint: abuse")
    assert moves(office) == {"marketing": "withdrew", "topic:offers": "left"}
    assert set(reasons(office)) == {"marketing", "topic:offers", "topic:letter", "all"}


def test_s29_where_nothing_was_shut_nothing_is(office: Office) -> None:
    assert moves(office) == {}


@pytest.mark.parametrize(
    ("topic", "state", "more", "asked"),
    [
        ("letter", "granted", {"basis": "consent"}, True),
        ("letter", "requested", {"basis": "consent"}, True),
        ("letter", "withdrawn", {"basis": "consent"}, False),
        ("letter", "expired", {"basis": "consent"}, False),
        ("letter", "granted", {"basis": "consent", "expires_at": NOW}, False),
        ("letter", "granted", {"basis": "soft_opt_in"}, False),
        ("offers", "granted", {"basis": "consent"}, False),
        ("gone", "granted", {"basis": "consent"}, False),
    ],
)
def test_s29_what_the_mailboxs_owner_had_confirmed_is_asked_at_the_new_one(
    office: Office, topic: str, state: str, more: dict[str, Any], asked: bool
) -> None:
    office.world.consent(office.lead, topic, state, requests=0, **more)
    moves(office)
    found = row(office, topic)
    assert (found.state, found.requests) == (("requested", 1) if asked else (state, 0))
    assert [mail["options"]["mailbox"] for mail in waiting(office)] == [NEW[:12]] * asked


def test_s29_the_change_says_so_in_the_ledger(office: Office) -> None:
    office.world.consent(office.lead, "letter", "granted", basis="consent")
    moves(office)
    entry = ledger(office)
    assert (entry["event"], entry["topic"], entry["actor"], entry["method"]) == (
        *("requested", "letter", "engine", "new address"),
    )


def test_s29_what_rests_on_consent_is_asked_for_as_consent_whatever_its_topic_rests_on(office: Office) -> None:
    with_topics(office, club=Topic("club", basis="soft_opt_in", similar_to="tea"))
    office.world.consent(office.lead, "club", "granted", basis="consent")
    moves(office)
    assert (row(office, "club").basis, ledger(office)["basis"]) == ("consent", "consent")


def test_s29_a_confirmation_for_the_old_mailbox_does_not_leave(office: Office) -> None:
    office.say("grant", "letter")
    moves(office)
    assert [(mail.state, mail.reason) for mail in office.mails()] == [("cancelled", "new address"), ("pending", None)]


def test_s29_what_waits_goes_by_the_new_addresss_lane(office: Office) -> None:
    office.world.mail(office.lead, state="pending", topic="offers", sent_at=None)
    office.rules = replace(RULES, lane_of=lambda address: address.rpartition("@")[2])
    office.later(hours=1)
    moves(office)
    assert [(mail["lane"], mail["due"], mail["reason"]) for mail in waiting(office)] == [
        ("example.com", NOW + HOUR, "new address")
    ]


def test_x18_a_mailbox_that_had_its_confirmations_is_not_spared_the_bounds(office: Office) -> None:
    office.world.consent(office.lead, "letter", "granted", basis="consent")
    for days in (9, 5, 3):
        sent = {"kind": "confirm", "sent_at": NOW - days * DAY, "options": {"mailbox": NEW[:12]}}
        office.world.mail(office.lead, **sent)
    moves(office)
    assert (row(office, "letter").requests, row(office, "letter").requested_at) == (3, NOW - 3 * DAY)
    assert waiting(office) == []
