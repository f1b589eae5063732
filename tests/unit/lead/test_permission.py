"""Scope by message class (trust C17), and what the law of a land allows (trust C10, C11, C12)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from nurture.lead.permission import (
    ALL,
    JURISDICTION,
    MARKETING,
    NO_ADDRESS,
    NO_CONSENT,
    OK,
    SUPPRESSED,
    Standing,
    judge_confirmation,
    judge_service,
    judge_topic,
    shut_for_good,
)
from nurture.lead.soft_opt_in import KINDS, Grounds

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def standing(**changes: object) -> Standing:
    values: dict[str, object] = {
        "has_address": True,
        "restricted": False,
        "state": "granted",
        "basis": "consent",
        "expires_at": None,
        "scopes": (),
        "country": None,
    }
    return Standing(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scopes", "offers", "letter", "service"),
    [
        ((), OK, OK, OK),
        (("topic:offers",), SUPPRESSED, OK, OK),
        ((MARKETING,), SUPPRESSED, SUPPRESSED, OK),
        ((ALL,), SUPPRESSED, SUPPRESSED, SUPPRESSED),
        (("topic:offers", MARKETING), SUPPRESSED, SUPPRESSED, OK),
    ],
)
def test_c17_scope_by_message_class(scopes: tuple[str, ...], offers: str, letter: str, service: str) -> None:
    assert judge_topic("offers", "consent", standing(scopes=scopes), NOW) == offers
    assert judge_topic("letter", "consent", standing(scopes=scopes), NOW) == letter
    assert judge_service(True, False, scopes) == service


@pytest.mark.parametrize("state", ["none", "requested", "withdrawn", "expired", "objected"])
@pytest.mark.parametrize("basis", ["consent", "soft_opt_in", "legitimate_interest"])
def test_c06_nothing_is_sent_without_a_granted_row(state: str, basis: str) -> None:
    assert judge_topic("offers", basis, standing(state=state, basis=basis), NOW) == NO_CONSENT


def test_c14_a_consent_ends_at_its_instant() -> None:
    assert judge_topic("offers", "consent", standing(expires_at=NOW), NOW) == NO_CONSENT
    assert judge_topic("offers", "consent", standing(expires_at=NOW + timedelta(seconds=1)), NOW) == OK


def test_c17_a_rest_ends_at_its_instant() -> None:
    assert judge_topic("offers", "consent", standing(paused_until=NOW), NOW) == OK
    assert judge_topic("offers", "consent", standing(paused_until=NOW + timedelta(seconds=1)), NOW) == SUPPRESSED


def test_what_is_owed_may_be_refused() -> None:
    assert judge_topic("orders", "service", standing(state="none"), NOW) == OK
    assert judge_topic("orders", "service", standing(state="withdrawn"), NOW) == NO_CONSENT


def test_the_missing_address_is_said_first() -> None:
    assert judge_topic("offers", "consent", standing(has_address=False, state="none"), NOW) == NO_ADDRESS
    assert judge_service(False, False, (ALL,)) == NO_ADDRESS


def test_consent_is_asked_before_suppression() -> None:
    assert judge_topic("offers", "consent", standing(state="withdrawn", scopes=(ALL,)), NOW) == NO_CONSENT


def test_c28_a_restricted_lead_gets_nothing() -> None:
    assert judge_topic("offers", "consent", standing(restricted=True), NOW) == SUPPRESSED
    assert judge_service(True, True, ()) == SUPPRESSED


@pytest.mark.parametrize(
    ("country", "expected"),
    [
        ("US", OK),
        (" us", OK),
        ("DE", JURISDICTION),
        ("CH", JURISDICTION),
        (None, JURISDICTION),
        ("Utopia", JURISDICTION),
    ],
)
def test_c11_legitimate_interest_carries_no_mail_where_consent_is_asked(country: str | None, expected: str) -> None:
    case = standing(basis="legitimate_interest", country=country)
    assert judge_topic("offers", "legitimate_interest", case, NOW) == expected


def test_c11_a_legitimate_interest_covers_the_countries_it_names() -> None:
    case = standing(basis="legitimate_interest", country="US", countries=("AU",))
    assert judge_topic("offers", "legitimate_interest", case, NOW) == JURISDICTION


SALE = Grounds("sale", "order 1042", NOW - timedelta(days=1), objection_offered=True)


def soft(country: str | None = "FR", similar: bool = True, **grounds: Any) -> str:
    """What is said of a soft opt-in that has everything but what is named."""
    sale = structs.replace(SALE, **grounds)
    case = standing(basis="soft_opt_in", country=country, grounds=sale, similar=similar)
    return judge_topic("offers", "soft_opt_in", case, NOW)


def test_c10_a_soft_opt_in_with_all_it_takes_may_be_mailed() -> None:
    assert soft() == OK


@pytest.mark.parametrize(
    ("without", "expected"),
    [
        ({"kind": None}, "soft opt-in without a sale"),
        ({"reference": None}, "soft opt-in without a sale"),
        ({"reference": ""}, "soft opt-in without a sale"),
        ({"sold_at": None}, "soft opt-in without the sale's date"),
        ({"objection_offered": False}, "soft opt-in without a chance to object"),
        ({"similar": False}, "soft opt-in without similar products"),
    ],
)
@pytest.mark.parametrize("country", ["FR", "CH", "CA", None])
def test_c10_a_soft_opt_in_is_denied_by_the_name_of_what_it_lacks(
    without: dict[str, Any], expected: str, country: str | None
) -> None:
    assert soft(country, **without) == expected


@pytest.mark.parametrize(
    ("country", "taken"),
    [
        ("FR", {"sale", "contract", "account"}),
        ("CH", {"sale", "contract"}),
        (" ch", {"sale", "contract"}),
        ("DE", {"sale"}),
        ("CA", {"sale", "contract", "inquiry"}),
        (None, {"sale"}),
        ("", {"sale"}),
    ],
)
def test_c10_what_counts_as_a_sale_is_the_lands_own(country: str | None, taken: set[str]) -> None:
    said = {kind: soft(country, kind=kind) for kind in KINDS}
    assert {kind for kind, word in said.items() if word == OK} == taken
    assert {word for word in said.values() if word != OK} <= {JURISDICTION}


@pytest.mark.parametrize(
    ("kind", "days", "expected"),
    [
        ("sale", 729, OK),
        ("sale", 731, JURISDICTION),
        ("contract", 731, JURISDICTION),
        ("inquiry", 180, OK),
        ("inquiry", 182, JURISDICTION),
    ],
)
def test_c12_implied_consent_ends_in_canada(kind: str, days: int, expected: str) -> None:
    assert soft("CA", kind=kind, sold_at=NOW - timedelta(days=days)) == expected


def test_c10_a_soft_opt_in_of_the_union_does_not_end_by_itself() -> None:
    assert soft("FR", sold_at=NOW - timedelta(days=5_000)) == OK


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        ({}, False),
        ({MARKETING: "withdrew marketing"}, False),
        ({MARKETING: "erased"}, False),
        ({"topic:offers": "complaint: abuse"}, False),
        ({MARKETING: "complaint: abuse"}, True),
        ({MARKETING: "bounce: 5.1.1"}, True),
        ({ALL: "bounce: 5.1.1"}, True),
        ({ALL: "by hand"}, True),
    ],
)
def test_x18_a_dead_mailbox_and_a_complaint_shut_for_good(scopes: dict[str, str], expected: bool) -> None:
    assert shut_for_good(scopes) is expected


@pytest.mark.parametrize(
    ("has_address", "restricted", "scopes", "asked_for", "expected"),
    [
        (True, False, {}, True, OK),
        (True, False, {MARKETING: "erased", "topic:offers": "withdrew offers"}, True, OK),
        (True, False, {}, False, NO_CONSENT),
        (True, False, {MARKETING: "complaint: abuse"}, True, SUPPRESSED),
        (True, False, {ALL: "bounce: 5.1.1"}, True, SUPPRESSED),
        (True, True, {}, True, SUPPRESSED),
        (False, False, {}, True, NO_ADDRESS),
    ],
)
def test_c08_only_who_asked_is_asked_to_confirm(
    has_address: bool, restricted: bool, scopes: dict[str, str], asked_for: bool, expected: str
) -> None:
    assert judge_confirmation(has_address, restricted, scopes, asked_for) == expected
