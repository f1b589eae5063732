"""The bytes of a mail (trust E1–E9, X4, X5)."""

from __future__ import annotations

import email
import email.header
import email.policy
import email.utils
import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from typing import Any

import pytest

from nurture.errors import Bug
from nurture.mail.header import HeaderRefused, Mailbox
from nurture.mail.message import Head, Letterhead, Skeleton, build, digest, self_test

WHEN = datetime(2026, 3, 2, 9, 5, 7, tzinfo=UTC)
MARKETING = Letterhead(
    sender=Mailbox("news@example.com", "Acme"),
    marketing=True,
    reply_to=Mailbox("hello@example.com"),
    list_id="offers.acme.example.com",
    list_name="Offers of Acme",
    feedback_id="cart:offers:mail:acme123",
)
SERVICE = Letterhead(sender=Mailbox("news@example.com"), marketing=False)


def a_head(letterhead: Letterhead = MARKETING, **given: Any) -> Head:
    values: dict[str, Any] = {
        "to": Mailbox("anna@example.com", "Anna"),
        "subject": "Your cart",
        "message_id": "m1.abc@example.com",
        "date": WHEN,
        "unsubscribe": "https://news.example.com/u/token",
    }
    return Head(letterhead=letterhead, **(values | given))


def parsed(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def raw_headers(data: bytes) -> dict[str, str]:
    """Header name → its lines as they stand on the wire, folded ones with their folds."""
    head = data.split(b"\r\n\r\n", 1)[0].decode("utf-8")
    return dict(part.split(": ", 1) for part in re.split(r"\r\n(?![ \t])", head))


@pytest.mark.parametrize("length", [1, 40, 77, 78, 79, 300, 700, 900])
def test_e1_a_list_unsubscribe_of_any_length_stands_unfolded_and_unencoded(length: int) -> None:
    url = "https://news.example.com/" + "p" * length
    assert raw_headers(build(a_head(unsubscribe=url), "hi"))["List-Unsubscribe"] == f"<{url}>"


def test_e1_an_unsubscribe_address_too_long_for_a_line_is_refused() -> None:
    with pytest.raises(HeaderRefused, match="998"):
        build(a_head(unsubscribe="https://news.example.com/" + "p" * 980), "hi")


@pytest.mark.parametrize("text", ["x" * 3000, "é" * 3000, "a line\n" * 400, "Grüße\n" * 400, "日本語" * 800])
@pytest.mark.parametrize("eightbit", [False, True])
def test_e1_no_line_is_longer_than_998(text: str, eightbit: bool) -> None:
    data = build(a_head(), text, f"<p>{text}</p>", eightbit=eightbit)
    assert max(len(line) for line in data.split(b"\r\n")) <= 998


@pytest.mark.parametrize("text", ["x" * 3000, "é " * 100 + "plain " * 900, "日本語" * 800])
def test_e1_encoded_lines_are_at_most_76_long(text: str) -> None:
    body = build(a_head(SERVICE), text).split(b"\r\n\r\n", 1)[1]
    assert max(len(line) for line in body.split(b"\r\n")) <= 76


@pytest.mark.parametrize("text", ["plain", "Grüße an dich", "日本語" * 50, "a\x00b", "\ud800"])
def test_e1_without_an_offer_of_8bitmime_nothing_is_8_bit(text: str) -> None:
    assert build(a_head(), text, f"<p>{text}</p>").isascii()


def test_e1_8bit_is_used_where_it_is_offered() -> None:
    message = parsed(build(a_head(SERVICE), "Grüße", eightbit=True))
    assert (message["Content-Transfer-Encoding"], message.get_content()) == ("8bit", "Grüße\r\n")


@pytest.mark.parametrize(
    "subject",
    [
        "Your cart",
        "Votre panier vous attend — c’est l’heure",
        "long " * 60 + "end",
        "x" * 500,
        "Coșul tău așteaptă, Ștefan 🛒 " * 8,
        "two  spaces",
        " leading",
        "=?utf-8?q?not_decoded?=",
        'quotes " and \\ and <angle>',
        "",
    ],
)
def test_e1_a_subject_reads_as_it_was_written(subject: str) -> None:
    data = build(a_head(subject=subject), "hi")
    lines = ("Subject: " + raw_headers(data)["Subject"]).split("\r\n")
    assert (parsed(data)["Subject"], max(map(len, lines)) <= 78) == (subject, True)


@pytest.mark.parametrize(
    "name",
    ["Anna", "Anna Lee", "O'Brien, Pat", 'the "best"', "back\\slash", "Ștefan Țurcanu", "名前" * 30, "x" * 200, "a, b"],
)
def test_e1_a_name_reads_as_it_was_written(name: str) -> None:
    # Not by email.policy.default: it puts a space between two encoded words of a name.
    line = raw_headers(build(a_head(to=Mailbox("anna@example.com", name)), "hi"))["To"].replace("\r\n ", " ")
    phrase, address = email.utils.parseaddr(line)
    assert (str(email.header.make_header(email.header.decode_header(phrase))), address) == (name, "anna@example.com")


def test_a_name_of_spaces_only_is_left_out() -> None:
    assert raw_headers(build(a_head(to=Mailbox("anna@example.com", "  ")), "hi"))["To"] == "<anna@example.com>"


def test_e2_a_marketing_mail_has_each_unsubscribe_header_once() -> None:
    message = parsed(build(a_head(), "hi", "<p>hi</p>"))
    assert (message.get_all("List-Unsubscribe"), message.get_all("List-Unsubscribe-Post")) == (
        ["<https://news.example.com/u/token>"],
        ["List-Unsubscribe=One-Click"],
    )


def test_e2_a_marketing_mail_without_unsubscribe_address_is_refused() -> None:
    with pytest.raises(HeaderRefused):
        build(a_head(unsubscribe=""), "hi")


def test_e2_https_comes_before_mailto() -> None:
    head = a_head(unsubscribe_mailto="mailto:u+tok@example.com")
    assert raw_headers(build(head, "hi"))["List-Unsubscribe"] == (
        "<https://news.example.com/u/token>, <mailto:u+tok@example.com>"
    )


def test_e2_a_mailto_that_does_not_fit_beside_the_https_address_is_left_out() -> None:
    head = a_head(unsubscribe="https://e.com/" + "p" * 900, unsubscribe_mailto="mailto:" + "u" * 80 + "@example.com")
    assert "mailto" not in raw_headers(build(head, "hi"))["List-Unsubscribe"]


@pytest.mark.parametrize(
    "url", ["mailto:a@b.co", "javascript:x", "https://a b", "https://a>b", "https://é.fr", "https://a\r\nB: c"]
)
def test_e2_an_unsubscribe_address_that_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(HeaderRefused):
        build(a_head(unsubscribe=url), "hi")


def test_e6_equal_input_gives_equal_bytes() -> None:
    assert build(a_head(), "hi", "<p>hi</p>") == build(a_head(), "hi", "<p>hi</p>")


def test_e6_the_date_is_in_utc_and_english() -> None:
    paris = WHEN.astimezone(timezone(timedelta(hours=1)))
    assert raw_headers(build(a_head(date=paris), "hi"))["Date"] == "Mon, 02 Mar 2026 09:05:07 +0000"


def test_e6_a_date_without_zone_is_our_mistake() -> None:
    with pytest.raises(Bug):
        build(a_head(date=WHEN.replace(tzinfo=None)), "hi")


def test_e7_list_id_has_a_name_and_a_domain_like_identifier() -> None:
    assert raw_headers(build(a_head(), "hi"))["List-Id"] == "Offers of Acme <offers.acme.example.com>"


@pytest.mark.parametrize("identifier", ["offers", "a b.example.com", "x" * 250 + ".example.com", "a..b", "<a.b>"])
def test_e7_a_list_id_that_is_no_domain_is_refused(identifier: str) -> None:
    letterhead = Letterhead(sender=Mailbox("news@example.com"), marketing=False, list_id=identifier)
    with pytest.raises(HeaderRefused):
        build(a_head(letterhead), "hi")


@pytest.mark.parametrize(
    "feedback", ["a:b:c:d:sender", "a:b:c:four", "a:anna@example.com:c:sender", "a:b:c:" + "s" * 16]
)
def test_e8_a_feedback_id_that_receivers_ignore_is_refused(feedback: str) -> None:
    letterhead = Letterhead(sender=Mailbox("news@example.com"), marketing=False, feedback_id=feedback)
    with pytest.raises(HeaderRefused):
        build(a_head(letterhead), "hi")


def test_e9_marketing_says_bulk_and_wants_no_auto_replies() -> None:
    headers = raw_headers(build(a_head(), "hi"))
    assert (headers["Precedence"], headers["X-Auto-Response-Suppress"], "Auto-Submitted" in headers) == (
        "bulk",
        "OOF, AutoReply",
        False,
    )


def test_e9_service_mail_says_it_was_generated() -> None:
    headers = raw_headers(build(a_head(SERVICE, unsubscribe=""), "hi"))
    assert (headers["Auto-Submitted"], "Precedence" in headers) == ("auto-generated", False)


def test_e13_text_comes_first_and_html_is_the_alternative() -> None:
    message = parsed(build(a_head(), "hi", "<p>hé</p>"))
    parts = [(p.get_content_type(), p.get_content()) for p in message.iter_parts()]  # type: ignore[attr-defined]
    assert (message.get_content_type(), parts) == (
        "multipart/alternative",
        [("text/plain", "hi"), ("text/html", "<p>hé</p>")],
    )


def test_e20_there_is_one_recipient() -> None:
    with pytest.raises(HeaderRefused):
        build(a_head(to=Mailbox("anna@example.com, bo@example.com")), "hi")


HOSTILE_VALUES = [
    "x\r\nBcc: evil@e.vil",
    "x\nBcc: evil@e.vil",
    "x\rBcc: evil@e.vil",
    "x\x00y",
    "x\x0bBcc: evil@e.vil",
    "x\x0cBcc: evil@e.vil",
    "x\x1cBcc: evil@e.vil",
    "x\x1dy",
    "x\x1ey",
    "x\x7fy",
    "x\x85Bcc: evil@e.vil",
    "x\x9fy",
    "x\u2028Bcc: evil@e.vil",
    "x\u2029Bcc: evil@e.vil",
    "x\ud800y",
    "=?utf-8?q?x=0ABcc:_evil@e.vil?=",
    "=?utf-8?q?x=0D=0ABcc:_evil@e.vil?=",
    "=?UTF-8?Q?x=0aBcc:_evil@e.vil?=",
    "=?iso-8859-1?q?x=0ABcc:_evil@e.vil?=",
    "=?utf-8?b?eA0KQmNjOiBldmlsQGUudmls?=",
    "Anna =?utf-8?q?=0ABcc:_evil@e.vil?= Lee",
    "=?utf-8?q?a?= =?utf-8?q?=0ABcc:_evil@e.vil?=",
    "=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=0ABcc:_evil@e.vil=3F=3D?=",
    "=?utf-8?q?=E2=80=A8Bcc:_evil@e.vil?=",
    "=?no-such-charset?q?x=0ABcc:_evil?=",
    "=?utf-8?b?a?=",
]


@pytest.mark.parametrize("value", HOSTILE_VALUES)
@pytest.mark.parametrize("field", ["subject", "to", "from", "extra"])
def test_x4_a_value_that_could_become_a_second_header_is_refused(value: str, field: str) -> None:
    sender = Mailbox("news@example.com", value if field == "from" else "Acme")
    extra = (("X-Tag", value),) if field == "extra" else ()
    letterhead = Letterhead(sender=sender, marketing=False, extra=extra)
    head = a_head(
        letterhead,
        subject=value if field == "subject" else "Hello",
        to=Mailbox("anna@example.com", value if field == "to" else "Anna"),
    )
    with pytest.raises(HeaderRefused) as refused:
        build(head, "hi")
    assert "evil" not in str(refused.value)


@pytest.mark.parametrize("mark", ["\u202e", "\u202a", "\u2066", "\u2069", "\u200f", "\u061c"])
def test_x4_a_name_with_a_mark_that_turns_reading_is_refused(mark: str) -> None:
    with pytest.raises(HeaderRefused):
        build(a_head(to=Mailbox("anna@example.com", f"moc.elgoog{mark}")), "hi")


@pytest.mark.parametrize("name", ["Bcc", "List-Unsubscribe", "to", "DKIM-Signature", "X Y", "X:", "X\r\nY", ""])
def test_x4_an_extra_header_can_neither_be_one_of_ours_nor_malformed(name: str) -> None:
    letterhead = Letterhead(sender=Mailbox("news@example.com"), marketing=False, extra=((name, "v"),))
    with pytest.raises(HeaderRefused):
        build(a_head(letterhead), "hi")


def test_x4_the_start_up_test_passes_here() -> None:
    self_test()


def test_x4_the_start_up_test_notices_a_header_that_appears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nurture.mail.message.text_line", lambda header, value: f"{header}: {value}\r\n".encode())
    with pytest.raises(Bug):
        self_test()


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "a\r\nb", "a\n.\nMAIL FROM:<x@y.z>\n", "a\r.\rb", "\r\r\n\n"])
@pytest.mark.parametrize("eightbit", [False, True])
def test_x5_no_bare_line_end_is_left(text: str, eightbit: bool) -> None:
    data = build(a_head(), text, text, eightbit=eightbit)
    assert re.search(rb"\r(?!\n)|(?<!\r)\n", data) is None


def test_a_lead_who_foresees_the_boundary_does_not_end_the_part() -> None:
    boundary = "=_" + hashlib.sha256(b"m1.abc@example.com").hexdigest()[:32]
    message = parsed(build(a_head(), f"before\n--{boundary}--\nafter", "<p>hi</p>"))
    assert [p.get_content_type() for p in message.iter_parts()] == ["text/plain", "text/html"]  # type: ignore[attr-defined]


def test_a_kept_skeleton_gives_what_build_gives() -> None:
    skeleton = Skeleton(MARKETING)
    skeleton.fill(a_head(subject="Another"), "other")
    assert skeleton.fill(a_head(), "hi", "<p>hi</p>") == build(a_head(), "hi", "<p>hi</p>")


def test_a_skeleton_takes_no_head_of_another_sender() -> None:
    with pytest.raises(Bug):
        Skeleton(MARKETING).fill(a_head(SERVICE), "hi")


@pytest.mark.parametrize(
    "address", ["anna", "a b@example.com", "a@b>c.de", "jösé@example.com", "a@b\r\n.de", "=?utf-8?q?x?=@b.de"]
)
def test_e22_an_address_that_cannot_stand_in_a_header_is_refused(address: str) -> None:
    with pytest.raises(HeaderRefused):
        build(a_head(to=Mailbox(address)), "hi")


def test_e22_a_non_ascii_local_part_needs_smtputf8() -> None:
    data = build(a_head(to=Mailbox("jösé@example.com")), "hi", smtputf8=True)
    assert raw_headers(data)["To"] == "<jösé@example.com>"


def test_the_digest_is_the_sha_256_of_the_bytes() -> None:
    assert digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
