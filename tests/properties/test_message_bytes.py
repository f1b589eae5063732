"""The bytes of a mail, read back by the standard library, are what was put in — for hostile values too (E1, X4)."""

from __future__ import annotations

import email
import email.header
import email.utils
import re
from datetime import UTC, datetime

from hypothesis import assume, given
from hypothesis import strategies as st

from nurture.mail.header import HeaderRefused, Mailbox
from nurture.mail.message import Head, Letterhead, build

LETTERHEAD = Letterhead(sender=Mailbox("news@example.com", "Acme"), marketing=True, list_id="offers.example.com")
STRUCTURED = {b"List-Unsubscribe", b"List-Unsubscribe-Post", b"Message-ID", b"List-Id", b"Date"}

bits = st.sampled_from(
    [
        "=?utf-8?q?x=0ABcc:_e@e.vil?=",
        "=?utf-8?b?",
        "?=",
        "\r\nBcc: e@e.vil",
        "\n",
        "\r",
        "--",
        "=_",
        ".",
        " ",
        "  ",
        '"',
        "\\",
    ]
)
letters = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
hostile = st.lists(st.one_of(letters, bits), max_size=8).map("".join)
benign_bits = st.sampled_from(["--", "=_", ".", " ", '"', "\\", ",", "<x@y.z>", "long word " * 9, "ș", "🛒"])
benign_letters = st.text(st.characters(categories=("L", "N", "P", "Sm", "Zs")), max_size=30)
benign = (
    st.lists(st.one_of(benign_letters, benign_bits), max_size=8)
    .map("".join)
    .map(str.strip)
    .filter(lambda t: "=?" not in t)
)
bodies = st.lists(
    st.one_of(letters, bits, st.sampled_from(["\n.\n", "x" * 1200, " \n", "\t\n", "=\n"])), max_size=12
).map("".join)
urls = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_./%~", min_size=1, max_size=900).map("https://e.com/".__add__)


def a_mail(
    subject: str = "Hello",
    name: str = "",
    url: str = "https://e.com/u",
    text: str = "",
    html: str = "<p>",
    eightbit: bool = False,
) -> bytes:
    head = Head(
        letterhead=LETTERHEAD,
        to=Mailbox("anna@example.com", name),
        subject=subject,
        message_id="m1@example.com",
        date=datetime(2026, 3, 2, tzinfo=UTC),
        unsubscribe=url,
    )
    return build(head, text, html, eightbit=eightbit)


def readable(value: str) -> str:
    return str(email.header.make_header(email.header.decode_header(value.replace("\r\n", ""))))


NAMES = re.findall(rb"^([A-Za-z-]+):", a_mail().split(b"\r\n\r\n", 1)[0], re.MULTILINE)


@given(subject=st.one_of(hostile, benign), name=st.one_of(hostile, benign))
def test_x4_no_value_adds_a_header_line(subject: str, name: str) -> None:
    try:
        data = a_mail(subject=subject, name=name)
    except HeaderRefused:
        return  # refused is safe; the next test shows that not everything is
    assert [line.split(b":")[0] for line in re.split(rb"\r\n(?![ \t])", data.split(b"\r\n\r\n", 1)[0])] == NAMES


@given(subject=benign, name=benign)
def test_a_subject_and_a_name_are_read_back_as_given(subject: str, name: str) -> None:
    message = email.message_from_bytes(a_mail(subject=subject, name=name))
    phrase = email.utils.parseaddr(message["To"].replace("\r\n", ""))[0]
    assert (readable(message["Subject"]), readable(phrase)) == (subject, " ".join(name.split()))


@given(url=urls)
def test_e1_structured_headers_are_never_encoded_nor_folded(url: str) -> None:
    head = a_mail(url=url).split(b"\r\n\r\n", 1)[0]
    lines = [line for line in re.split(rb"\r\n(?![ \t])", head) if line.split(b":")[0] in STRUCTURED]
    assert not [line for line in lines if b"=?" in line or b"\n" in line]


@given(text=bodies, html=bodies, eightbit=st.booleans())
def test_the_parts_are_read_back_as_given(text: str, html: str, eightbit: bool) -> None:
    assume(html)
    message = email.message_from_bytes(a_mail(text=text, html=html, eightbit=eightbit))
    read = [part.get_payload(decode=True) for part in message.get_payload()]  # type: ignore[union-attr]
    wanted = [re.sub("\r\n|\r|\n", "\r\n", part).encode() for part in (text, html)]
    assert read == wanted


@given(text=bodies, html=bodies, eightbit=st.booleans())
def test_x5_every_line_ends_in_crlf_and_is_at_most_998_long(text: str, html: str, eightbit: bool) -> None:
    data = a_mail(text=text, html=html, eightbit=eightbit)
    assert re.search(rb"\r(?!\n)|(?<!\r)\n", data) is None
    assert max(map(len, data.split(b"\r\n"))) <= 998
