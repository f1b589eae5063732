"""Replies and envelopes as bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nurture.delivery.replies import Features, Garbage, RawReply, ReplyReader, envelope, stuffed
from nurture.delivery.transport import Mail, Reply


def read(data: bytes) -> list[Reply | str]:
    found = ReplyReader().feed(data)
    return [str(reply) if isinstance(reply, Garbage) else reply.told_at("rcpt") for reply in found]


@pytest.mark.parametrize(
    ("data", "code", "enhanced", "text"),
    [
        (b"250 2.1.5 Ok\r\n", 250, "2.1.5", "2.1.5 Ok"),
        (b"250\r\n", 250, None, ""),
        (b"250 \r\n", 250, None, ""),
        (b"250 Ok\n", 250, None, "Ok"),
        (b"550-5.1.1 The account\r\n550-5.1.1 does not\r\n550 5.1.1 exist\r\n", 550, "5.1.1", None),
        (b"550 5.1.1: unknown\r\n", 550, None, "5.1.1: unknown"),
        (b"421 4.7.28 Gmail\r\n", 421, "4.7.28", "4.7.28 Gmail"),
        (b"550 see 5.1.1 somewhere\r\n", 550, None, "see 5.1.1 somewhere"),
        (b"554 \xff\xfe\r\n", 554, None, "\ufffd\ufffd"),
    ],
)
def test_e15_a_reply_is_told_by_code_enhanced_code_and_text(
    data: bytes, code: int, enhanced: str | None, text: str | None
) -> None:
    (reply,) = read(data)
    assert isinstance(reply, Reply)
    assert (reply.code, reply.enhanced) == (code, enhanced)
    if text is not None:
        assert reply.text == text


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n",
        b"25 x\r\n",
        b"150 x\r\n",
        b"650 x\r\n",
        b"2500 x\r\n",
        b"\r\n",
        b"250_ok\r\n",
        b"\xb2\xb5\xb0 ok\r\n",
        b"250-a\r\n550 b\r\n",
        b"250 " + b"x" * 9000,
        b"250-x\r\n" * 200,
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_reply_is_garbage(data: bytes) -> None:
    assert any(isinstance(found, str) for found in read(data))


def test_replies_before_garbage_are_kept() -> None:
    first, second = read(b"250 ok\r\nrubbish\r\n")
    assert isinstance(first, Reply)
    assert isinstance(second, str)


@settings(max_examples=50)
@given(cuts=st.lists(st.integers(0, 60), max_size=8))
def test_replies_are_the_same_however_the_bytes_were_split(cuts: list[int]) -> None:
    data = b"250-a\r\n250 b\r\n250 2.1.0 c\r\n354 go\r\n550-5.1.1 x\r\n550 5.1.1 y\r\n"
    reader, replies, last = ReplyReader(), [], 0
    for cut in [*sorted(cut for cut in cuts if cut <= len(data)), len(data)]:
        replies += reader.feed(data[last:cut])
        last = cut
    assert [reply.code for reply in replies if isinstance(reply, RawReply)] == [250, 250, 354, 550]


def served(data: bytes) -> bytes:
    """What a server makes of the content (RFC 5321 §4.5.2)."""
    assert data.endswith(b"\r\n")
    lines = data.split(b"\r\n")[:-1]
    assert b"." not in lines, "the content would end early"
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines) + b"\r\n"


@settings(max_examples=200)
@given(st.lists(st.sampled_from([b"a", b".", b"\r", b"\n", b"\r\n", b"\r\n.\r\n", b"MAIL FROM:<x@y.z>"]), max_size=12))
def test_x05_no_content_ends_early_and_no_bare_newline_is_left(pieces: list[bytes]) -> None:
    wire = stuffed(b"".join(pieces))
    assert wire.count(b"\r\n") == wire.count(b"\n") == wire.count(b"\r")
    served(wire)


@settings(max_examples=100)
@given(st.lists(st.sampled_from([b"a", b".", b"..", b"x.y", b""]), max_size=10))
def test_x05_content_of_whole_lines_comes_back_as_it_was(lines: list[bytes]) -> None:
    data = b"\r\n".join([b"Subject: x", *lines, b""])
    assert served(stuffed(data)) == data


def test_clean_content_is_not_copied() -> None:
    data = b"Subject: x\r\n\r\nbody\r\n"
    assert stuffed(data) is data


@settings(max_examples=200)
@given(st.text(max_size=30))
def test_e22_whatever_the_recipient_the_command_names_exactly_it_or_nothing(recipient: str) -> None:
    mail = Mail(1, "b@bounce.example.com", recipient + "@example.net", b"x\r\n")
    commands = envelope(mail, Features(smtputf8=True, eightbit=True))
    if isinstance(commands, Reply):
        assert commands.ours
    else:
        line = commands[1].decode()
        assert line == f"RCPT TO:<{mail.recipient}>\r\n"
        assert line.count("\r\n") == 1
        assert not set(" ,<>\r\n\0") & set(mail.recipient)
