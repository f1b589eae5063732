"""A change of consent, row by row: the state, the ledger, the event, the suppression, the mail (trust C1, C7, C13,
C14, C17, E14)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from nurture.campaign.duration import Duration
from nurture.campaign.project import Sender, Topic
from nurture.engine.confirming import Confirming
from nurture.engine.consent import Answer, Changed, Unchanged
from nurture.lead.consent import ALL_MARKETING, PURPOSES, Action, Basis, By, ConsentRefused, Proof
from nurture.store import tables as t
from nurture.store.consents import Consent
from nurture.store.database import Database
from tests.store.office import (
    ANNA,
    DAY,
    HOUR,
    NOW,
    PROJECT,
    RULES,
    Office,
    close,
    declare,
    events,
    ledger,
    person,
    person_shard,
    reasons,
    row,
    saying,
    told,
    waiting,
    with_topics,
)


@pytest.fixture
def office(db: Database) -> Office:
    return Office(db)


# --- one change, whole ---


def test_c01_a_yes_is_a_state_an_entry_and_an_event(office: Office) -> None:
    said = saying(office, "grant", occurred_at=NOW - HOUR)
    assert declare(office, said) == [Changed("granted")]
    assert row(office) == Consent(office.lead, "offers", "granted", NOW, "consent")
    entry = ledger(office)
    assert {name: entry[name] for name in ("lead_id", "event", "topic", "basis", "actor", "controller")} == {
        "lead_id": office.lead,
        "event": "granted",
        "topic": "offers",
        "basis": "consent",
        "actor": "somebody",
        "controller": "acme",
    }
    assert (entry["occurred_at"], entry["recorded_at"]) == (NOW - HOUR, NOW)
    assert events(office) == [
        {
            "lead_id": office.lead,
            "name": "consent.granted",
            "at": NOW - HOUR,
            "accepted_at": NOW,
            "properties": {"topic": "offers", "by": "person", "method": "page"},
            "fact": False,
            "source": "consent",
        }
    ]


def test_c01_the_controller_is_who_the_mails_come_from(office: Office) -> None:
    project = msgspec.structs.replace(PROJECT, sender=Sender("Acme Ltd", "news@acme.example"))
    office.rules = replace(RULES, project=project)
    office.say("grant", "offers")
    assert ledger(office)["controller"] == "Acme Ltd"


def test_s01_what_is_said_to_happen_later_happened_now(office: Office) -> None:
    declare(office, saying(office, "grant", occurred_at=NOW + DAY))
    assert [event["at"] for event in events(office)] == [NOW]


def test_c01_an_entry_has_the_basis_that_was_stated(office: Office) -> None:
    declare(office, saying(office, "grant", by="operator", basis="legitimate_interest"))
    assert (row(office).basis, ledger(office)["basis"]) == ("legitimate_interest", "legitimate_interest")


def test_c01_leaving_everything_is_an_entry_with_a_basis_too(office: Office) -> None:
    office.say("withdraw", ALL_MARKETING)
    assert (ledger(office)["event"], ledger(office)["topic"], ledger(office)["basis"]) == ("withdrawn", None, "consent")


def test_c07_a_request_is_a_state_with_its_mail(office: Office) -> None:
    office.say("grant", "letter")
    assert row(office, "letter") == Consent(office.lead, "letter", "requested", NOW, "consent", None, 1, NOW)
    [mail] = waiting(office)
    assert (mail["shard"], mail["template"], mail["service"], mail["topic"]) == (
        person_shard(office),
        "consent/confirm",
        True,
        "letter",
    )
    assert (mail["due"], mail["released_at"], mail["expires_at"]) == (NOW, NOW, NOW + 3 * DAY)
    assert (mail["lane"], mail["options"]["mailbox"]) == ("other", ANNA[:12])


def test_c07_a_confirmation_that_cannot_leave_ends_at_the_projects_local_time(office: Office) -> None:
    project = msgspec.structs.replace(PROJECT, zone="America/New_York", expires_after=Duration(days=14))
    office.rules = replace(RULES, project=project)
    office.say("grant", "letter")
    assert waiting(office)[0]["expires_at"] == NOW + 14 * DAY - HOUR  # the clocks change in between


def test_c08_a_later_confirmation_takes_the_place_of_one_that_waits(office: Office) -> None:
    for _ in range(2):
        office.say("grant", "letter")
        office.later(days=1)
    assert [(mail.state, mail.reason) for mail in office.mails()] == [("cancelled", "a newer one"), ("pending", None)]


def test_c07_a_request_that_is_answered_counts_anew(office: Office) -> None:
    office.say("grant", "letter")
    office.later(hours=1)
    office.confirm(request=NOW)
    assert row(office, "letter") == Consent(office.lead, "letter", "granted", NOW + HOUR, "consent")


def test_x18_a_no_keeps_the_count_of_what_was_asked(office: Office) -> None:
    office.say("grant", "letter")
    office.later(hours=1)
    office.say("withdraw", "letter")
    assert row(office, "letter") == Consent(office.lead, "letter", "withdrawn", NOW + HOUR, "consent", None, 1, NOW)


def test_x18_a_request_without_a_mail_counts_from_the_last_one(office: Office) -> None:
    office.say("grant", "letter")
    office.say("withdraw", "letter")
    office.later(hours=1)
    assert office.say("grant", "letter") == Changed("requested", mailed=False)
    assert (row(office, "letter").requests, row(office, "letter").requested_at) == (1, NOW)


def test_c07_a_first_request_without_a_mail_has_its_instant(office: Office) -> None:
    office.rules = replace(RULES, confirming=Confirming(most=0))
    assert office.say("request", "offers") == Changed("requested", mailed=False)
    assert (row(office).requests, row(office).requested_at) == (0, NOW)


def test_c07_a_request_for_what_was_granted_sends_nothing(office: Office) -> None:
    office.say("grant", "offers")
    assert office.say("request", "offers") == Unchanged("granted")
    assert office.mails() == []


# --- what is refused ---


def test_of_a_lead_that_is_not_there_nothing_is_said(office: Office) -> None:
    said = msgspec.structs.replace(saying(office, "grant"), lead=999)
    after = saying(office, "grant")
    assert declare(office, said, after) == [ConsentRefused("there is no such lead"), Changed("granted")]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_c20_a_purpose_needs_no_topic(office: Office, purpose: str) -> None:
    assert office.say("withdraw", purpose) == Changed("withdrawn")


def test_c13_a_topic_that_is_declared_no_more_can_still_be_left(office: Office) -> None:
    office.say("grant", "offers")
    office.rules = replace(RULES, project=msgspec.structs.replace(PROJECT, topics={}))
    assert office.say("withdraw", "offers") == Changed("withdrawn")
    assert ledger(office)["basis"] == "consent"


@pytest.mark.parametrize("action", ["grant", "request", "confirm", "renew"])
def test_x18_to_a_dead_mailbox_nobody_says_yes(office: Office, action: Action) -> None:
    close(office, "all", "bounce")
    assert office.say(action, "offers") == ConsentRefused("the address is suppressed")


@pytest.mark.parametrize("action", ["withdraw", "object"])
def test_x18_to_a_dead_mailbox_anybody_says_no(office: Office, action: Action) -> None:
    office.say("grant", "offers")
    close(office, "all", "bounce")
    assert isinstance(office.say(action, "offers"), Changed)


@pytest.mark.parametrize("scope", ["marketing", "topic:offers"])
@pytest.mark.parametrize(("by", "refused"), [("person", False), ("api", True), ("import", True), ("engine", True)])
def test_c13_what_somebody_left_only_they_open(office: Office, scope: str, by: By, refused: bool) -> None:
    close(office, scope)
    answer = office.say("grant", "offers", by)
    assert (answer == ConsentRefused("they left; only the person can agree again")) is refused
    assert (reasons(office).get(scope) == "left") is refused


def test_c13_another_topics_closing_closes_nothing_else(office: Office) -> None:
    close(office, "topic:letter")
    assert office.say("grant", "offers", "api") == Changed("granted")


def test_c07_without_an_address_there_is_nobody_to_ask(db: Database) -> None:
    office = Office(db, email=None)
    assert office.say("grant", "letter") == ConsentRefused("there is no address to ask for confirmation")
    assert office.say("grant", "offers") == Changed("granted")


def test_c17_everything_cannot_be_agreed_to_at_once(office: Office) -> None:
    for action in ("grant", "request", "confirm", "renew", "expire"):
        assert office.say(action, ALL_MARKETING) == ConsentRefused("consent is given topic by topic")  # type: ignore[arg-type]


# --- when a yes must be confirmed ---


@pytest.mark.parametrize(
    ("topic", "by", "method", "evidence", "state"),
    [
        ("letter", "person", "form", None, "requested"),
        ("letter", "api", "checkbox", None, "requested"),
        ("letter", "import", "import", None, "granted"),
        ("letter", "person", "double_opt_in", {"request": 1}, "granted"),
        ("letter", "person", "double_opt_in", None, "requested"),
        ("letter", "person", "double_opt_in", {}, "requested"),
        ("letter", "person", "form", {"request": 1}, "requested"),
        ("offers", "person", "form", None, "granted"),
    ],
)
def test_c07_who_has_not_shown_that_the_address_is_theirs_confirms(
    office: Office, topic: str, by: By, method: str, evidence: dict[str, Any] | None, state: str
) -> None:
    answer = office.say("grant", topic, by, method=method, evidence=evidence)
    assert isinstance(answer, Changed)
    assert answer.state == state


@pytest.mark.parametrize(
    ("action", "method", "state"),
    [
        ("withdraw", "form", "requested"),
        ("object", "form", "requested"),
        ("withdraw", "preferences", "granted"),
        ("expire", "form", "granted"),
    ],
)
def test_c13_after_a_no_a_form_that_anybody_can_fill_in_asks(
    office: Office, action: Action, method: str, state: str
) -> None:
    office.say("grant", "offers")
    office.say(action, "offers")
    answer = office.say("grant", "offers", method=method)
    assert isinstance(answer, Changed)
    assert answer.state == state


def test_c10_a_sale_that_is_shown_needs_no_confirmation(office: Office) -> None:
    with_topics(office, offers=Topic("offers"))
    sale = Proof("api", evidence={"sale": "1042"})
    [answer] = declare(office, saying(office, "grant", by="api", basis="soft_opt_in", proof=sale))
    assert isinstance(answer, Changed)
    assert (answer.state, answer.lacks) == ("granted", "soft opt-in without the sale's date")


def test_c10_a_day_of_sale_without_a_zone_is_the_projects(office: Office) -> None:
    office.rules = replace(RULES, project=msgspec.structs.replace(PROJECT, zone="America/New_York"))
    sale = {"sale": "1042", "sold_at": "2026-03-01T09:00", "objection_offered": True}
    office.say("grant", "table", "api", evidence=sale)
    assert row(office, "table").grounds.sold_at == datetime(2026, 3, 1, 14, 0, tzinfo=UTC)
    later = sale | {"sold_at": "2026-03-01T09:30"}
    assert office.say("grant", "table", "api", evidence=later) == Changed("granted")


def test_c10_who_is_asked_about_what_lacked_a_sale_has_not_agreed_yet(office: Office) -> None:
    declare(office, saying(office, "grant", "table", "api", basis="soft_opt_in"))
    assert office.say("request", "table") == Changed("requested", mailed=True)


# --- how long a yes lasts ---


@pytest.mark.parametrize(
    ("lead_zone", "project_zone", "hour"),
    [(None, "UTC", 9), ("America/New_York", "UTC", 8), (None, "America/New_York", 8), ("UTC", "America/New_York", 9)],
)
def test_c14_a_yes_ends_at_the_leads_local_time(
    office: Office, lead_zone: str | None, project_zone: str, hour: int
) -> None:
    topics = {"offers": Topic("offers", double_opt_in=False, expires_after=Duration(days=14))}
    office.rules = replace(RULES, project=msgspec.structs.replace(PROJECT, zone=project_zone, topics=topics))
    with office.db.write() as tx:
        tx.execute(update(t.leads).values(zone=lead_zone))
    office.say("grant", "offers")
    assert row(office).expires_at == datetime(2026, 3, 16, hour, 0, tzinfo=UTC)  # New York's clocks change on the 8th


def test_c14_a_request_and_a_no_do_not_end_by_themselves(office: Office) -> None:
    with_topics(office, letter=Topic("letter", expires_after=Duration(days=14)))
    office.say("grant", "letter")
    assert row(office, "letter").expires_at is None
    office.confirm()
    assert row(office, "letter").expires_at == NOW + 14 * DAY
    office.say("withdraw", "letter")
    assert row(office, "letter").expires_at is None


@pytest.mark.parametrize(("later", "answer"), [(14 * DAY - HOUR, Unchanged("granted")), (14 * DAY, Changed("granted"))])
def test_c14_a_yes_is_over_at_its_very_instant_swept_or_not(office: Office, later: timedelta, answer: Answer) -> None:
    with_topics(office, offers=Topic("offers", double_opt_in=False, expires_after=Duration(days=14)))
    office.say("grant", "offers")
    office.now += later
    assert office.say("grant", "offers") == answer


def test_c14_what_ran_out_is_declared_so_by_the_state_that_is_stored(office: Office) -> None:
    with_topics(office, offers=Topic("offers", double_opt_in=False, expires_after=Duration(days=14)))
    office.say("grant", "offers")
    office.later(days=20)
    assert office.say("expire", "offers", "engine") == Changed("expired")
    assert (row(office).since, told(office)[-1]) == (office.now, ("consent.expired", "offers"))


@pytest.mark.parametrize(
    ("later", "answer"), [(DAY - timedelta(seconds=1), Unchanged("granted")), (DAY, Changed("granted"))]
)
def test_presses_of_one_button_within_a_day_are_one_renewal(office: Office, later: timedelta, answer: Answer) -> None:
    office.say("grant", "offers")
    office.now += later
    assert office.say("renew", "offers") == answer


def test_c10_a_link_in_a_mail_renews_what_lacked_a_sale_at_once(office: Office) -> None:
    declare(office, saying(office, "grant", "table", "api", basis="soft_opt_in"))
    assert office.say("renew", "table") == Changed("granted")
    assert row(office, "table").basis == "consent"


def test_c13_an_import_knows_since_when_but_is_told_of_now(office: Office) -> None:
    declare(office, saying(office, "grant", by="import", occurred_at=NOW - 9 * DAY))
    assert row(office).since == NOW - 9 * DAY
    assert [(event["at"], event["accepted_at"], event["fact"]) for event in events(office)] == [
        (NOW - 9 * DAY, NOW, True)
    ]


# --- a no ---


def test_c17_a_no_closes_the_address_for_its_topic_and_says_why(office: Office) -> None:
    office.say("withdraw", "offers")
    assert reasons(office) == {"topic:offers": "withdrew offers"}
    assert row(office).state == "withdrawn"


def test_c17_an_objection_closes_it_too(office: Office) -> None:
    office.say("object", "offers")
    assert (reasons(office), told(office)) == ({"topic:offers": "withdrew offers"}, [("consent.withdrawn", "offers")])
    assert ledger(office)["event"] == "objection"


@pytest.mark.parametrize("purpose", PURPOSES)
def test_c20_a_no_to_a_purpose_closes_no_address_and_stops_no_mail(office: Office, purpose: str) -> None:
    office.say("grant", "offers")
    office.world.mail(office.lead, state="pending", topic=purpose, sent_at=None)
    office.say("withdraw", purpose)
    assert (reasons(office), len(waiting(office))) == ({}, 1)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_c20_a_yes_to_a_purpose_opens_nothing_that_was_left(office: Office, purpose: str) -> None:
    office.say("withdraw", ALL_MARKETING)
    assert office.say("grant", purpose) == Changed("granted")
    assert reasons(office) == {"marketing": "withdrew marketing"}
    assert office.state(ALL_MARKETING) == "withdrawn"


def test_c28_who_objects_to_profiles_has_none_until_they_agree(office: Office) -> None:
    seen = [person(office).unprofiled]
    for action in ("object", "grant"):
        office.say(action, "profiling")  # type: ignore[arg-type]
        seen.append(person(office).unprofiled)
    assert seen == [False, True, False]


def test_s30_an_enrollment_that_a_no_ends_is_an_event_where_somebody_asks(office: Office) -> None:
    for tells in (True, False):
        office.rules = replace(RULES, tells_ends=tells)
        office.say("grant", "offers")
        office.world.enrollment(office.lead, "sale")
        office.say("withdraw", "offers")
    ended = [event for event in events(office) if event["name"] == "enrollment.ended"]
    assert ended == [
        {
            "lead_id": office.lead,
            "name": "enrollment.ended",
            "at": NOW,
            "accepted_at": NOW,
            "properties": {"campaign": "sale"},
            "fact": False,
            "source": "engine",
        }
    ]


@pytest.mark.parametrize("basis", ["service", "legitimate_interest", "soft_opt_in"])
def test_c07_who_confirms_agrees_whatever_the_topics_mails_rest_on_otherwise(office: Office, basis: Basis) -> None:
    with_topics(office, news=Topic("news", basis=basis))
    declare(office, saying(office, "request", "news", basis="consent"))
    office.confirm("news")
    assert (row(office, "news").state, row(office, "news").basis) == ("granted", "consent")
