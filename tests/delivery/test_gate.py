"""E14, architecture §3: the last question before MAIL FROM, and how long its answer is good for."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import pytest

from nurture.delivery.dialogue import Timeouts
from nurture.delivery.transport import Mail, Returned, Sent, Withdrawn
from tests.delivery.conftest import a_mail, mails, smtp
from tests.delivery.recording import RecordingWire
from tests.delivery.server import ScriptedServer, Wait


async def test_e14_a_withdrawn_mail_is_not_mentioned_to_the_server() -> None:
    wire = RecordingWire(withdraw={2})
    async with ScriptedServer() as server, smtp(server.port) as transport:
        await transport.send(mails(3), wire)
        assert wire.kinds() == {Sent: 2, Withdrawn: 1}
        assert "RCPT TO:<lead2@example.net>" not in server.lines("RCPT")


async def test_e14_no_mail_from_is_written_on_an_answer_older_than_half_a_second() -> None:
    asked: dict[int, float] = {}
    loop = asyncio.get_running_loop()

    class Dated(RecordingWire):
        async def gate(self, mails: Sequence[Mail]) -> Collection[int]:
            asked.update({mail.id: loop.time() for mail in mails})
            return await super().gate(mails)

    wire = Dated()
    async with ScriptedServer({"DOT": Wait(0.2)}, offers=()) as server, smtp(server.port) as transport:
        await transport.send(mails(6), wire)
        assert wire.kinds() == {Sent: 6}
        # The server notes an arrival when the content is complete, which here is at once after MAIL FROM.
        for message in server.received:
            number = int(message.recipients[0].removeprefix("lead").split("@")[0])
            assert message.at - asked[number] < 0.55


async def test_e14_an_unsubscribe_during_a_slow_batch_stops_the_mail_within_a_second() -> None:
    wire = RecordingWire()
    loop = asyncio.get_running_loop()
    left_at = 0.0

    async def leave() -> None:
        nonlocal left_at
        await asyncio.sleep(0.3)
        wire.withdraw = set(range(1, 21))
        left_at = loop.time()

    async with ScriptedServer({"DOT": Wait(0.15)}) as server, smtp(server.port, connections=2) as transport:
        await asyncio.gather(transport.send(mails(20), wire), leave())
        assert wire.kinds()[Withdrawn] > 0
        assert max(message.at for message in server.received) - left_at < 1.0


async def test_e14_a_server_that_ponders_the_recipient_gets_no_data_for_someone_who_left_meanwhile() -> None:
    wire = RecordingWire()

    async def leave() -> None:
        await asyncio.sleep(0.1)
        wire.withdraw = {1}

    script = {"RCPT": [Wait(0.7)]}
    async with ScriptedServer(script) as server, smtp(server.port, timeouts=Timeouts()) as transport:
        await asyncio.gather(transport.send([a_mail(1), a_mail(2)], wire), leave())
        assert wire.kinds() == {Sent: 1, Withdrawn: 1}
        assert len(server.lines("DATA")) == 1


async def test_e14_a_server_that_ponders_data_gets_no_content_for_someone_who_left_meanwhile() -> None:
    wire = RecordingWire()

    async def leave() -> None:
        await asyncio.sleep(0.1)
        wire.withdraw = {1}

    async with ScriptedServer({"DATA": [Wait(0.7)]}) as server, smtp(server.port, timeouts=Timeouts()) as transport:
        await asyncio.gather(transport.send([a_mail(1), a_mail(2)], wire), leave())
        assert wire.kinds() == {Sent: 1, Withdrawn: 1}
        assert [message.recipients for message in server.received] == [("lead2@example.net",)]
        assert [mail for mail, _ in wire.dots] == [2]


async def test_e14_a_quick_server_gets_a_batch_on_few_questions() -> None:
    wire = RecordingWire()
    async with ScriptedServer(keep=False) as server, smtp(server.port, connections=4) as transport:
        await transport.send(mails(1000), wire)
    assert len(wire.asked) < 20


async def test_r07_a_gate_that_fails_ends_the_run_and_returns_what_had_not_begun() -> None:
    class Broken(RecordingWire):
        async def gate(self, mails: Sequence[Mail]) -> Collection[int]:
            if self.asked:
                raise OSError("database is gone")
            return await super().gate(mails)

    wire = Broken()
    async with ScriptedServer() as server, smtp(server.port) as transport:
        with pytest.raises(OSError, match="database is gone"):
            await transport.send(mails(80), wire)
        assert len(wire.results) == 80
        assert wire.kinds()[Sent] == len(server.received) > 0
        assert wire.kinds()[Returned] == 80 - len(server.received)


async def test_r07_a_gate_whose_answers_come_too_late_stops_the_sending() -> None:
    wire = RecordingWire(before_answer=lambda: asyncio.sleep(0.55))
    async with ScriptedServer() as server, smtp(server.port) as transport:
        await transport.send(mails(10), wire)
        assert wire.kinds() == {Returned: 10}
        assert server.received == []


async def test_the_gate_is_not_asked_before_there_is_a_connection() -> None:
    wire = RecordingWire()
    async with smtp(1) as transport:  # nothing listens there
        await transport.send(mails(3), wire)
    assert wire.asked == []
    assert [wire.dropped(n).reply.phase for n in (1, 2, 3)] == ["connect"] * 3
