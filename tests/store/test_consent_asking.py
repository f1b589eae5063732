"""Who is asked to confirm, how often, in one mail (trust C7, X18)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from nurture.engine.confirming import ASKED, REFUSED, Confirming
from nurture.engine.consent import Changed, Unchanged, change
from nurture.lead.consent import By, ConsentRefused, Declaration, Proof
from nurture.store import tables as t
from nurture.store import tallies
from nurture.store.database import Database
from nurture.store.leads import LeadCall, upsert_leads
from tests.store.office import (
    DAY,
    KEYRING,
    NOW,
    PROJECT,
    RULES,
    Office,
    declare,
    row,
    saying,
    waiting,
)


@pytest.fixture
def office(db: Database) -> Office:
    return Office(db)


def test_x18_a_campaign_asks_once(office: Office) -> None:
    assert office.say("request", "letter", "campaign") == Changed("requested", mailed=True)
    office.later(days=9)
    assert office.say("request", "letter", "campaign") == Unchanged("requested", mailed=False)
    assert office.say("request", "letter", "person") == Unchanged("requested", mailed=True)


def test_x18_another_topic_a_campaign_asks_about_by_itself(office: Office) -> None:
    office.say("request", "letter", "campaign")
    office.later(days=9)
    assert office.say("request", "offers", "campaign") == Changed("requested", mailed=True)


def test_c07_a_mail_names_all_that_waits_and_counts_for_each(office: Office) -> None:
    office.say("request", "letter")
    office.later(days=1)
    office.say("request", "offers")
    assert waiting(office)[0]["options"]["topics"] == ["offers", "letter"]
    assert [(row(office, topic).requests, row(office, topic).requested_at) for topic in ("letter", "offers")] == [
        (2, NOW + DAY),
        (1, NOW + DAY),
    ]


def test_c07_a_mail_names_nothing_that_does_not_wait(office: Office) -> None:
    office.say("grant", "offers")
    office.say("withdraw", "table")
    office.say("request", "letter")
    assert waiting(office)[0]["options"]["topics"] == ["letter"]


def test_c07_topics_asked_for_together_are_one_mail_and_one_count(office: Office) -> None:
    said = [saying(office, "request", topic) for topic in ("letter", "offers", "letter")]
    assert [answer.mailed for answer in declare(office, *said) if not isinstance(answer, ConsentRefused)] == [True] * 3
    assert [row(office, topic).requests for topic in ("letter", "offers")] == [1, 1]
    assert len(waiting(office)) == 1


@pytest.mark.parametrize(
    ("by", "mailed"), [("person", False), ("api", False), ("campaign", True), ("operator", True), ("engine", True)]
)
def test_x18_only_what_strangers_ask_for_is_bound_by_the_hour(office: Office, by: By, mailed: bool) -> None:
    office.rules = replace(RULES, confirming=Confirming(an_hour=0))
    assert office.say("request", "letter", by) == Changed("requested", mailed=mailed)
    with office.db.write() as tx:
        assert tallies.held(tx, tallies.ASKED, [ASKED, REFUSED], tallies.hour_of(NOW)) == {
            ASKED: 0,
            REFUSED: int(not mailed),
        }


def test_x18_a_small_domains_room_is_its_own_and_a_large_providers_is_none(db: Database) -> None:
    bound = Confirming(an_hour=9, a_domain=1)
    rules = replace(RULES, confirming=bound, lane_of=lambda address: address.rpartition("@")[2].removesuffix(".big"))
    emails = ["a@small.example", "b@small.example", "c@gmail.big", "d@gmail.big"]
    with db.write() as tx:
        calls = [LeadCall(external=email, columns={"email": email}) for email in emails]
        leads = upsert_leads(tx, calls, project=PROJECT, keyring=KEYRING, now=NOW)
        said = [Declaration(who.lead, "letter", "request", "person", "person", NOW, Proof("form")) for who in leads]
        answers = change(tx, said, rules, NOW)
        names = [ASKED, f"{ASKED}:small.example", f"{ASKED}:gmail", REFUSED]
        counted = tallies.held(tx, tallies.ASKED, names, tallies.hour_of(NOW))
    assert [answer.mailed for answer in answers if isinstance(answer, Changed)] == [True, False, True, True]
    assert counted == {ASKED: 3, f"{ASKED}:small.example": 1, f"{ASKED}:gmail": 0, REFUSED: 1}
    with db.read() as tx:
        assert list(tx.execute(select(t.messages.c.lane)).scalars()) == ["small.example", "gmail", "gmail"]
