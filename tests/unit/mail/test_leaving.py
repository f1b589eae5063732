"""Leaving by mail (trust C19): what is a wish to leave, what is a token, and what is neither."""

from __future__ import annotations

from base64 import b64encode

import pytest

from nurture.mail.leaving import token_in, wants_out
from nurture.mail.links import Links
from nurture.mail.report import Kind, read_report

LINKS = Links("https://news.shop.example", ["a secret of this test"])
TOKEN = LINKS.unsubscribe(7, "offers", 12).rpartition("/")[2]
ENCODED = f"=?utf-8?b?{b64encode(TOKEN.encode()).decode()}?="


@pytest.mark.parametrize(
    "text",
    [
        *("unsubscribe", "Unsubscribe.", "UNSUBSCRIBE!!", "please unsubscribe me", "stop", "Stop emails", "opt out"),
        *("Please remove me from your mailing list. ", "take me off your list", "leave me alone"),
        *("Désinscription", "me désinscrire", "Désabonnez-moi merci", "Merci de me désinscrire", "ne m’écrivez plus"),
        *("dezabonare", "Dezabonați-mă, vă rog", "Vreau dezabonare", "abmelden bitte"),
        "unsubscribe\n\nOn Mon, 2 Mar 2026 at 09:05, Acme <news@acme.example> wrote:\n> Hello",
        "désinscription\r\n\r\nLe lun. 2 mars 2026 à 09:05, Acme a écrit :\r\n> Bonjour",
        "dezabonare\n\nPe lun., 2 mar. 2026 la 09:05, Acme a scris:\n> Bună",
        "remove me\n\n-----Original Message-----\nFrom: Acme",
        "stop\n-- \nAnna, from my phone",
    ],
)
def test_c19_an_answer_that_says_just_that_is_a_wish_to_leave(text: str) -> None:
    assert wants_out(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "Yes please!", "please", "leave", "take", "Stop by tomorrow", "> unsubscribe", "please call me"),
        *("How do I unsubscribe my colleague?", "I will not unsubscribe", "Don't unsubscribe me", "oui, merci"),
        "Thanks!\n\nOn Mon, 2 Mar 2026 Acme wrote:\n> unsubscribe",
        "unsubscribe " * 30,
    ],
)
def test_c19_an_answer_that_says_anything_else_is_an_answer(text: str) -> None:
    assert not wants_out(text)


def test_c19_a_mail_in_html_alone_is_read_too() -> None:
    page = "<div>D&eacute;sinscription</div><blockquote>On offre</blockquote>"
    data = f"In-Reply-To: <1a.mac@acme.example>\nContent-Type: text/html\n\n{page}".encode()
    [notice] = read_report(data)
    assert (notice.kind, notice.wants_out) == (Kind.REPLIED, True)


@pytest.mark.parametrize("subject", [TOKEN, f" {TOKEN} ", f"{TOKEN[:20]}\n {TOKEN[20:]}", ENCODED])
@pytest.mark.parametrize("more", ["", "Auto-Submitted: auto-generated\n"])
def test_c19_a_subject_that_is_a_token_is_a_mailed_unsubscribe(subject: str, more: str) -> None:
    [notice] = read_report(f"Subject: {subject}\n{more}To: b+unsubscribe@acme.example\n\nhi".encode())
    assert (notice.kind, notice.token) == (Kind.UNSUBSCRIBED, TOKEN)


@pytest.mark.parametrize("subject", ["", "unsubscribe", f"Re: {TOKEN}", TOKEN[:-1], TOKEN + "=", "b+1a.mac", "a.b"])
def test_c19_any_other_subject_holds_no_token(subject: str) -> None:
    assert token_in(subject) == ""


@pytest.mark.parametrize(("lead", "topic", "message"), [(1, "", 0), (2**53, "t" * 60, 2**53)])
def test_c19_every_token_of_ours_is_known_for_one(lead: int, topic: str, message: int) -> None:
    token = LINKS.unsubscribe(lead, topic, message).rpartition("/")[2]
    assert token_in(token) == token
