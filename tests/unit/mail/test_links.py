"""Signed links (trust X6, C16, E10, E24)."""

from __future__ import annotations

import re

import pytest

from nurture.errors import UserError
from nurture.mail.links import LeadLinks, Links, Purpose, TokenTooLong

BASE = "https://news.example.com"
LINKS = Links(BASE, ["first secret"])


def token_of(url: str) -> str:
    return url.rsplit("/", 1)[1]


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_token_gives_back_what_it_was_made_of(purpose: Purpose) -> None:
    assert LINKS.read(purpose, LINKS.token(purpose, 123456, "offers", 2**62)) == (123456, "offers", 2**62)


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("other", list(Purpose))
def test_x6_a_token_of_one_purpose_opens_no_other(purpose: Purpose, other: Purpose) -> None:
    assert (LINKS.read(other, LINKS.token(purpose, 1, "offers", 2)) is not None) == (purpose is other)


def test_x6_a_token_with_any_character_changed_is_forged() -> None:
    token = LINKS.token(Purpose.UNSUBSCRIBE, 1, "offers", 2)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    changed = [token[:i] + c + token[i + 1 :] for i in range(len(token)) for c in alphabet if c != token[i]]
    assert [t for t in changed if LINKS.read(Purpose.UNSUBSCRIBE, t) is not None] == []


@pytest.mark.parametrize(
    "bad", ["", "x", "x" * 16, "x" * 5000, "é" * 20, "a.b", "." * 20, "\x00" * 20, "a" * 20 + ".", "=" * 20]
)
def test_x6_what_is_no_token_is_read_as_none(bad: str) -> None:
    assert LINKS.read(Purpose.UNSUBSCRIBE, bad) is None


def test_x6_a_token_is_url_safe_and_short() -> None:
    token = LINKS.token(Purpose.UNSUBSCRIBE, 123_456, "offers", 9_999_999)
    assert re.fullmatch(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{22}", token)
    assert len(token) <= 50


def test_x6_no_address_is_put_into_a_link() -> None:
    with pytest.raises(UserError, match="address"):
        LINKS.form("survey", 1, {"email": "anna@example.com"})


def test_x6_the_first_secret_signs_and_old_ones_verify() -> None:
    token = LINKS.token(Purpose.CONFIRM, 1, "offers", 7)
    rotated = Links(BASE, ["second secret", "first secret"])
    assert rotated.read(Purpose.CONFIRM, token) == (1, "offers", 7)
    assert rotated.token(Purpose.CONFIRM, 1, "offers", 7) == Links(BASE, ["second secret"]).token(
        Purpose.CONFIRM, 1, "offers", 7
    )


@pytest.mark.parametrize("purpose", list(Purpose))
def test_c16_when_its_secret_is_gone_only_taking_back_still_works(purpose: Purpose) -> None:
    token = LINKS.token(purpose, 1, "offers", 7)
    later = Links(BASE, ["second secret"], kept=LINKS.keys_to_keep())
    lasting = {Purpose.UNSUBSCRIBE, Purpose.PREFERENCES}
    assert (later.read(purpose, token) is not None) == (purpose in lasting)


def test_c16_kept_keys_pile_up_over_rotations() -> None:
    token = LINKS.token(Purpose.UNSUBSCRIBE, 1, "offers", 7)
    second = Links(BASE, ["second secret"], kept=LINKS.keys_to_keep())
    third = Links(BASE, ["third secret"], kept=second.keys_to_keep())
    assert third.read(Purpose.UNSUBSCRIBE, token) == (1, "offers", 7)


def test_x6_a_kept_key_signs_nothing() -> None:
    later = Links(BASE, ["second secret"], kept=LINKS.keys_to_keep())
    assert LINKS.read(Purpose.UNSUBSCRIBE, later.token(Purpose.UNSUBSCRIBE, 1)) is None


def test_a_kept_unsubscribe_key_does_not_open_preferences() -> None:
    later = Links(BASE, ["second secret"], kept=LINKS.keys_to_keep())
    token = token_of(LINKS.unsubscribe(1, "offers", 7))
    assert later.read(Purpose.PREFERENCES, token) is None


def test_links_keep_the_path_of_the_base_address() -> None:
    links = Links("https://example.com/a/path/", ["s"])
    assert links.preferences(1).startswith("https://example.com/a/path/p/")


def test_an_unsubscribe_link_under_a_base_of_700_characters_fits_a_header_line() -> None:
    links = Links("https://example.com/" + "p" * 680, ["s"])
    assert len(links.unsubscribe("x" * 36, "offers", 2**60)) < 900


def test_a_form_link_carries_its_fields() -> None:
    token = token_of(LINKS.form("survey", 5, {"score": 9, "product": "camera"}))
    assert LINKS.read(Purpose.FORM, token) == ("survey", 5, "score", "9", "product", "camera")


def test_fields_that_do_not_fit_are_refused() -> None:
    with pytest.raises(TokenTooLong):
        LINKS.form("survey", 5, {"text": "x" * 200})


@pytest.mark.parametrize("secrets", [[], [""], ["a", ""]])
def test_links_need_secrets(secrets: list[str]) -> None:
    with pytest.raises(UserError):
        Links(BASE, secrets)


@pytest.mark.parametrize("message", [0, 1, 35, 36, 2**63 - 1])
def test_e10_the_envelope_sender_survives_a_change_of_case(message: int) -> None:
    local = LINKS.verp(message)
    assert (LINKS.read_verp(local.upper()), len(local) <= 64) == (message, True)


@pytest.mark.parametrize(
    "forged", ["", "b+", "b+1", "b+1.", "b+2.aaaaaaaaaaaaaaaaaaaaaaaaaa", "anna", "b+é.x", "b+--1.x"]
)
def test_e24_a_forged_envelope_sender_is_about_no_message(forged: str) -> None:
    assert LINKS.read_verp(forged) is None


def test_e24_the_signature_of_another_message_does_not_fit() -> None:
    mac = LINKS.verp(1).partition(".")[2]
    assert LINKS.read_verp(f"b+2.{mac}") is None


def test_the_links_of_a_mail_name_its_lead_topic_and_message() -> None:
    links = LeadLinks(LINKS, lead=5, topic="offers", message=9, requests={"news": 77})
    assert LINKS.read(Purpose.UNSUBSCRIBE, token_of(links.unsubscribe)) == (5, "offers", 9)
    assert LINKS.read(Purpose.PREFERENCES, token_of(links.preferences)) == (5,)
    assert LINKS.read(Purpose.CONFIRM, token_of(links.confirm("news"))) == (5, "news", 77)
    assert LINKS.read(Purpose.FORM, token_of(links.form("survey", score=9))) == ("survey", 5, "score", "9")
