"""E5: signatures that dkimpy and opendkim verify, and that break where a forger adds what readers believe."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from nurture.delivery.dkim import OVERSIGNED, Signer, SigningKey, canonical_body, canonical_field, read_key
from nurture.errors import UserError
from nurture.mail.header import Mailbox
from nurture.mail.message import Head, Letterhead, build
from tests.peers.ground import need
from tests.peers.opendkim import opendkim

WHEN = datetime(2026, 3, 2, 9, 5, 7, tzinfo=UTC)
LETTERHEAD = Letterhead(
    sender=Mailbox("news@news.acme.example", "Acme"),
    marketing=True,
    reply_to=Mailbox("hello@acme.example"),
    list_id="offers.acme.acme.example",
    list_name="Offers of Acme",
    feedback_id="cart:offers:mail:acme123",
)


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(scope="module")
def rsa_key() -> SigningKey:
    return read_key("acme.example", "s1", pem(rsa.generate_private_key(65537, 2048)))


@pytest.fixture(scope="module")
def ed_key() -> SigningKey:
    return read_key("acme.example", "s2", pem(ed25519.Ed25519PrivateKey.generate()))


def a_mail(text: str = "Hello\nAnna\n", html: str = "<p>Hello  Anna</p>", subject: str = "Your cart") -> bytes:
    head = Head(
        letterhead=LETTERHEAD,
        to=Mailbox("anna@example.com", "Anna Ölçer"),
        subject=subject,
        message_id="m1.abc@acme.example",
        date=WHEN,
        unsubscribe="https://news.acme.example/u/" + "t" * 120,
    )
    return build(head, text, html)


def signed(*keys: SigningKey, data: bytes | None = None) -> bytes:
    return Signer(keys).sign(a_mail() if data is None else data, "news.acme.example", WHEN)


def verifies(data: bytes, key: SigningKey, number: int = 0) -> bool:
    try:
        return bool(dkim.DKIM(data).verify(idx=number, dnsfunc=lambda *_, **__: key.record().encode()))
    except dkim.ValidationError:  # what it says of another body
        return False


@pytest.mark.parametrize(
    "body", ["", "a", "a\n\n\n", "a  \t b \n \n", "Grüße\n", ".\n..\n", " lead\n\ttab\n", "x" * 3000]
)
def test_e5_dkimpy_verifies_rsa_signatures_of_any_body(body: str, rsa_key: SigningKey) -> None:
    assert verifies(signed(rsa_key, data=a_mail(body, "")), rsa_key)


def test_e5_two_selectors_give_two_signatures_that_both_verify(rsa_key: SigningKey, ed_key: SigningKey) -> None:
    data = signed(rsa_key, ed_key)
    assert [verifies(data, rsa_key, 0), verifies(data, ed_key, 1)] == [True, True]


def test_e5_a_folded_subject_verifies(rsa_key: SigningKey) -> None:
    assert verifies(signed(rsa_key, data=a_mail(subject="Your cart, kept for you äöü " * 12)), rsa_key)


@pytest.mark.parametrize("name", [name.decode() for name in OVERSIGNED])
def test_e5_a_second_header_put_on_top_breaks_the_signature(name: str, rsa_key: SigningKey) -> None:
    assert not verifies(f"{name}: <https://evil.example/>\r\n".encode() + signed(rsa_key), rsa_key)


@pytest.mark.parametrize("old", [b"Your cart", b"Hello", b"cart:offers", b"acme123", b"One-Click", b"offers.acme"])
def test_e5_a_changed_word_breaks_the_signature(old: bytes, rsa_key: SigningKey) -> None:
    data = signed(rsa_key)
    assert old in data
    assert not verifies(data.replace(old, old[::-1], 1), rsa_key)


def test_e5_the_signature_covers_what_the_rfc_and_one_click_need_and_has_no_length(rsa_key: SigningKey) -> None:
    line = re.sub(rb"\s+", b"", signed(rsa_key).split(b"\r\nFrom:", 1)[0])
    tags = dict(part.split(b"=", 1) for part in line.removeprefix(b"DKIM-Signature:").split(b";"))
    names = tags[b"h"].decode().split(":")
    assert b"l" not in tags
    assert (tags[b"c"], tags[b"d"], tags[b"s"]) == (b"relaxed/relaxed", b"acme.example", b"s1")
    once = {"message-id", "mime-version", "content-type", "list-id", "feedback-id"}
    twice = {"from", "to", "subject", "date", "reply-to", "list-unsubscribe", "list-unsubscribe-post"}
    assert {n for n in names if names.count(n) == 2} == twice
    assert once <= {n for n in names if names.count(n) == 1}


def test_e8_the_feedback_id_is_under_the_signature_and_names_nobody(rsa_key: SigningKey) -> None:
    data = signed(rsa_key)
    [value] = re.findall(rb"\r\nFeedback-ID: ([^\r]+)\r\n", data)
    assert b"feedback-id" in data.split(b"\r\nFrom:", 1)[0]
    assert b"@" not in value


def test_e5_the_same_mail_is_signed_with_the_same_bytes(rsa_key: SigningKey, ed_key: SigningKey) -> None:
    assert signed(rsa_key, ed_key) == signed(rsa_key, ed_key)


def test_e5_no_line_of_a_signature_is_longer_than_78_columns(rsa_key: SigningKey, ed_key: SigningKey) -> None:
    head = signed(rsa_key, ed_key).split(b"\r\nFrom:", 1)[0]
    assert max(len(line) for line in head.split(b"\r\n")) <= 78


@pytest.mark.parametrize(
    ("sender", "count"), [("acme.example", 1), ("NEWS.acme.example", 1), ("notacme.example", 0), ("example", 0)]
)
def test_e5_only_a_sender_of_the_keys_domain_is_signed_for(sender: str, count: int, rsa_key: SigningKey) -> None:
    data = Signer([rsa_key]).sign(a_mail(), sender, WHEN)
    assert data.count(b"DKIM-Signature:") == count


def test_e5_a_key_of_1024_bits_is_refused() -> None:
    with pytest.raises(UserError, match="1024 bits"):
        read_key("acme.example", "s1", pem(rsa.generate_private_key(65537, 1024)))


@pytest.mark.parametrize("text", ["", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_e5_what_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(UserError) as caught:
        read_key("acme.example", "s1", text)
    assert "selector 's1'" in caught.value.message
    assert "AAAA" not in caught.value.message


@pytest.mark.parametrize("selector", ["", "a b", "a;b", "ä", "a..b"])
def test_e5_a_selector_that_dns_cannot_hold_is_refused(selector: str) -> None:
    with pytest.raises(UserError):
        read_key("acme.example", selector, "")


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        (b"", b""),
        (b"\r\n", b""),
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),  # the example of RFC 6376 §3.4.5
        (b"a", b"a\r\n"),
        (b"a\r\n \r\n\t\r\n", b"a\r\n"),
        (b" \r\n", b""),
        (b"\r\n\r\na\r\n", b"\r\n\r\na\r\n"),
    ],
)
def test_e5_bodies_are_relaxed_as_the_rfc_says(raw: bytes, canonical: bytes) -> None:
    assert canonical_body(raw) == canonical


def test_e5_headers_are_relaxed_as_the_rfc_says() -> None:
    assert canonical_field(b"A: X") == (b"a", b"X")
    assert canonical_field(b"B : Y\t\r\n\tZ  ") == (b"b", b"Y Z")


@pytest.mark.peers
@pytest.mark.parametrize("forged", [False, True])
def test_e5_opendkim_agrees(forged: bool, rsa_key: SigningKey, tmp_path: Path) -> None:
    need("opendkim", root=False)
    data = signed(rsa_key)
    if forged:
        data = b"List-Unsubscribe: <https://evil.example/>\r\n" + data
    assert opendkim(data, rsa_key, tmp_path) is not forged
