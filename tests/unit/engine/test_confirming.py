"""How often somebody may be asked to confirm, and what the link they press proves (trust C7, C8, X18)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nurture.engine.confirming import Confirming, Room, asked_with, mark_of, request_of
from nurture.lead.consent import ConsentRefused, Declaration, Proof
from nurture.store.consents import Confirmed, Consent, Person

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULES = Confirming()


def asked(topic: str = "letter", state: Any = "requested", requests: int = 1, ago: timedelta | None = DAY) -> Consent:
    """A consent that was asked for so long ago."""
    at = None if ago is None else NOW - ago
    return Consent(1, topic, state, at or NOW, "consent", requests=requests, requested_at=at)


def who(*rows: Consent, email: str | None = "anna@example.com", **scopes: str) -> Person:
    person = Person(1, email, "a" * 64 if email else None, None, None, None, restricted=False)
    person.consents = {row.topic: row for row in rows}
    person.scopes = dict(scopes)
    return person


# --- whether one more may go ---


@pytest.mark.parametrize(
    ("person", "may"),
    [
        (who(), True),
        (who(email=None), False),
        (who(email=""), False),
        (who(all="bounce"), False),
        (who(marketing="complaint"), False),
        (who(marketing="withdrew"), True),
        (who(asked(ago=DAY)), True),
        (who(asked(ago=DAY - timedelta(seconds=1))), False),
        (who(asked(requests=2)), True),
        (who(asked(requests=3)), False),
        (who(asked(requests=4)), False),
        (who(asked(ago=9 * DAY), asked("news", ago=HOUR)), False),
        (who(asked(ago=HOUR), asked("news", ago=9 * DAY)), False),
        (who(asked(requests=1), asked("news", requests=3)), False),
        (who(asked(requests=3), asked("news", requests=1)), False),
        (who(asked(state="granted", requests=0, ago=HOUR)), True),  # agreed since: what was asked before counts no more
        (who(asked(requests=3, ago=None)), True),  # never asked
    ],
)
def test_c08_x18_one_confirmation_a_day_and_three_until_they_agree(person: Person, may: bool) -> None:
    assert RULES.may_ask(person, None, NOW) is may


@pytest.mark.parametrize(
    ("count", "ago", "may"),
    [(1, DAY, True), (1, DAY - timedelta(seconds=1), False), (1, HOUR, False), (9, 9 * DAY, True)],
)
def test_c08_the_day_is_counted_from_when_the_last_one_left(count: int, ago: timedelta, may: bool) -> None:
    assert RULES.may_ask(who(), Confirmed(count, NOW - ago), NOW) is may


def test_x18_the_bounds_are_the_projects_own() -> None:
    rules = Confirming(every=HOUR, most=1)
    assert rules.may_ask(who(), Confirmed(1, NOW - HOUR), NOW)
    assert not rules.may_ask(who(asked(requests=1, ago=HOUR)), None, NOW)


def test_x18_an_hours_room_is_taken_mail_by_mail_and_a_domains_from_within_it() -> None:
    room = Room({"confirm": 3, "confirm:small.example": 1})
    lanes = ["small.example", "small.example", "gmail", "gmail", "gmail"]
    assert [room.take(lane) for lane in lanes] == [True, False, True, True, False]
    assert dict(room.taken) == {"confirm": 3, "confirm:small.example": 1, "confirm refused": 2}


# --- what a pressed link proves ---


def pressed(evidence: dict[str, Any] | None, topic: str = "letter") -> Declaration:
    return Declaration(1, topic, "confirm", "person", "person", NOW, Proof("double_opt_in", evidence=evidence))


def link(ago: timedelta) -> dict[str, Any]:
    return {"request": request_of(NOW - ago)}


TOO_OLD = ConsentRefused("the link is too old; ask again")
NO_REQUEST = ConsentRefused("the link belongs to no request")


@pytest.mark.parametrize(
    ("since", "evidence", "verdict"),
    [
        (7 * DAY, link(7 * DAY), None),
        (7 * DAY, link(7 * DAY - timedelta(seconds=1)), None),
        (7 * DAY + timedelta(seconds=1), link(7 * DAY + timedelta(seconds=1)), TOO_OLD),
        (DAY, link(DAY), None),
        (DAY, link(DAY + timedelta(seconds=1)), TOO_OLD),  # of the request before this one
        (DAY, link(HOUR), None),
        (DAY - timedelta(microseconds=1), link(DAY), None),  # a link counts whole seconds
        (DAY, {}, NO_REQUEST),
        (DAY, None, NO_REQUEST),
        (DAY, {"request": "yesterday"}, NO_REQUEST),
    ],
)
def test_c07_a_link_confirms_the_request_that_stands_for_seven_days(
    since: timedelta, evidence: dict[str, Any] | None, verdict: ConsentRefused | None
) -> None:
    assert RULES.too_old(who(asked(ago=since)), pressed(evidence), NOW) == verdict


@pytest.mark.parametrize("person", [who(), who(asked(state="granted")), who(asked("news"))])
def test_c07_where_nothing_waits_to_be_confirmed_no_link_is_too_old(person: Person) -> None:
    assert RULES.too_old(person, pressed(link(99 * DAY)), NOW) is None


# --- the proof of both steps ---

REQUEST: dict[str, Any] = {
    "recorded_at": "2026-03-09T12:00:00.000000Z",
    "ip": "192.0.2.1",
    "user_agent": "Mozilla/5.0",
    "page": "/f/guide",
    "method": "form",
    "wording_version": "v1",
    "hash": "f" * 64,
    "wording": "Yes to the letter.",
    "locale": "fr",
    "topic": "letter",
}


def test_c01_a_confirmation_holds_the_request_and_its_text() -> None:
    said = RULES.with_request(pressed({"request": 7}), REQUEST)
    kept = ("recorded_at", "ip", "user_agent", "page", "method", "wording_version", "hash")
    assert said == Declaration(
        *(1, "letter", "confirm", "person", "person", NOW),
        Proof(
            "double_opt_in",
            wording="Yes to the letter.",
            wording_version="v1",
            locale="fr",
            evidence={"request": 7, "requested": {name: REQUEST[name] for name in kept}},
        ),
    )


def test_c01_what_a_confirmation_says_itself_stands() -> None:
    proof = Proof("page", wording="Yes, really.", wording_version="v2", locale="de")
    said = Declaration(1, "letter", "confirm", "person", "person", NOW, proof)
    found = RULES.with_request(said, REQUEST).proof
    assert (found.wording, found.wording_version, found.locale) == ("Yes, really.", "v2", "de")
    assert found.evidence is not None
    assert set(found.evidence) == {"requested"}


def test_c01_without_a_request_there_is_nothing_to_add() -> None:
    said = pressed({"request": 7})
    assert RULES.with_request(said, None) is said


def test_s29_a_new_address_asks_in_the_engines_name() -> None:
    assert RULES.new_address(1, "letter", NOW) == Declaration(
        1, "letter", "request", "engine", "engine", NOW, Proof("new address"), "consent"
    )


def test_c07_a_mail_is_about_everything_that_was_asked_for_with_it() -> None:
    letter, news = asked(), asked("news")
    person = who(letter, news, asked("art", ago=HOUR), asked("tea", state="granted"))
    assert asked_with(person, "news") == [letter, news]


@pytest.mark.parametrize("person", [who(), who(asked(state="withdrawn"), asked("news", state="withdrawn"))])
def test_c07_a_mail_about_what_waits_no_more_is_about_nothing(person: Person) -> None:
    assert asked_with(person, "letter") == []


def test_x18_a_mailbox_is_marked_by_the_beginning_of_its_hash() -> None:
    assert mark_of("0123456789abcdef") == "0123456789ab"
