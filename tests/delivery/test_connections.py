"""Connections: how many, how long, for whom; and a server that is ill."""

from __future__ import annotations

import asyncio

import pytest

from nurture.delivery.dialogue import Timeouts
from nurture.delivery.smtp import SmtpTransport
from nurture.delivery.transport import Dropped, Refused, Returned, Sent
from tests.delivery.conftest import a_mail, mails, options, smtp, until
from tests.delivery.recording import RecordingWire
from tests.delivery.server import Action, Drop, Garbage, Say, ScriptedServer, Wait


async def test_a_connection_is_kept_for_the_next_batch() -> None:
    async with ScriptedServer() as server, smtp(server.port) as transport:
        for number in range(1, 5):
            await transport.send([a_mail(number)], RecordingWire())
        assert server.connections == 1
        assert len(server.received) == 4


async def test_a_connection_ends_with_quit_after_its_share_of_mails() -> None:
    wire = RecordingWire()
    async with ScriptedServer() as server:
        async with smtp(server.port, mails_per_connection=4) as transport:
            await transport.send(mails(10), wire)
        assert wire.kinds() == {Sent: 10}
        assert server.connections == 3
        assert len(server.lines("QUIT")) == 3


async def test_an_idle_connection_is_closed_politely() -> None:
    async with ScriptedServer() as server, smtp(server.port, idle=0.05) as transport:
        await transport.send([a_mail(1)], RecordingWire())
        await until(lambda: bool(server.lines("QUIT")))
        await until(lambda: server.open_now == 0)


async def test_a_connection_the_server_closed_meanwhile_costs_no_mail() -> None:
    wire = RecordingWire()
    async with ScriptedServer() as server, smtp(server.port) as transport:
        await transport.send([a_mail(1)], RecordingWire())
        for session in list(server.sessions):
            session.end("fin")
        await transport.send([a_mail(2)], wire)
        wire.sent(2)
        assert server.connections == 2


@pytest.mark.parametrize("action", [Drop("fin"), Drop("rst"), Say("421 4.4.2 timeout", then="fin")], ids=repr)
async def test_a_session_that_ends_between_two_mails_costs_no_mail(action: Action) -> None:
    wire = RecordingWire()
    async with ScriptedServer({"MAIL": [None, None, action]}) as server, smtp(server.port) as transport:
        await transport.send(mails(8), wire)
        assert wire.kinds() == {Sent: 8}
        assert server.connections == 2


async def test_a_run_uses_no_more_connections_than_it_may() -> None:
    wire = RecordingWire()
    async with ScriptedServer({"DOT": Wait(0.01)}) as server, smtp(server.port, connections=8) as transport:
        await transport.send(mails(40), wire, connections=3)
        assert server.most_open == 3


async def test_runs_side_by_side_share_the_connections() -> None:
    first, second = RecordingWire(), RecordingWire()
    async with ScriptedServer({"DOT": Wait(0.01)}) as server, smtp(server.port, connections=4) as transport:
        await asyncio.gather(transport.send(mails(30), first), transport.send(mails(30), second))
        assert first.kinds() == second.kinds() == {Sent: 30}
        assert server.most_open == 4


GREETINGS: list[tuple[Action, int | None]] = [
    (Say("421 4.3.2 too busy", then="fin"), 421),
    (Say("554 5.7.1 not you"), 554),
    (Drop("fin"), None),
    (Drop("rst"), None),
    (Garbage(b"SSH-2.0-OpenSSH\r\n"), None),
]


@pytest.mark.parametrize(("action", "code"), GREETINGS, ids=repr)
async def test_a_server_that_does_not_greet_is_told_for_every_mail(action: Action, code: int | None) -> None:
    wire = RecordingWire()
    async with ScriptedServer({"GREETING": action}) as server, smtp(server.port, connections=2) as transport:
        await transport.send(mails(4), wire)
        assert wire.kinds() == {(Dropped if code is None else Refused): 4}
        replies = [result.reply for result in wire.order if isinstance(result, Dropped | Refused)]
        assert {(reply.phase, reply.code) for reply in replies} == {("greeting", code)}
        assert server.connections <= 2


async def test_a_server_that_takes_fewer_connections_than_we_would_gets_all_mails_over_those() -> None:
    wire, again = RecordingWire(), RecordingWire()
    refuse = Say("421 4.7.0 too many connections", then="fin")
    script = {"GREETING": [None, None, refuse, refuse], "DOT": Wait(0.002)}
    async with ScriptedServer(script) as server, smtp(server.port, connections=4) as transport:
        await transport.send(mails(40), wire)
        assert wire.kinds() == {Sent: 40}
        await transport.send(mails(40), again)
        assert again.kinds() == {Sent: 40}
        assert server.connections == 4


async def test_a_server_that_ends_every_connection_is_left_alone_after_a_few() -> None:
    wire = RecordingWire()
    async with ScriptedServer({"MAIL": Drop("fin")}) as server, smtp(server.port, connections=2) as transport:
        await transport.send(mails(100), wire)
        assert wire.kinds() == {Dropped: 100}
        assert server.connections <= 6


async def test_a_slow_server_is_not_pipelined_behind_the_dot() -> None:
    wire = RecordingWire()
    timeouts = Timeouts(dot=5)
    script = {"DOT": [None, None, Wait(0.4), Wait(0.4)]}
    async with ScriptedServer(script) as server, smtp(server.port, timeouts=timeouts) as transport:
        written: list[int] = []
        wire.when_settled = lambda result: written.append(len(server.lines("MAIL")))
        await transport.send(mails(5), wire)
        # The third answer came late: the fourth mail was already announced, the fifth was not.
        assert written[2] == 4
        assert written[3] == 4


async def test_a_draining_transport_returns_new_mails() -> None:
    wire = RecordingWire()
    async with ScriptedServer() as server:
        transport = SmtpTransport(options(server.port))
        await transport.aclose()
        await transport.send(mails(2), wire)
        assert wire.kinds() == {Returned: 2}
        assert server.connections == 0


async def test_a_server_that_talks_without_end_is_hung_up_on() -> None:
    wire = RecordingWire()
    script = {"MAIL": Garbage(b"250 ok\r\n" * 10_000)}
    async with ScriptedServer(script) as server, smtp(server.port) as transport:
        await transport.send([a_mail(1)], wire)
        assert not wire.dropped(1).dot_written
        assert server.received == []


async def test_every_mail_is_settled_once_whatever_a_run_meets() -> None:
    bad: list[Action] = [
        None,
        Drop("rst"),
        Say("450 4.2.0 later"),
        None,
        Garbage(b"?\r\n"),
        None,
        None,
        Say("421 4.3.0 x", then="fin"),
    ]
    script = dict.fromkeys(("MAIL", "RCPT", "DATA", "DOT", "RSET"), bad * 3)
    wire = RecordingWire(withdraw={7, 70})
    async with ScriptedServer(script) as server, smtp(server.port, connections=3) as transport:
        for start in range(0, 200, 40):
            await transport.send([a_mail(n) for n in range(start, start + 40)], wire)
        assert len(wire.results) == 200
        accepted = [message.recipients[0] for message in server.received]
        assert len(accepted) == len(set(accepted))
        assert len(accepted) == wire.kinds()[Sent]


async def test_a_connection_on_which_the_server_said_421_is_not_used_again_though_it_stays_open() -> None:
    wire = RecordingWire()
    script = {"RCPT": [None, Say("421 4.7.0 enough")]}
    async with ScriptedServer(script) as server, smtp(server.port) as transport:
        await transport.send(mails(4), wire)
        assert wire.kinds() == {Sent: 3, Refused: 1}
        assert server.connections == 2


async def test_a_word_out_of_turn_on_an_idle_connection_is_not_the_next_mail_s_answer() -> None:
    wire = RecordingWire()
    async with ScriptedServer() as server, smtp(server.port) as transport:
        await transport.send([a_mail(1)], RecordingWire())
        for session in server.sessions:
            session.out(b"421 4.7.0 too idle\r\n")
            session.flush()
        await asyncio.sleep(0.02)
        await transport.send([a_mail(2)], wire)
        wire.sent(2)
        assert server.connections == 2


async def test_a_server_that_floods_an_idle_connection_is_hung_up_on() -> None:
    async with ScriptedServer() as server, smtp(server.port) as transport:
        await transport.send([a_mail(1)], RecordingWire())
        for session in server.sessions:
            session.out(b"250 ok\r\n" * 100)
            session.flush()
        await until(lambda: server.open_now == 0)


async def test_a_354_for_a_refused_sender_is_not_ended_by_a_dot() -> None:
    wire = RecordingWire()
    confused = Garbage(b"550 5.1.8 no\r\n250 ok\r\n354 go on\r\n")
    async with ScriptedServer({"MAIL": [None, confused]}) as server, smtp(server.port) as transport:
        await transport.send(mails(2), wire)
        assert wire.refused(2).reply.code == 550
        await until(lambda: server.open_now == 0)
        assert server.lines(".") == []


async def test_a_connection_with_an_answer_that_makes_no_sense_is_not_used_again() -> None:
    wire = RecordingWire()
    async with ScriptedServer({"DATA": [None, Say("250 ok")]}) as server, smtp(server.port) as transport:
        await transport.send(mails(2), wire)
        assert not wire.dropped(2).dot_written
        await transport.send([a_mail(3)], wire)
        wire.sent(3)
        assert server.connections == 2
