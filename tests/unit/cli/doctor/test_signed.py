"""E5: what a mail server's signature leaves open is seen in the mail as it arrived. dkimpy signs here."""

from __future__ import annotations

from datetime import UTC, datetime

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from nurture.cli.doctor.finding import Finding
from nurture.cli.doctor.signed import COVERED, TWICE, judge, read
from nurture.mail.header import Mailbox
from nurture.mail.message import Head, Letterhead, build

KEY = rsa.generate_private_key(65537, 2048).private_bytes(
    Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
)
MAIL = build(
    Head(
        letterhead=Letterhead(
            sender=Mailbox("news@news.acme.example", "Acme"),
            marketing=True,
            reply_to=Mailbox("hello@acme.example"),
            list_id="offers.acme.example",
            list_name="Offers",
            feedback_id="cart:offers:acme123",
        ),
        to=Mailbox("anna@example.com"),
        subject="Your cart",
        message_id="m1@acme.example",
        date=datetime(2026, 3, 2, 9, 5, 7, tzinfo=UTC),
        unsubscribe="https://news.acme.example/u/" + "t" * 60,
    ),
    "Hello\n",
)
WHOLE = (*COVERED, *TWICE)


def signed(
    names: tuple[str, ...] = WHOLE,
    *,
    domain: str = "acme.example",
    data: bytes = MAIL,
    canonical: str = "relaxed",
    **more: bool,
) -> bytes:
    listed = [name.encode() for name in names]
    forms = (canonical.encode(), b"relaxed")
    line: bytes = dkim.DKIM(data).sign(b"s1", domain.encode(), KEY, canonicalize=forms, include_headers=listed, **more)
    return line + data


def without(*names: str) -> tuple[str, ...]:
    return tuple(name for name in WHOLE if name not in names)


def once(*names: str) -> tuple[str, ...]:
    return (*COVERED, *(name for name in TWICE if name not in names))


def said(data: bytes, level: str) -> list[str]:
    return [f.text for f in judge(read(data)) if f.level == level]


def findings(data: bytes) -> list[Finding]:
    return [f for f in judge(read(data)) if f.level in ("warning", "error")]


def test_e05_a_signature_that_covers_and_oversigns_all_is_right() -> None:
    assert findings(signed()) == []
    assert said(signed(), "ok") == [
        "the signature of acme.example covers all it should, and oversigns what a forger would add"
    ]


@pytest.mark.parametrize("name", ["List-Unsubscribe", "List-Unsubscribe-Post"])
def test_e05_one_click_headers_that_the_mail_server_does_not_sign_are_broken(name: str) -> None:
    assert said(signed(without(name.lower())), "error") == [f"the signature of acme.example does not cover {name}"]


@pytest.mark.parametrize(
    "name",
    ["To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Reply-To", "List-Id", "Feedback-ID"],
)
def test_e05_another_header_that_the_mail_server_does_not_sign_is_looked_at(name: str) -> None:
    data = signed(without(name.lower()))
    assert said(data, "error") == []
    assert said(data, "warning") == [f"the signature of acme.example does not cover {name}"]


@pytest.mark.parametrize("name", ["To", "Subject", "Date", "Reply-To", "List-Unsubscribe", "List-Unsubscribe-Post"])
def test_e05_a_header_that_a_forger_could_add_on_top_is_looked_at(name: str) -> None:
    [text] = said(signed(once(name.lower())), "warning")
    assert text.startswith(f"the signature of acme.example does not oversign {name}:")


def test_e05_a_header_that_the_mail_does_not_have_needs_no_cover() -> None:
    data = MAIL.replace(b"Reply-To: <hello@acme.example>\r\n", b"")
    assert b"Reply-To" not in data
    assert said(signed(without("list-id"), data=data), "warning") == [
        "the signature of acme.example does not cover List-Id"
    ]


def test_e05_a_mail_that_lost_its_one_click_header_on_the_way_is_broken() -> None:
    data = signed().replace(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b"")
    assert said(data, "error") == ["the mail has no List-Unsubscribe-Post"]


def test_e05_a_mail_without_signature_is_broken() -> None:
    assert said(MAIL, "error") == ["the mail is not signed"]


def test_e05_a_signature_of_another_domain_alone_is_broken() -> None:
    data = signed(domain="service.example")
    assert said(data, "error") == ["From is of news.acme.example, and only service.example signed"]


def test_e05_one_signature_of_ours_beside_another_domains_is_enough() -> None:
    assert findings(signed(domain="service.example", data=signed())) == []


def test_e05_of_two_signatures_of_ours_the_better_one_counts() -> None:
    assert findings(signed(("from", "subject"), data=signed())) == []


def test_e05_a_signature_over_part_of_the_body_is_broken() -> None:
    [text] = said(signed(length=True), "error")
    assert "covers only l=" in text


def test_e05_a_signature_that_a_changed_space_breaks_is_looked_at() -> None:
    [text] = said(signed(canonical="simple"), "warning")
    assert "c=simple/relaxed" in text


@pytest.mark.parametrize(("word", "level"), [("fail", "error"), ("pass", "ok"), ("temperror", "warning")])
def test_e05_what_the_receiving_server_found_counts(word: str, level: str) -> None:
    data = f"Authentication-Results: mx.example.net; dkim={word} header.d=acme.example\r\n".encode() + signed()
    assert f"the receiving server said {word}" in said(data, level)


def test_e05_only_the_topmost_verdict_is_believed() -> None:
    top = b"Authentication-Results: mx.example.net; dkim=fail\r\n"
    assert said(top + b"Authentication-Results: mx.example.net; dkim=pass\r\n" + signed(), "error") == [
        "the receiving server said fail"
    ]


@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 40, b"DKIM-Signature: ;;=;h\r\n\r\n"])
def test_e05_what_is_no_mail_is_broken_and_not_a_crash(data: bytes) -> None:
    assert said(data, "error")


def test_e05_every_fault_says_what_to_do() -> None:
    worst = signed(("from",), canonical="simple", length=True)
    assert len(findings(worst)) >= 4
    assert all(f.hint for f in findings(worst))
