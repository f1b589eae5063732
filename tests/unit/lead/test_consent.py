"""What a declaration does to a state, whoever makes it."""

from __future__ import annotations

import pytest

from nurture.lead.consent import Action, By, ConsentRefused, Next, Same, State, judge, stricter, wording_digest

STATES: tuple[State, ...] = ("none", "requested", "granted", "withdrawn", "expired", "objected")
OTHERS: tuple[By, ...] = ("api", "import", "campaign", "operator", "engine")


@pytest.mark.parametrize(
    ("state", "action", "expected"),
    [
        ("none", "request", Next("requested", "requested")),
        ("none", "grant", Next("granted", "granted")),
        ("none", "withdraw", Next("withdrawn", "refused")),
        ("none", "expire", Same("none")),
        ("requested", "request", Same("requested")),
        ("requested", "confirm", Next("granted", "confirmed")),
        ("requested", "renew", Next("granted", "confirmed")),
        ("requested", "withdraw", Next("withdrawn", "refused")),
        ("requested", "expire", Next("expired", "expired")),
        ("granted", "grant", Same("granted")),
        ("granted", "request", Same("granted")),
        ("granted", "confirm", Same("granted")),
        ("granted", "renew", Next("granted", "renewed")),
        ("granted", "withdraw", Next("withdrawn", "withdrawn")),
        ("granted", "object", Next("objected", "objection")),
        ("granted", "expire", Next("expired", "expired")),
        ("expired", "grant", Next("granted", "renewed")),
        ("withdrawn", "withdraw", Same("withdrawn")),
        ("withdrawn", "request", Next("requested", "requested")),
        ("withdrawn", "grant", Next("granted", "granted")),
        ("withdrawn", "object", Next("objected", "objection")),
        ("objected", "grant", Next("granted", "granted")),
        ("objected", "withdraw", Same("objected")),
        ("objected", "object", Same("objected")),
    ],
)
def test_what_the_person_says_moves_the_state(state: State, action: Action, expected: object) -> None:
    assert judge(state, action, "person") == expected


@pytest.mark.parametrize("state", ["none", "withdrawn", "expired", "objected"])
def test_c07_nothing_is_confirmed_that_was_not_asked_for(state: State) -> None:
    assert isinstance(judge(state, "confirm", "person"), ConsentRefused)


@pytest.mark.parametrize("state", ["withdrawn", "objected"])
@pytest.mark.parametrize("by", OTHERS)
@pytest.mark.parametrize("action", ["grant", "request", "confirm", "renew"])
def test_c13_who_left_is_brought_back_by_nobody_else(state: State, by: By, action: Action) -> None:
    assert isinstance(judge(state, action, by), ConsentRefused)


@pytest.mark.parametrize("state", STATES)
def test_c13_an_import_never_confirms_for_somebody(state: State) -> None:
    verdict = judge(state, "grant", "import")
    allowed = state in ("none", "expired")
    assert verdict == (Next("granted", "imported") if allowed else verdict)
    assert isinstance(verdict, Next) == allowed


@pytest.mark.parametrize("state", STATES)
def test_no_campaign_grants(state: State) -> None:
    assert not isinstance(judge(state, "grant", "campaign"), Next)


@pytest.mark.parametrize(
    ("state", "action", "by", "reason"),
    [
        ("none", "confirm", "person", "nothing was waiting to be confirmed"),
        ("withdrawn", "renew", "person", "they left after this mail was sent; a form asks anew"),
        ("objected", "request", "campaign", "they left; only the person can ask again"),
        ("objected", "grant", "api", "they left; only the person can agree again"),
        ("none", "grant", "campaign", "a campaign cannot grant consent, only ask for it"),
        ("requested", "grant", "import", "the person has not confirmed yet; an import cannot do it for them"),
    ],
)
def test_a_refusal_says_who_may_do_what_instead(state: State, action: Action, by: By, reason: str) -> None:
    assert judge(state, action, by) == ConsentRefused(reason)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ["withdraw", "object"])
def test_a_no_said_twice_is_said_once(state: State, action: Action) -> None:
    first = judge(state, action, "person")
    assert isinstance(first, (Next, Same))
    assert isinstance(judge(first.state, action, "person"), Same)


@pytest.mark.parametrize("one", STATES)
@pytest.mark.parametrize("other", STATES)
def test_s27_a_no_outweighs_any_yes(one: State, other: State) -> None:
    both = {stricter(one, other), stricter(other, one)}
    assert len(both) == 1
    if {"withdrawn", "objected"} & {one, other}:
        assert both <= {"withdrawn", "objected"}


def test_s27_having_said_nothing_is_no_answer() -> None:
    assert stricter("none", "granted") == "granted"


def test_c02_another_wording_has_another_digest() -> None:
    assert wording_digest("Yes.") != wording_digest("Yes!")
