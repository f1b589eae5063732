"""Mails through our client into real servers: what arrives is what was built, byte for byte (E1, E18, E21, X5)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest

from nurture.delivery.dialogue import Timeouts
from nurture.delivery.smtp import SmtpOptions, SmtpTransport
from nurture.delivery.transport import Mail, Refused, Sent
from nurture.mail.header import Mailbox
from nurture.mail.message import Head, Letterhead, build
from tests.delivery.recording import RecordingWire
from tests.peers.ground import free_port, until
from tests.peers.opensmtpd import OpenSmtpd
from tests.peers.postfix import Postfix

LETTERHEAD = Letterhead(
    sender=Mailbox("news@example.com", "Acmé"),
    marketing=True,
    list_id="offers.cart.example.com",
    list_name="Offers",
    feedback_id="cart:offers:acme1",
)


class Server(Protocol):
    port: int

    def inbox(self, expected: int, seconds: float = 20.0) -> list[bytes]: ...

    def log(self) -> str: ...


class Aiosmtpd:
    """aiosmtpd in a thread: an independent reading of the protocol that keeps exactly what it was given."""

    def __init__(self) -> None:
        self.port = free_port()
        self._taken: list[bytes] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        to = f"Delivered-To: {envelope.rcpt_tos[0]}\n".encode()
        self._taken.append(to + envelope.content.replace(b"\r\n", b"\n"))
        return "250 OK"

    def inbox(self, expected: int, seconds: float = 20.0) -> list[bytes]:
        until(lambda: len(self._taken) >= expected, seconds)
        return list(self._taken)

    def log(self) -> str:
        return ""


@contextmanager
def aiosmtpd_running() -> Iterator[Aiosmtpd]:
    from aiosmtpd.controller import Controller

    handler = Aiosmtpd()
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port)
    controller.start()
    try:
        yield handler
    finally:
        controller.stop()


@pytest.fixture(
    params=[
        "aiosmtpd",
        pytest.param("postfix", marks=pytest.mark.peers),
        pytest.param("opensmtpd", marks=pytest.mark.peers),
    ]
)
def server(request: pytest.FixtureRequest) -> Server:
    """Each server that a mail has to come through unharmed."""
    if request.param == "aiosmtpd":
        return request.getfixturevalue("aiosmtpd_server")
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def aiosmtpd_server() -> Iterator[Server]:
    with aiosmtpd_running() as running:
        yield running


@pytest.fixture(scope="module")
def postfix(certificate: tuple[Path, Path], postfix_is_here: None) -> Iterator[Postfix]:
    with Postfix(*certificate) as running:
        yield running


@pytest.fixture(scope="module")
def opensmtpd(opensmtpd_is_here: None) -> Iterator[OpenSmtpd]:
    with OpenSmtpd() as running:
        yield running


def a_message(number: int, text: str = "Good day.\n", link: str = "https://news.example.com/u/abc") -> bytes:
    head = Head(
        letterhead=LETTERHEAD,
        to=Mailbox(f"lead{number}@inbox.test", "Zoë Lead"),
        subject=f"Număr {number}: votre panier vous attend, encore et toujours, jusqu'à dimanche soir 🫖",
        message_id=f"m{number}@example.com",
        date=datetime(2026, 3, 1, 9, 0, tzinfo=UTC),
        unsubscribe=link,
    )
    return build(head, text, f"<p>{text}</p>")


async def deliver(server: Server, mails: list[Mail], **changes: object) -> RecordingWire:
    wire = RecordingWire()
    options = SmtpOptions("127.0.0.1", server.port, tls="none", connections=2, timeouts=Timeouts(dot=30))
    if changes:
        options = SmtpOptions("127.0.0.1", server.port, connections=2, **changes)  # type: ignore[arg-type]
    transport = SmtpTransport(options)
    await transport.send(mails, wire)
    await transport.aclose()
    return wire


def arrived(server: Server, before: int, more: int) -> list[bytes]:
    messages = server.inbox(before + more)
    assert len(messages) == before + more, server.log()
    return messages


_PREPENDED = {"Return-Path", "X-Original-To", "Delivered-To", "Received"}


def received(message: bytes) -> bytes:
    """What the client sent, without the headers that the server put before it; on the wire lines end in CRLF."""
    lines = message.split(b"\n")
    while lines[0].split(b":")[0].decode() in _PREPENDED:
        del lines[0]
        while lines[0][:1] in (b" ", b"\t"):
            del lines[0]
    return b"\r\n".join(lines)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def test_e1_what_a_server_receives_has_the_hash_of_what_was_built(server: Server) -> None:
    before = len(server.inbox(0))
    link = "https://news.example.com/u/" + "t" * (700 - 27)
    text = "Ceaiul dumneavoastră.\n" + "un rând lung, foarte lung " * 60 + "\n.\n..\nFrom here on\n"
    data = a_message(1, text, link)
    wire = await deliver(server, [Mail(1, "b+1@bounce.example.com", "lead1@inbox.test", data)])
    assert wire.kinds() == {Sent: 1}
    [message] = [m for m in arrived(server, before, 1) if f"<{link}>".encode() in m]
    assert sha256(received(message)) == sha256(data)
    assert f"\nList-Unsubscribe: <{link}>\n".encode() in message
    assert b"\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n" in message


async def test_x05_a_smuggled_message_is_one_message_with_the_same_text(server: Server) -> None:
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
    messages = [m for m in arrived(server, before, 4) if b"Subject: smuggling" in m]
    assert [received(m) for m in messages] == [head + attack.replace(b"\n", b"\r\n")] * 4
    assert not any(b"victim@inbox.test" in m.partition(b"Subject: smuggling")[0] for m in messages)


@pytest.mark.peers
async def test_three_hundred_mails_over_two_pipelined_connections_arrive_once_each(postfix: Postfix) -> None:
    before = len(postfix.inbox(0))
    mails = [Mail(n, f"b+{n}@bounce.example.com", f"lead{n}@inbox.test", a_message(n)) for n in range(300)]
    wire = await deliver(postfix, mails)
    assert wire.kinds() == {Sent: 300}
    contents = [received(message) for message in arrived(postfix, before, 300)]
    assert all(contents.count(mail.data) == 1 for mail in mails)


@pytest.mark.peers
async def test_e21_mails_arrive_through_starttls_with_a_verified_certificate(
    postfix: Postfix, certificate: tuple[Path, Path]
) -> None:
    before = len(postfix.inbox(0))
    data = a_message(1001)
    mail = Mail(1, "b+1@bounce.example.com", "lead1001@inbox.test", data)
    wire = await deliver(postfix, [mail], tls="required", ca_file=str(certificate[0]))
    assert wire.kinds() == {Sent: 1}
    [message] = [m for m in arrived(postfix, before, 1) if received(m) == data]
    assert b"using TLS" in message


@pytest.mark.peers
async def test_a_refused_recipient_between_two_others_is_refused_alone(postfix: Postfix) -> None:
    before = len(postfix.inbox(0))
    mails = [
        Mail(1, "b+1@bounce.example.com", "lead1@inbox.test", a_message(2001)),
        Mail(2, "b+2@bounce.example.com", "nobody@unknown.invalid.", a_message(2002)),
        Mail(3, "b+3@bounce.example.com", "lead3@inbox.test", a_message(2003)),
    ]
    wire = await deliver(postfix, mails)
    assert wire.kinds() == {Sent: 2, Refused: 1}
    assert wire.refused(2).reply.phase == "rcpt"
    arrived(postfix, before, 2)
