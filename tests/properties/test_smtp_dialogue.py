"""E18, E19: whatever a server does, what is reported about a mail is true of what the server took."""

from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nurture.delivery.dialogue import Timeouts
from nurture.delivery.smtp import SmtpTransport
from nurture.delivery.transport import Dropped, Returned, Sent
from tests.delivery.conftest import mails, options
from tests.delivery.recording import RecordingWire
from tests.delivery.server import Action, Drop, Garbage, Say, ScriptedServer

HASTY = Timeouts(connect=1, command=0.1, mail=0.1, rcpt=0.1, data=0.1, block=0.1, dot=0.1, quit=0.05)

MISCHIEF: list[Action] = [
    Drop("fin"),
    Drop("rst"),
    Drop("hang"),
    Drop("fin", accepted=True),
    Drop("rst", accepted=True),
    Garbage(b"\xff\r\n"),
    Garbage(b"?\r\n", accepted=True),
    Say("421 4.3.2 closing", then="fin"),
    Say("421 4.7.0 slow down"),
    Say("450 4.2.0 later"),
    Say("550 5.1.1 never"),
    Say("354 what?"),
    Say("250 2.0.0 kept", then="fin"),
]
VERBS = ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "DOT", "RSET", "QUIT"]


def actions(verb: str) -> st.SearchStrategy[list[Action]]:
    # A server that answers within the content and answers again after the dot lies; no client can see through that.
    mischief = [action for action in MISCHIEF if isinstance(action, Drop)] if verb == "BODY" else MISCHIEF
    return st.lists(st.one_of(st.none(), st.none(), st.sampled_from(mischief)), max_size=8)


async def play(script: dict[str, list[Action]], offers: tuple[str, ...], connections: int) -> None:
    wire, count = RecordingWire(withdraw={3}), 12
    async with ScriptedServer(script, offers=offers) as server:
        transport = SmtpTransport(options(server.port, connections=connections, timeouts=HASTY, mails_per_connection=5))
        await asyncio.wait_for(transport.send(mails(count), wire), 20)
        await transport.aclose()
        taken = Counter(int(message.recipients[0][4:].split("@")[0]) for message in server.received)
    assert set(wire.results) == set(range(1, count + 1))
    assert 3 not in taken
    for number, result in wire.results.items():
        assert not isinstance(result, Returned)
        assert taken[number] <= 1, "a mail was handed over twice"
        if isinstance(result, Sent):
            assert taken[number] == 1
        elif not (isinstance(result, Dropped) and result.dot_written):
            assert taken[number] == 0, f"the server has it, reported was {result}"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    script=st.fixed_dictionaries({}, optional={verb: actions(verb) for verb in VERBS}),
    offers=st.sampled_from([("PIPELINING",), ()]),
    connections=st.sampled_from([1, 3]),
)
def test_e18_reports_are_true_whatever_the_server_does(
    script: dict[str, list[Action]], offers: tuple[str, ...], connections: int
) -> None:
    asyncio.run(play({verb: list(actions) for verb, actions in script.items()}, offers, connections))
