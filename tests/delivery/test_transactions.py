"""E19, E20, E22, X5: one transaction a mail, refusals that stay with their mail, addresses and content as given."""

from __future__ import annotations

import hashlib

import pytest

from nurture.delivery.transport import Refused, Sent
from tests.delivery.conftest import CONTENT, a_mail, mails, smtp
from tests.delivery.recording import RecordingWire
from tests.delivery.server import Action, Drop, Garbage, Say, ScriptedServer

BOTH = pytest.mark.parametrize("offers", [("PIPELINING",), ()], ids=["pipelined", "step by step"])


@BOTH
async def test_e20_every_transaction_names_one_recipient(offers: tuple[str, ...]) -> None:
    wire = RecordingWire()
    async with ScriptedServer(offers=offers) as server, smtp(server.port, connections=3) as transport:
        await transport.send(mails(60), wire)
        assert all(len(message.recipients) == 1 for message in server.received)
        pairs = sorted((message.sender, message.recipients[0]) for message in server.received)
        assert pairs == sorted((mail.sender, mail.recipient) for mail in mails(60))


@BOTH
@pytest.mark.parametrize("how", [Drop("fin"), Drop("rst"), Drop("hang"), Say("500 no"), Garbage(b"??\r\n")], ids=repr)
async def test_e19_a_quit_that_fails_changes_no_result(how: Action, offers: tuple[str, ...]) -> None:
    wire = RecordingWire()
    async with ScriptedServer({"QUIT": how}, offers=offers) as server:
        async with smtp(server.port, mails_per_connection=2) as transport:
            await transport.send(mails(5), wire)
        assert wire.kinds() == {Sent: 5}
        assert len(server.received) == 5


@BOTH
async def test_e19_one_refused_recipient_leaves_the_others_of_the_batch_delivered_once(offers: tuple[str, ...]) -> None:
    wire = RecordingWire()
    script = {"RCPT": [None, Say("550 5.1.1 no such user")]}
    async with ScriptedServer(script, offers=offers) as server, smtp(server.port) as transport:
        await transport.send(mails(5), wire)
        assert wire.kinds() == {Sent: 4, Refused: 1}
        assert len(server.received) == 4
        assert server.connections == 1


REFUSALS = [
    ("MAIL", "550 5.1.8 unknown sender", 550, "5.1.8", "mail"),
    ("MAIL", "451 4.3.0 try later", 451, "4.3.0", "mail"),
    ("RCPT", "550 5.1.1 no such user", 550, "5.1.1", "rcpt"),
    ("RCPT", "450-4.2.1 slow\n450 4.2.1 down", 450, "4.2.1", "rcpt"),
    ("RCPT", "550 no such user here", 550, None, "rcpt"),
    ("DATA", "554 5.7.1 not from you", 554, "5.7.1", "data"),
    ("DOT", "552 5.3.4 too large", 552, "5.3.4", "dot"),
    ("DOT", "421 4.7.0 [TS01] deferred", 421, "4.7.0", "dot"),
    ("MAIL", "421 4.7.28 unusual rate", 421, "4.7.28", "mail"),
    ("RCPT", "421 4.7.0 enough", 421, "4.7.0", "rcpt"),
]


@BOTH
@pytest.mark.parametrize(("verb", "line", "code", "enhanced", "phase"), REFUSALS, ids=lambda value: str(value)[:24])
async def test_a_refusal_is_told_with_its_phase_codes_and_text(
    verb: str, line: str, code: int, enhanced: str | None, phase: str, offers: tuple[str, ...]
) -> None:
    wire = RecordingWire()
    then = "fin" if code == 421 else ""
    async with ScriptedServer({verb: [None, Say(line, then=then)]}, offers=offers) as server:  # type: ignore[arg-type]
        async with smtp(server.port) as transport:
            await transport.send(mails(6), wire)
        assert wire.kinds() == {Sent: 5, Refused: 1}
        reply = wire.refused(2).reply
        assert (reply.code, reply.enhanced, reply.phase, reply.ours) == (code, enhanced, phase, False)
        assert reply.text.split("\n")[0] == line.split("\n")[0][4:]
        assert len(server.received) == 5


async def test_a_354_without_any_recipient_is_ended_by_a_lone_dot_and_nothing_is_delivered() -> None:
    wire = RecordingWire()
    script = {"RCPT": [None, Say("550 5.1.1 no")], "DATA": [None, Say("354 go on anyway")]}
    async with ScriptedServer(script, offers=("PIPELINING",)) as server, smtp(server.port) as transport:
        await transport.send(mails(4), wire)
        assert wire.kinds() == {Sent: 3, Refused: 1}
        assert [message.recipients[0] for message in server.received] == [mails(4)[n].recipient for n in (0, 2, 3)]
        assert server.connections == 1


@pytest.mark.parametrize(
    "recipient",
    [
        "a@b.co SIZE=1",
        "a@b.co, x@y.z",
        "a@b.co>\r\nRCPT TO:<evil@example.com",
        '"a\r\n"@b.co',
        "<a@b.co>",
        "a\x00@b.co",
        "a@b\u200b.co",
        "a@b.co\u202e",
        "a\u00a0b@b.co",
        "no-at-sign",
        "",
        "a" * 250 + "@b.co",
    ],
    ids=repr,
)
async def test_e22_an_address_that_could_be_read_otherwise_is_refused_and_nothing_is_sent(recipient: str) -> None:
    wire = RecordingWire()
    async with ScriptedServer() as server, smtp(server.port) as transport:
        await transport.send([a_mail(1, recipient=recipient)], wire)
        reply = wire.refused(1).reply
        assert (reply.ours, reply.code) == (True, 553)
        assert server.lines("MAIL") + server.lines("RCPT") == []


@pytest.mark.parametrize(
    "recipient", ["o'hara+tag@example.net", "a@xn--bcher-kva.example", "Mixed.Case@Example.NET", "a=b/c#d@example.net"]
)
async def test_e22_the_server_sees_the_address_exactly_as_given(recipient: str) -> None:
    wire = RecordingWire()
    async with ScriptedServer() as server, smtp(server.port) as transport:
        await transport.send([a_mail(1, recipient=recipient)], wire)
        assert server.lines("RCPT") == [f"RCPT TO:<{recipient}>"]


async def test_e22_a_unicode_address_goes_only_where_smtputf8_is_offered() -> None:
    mail = a_mail(1, recipient="zoë@example.net", smtputf8=True)
    willing, unwilling = RecordingWire(), RecordingWire()
    async with ScriptedServer() as server, smtp(server.port) as transport:
        await transport.send([mail], willing)
        assert server.received[0].recipients == ("zoë@example.net",)
        assert "SMTPUTF8" in server.lines("MAIL")[0]
    async with ScriptedServer(offers=("PIPELINING",)) as server, smtp(server.port) as transport:
        await transport.send([mail], unwilling)
        assert unwilling.refused(1).reply.enhanced == "5.6.7"
        assert server.lines("MAIL") == []


async def test_the_null_return_path_is_an_empty_pair_of_brackets() -> None:
    wire = RecordingWire()
    async with ScriptedServer(offers=()) as server, smtp(server.port) as transport:
        await transport.send([a_mail(1, sender="")], wire)
        assert server.lines("MAIL") == ["MAIL FROM:<>"]


async def test_eight_bit_content_goes_only_where_8bitmime_is_offered() -> None:
    mail = a_mail(1, data="Subject: x\r\n\r\nçà et là\r\n".encode())
    willing, unwilling = RecordingWire(), RecordingWire()
    async with ScriptedServer() as server, smtp(server.port) as transport:
        await transport.send([mail], willing)
        assert server.received[0].data == mail.data
        assert "BODY=8BITMIME" in server.lines("MAIL")[0]
    async with ScriptedServer(offers=()) as server, smtp(server.port) as transport:
        await transport.send([mail], unwilling)
        assert unwilling.refused(1).reply.ours


async def test_a_message_above_the_announced_size_is_not_offered() -> None:
    wire = RecordingWire()
    async with ScriptedServer(offers=("SIZE 20",)) as server, smtp(server.port) as transport:
        await transport.send([a_mail(1)], wire)
        assert wire.refused(1).reply.enhanced == "5.3.4"
        assert server.lines("MAIL") == []


HOSTILE = [
    CONTENT,
    CONTENT + b".\r\n",
    CONTENT + b"\r\n.\r\nMAIL FROM:<evil@example.com>\r\n",
    CONTENT + b"..\r\n...\r\n.x\r\n",
    b".starts with a dot\r\n\r\nbody\r\n",
    CONTENT + (b"." * 76 + b"\r\n") * 5000,
]


@BOTH
@pytest.mark.parametrize("data", HOSTILE, ids=lambda data: f"{hashlib.sha256(data).hexdigest()[:6]}")
async def test_x05_content_with_crlf_arrives_byte_for_byte(data: bytes, offers: tuple[str, ...]) -> None:
    wire = RecordingWire()
    async with ScriptedServer(offers=offers) as server, smtp(server.port) as transport:
        await transport.send([a_mail(1, data=data), a_mail(2)], wire)
        assert wire.kinds() == {Sent: 2}
        assert [message.sha256 for message in server.received] == [
            hashlib.sha256(data).hexdigest(),
            hashlib.sha256(CONTENT).hexdigest(),
        ]


@pytest.mark.parametrize(
    ("data", "arrives"),
    [
        (b"a\n.\nMAIL FROM:<e@x.y>\n", b"a\r\n.\r\nMAIL FROM:<e@x.y>\r\n"),
        (b"a\n.\r\nb", b"a\r\n.\r\nb\r\n"),
        (b"a\r.\rb\r\n", b"a\r\n.\r\nb\r\n"),
        (b"a\r\r\n.\r\nb\r\n", b"a\r\n\r\n.\r\nb\r\n"),
        (b"no end of line", b"no end of line\r\n"),
    ],
)
async def test_x05_bare_newlines_become_crlf_and_smuggle_nothing(data: bytes, arrives: bytes) -> None:
    wire = RecordingWire()
    async with ScriptedServer() as server, smtp(server.port) as transport:
        await transport.send([a_mail(1, data=data), a_mail(2)], wire)
        assert [message.data for message in server.received] == [arrives, CONTENT]
        assert len(server.lines("MAIL")) == 2
