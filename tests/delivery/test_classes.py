"""E15, E18: the facts this client reports are facts the outcome table can judge."""

from __future__ import annotations

import pytest

from nurture.delivery.transport import Dropped, Refused
from nurture.mail.outcome import Kind, Move, classify, default_rules
from tests.delivery.conftest import a_mail, smtp
from tests.delivery.recording import RecordingWire
from tests.delivery.server import Action, Drop, Garbage, Say, ScriptedServer

RULES = default_rules()

CASES: list[tuple[str, Action, Kind, Move]] = [
    ("GREETING", Say("421 4.3.2 busy", then="fin"), Kind.TRANSPORT, Move.RETRY),
    ("GREETING", Drop("rst"), Kind.TRANSPORT, Move.RETRY),
    ("MAIL", Say("550 5.1.8 bad sender"), Kind.SENDER, Move.HOLD),
    ("RCPT", Say("550 5.1.1 no such user"), Kind.HARD, Move.FAIL),
    ("RCPT", Say("452 4.2.2 over quota"), Kind.QUOTA, Move.RETRY),
    ("RCPT", Drop("fin"), Kind.TRANSIENT, Move.RETRY),
    ("DATA", Drop("rst"), Kind.TRANSIENT, Move.RETRY),
    ("DOT", Drop("rst", accepted=True), Kind.UNKNOWN, Move.UNKNOWN),
    ("DOT", Drop("hang", accepted=True), Kind.UNKNOWN, Move.UNKNOWN),
    ("DOT", Garbage(b"!\r\n", accepted=True), Kind.UNKNOWN, Move.UNKNOWN),
    ("DOT", Say("554 5.7.1 blocked by list"), Kind.POLICY, Move.FAIL),
]


@pytest.mark.parametrize(("verb", "action", "kind", "move"), CASES, ids=repr)
async def test_e15_what_a_server_did_is_judged_by_the_table(verb: str, action: Action, kind: Kind, move: Move) -> None:
    wire = RecordingWire()
    async with ScriptedServer({verb: action}) as server, smtp(server.port) as transport:
        await transport.send([a_mail(1)], wire)
    result = wire.results[1]
    assert isinstance(result, Refused | Dropped)
    reply = result.reply
    outcome = classify(reply.phase, reply.code, reply.enhanced, reply.text, RULES)
    assert (outcome.kind, outcome.message) == (kind, move)


async def test_e15_a_sign_in_that_fails_is_never_the_lead_s_fault() -> None:
    wire = RecordingWire()
    credentials = {"username": "shop", "password": "wrong", "allow_insecure": True}
    async with ScriptedServer(login=("shop", "right")) as server, smtp(server.port, **credentials) as transport:
        await transport.send([a_mail(1)], wire)
    reply = wire.refused(1).reply
    assert classify(reply.phase, reply.code, reply.enhanced, reply.text, RULES).kind == Kind.CONFIG


@pytest.mark.parametrize(
    ("changes", "suppresses"),
    [
        ({"recipient": "a b@example.net"}, True),
        ({"sender": "b b@example.com"}, False),
        ({"data": b"\xc3\xa9\r\n"}, False),
        ({"data": b"x" * 2000}, False),
        ({"recipient": "zo\u00eb@example.net"}, False),
    ],
)
async def test_e22_what_this_program_refuses_itself_is_held_against_the_right_one(
    changes: dict[str, object], suppresses: bool
) -> None:
    wire = RecordingWire()
    async with ScriptedServer(offers=("SIZE 1000",)) as server, smtp(server.port) as transport:
        await transport.send([a_mail(1, **changes)], wire)
    reply = wire.refused(1).reply
    outcome = classify(reply.phase, reply.code, reply.enhanced, reply.text, RULES)
    assert outcome.message in (Move.FAIL, Move.HOLD)
    assert bool(outcome.suppress_after) is suppresses
