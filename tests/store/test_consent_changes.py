"""A change of consent, row by row: the state, the ledger, the event, the suppression, the mail (trust C1, C7, C13, C14,
C17, X18, E14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from nurture.campaign.duration import Duration
from nurture.campaign.project import Sender, Topic
from nurture.engine.confirming import ASKED, REFUSED, Confirming
from nurture.engine.consent import Answer, Changed, Unchanged, address_changed, carry, change
from nurture.lead.consent import ALL_MARKETING, PURPOSES, Action, By, ConsentRefused, Declaration, Proof
from nurture.store import tables as t
from nurture.store import tallies
from nurture.store.consents import Consent, Person, people
from nurture.store.database import Database
from nurture.store.leads import LeadCall, upsert_leads
from nurture.store.suppressions import lift, scopes, suppress
from tests.store.office import KEYRING, NOW, PROJECT, RULES, Office

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ANNA = KEYRING.address_hash("anna@example.com")


@pytest.fixture
def office(db: Database) -> Office:
    return Office(db)


def person(office: Office) -> Person:
    with office.db.read() as tx:
        return people(tx, [office.lead])[office.lead]


def row(office: Office, topic: str = "offers") -> Consent:
    return person(office).consents[topic]


def ledger(office: Office) -> Mapping[str, Any]:
    """The last entry."""
    with office.db.read() as tx:
        return tx.execute(select(t.consent_ledger).order_by(t.consent_ledger.c.id.desc())).mappings().first() or {}


def events(office: Office) -> list[dict[str, Any]]:
    names = ("lead_id", "name", "at", "accepted_at", "properties", "fact", "source")
    with office.db.read() as tx:
        query = select(*(t.events.c[name] for name in names)).order_by(t.events.c.id)
        return [dict(row) for row in tx.execute(query).mappings()]


def told(office: Office) -> list[tuple[str, str]]:
    return [(row["name"], row["properties"]["topic"]) for row in events(office)]


def reasons(office: Office) -> dict[str, str]:
    with office.db.read() as tx:
        return dict(scopes(tx, [ANNA]).get(ANNA, {}))


def declare(office: Office, *said: Declaration) -> list[Answer]:
    with office.db.write() as tx:
        return change(tx, said, office.rules, office.now)


def saying(office: Office, action: Action, topic: str = "offers", by: By = "person", **more: Any) -> Declaration:
    declared = Declaration(office.lead, topic, action, by, "somebody", office.now, Proof("page"))
    return msgspec.structs.replace(declared, **more)


def close(office: Office, scope: str, reason: str = "left") -> None:
    with office.db.write() as tx:
        suppress(tx, [(ANNA, scope, reason)], office.now)


def with_topics(office: Office, **topics: Topic) -> None:
    project = msgspec.structs.replace(office.rules.project, topics={**office.rules.project.topics, **topics})
    office.rules = replace(office.rules, project=project)


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


def waiting(office: Office) -> list[Mapping[str, Any]]:
    with office.db.read() as tx:
        query = select(t.messages).where(t.messages.c.state == "pending").order_by(t.messages.c.id)
        return list(tx.execute(query).mappings())


def person_shard(office: Office) -> int:
    with office.db.read() as tx:
        return int(tx.execute(select(t.leads.c.shard).where(t.leads.c.id == office.lead)).scalar_one())


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


# --- who is asked to confirm, and how often ---


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
        assert tallies.counted(tx, [ASKED, REFUSED], NOW) == {ASKED: 0, REFUSED: int(not mailed)}


def test_x18_a_small_domains_room_is_its_own_and_a_large_providers_is_none(db: Database) -> None:
    bound = Confirming(an_hour=9, a_domain=1)
    rules = replace(RULES, confirming=bound, lane_of=lambda address: address.rpartition("@")[2].removesuffix(".big"))
    emails = ["a@small.example", "b@small.example", "c@gmail.big", "d@gmail.big"]
    with db.write() as tx:
        calls = [LeadCall(external=email, columns={"email": email}) for email in emails]
        leads = upsert_leads(tx, calls, project=PROJECT, keyring=KEYRING, now=NOW)
        said = [Declaration(who.lead, "letter", "request", "person", "person", NOW, Proof("form")) for who in leads]
        answers = change(tx, said, rules, NOW)
        counted = tallies.counted(tx, [ASKED, f"{ASKED}:small.example", f"{ASKED}:gmail", REFUSED], NOW)
    assert [answer.mailed for answer in answers if isinstance(answer, Changed)] == [True, False, True, True]
    assert counted == {ASKED: 3, f"{ASKED}:small.example": 1, f"{ASKED}:gmail": 0, REFUSED: 1}
    with db.read() as tx:
        assert list(tx.execute(select(t.messages.c.lane)).scalars()) == ["small.example", "gmail", "gmail"]


# --- a first address, and another one ---


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
