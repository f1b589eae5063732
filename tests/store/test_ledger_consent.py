"""Consent changes in one place: what it leaves in the ledger, in the state, and in what was about to be sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from nurture.campaign.duration import Duration
from nurture.campaign.project import Topic
from nurture.engine.confirming import request_of
from nurture.engine.consent import Answer, Changed, ConsentRules, Unchanged, address_changed, change
from nurture.engine.recording import record
from nurture.engine.segment import Said, read_call
from nurture.engine.upkeep import expire_consents
from nurture.lead.consent import ALL_MARKETING, By, ConsentRefused, Declaration, Proof
from nurture.lead.soft_opt_in import Grounds
from nurture.store import tables as t
from nurture.store.consents import due_to_expire, people
from nurture.store.database import Database
from nurture.store.leads import LeadCall, upsert_leads
from nurture.store.ledger import entries_of
from nurture.store.ledger_check import verify
from nurture.store.permissions import permit
from nurture.store.suppressions import all_rows, lift, scopes, suppress
from tests.store.office import KEYRING, NOW, PROJECT, RULES, Office


@pytest.fixture
def office(db: Database) -> Office:
    return Office(db)


def test_c07_agreeing_waits_for_a_confirmation(office: Office) -> None:
    assert office.say("grant", "letter") == Changed("requested", mailed=True)
    [mail] = office.mails()
    assert (mail.kind, mail.state) == ("confirm", "pending")
    assert mail.options["topics"] == ["letter"]
    assert mail.options["requests"] == {"letter": request_of(NOW)}


def test_c07_confirming_twice_is_one_entry(office: Office) -> None:
    office.say("grant", "letter")
    assert office.confirm() == Changed("granted")
    assert office.confirm() == Unchanged("granted")
    assert office.entries() == [("requested", "letter"), ("confirmed", "letter")]


def test_c01_the_confirmation_holds_proof_of_both_steps(office: Office) -> None:
    text = "Yes, send me the letter."
    office.say("grant", "letter", wording=text, ip="192.0.2.1", page="/f/guide")
    office.later(hours=1)
    office.confirm(request=NOW)
    with office.db.read() as tx:
        last = entries_of(tx, office.lead)[-1]
    assert last["wording"] == text
    assert last["evidence"]["requested"]["ip"] == "192.0.2.1"
    assert last["evidence"]["requested"]["recorded_at"] == "2026-03-02T09:00:00.000000Z"


def test_c02_old_proofs_keep_the_old_text(office: Office) -> None:
    office.say("grant", "offers", wording="Old words")
    office.rules = msgspec_replace(office.rules, topics={"offers": Topic("offers", wording={"en": "New words"})})
    with office.db.read() as tx:
        [entry] = entries_of(tx, office.lead)
    assert (entry["wording"], len(entry["wording_version"])) == ("Old words", 12)


def msgspec_replace(rules: ConsentRules, **changes: Any) -> ConsentRules:
    return ConsentRules(msgspec.structs.replace(rules.project, **changes), rules.keyring)


def test_c07_a_link_too_old_confirms_nothing(office: Office) -> None:
    office.say("grant", "letter")
    office.later(days=8)
    assert isinstance(office.confirm(request=NOW), ConsentRefused)
    assert office.state("letter") == "requested"


def test_c08_a_second_request_within_a_day_sends_no_mail(office: Office) -> None:
    office.say("grant", "letter")
    office.later(hours=23)
    assert office.say("grant", "letter") == Unchanged("requested", mailed=False)
    office.later(hours=2)
    assert office.say("grant", "letter") == Unchanged("requested", mailed=True)


def test_x18_three_confirmation_mails_are_all(office: Office) -> None:
    for _ in range(6):
        office.say("grant", "letter")
        office.later(days=2)
    assert len(office.mails()) == 3


def test_x18_refusing_does_not_earn_another_mail(office: Office) -> None:
    for _ in range(5):
        office.say("grant", "letter")
        office.say("withdraw", "letter")
        office.later(days=2)
    assert len(office.mails()) == 3


def test_topics_ticked_together_are_asked_for_in_one_mail(office: Office) -> None:
    office.rules = msgspec_replace(office.rules, topics={**PROJECT.topics, "news": Topic("news")})
    said = [
        Declaration(office.lead, topic, "grant", "person", "person", NOW, Proof(method="form"))
        for topic in ("letter", "news")
    ]
    with office.db.write() as tx:
        change(tx, said, office.rules, NOW)
    [mail] = office.mails()
    assert mail.options["topics"] == ["letter", "news"]


def test_an_old_link_in_a_mail_renews_what_was_granted(office: Office) -> None:
    office.say("grant", "offers")
    office.later(days=800)
    assert office.say("renew", "offers", method="double_opt_in") == Changed("granted")
    assert office.say("renew", "offers", method="double_opt_in") == Unchanged("granted")
    assert office.entries()[-1] == ("renewed", "offers")
    assert office.events()[-1] == ("consent.granted", "offers")


def test_an_old_link_in_a_mail_brings_nobody_back(office: Office) -> None:
    office.say("grant", "offers")
    office.say("withdraw", "offers")
    assert isinstance(office.say("renew", "offers"), ConsentRefused)


def test_e14_withdrawing_cancels_what_waits(office: Office) -> None:
    office.say("grant", "offers")
    for state in ("pending", "claimed", "sending"):
        office.world.mail(office.lead, state=state, topic="offers", sent_at=None)
    office.world.mail(office.lead, state="pending", topic="letter", sent_at=None)
    office.world.mail(office.lead, state="pending", service=True, sent_at=None)
    office.say("withdraw", "offers")
    assert [m.state for m in office.mails()] == ["cancelled", "cancelled", "sending", "pending", "pending"]
    assert office.mails()[0].reason == "withdrew offers"


def test_e14_a_claim_does_not_outlive_the_withdrawal(office: Office) -> None:
    office.say("grant", "offers")
    mail = office.world.mail(office.lead, state="claimed", topic="offers", fence=7, sent_at=None)
    office.say("withdraw", "offers")
    with office.db.read() as tx:
        assert tx.execute(select(t.messages.c.fence).where(t.messages.c.id == mail)).scalar() == 8


def test_s25_withdrawing_ends_the_campaigns_of_that_topic(office: Office) -> None:
    office.say("grant", "offers")
    sale = office.world.enrollment(office.lead, "sale", step="second")
    course = office.world.enrollment(office.lead, "course")
    office.say("withdraw", "offers")
    with office.db.read() as tx:
        c = t.enrollments.c
        rows = {r.id: (r.state, r.reason) for r in tx.execute(select(c.id, c.state, c.reason))}
        why = tx.execute(select(t.decisions.c.what, t.decisions.c.reason, t.decisions.c.step)).all()
    assert rows == {sale: ("exited", "withdrew offers"), course: ("waiting", None)}
    assert why == [("ended", "exit(withdrew offers)", "second")]


def test_withdrawing_twice_is_one_entry(office: Office) -> None:
    office.say("grant", "offers")
    assert office.say("withdraw", "offers", method="one_click") == Changed("withdrawn")
    assert office.say("withdraw", "offers", method="one_click") == Unchanged("withdrawn")
    assert office.entries() == [("granted", "offers"), ("withdrawn", "offers")]
    assert office.closed() == {"topic:offers"}


def test_saying_no_before_any_yes_counts(office: Office) -> None:
    assert office.say("withdraw", "table") == Changed("withdrawn")
    assert office.entries() == [("refused", "table")]


def test_c17_all_marketing_closes_every_topic_with_one_entry(office: Office) -> None:
    office.say("grant", "offers")
    office.world.mail(office.lead, state="pending", topic="offers", sent_at=None)
    office.world.mail(office.lead, state="pending", service=True, sent_at=None)
    assert office.say("withdraw", ALL_MARKETING) == Changed("withdrawn")
    assert office.say("withdraw", ALL_MARKETING) == Unchanged("withdrawn")
    assert office.entries() == [("granted", "offers"), ("withdrawn", None)]
    assert {office.state(topic) for topic in PROJECT.topics} == {"withdrawn"}
    assert office.closed() == {"marketing"}
    assert [m.state for m in office.mails()] == ["cancelled", "pending"]


def test_c17_agreeing_again_opens_that_topic_only(office: Office) -> None:
    office.say("withdraw", ALL_MARKETING)
    assert office.say("grant", "offers") == Changed("granted")
    assert office.closed() == {"topic:letter", "topic:table"}
    assert (office.state("offers"), office.state("letter")) == ("granted", "withdrawn")


@pytest.mark.parametrize("by", ["import", "api", "operator", "campaign"])
def test_c13_nobody_else_brings_back_who_left(office: Office, by: By) -> None:
    office.say("grant", "offers")
    office.say("withdraw", "offers")
    assert isinstance(office.say("grant", "offers", by), ConsentRefused)
    assert office.state("offers") == "withdrawn"
    assert office.closed() == {"topic:offers"}


def test_c13_a_form_without_proof_of_the_address_asks_first(office: Office) -> None:
    office.say("withdraw", "offers")
    assert office.say("grant", "offers", method="form") == Changed("requested", mailed=True)
    assert office.closed() == {"topic:offers"}
    assert office.confirm("offers") == Changed("granted")
    assert office.closed() == set()


def test_c13_a_suppression_that_outlived_the_lead_stops_an_import(db: Database) -> None:
    office = Office(db)
    office.world.suppress(KEYRING.address_hash("anna@example.com"), "topic:offers")
    assert isinstance(office.say("grant", "offers", "import"), ConsentRefused)


def test_x18_a_complaint_gets_no_confirmation(db: Database) -> None:
    office = Office(db)
    office.world._add(
        t.suppressions,
        address_hash=KEYRING.address_hash("anna@example.com"),
        scope="marketing",
        reason="complaint",
        at=NOW,
    )
    assert isinstance(office.say("grant", "letter"), ConsentRefused)
    assert not office.mails()


def test_an_import_keeps_its_date_and_starts_nothing(office: Office) -> None:
    said = Declaration(
        office.lead, "table", "grant", "import", "import", NOW - timedelta(days=700), Proof(method="import")
    )
    with office.db.write() as tx:
        change(tx, [said], office.rules, NOW)
        row = people(tx, [office.lead])[office.lead].consents["table"]
        fact = tx.execute(select(t.events.c.fact)).scalar()
    assert (row.since, row.basis, fact) == (NOW - timedelta(days=700), "soft_opt_in", True)
    assert row.expires_at is not None
    assert row.expires_at - NOW < timedelta(days=32)


def test_a_consent_that_ran_out_is_given_anew(office: Office) -> None:
    office.say("grant", "table")
    office.later(days=800)
    assert office.say("grant", "table") == Changed("granted")
    assert office.entries()[-1] == ("renewed", "table")


def test_c14_a_consent_that_ran_out_says_so_once(office: Office) -> None:
    office.say("grant", "table")
    office.later(days=800)
    for _ in range(2):
        expire_consents(office.db, office.rules, office.now)
    assert office.state("table") == "expired"
    assert office.entries() == [("granted", "table"), ("expired", "table")]
    with office.db.read() as tx:
        assert due_to_expire(tx, office.now, 10) == []


def test_a_campaign_may_ask_but_not_grant(office: Office) -> None:
    assert isinstance(office.say("grant", "offers", "campaign"), ConsentRefused)
    assert office.say("request", "letter", "campaign") == Changed("requested", mailed=True)


def test_nobody_without_an_address_is_asked_to_confirm(db: Database) -> None:
    office = Office(db, email=None)
    assert isinstance(office.say("grant", "letter"), ConsentRefused)


def test_a_topic_nobody_declared_is_refused(office: Office) -> None:
    assert office.say("grant", "leter") == ConsentRefused("there is no topic 'leter'")


def test_every_change_is_an_event(office: Office) -> None:
    office.say("grant", "letter")
    office.confirm()
    office.say("withdraw", "letter")
    assert office.events() == [
        ("consent.requested", "letter"),
        ("consent.granted", "letter"),
        ("consent.withdrawn", "letter"),
    ]


def moved(office: Office, email: str = "new@example.com") -> None:
    """The lead has another address now."""
    columns = {"email": email}
    with office.db.write() as tx:
        call = LeadCall(external="u1", columns=columns)
        [who] = upsert_leads(tx, [call], project=PROJECT, keyring=KEYRING, now=office.now)
        assert who.old_address
        address_changed(tx, office.lead, who.old_address, office.rules, office.now)


def test_s29_a_new_address_confirms_anew_where_it_had_to(office: Office) -> None:
    office.say("grant", "letter")
    office.confirm()
    office.say("grant", "offers")
    office.later(days=3)
    moved(office)
    assert (office.state("letter"), office.state("offers")) == ("requested", "granted")
    assert office.mails()[-1].kind == "confirm"


def test_s29_the_link_sent_to_the_old_address_confirms_nothing(office: Office) -> None:
    office.say("grant", "letter")
    office.later(hours=1)
    moved(office)
    assert isinstance(office.confirm(request=NOW), ConsentRefused)


def test_s29_a_withdrawal_goes_along_and_a_bounce_stays(office: Office) -> None:
    office.say("withdraw", "offers")
    office.world.suppress(KEYRING.address_hash("anna@example.com"), "all")
    moved(office)
    with office.db.read() as tx:
        mine = scopes(tx, [h := KEYRING.address_hash("new@example.com")])[h]
    assert set(mine) == {"topic:offers"}


def test_x18_an_address_changed_to_and_fro_gets_one_confirmation_a_day_and_three_in_all(office: Office) -> None:
    office.say("grant", "letter")
    anna = 1
    for day in range(6):
        for _ in range(2):
            office.sent()
            moved(office)
            office.sent()
            before = len(office.mails())
            moved(office, "anna@example.com")
            anna += len(office.mails()) > before
        assert anna == min(day + 1, 3)
        office.later(hours=25)


def test_x18_a_day_between_confirmations_is_counted_from_when_one_left(office: Office) -> None:
    office.say("request", "letter")
    office.later(hours=24)  # the mail server was away for a day
    office.sent()
    office.later(hours=3)
    office.say("request", "letter")
    assert len(office.mails()) == 1
    office.later(hours=21)
    office.say("request", "letter")
    assert len(office.mails()) == 2


def test_s29_what_waits_is_made_anew(office: Office) -> None:
    office.world.mail(office.lead, state="claimed", topic="offers", mail_id="1@x", body=b"x", sent_at=None)
    moved(office)
    with office.db.read() as tx:
        c = t.messages.c
        assert tx.execute(select(c.state, c.mail_id, c.body)).all() == [("pending", None, None)]


def test_s27_signing_in_joins_both_persons_proofs(db: Database) -> None:
    office = Office(db)
    office.say("grant", "offers")
    with db.write() as tx:
        [visitor] = upsert_leads(tx, [LeadCall(anonymous="a1")], project=PROJECT, keyring=KEYRING, now=NOW)
        said = Declaration(visitor.lead, "offers", "withdraw", "person", "person", NOW, Proof(method="page"))
        change(tx, [said], RULES, NOW)
        call = read_call(b'{"userId": "u1", "anonymousId": "a1"}', "identify")
        assert isinstance(call, Said)
        record(tx, [(call, "api")], RULES, NOW, Counter())
    assert office.state("offers") == "withdrawn"
    assert sorted(office.entries()) == [("granted", "offers"), ("merged", None), ("refused", "offers")]
    with db.read() as tx:
        assert verify(tx, KEYRING) == []


def identified(office: Office, email: str) -> None:
    call = Said("identify", None, "", external="u1", traits={"email": email})
    with office.db.write() as tx:
        record(tx, [(call, "api")], office.rules, office.now, Counter())


def complained(office: Office, email: str) -> None:
    closed = KEYRING.address_hash(email)
    with office.db.write() as tx:
        lift(tx, [(closed, "marketing")])
        suppress(tx, [(closed, "marketing", "complaint: abuse")], office.now)


def test_c17_all_marketing_left_before_there_was_an_address_is_shut_at_the_first_one(db: Database) -> None:
    office = Office(db, email=None)
    office.say("withdraw", ALL_MARKETING)
    identified(office, "anna@example.com")
    assert "marketing" in office.closed()


def test_c17_a_topic_left_before_there_was_an_address_is_shut_at_the_first_one(db: Database) -> None:
    office = Office(db, email=None)
    office.say("withdraw", "offers")
    identified(office, "anna@example.com")
    assert office.closed() == {"topic:offers"}


def test_c17_a_yes_after_leaving_everything_is_no_longer_leaving_everything(db: Database) -> None:
    office = Office(db, email=None)
    office.say("withdraw", ALL_MARKETING)
    office.say("grant", "offers")
    identified(office, "anna@example.com")
    assert office.closed() == {"topic:letter", "topic:table"}


def test_c17_leaving_everything_after_a_yes_without_an_address_leaves_it(db: Database) -> None:
    office = Office(db, email=None)
    office.say("withdraw", ALL_MARKETING)
    office.say("grant", "offers")
    office.say("withdraw", ALL_MARKETING)
    assert office.state("offers") == "withdrawn"


def test_c17_who_complained_has_left_everything_at_another_address_too(office: Office) -> None:
    office.say("withdraw", ALL_MARKETING)
    complained(office, "anna@example.com")
    identified(office, "new@example.com")
    with office.db.read() as tx:
        assert "marketing" in scopes(tx, [h := KEYRING.address_hash("new@example.com")])[h]


def test_s27_what_one_of_two_left_is_shut_at_the_address_of_the_person_they_prove_to_be(office: Office) -> None:
    with office.db.write() as tx:
        other = LeadCall(external="u2", columns={"email": "second@example.com"})
        [visitor] = upsert_leads(tx, [other], project=PROJECT, keyring=KEYRING, now=NOW)
        said = Declaration(visitor.lead, ALL_MARKETING, "withdraw", "person", "person", NOW, Proof(method="page"))
        change(tx, [said], RULES, NOW)
        record(tx, [(Said("alias", None, "", external="u1", previous="u2"), "api")], RULES, NOW, Counter())
    assert "marketing" in office.closed()


def test_x18_another_address_where_somebody_complained_is_not_asked_to_confirm(office: Office) -> None:
    office.say("grant", "letter")
    office.confirm()
    complained(office, "new@example.com")
    identified(office, "new@example.com")
    assert office.state("letter") == "requested"
    assert len(office.mails()) == 1


def test_s29_a_consent_that_ran_out_is_not_asked_for_at_another_address(office: Office) -> None:
    topics = {"letter": msgspec.structs.replace(PROJECT.topics["letter"], expires_after=Duration(months=12))}
    office.rules = msgspec_replace(office.rules, topics=topics)
    office.say("grant", "letter")
    office.confirm()
    office.later(days=400)
    identified(office, "new@example.com")
    assert len(office.mails()) == 1


def test_c08_a_day_after_the_last_one_another_confirmation_may_go(office: Office) -> None:
    office.say("grant", "letter")
    office.later(hours=24)
    assert office.say("grant", "letter") == Unchanged("requested", mailed=True)


def test_c07_a_link_confirms_up_to_its_seventh_day(office: Office) -> None:
    office.say("grant", "letter")
    office.later(days=7)
    assert office.confirm(request=NOW) == Changed("granted")


def test_c25_the_list_is_read_by_address_and_scope(office: Office) -> None:
    office.say("withdraw", "offers")
    hash_ = KEYRING.address_hash("anna@example.com")
    with office.db.read() as tx:
        [(key, row)] = all_rows(tx).items()
    assert key == (hash_, "topic:offers") == (row.address_hash, row.scope)
    assert row.reason == "withdrew offers"


def test_c17_topics_agreed_to_together_after_leaving_everything_are_all_open(office: Office) -> None:
    office.say("withdraw", ALL_MARKETING)
    said = [
        Declaration(office.lead, topic, "grant", "person", "person", NOW, Proof(method="preferences"))
        for topic in ("offers", "table")
    ]
    with office.db.write() as tx:
        change(tx, said, office.rules, NOW)
    assert office.closed() == {"topic:letter"}


def test_x18_a_confirmation_that_has_not_left_gives_way_to_the_next_which_names_all_that_waits(office: Office) -> None:
    office.rules = msgspec_replace(office.rules, topics={**PROJECT.topics, "news": Topic("news")})
    office.say("grant", "letter")
    office.later(days=2)
    office.say("grant", "news")
    assert [mail.state for mail in office.mails()] == ["cancelled", "pending"]
    assert office.mails()[-1].options["topics"] == ["news", "letter"]


# --- soft opt-in ---

SALE = {"sale": "order 1042", "sold_at": "2026-03-01T09:00:00Z", "objection_offered": True}


def sold(office: Office, by: By = "api", **evidence: Any) -> Answer:
    said = {name: value for name, value in {**SALE, **evidence}.items() if value is not None}
    return office.say("grant", "table", by, evidence=said)


def mailed(office: Office) -> str:
    with office.db.read() as tx:
        return permit(PROJECT, people(tx, [office.lead])[office.lead], ["table"], office.now).topics["table"]


def test_c10_a_sale_as_stated_is_kept_beside_the_consent(office: Office) -> None:
    assert sold(office) == Changed("granted")
    with office.db.read() as tx:
        row = people(tx, [office.lead])[office.lead].consents["table"]
    assert row.grounds == Grounds("sale", "order 1042", NOW - timedelta(days=1), objection_offered=True)
    assert mailed(office) == "ok"


@pytest.mark.parametrize(
    ("evidence", "lacks"),
    [
        ({"sale": None}, "soft opt-in without a sale"),
        ({"sale": ""}, "soft opt-in without a sale"),
        ({"sold_at": None}, "soft opt-in without the sale's date"),
        ({"sold_at": "some day"}, "soft opt-in without the sale's date"),
        ({"sold_at": "2026-03-02T09:00:01Z"}, "soft opt-in without the sale's date"),
        ({"objection_offered": None}, "soft opt-in without a chance to object"),
        ({"objection_offered": "maybe"}, "soft opt-in without a chance to object"),
    ],
)
def test_c10_who_declares_a_soft_opt_in_is_told_what_it_lacks(
    office: Office, evidence: dict[str, Any], lacks: str
) -> None:
    assert sold(office, **evidence) == Changed("granted", lacks=lacks)
    assert mailed(office) == lacks


def test_c10_the_same_half_declaration_again_is_no_second_entry(office: Office) -> None:
    sold(office, sold_at=None)
    assert sold(office, sold_at=None) == Unchanged("granted")
    assert office.entries() == [("granted", "table")]


def test_c10_what_lacked_something_gives_way_to_a_whole_one(office: Office) -> None:
    sold(office, sold_at=None)
    assert sold(office) == Changed("granted")
    assert mailed(office) == "ok"


def test_c10_a_whole_one_does_not_give_way_to_one_that_lacks_something(office: Office) -> None:
    sold(office)
    assert sold(office, sale="order 1043", objection_offered=None) == Unchanged("granted")
    assert mailed(office) == "ok"


def test_c10_who_ticks_a_box_agrees_whether_or_not_they_bought(office: Office) -> None:
    sold(office, sold_at=None)
    assert office.say("grant", "table") == Changed("granted")
    with office.db.read() as tx:
        assert people(tx, [office.lead])[office.lead].consents["table"].basis == "consent"
    assert mailed(office) == "ok"


def test_c10_c07_a_tick_of_anybody_waits_for_the_mailboxs_owner(office: Office) -> None:
    table = msgspec.structs.replace(PROJECT.topics["table"], double_opt_in=True)
    office.rules = replace(RULES, project=msgspec.structs.replace(PROJECT, topics={**PROJECT.topics, "table": table}))
    assert office.say("grant", "table", method="form") == Changed("requested", mailed=True)


def test_c12_a_later_sale_begins_the_two_years_anew(office: Office) -> None:
    sold(office)
    office.later(days=500)
    assert sold(office, sale="order 2000", sold_at=office.now.isoformat()) == Changed("granted")
    assert sold(office) == Unchanged("granted")
    with office.db.read() as tx:
        grounds = people(tx, [office.lead])[office.lead].consents["table"].grounds
    assert (grounds.reference, grounds.sold_at) == ("order 2000", office.now)
    assert office.entries() == [("granted", "table"), ("renewed", "table")]


def test_c10_a_no_takes_the_sale_away(office: Office) -> None:
    sold(office)
    office.say("withdraw", "table")
    with office.db.read() as tx:
        assert people(tx, [office.lead])[office.lead].consents["table"].grounds == Grounds()
