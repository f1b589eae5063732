"""E18, R3: what is known about a mail when its connection ends, by how far it had come."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest

from nurture.delivery.dialogue import Timeouts
from nurture.delivery.smtp import SmtpTransport
from nurture.delivery.transport import Dropped, Mail, Sent
from tests.delivery.conftest import a_mail, mails, options, smtp, until
from tests.delivery.recording import RecordingWire
from tests.delivery.server import Action, Drop, Garbage, Say, ScriptedServer, Wait

BOTH = pytest.mark.parametrize("offers", [("PIPELINING",), ()], ids=["pipelined", "step by step"])

AFTER_THE_DOT: list[Action] = [
    Drop("fin", accepted=True),
    Drop("rst", accepted=True),
    Drop("hang", accepted=True),
    Garbage(b"\x00\xff what\r\n", accepted=True),
    Garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n", accepted=True),
    Garbage(b"250-but never more\r\n", accepted=True),
    Say("354 again?"),
]


@BOTH
@pytest.mark.parametrize("action", AFTER_THE_DOT, ids=repr)
async def test_e18_no_readable_answer_after_the_dot_leaves_the_mail_unknown(
    action: Action, offers: tuple[str, ...]
) -> None:
    wire = RecordingWire()
    async with ScriptedServer({"DOT": [action]}, offers=offers) as server, smtp(server.port) as transport:
        await transport.send([a_mail(1)], wire)
        assert wire.dropped(1).dot_written
        assert wire.dropped(1).reply.phase == "dot"
        assert len(server.lines("MAIL")) == 1


BEFORE_THE_DOT: list[tuple[str, Action, str]] = [
    ("MAIL", Drop("fin"), "mail"),
    ("MAIL", Drop("hang"), "mail"),
    ("MAIL", Garbage(b"hello?\r\n"), "mail"),
    ("RCPT", Drop("rst"), "rcpt"),
    ("RCPT", Drop("hang"), "rcpt"),
    ("DATA", Drop("fin"), "data"),
    ("DATA", Drop("rst"), "data"),
    ("DATA", Drop("hang"), "data"),
    ("DATA", Say("250 ok"), "data"),
]


@BOTH
@pytest.mark.parametrize(("verb", "action", "phase"), BEFORE_THE_DOT, ids=repr)
async def test_e18_a_connection_that_ends_before_354_leaves_the_mail_unsent(
    verb: str, action: Action, phase: str, offers: tuple[str, ...]
) -> None:
    wire = RecordingWire()
    async with ScriptedServer({verb: [action]}, offers=offers) as server, smtp(server.port) as transport:
        await transport.send([a_mail(1)], wire)
        assert not wire.dropped(1).dot_written
        assert wire.dropped(1).reply.phase == phase
        assert server.received == []
        assert wire.dots == []


async def test_e18_a_connection_that_ends_within_a_long_message_leaves_it_unsent() -> None:
    wire, long = RecordingWire(), b"Subject: long\r\n\r\n" + b"x" * 70 + b"\r\n" * 1
    long += (b"y" * 76 + b"\r\n") * 200_000
    async with (
        ScriptedServer({"BODY": [Drop("rst")]}, offers=("PIPELINING",)) as server,
        smtp(server.port) as transport,
    ):
        await transport.send([a_mail(1, data=long)], wire)
        assert not wire.dropped(1).dot_written
        assert wire.dots == []


async def test_e18_a_server_that_stops_reading_a_long_message_times_out_unsent() -> None:
    wire, long = RecordingWire(), b"Subject: long\r\n\r\n" + (b"y" * 76 + b"\r\n") * 200_000

    async with ScriptedServer({"BODY": [Drop("hang")]}, offers=()) as server, smtp(server.port) as transport:

        async def stop_reading() -> None:
            await until(lambda: bool(server.lines("DATA")))
            for session in server.sessions:
                assert session.transport is not None
                session.transport.pause_reading()

        await asyncio.gather(transport.send([a_mail(1, data=long)], wire), stop_reading())
        assert not wire.dropped(1).dot_written
        assert wire.dropped(1).reply.phase == "body"


@pytest.mark.parametrize("then", ["fin", ""], ids=["and hangs up", "and reads on"])
async def test_e18_a_refusal_within_a_long_message_is_the_answer(then: Literal["", "fin"]) -> None:
    wire, long = RecordingWire(), b"Subject: long\r\n\r\n" + (b"y" * 76 + b"\r\n") * 200_000
    script = {"BODY": [Say("552 5.3.4 too much", then=then)]}
    async with ScriptedServer(script, offers=("PIPELINING",)) as server, smtp(server.port) as transport:
        await transport.send([a_mail(1, data=long)], wire)
        assert wire.refused(1).reply.code == 552
        assert server.received == []


async def test_e18_an_answer_is_known_even_when_the_server_hangs_up_right_behind_it() -> None:
    wire = RecordingWire()
    script = {"DOT": [Say("250 2.0.0 kept", then="fin")]}
    async with ScriptedServer(script) as server, smtp(server.port) as transport:
        await transport.send([a_mail(1)], wire)
        assert wire.sent(1).reply.enhanced == "2.0.0"


@BOTH
async def test_e18_only_the_mail_behind_its_dot_is_unknown_and_the_others_go_on(offers: tuple[str, ...]) -> None:
    wire = RecordingWire()
    script = {"DOT": [None, None, None, None, Drop("rst", accepted=True)]}
    async with ScriptedServer(script, offers=offers) as server, smtp(server.port) as transport:
        await transport.send(mails(20), wire)
        assert wire.kinds() == {Sent: 19, Dropped: 1}
        assert wire.dropped(5).dot_written
        assert sorted(m.recipients[0] for m in server.received) == sorted(m.recipient for m in mails(20))


async def test_e18_a_421_after_the_dot_is_an_answer_and_the_mail_behind_it_goes_elsewhere() -> None:
    wire = RecordingWire()
    script = {"DOT": [None, None, Say("421 4.3.2 shutting down", then="fin")]}
    async with ScriptedServer(script) as server, smtp(server.port) as transport:
        await transport.send(mails(6), wire)
        assert wire.kinds()[Sent] == 5
        assert wire.refused(3).reply.code == 421
        assert server.connections == 2


async def test_r03_the_dot_is_announced_before_it_is_written_and_for_one_mail_a_connection_at_a_time() -> None:
    open_dots: dict[int, int] = {}

    class Watching(RecordingWire):
        def on_dot(self, mail: Mail, connection: int) -> None:
            assert connection not in open_dots, "two mails of one connection are behind their dot"
            open_dots[connection] = mail.id
            super().on_dot(mail, connection)

    def settled(result: object) -> None:
        for connection, mail in list(open_dots.items()):
            if mail == getattr(result, "id", None):
                del open_dots[connection]

    wire = Watching(when_settled=settled)
    async with ScriptedServer() as server, smtp(server.port, connections=4) as transport:
        await transport.send(mails(300), wire)
    assert sorted(mail for mail, _ in wire.dots) == list(range(1, 301))
    assert open_dots == {}


async def test_r03_a_dot_that_cannot_be_noted_is_not_written() -> None:
    class DiskFull(RecordingWire):
        def on_dot(self, mail: Mail, connection: int) -> None:
            raise OSError("no space left")

    wire = DiskFull()
    async with ScriptedServer() as server, smtp(server.port) as transport:
        with pytest.raises(OSError, match="no space"):
            await transport.send(mails(3), wire)
        assert server.received == []
    assert set(wire.results) == {1, 2, 3}
    assert not any(isinstance(result, Dropped) and result.dot_written for result in wire.order)


async def test_e18_the_answer_to_a_dot_may_take_long() -> None:
    wire = RecordingWire()
    slow = Timeouts(mail=0.2, rcpt=0.2, data=0.2, dot=5)
    async with ScriptedServer({"DOT": [Wait(0.6)]}) as server, smtp(server.port, timeouts=slow) as transport:
        await transport.send([a_mail(1)], wire)
        assert wire.sent(1).seconds > 0.5


def test_e18_the_time_outs_are_the_standard_s() -> None:
    assert Timeouts().dot == 600
    assert Timeouts().data == 120
    assert (Timeouts().mail, Timeouts().rcpt, Timeouts().block) == (300, 300, 180)


async def test_r08_draining_waits_for_the_answer_and_gives_back_what_has_not_begun() -> None:
    wire = RecordingWire()
    slow = Timeouts(dot=5)
    async with ScriptedServer({"DOT": Wait(0.3)}, offers=()) as server:
        transport = SmtpTransport(options(server.port, timeouts=slow))
        run = asyncio.create_task(transport.send(mails(5), wire))
        await until(lambda: bool(wire.dots))
        await transport.aclose()
        await run
        wire.sent(1)
        assert len(server.received) == 1
        assert len(wire.results) == 5


async def test_r08_cancelling_a_run_does_not_cancel_the_dialogue_under_way() -> None:
    wire = RecordingWire()
    async with ScriptedServer({"DOT": Wait(0.2)}, offers=()) as server, smtp(server.port) as transport:
        run = asyncio.create_task(transport.send(mails(3), wire))
        await until(lambda: bool(wire.dots))
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        wire.sent(1)
        assert len(server.received) == 1


async def test_r08_a_second_signal_hangs_up_and_the_mail_behind_its_dot_is_unknown() -> None:
    wire = RecordingWire()
    async with ScriptedServer({"DOT": Drop("hang")}, offers=()) as server:
        transport = SmtpTransport(options(server.port, timeouts=Timeouts(dot=60)))
        run = asyncio.create_task(transport.send(mails(3), wire))
        await until(lambda: bool(wire.dots))
        transport.abort()
        await asyncio.wait_for(run, 1)
        assert wire.dropped(1).dot_written
        assert len(wire.results) == 3
        await transport.aclose()
