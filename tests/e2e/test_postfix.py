"""Mails through our client into a real Postfix: what arrives is what was built, byte for byte (E1, E18, X5)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nurture.delivery.dialogue import Timeouts
from nurture.delivery.smtp import SmtpOptions, SmtpTransport
from nurture.delivery.transport import Mail, Refused, Sent
from nurture.mail.header import Mailbox
from nurture.mail.message import Head, Letterhead, build
from tests.delivery.conftest import make_certificate
from tests.delivery.recording import RecordingWire
from tests.e2e.postfix import Postfix, why_not

pytestmark = pytest.mark.postfix

LETTERHEAD = Letterhead(
    sender=Mailbox("news@example.com", "Acmé"),
    marketing=True,
    list_id="offers.cart.example.com",
    list_name="Offers",
    feedback_id="cart:offers:acme1",
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"), "postfix.test")


@pytest.fixture(scope="module")
def server(certificate: tuple[Path, Path]) -> Iterator[Postfix]:
    reason = why_not()
    if reason is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with Postfix(*certificate) as running:
        yield running


def a_message(number: int, text: str = "Good day.\n", link: str = "https://news.example.com/u/abc") -> bytes:
    head = Head(
        letterhead=LETTERHEAD,
        to=Mailbox(f"lead{number}@inbox.test", "Zoë Lead"),
        subject=f"Număr {number}: votre panier vous attend, encore et toujours, jusqu'à dimanche soir",
        message_id=f"m{number}@example.com",
        date=datetime(2026, 3, 1, 9, 0, tzinfo=UTC),
        unsubscribe=link,
    )
    return build(head, text, f"<p>{text}</p>")


async def deliver(server: Postfix, mails: list[Mail], **changes: object) -> RecordingWire:
    wire = RecordingWire()
    options = SmtpOptions("127.0.0.1", server.port, tls="none", connections=2, timeouts=Timeouts(dot=30))
    if changes:
        options = SmtpOptions("127.0.0.1", server.port, connections=2, **changes)  # type: ignore[arg-type]
    transport = SmtpTransport(options)
    await transport.send(mails, wire)
    await transport.aclose()
    return wire


def arrived(server: Postfix, before: int, more: int) -> list[bytes]:
    messages = server.inbox(before + more)
    assert len(messages) == before + more, server.log()
    return messages


def holding(messages: list[bytes], data: bytes) -> list[bytes]:
    """The delivered messages that are these bytes behind the headers Postfix prepends."""
    content = data.replace(b"\r\n", b"\n")
    found = [message for message in messages if message.endswith(content)]
    for message in found:
        prepended = message[: len(message) - len(content)].decode()
        names = {line.split(":")[0] for line in prepended.splitlines() if line[:1] not in " \t"}
        assert names <= {"Return-Path", "X-Original-To", "Delivered-To", "Received"}
    return found


async def test_e01_a_700_character_unsubscribe_address_arrives_on_its_line(server: Postfix) -> None:
    before = len(server.inbox(0))
    link = "https://news.example.com/u/" + "t" * (700 - 27)
    data = a_message(1, link=link)
    wire = await deliver(server, [Mail(1, "b+1@bounce.example.com", "lead1@inbox.test", data)])
    assert wire.kinds() == {Sent: 1}
    (message,) = holding(arrived(server, before, 1), data)
    assert f"\nList-Unsubscribe: <{link}>\n".encode() in message
    assert b"\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n" in message


async def test_three_hundred_mails_over_two_pipelined_connections_arrive_once_each(server: Postfix) -> None:
    before = len(server.inbox(0))
    mails = [Mail(n, f"b+{n}@bounce.example.com", f"lead{n}@inbox.test", a_message(n)) for n in range(300)]
    wire = await deliver(server, mails)
    assert wire.kinds() == {Sent: 300}
    messages = arrived(server, before, 300)
    assert all(len(holding(messages, mail.data)) == 1 for mail in mails[::50])
    recipients = [line for message in messages for line in message.split(b"\n") if line.startswith(b"Delivered-To:")]
    assert len(set(recipients)) >= 300


async def test_e21_mails_arrive_through_starttls_with_a_verified_certificate(
    server: Postfix, certificate: tuple[Path, Path]
) -> None:
    before = len(server.inbox(0))
    data = a_message(1001)
    mail = Mail(1, "b+1@bounce.example.com", "lead1001@inbox.test", data)
    wire = await deliver(server, [mail], tls="required", ca_file=str(certificate[0]))
    assert wire.kinds() == {Sent: 1}
    (message,) = holding(arrived(server, before, 1), data)
    assert b"using TLS" in message


async def test_x05_a_smuggled_message_is_one_message_with_the_same_text(server: Postfix) -> None:
    before = len(server.inbox(0))
    head = b"From: news@example.com\r\nTo: lead@inbox.test\r\nSubject: smuggling\r\n"
    head += b"Date: Sun, 01 Mar 2026 09:00:00 +0000\r\nMessage-ID: <x05@example.com>\r\n\r\n"
    attack = b"one\n.\nMAIL FROM:<evil@example.com>\nRCPT TO:<victim@inbox.test>\nDATA\nSubject: evil\n\nx\n.\n"
    variants = [
        attack,
        attack.replace(b"\n.\n", b"\r.\r"),
        attack.replace(b"\n.\n", b"\n.\r\n"),
        attack.replace(b"\n", b"\r\n"),
    ]
    mails = [Mail(n, "b@bounce.example.com", f"lead{n}@inbox.test", head + body) for n, body in enumerate(variants)]
    wire = await deliver(server, mails)
    assert wire.kinds() == {Sent: 4}
    messages = arrived(server, before, 4)
    assert len(holding(messages, head + attack.replace(b"\n", b"\r\n"))) == 4
    assert not any(b"Delivered-To: victim@inbox.test" in message for message in messages)


async def test_a_refused_recipient_between_two_others_is_refused_alone(server: Postfix) -> None:
    before = len(server.inbox(0))
    mails = [
        Mail(1, "b+1@bounce.example.com", "lead1@inbox.test", a_message(2001)),
        Mail(2, "b+2@bounce.example.com", "nobody@unknown.invalid.", a_message(2002)),
        Mail(3, "b+3@bounce.example.com", "lead3@inbox.test", a_message(2003)),
    ]
    wire = await deliver(server, mails)
    assert wire.kinds() == {Sent: 2, Refused: 1}
    assert wire.refused(2).reply.phase == "rcpt"
    arrived(server, before, 2)
