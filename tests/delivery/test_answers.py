"""E15: every row of the table of answers, from the scripted server through dispatch to what follows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.delivery.post import post
from tests.delivery.server import Action, Drop, Garbage, Say, ScriptedServer

SMTP_AUTH = "username: u, password: p, allow_insecure: true"
ALERTS = "alerts: {fallback: ops@shop.example}\n"

# (verb, action) → state of the message, ways closed by one such answer, addresses suppressed by one such answer
ROWS: dict[str, tuple[str, Action, str, list[str], int]] = {
    "refused greeting": ("GREETING", Say("421 4.3.2 busy", then="fin"), "pending", [], 0),
    "5xx greeting": ("GREETING", Say("554 no service", then="fin"), "pending", [], 0),
    "MAIL FROM 5.1.8": ("MAIL", Say("550 5.1.8 bad sender"), "pending", ["sender"], 0),
    "MAIL FROM 5.7.1": ("MAIL", Say("550 5.7.1 not allowed"), "pending", ["sender"], 0),
    "5.1.1": ("RCPT", Say("550 5.1.1 no such user"), "failed", [], 1),
    "550 without enhanced code at RCPT": ("RCPT", Say("550 no"), "failed", [], 1),
    "5.7.17": ("RCPT", Say("550 5.7.17 owner changed"), "failed", [], 1),
    "5.2.1": ("RCPT", Say("550 5.2.1 disabled"), "failed", [], 0),
    "4.2.2": ("RCPT", Say("452 4.2.2 full"), "pending", [], 0),
    "5.2.2": ("RCPT", Say("552 5.2.2 full"), "failed", [], 0),
    "size": ("DOT", Say("552 5.3.4 too big"), "failed", [], 0),
    "5.4.1 at RCPT": ("RCPT", Say("550 5.4.1 access denied"), "failed", [], 0),
    "5.4.4": ("RCPT", Say("550 5.4.4 unable to route"), "failed", [], 0),
    "5.7.1 after DATA": ("DOT", Say("550 5.7.1 spam"), "failed", [], 0),
    "a block list": ("RCPT", Say("554 blocked using zen.spamhaus.org"), "failed", [], 0),
    "throttled": ("RCPT", Say("421 4.7.28 unusual rate"), "pending", [], 0),
    "greylisted": ("RCPT", Say("450 4.7.1 greylisted"), "pending", [], 0),
    "too many recipients": ("RCPT", Say("452 4.5.3 too many recipients"), "pending", [], 0),
    "dropped before the dot": ("DATA", Drop("fin"), "pending", [], 0),
    "dropped after the dot": ("DOT", Drop("fin", accepted=True), "unknown", [], 0),
    "garbage after the dot": ("DOT", Garbage(b"!\r\n", accepted=True), "unknown", [], 0),
    "accepted": ("DOT", None, "sent", [], 0),
}


@pytest.mark.parametrize("row", ROWS)
async def test_e15_one_answer_does_what_its_row_says(tmp_path: Path, row: str) -> None:
    verb, action, state, closed, suppressed = ROWS[row]
    async with ScriptedServer({verb: action}) as server:
        with post(tmp_path, server.port, leads=1) as shop:
            await shop.send()
            assert (dict(shop.states()), [scope for scope, _ in shop.closed()]) == ({state: 1}, closed)
            assert shop.suppressed() == suppressed


async def test_e15_a_refused_password_holds_all_mail_and_is_not_tried_again_and_again(tmp_path: Path) -> None:
    async with ScriptedServer(login=("u", "another")) as server:
        with post(tmp_path, server.port, leads=20, smtp=SMTP_AUTH) as shop:
            await shop.send()
            tries = len(server.lines("AUTH"))
            for hour in range(3):
                assert await shop.send(timedelta(hours=hour)) == 0
            assert len(server.lines("AUTH")) == tries
            assert dict(shop.states()) == {"pending": 20}
            assert [scope for scope, _ in shop.closed()] == ["server"]


async def test_e15_when_its_time_is_over_one_mail_tries_a_closed_server_and_opens_it(tmp_path: Path) -> None:
    async with ScriptedServer(login=("u", "another")) as server:
        with post(tmp_path, server.port, leads=5, smtp=SMTP_AUTH) as shop:
            await shop.send()
            shop.over("server")
            server.login = ("u", "p")
            assert await shop.send(timedelta(hours=2)) == 1
            assert shop.closed() == []
            assert await shop.send(timedelta(hours=2)) == 4
            assert dict(shop.states()) == {"sent": 5}


async def test_e15_another_password_is_tried_at_once(tmp_path: Path) -> None:
    async with ScriptedServer(login=("u", "another")) as server:
        with post(tmp_path, server.port, leads=5, smtp=SMTP_AUTH) as shop:
            await shop.send()
        config = tmp_path / "shop" / "config.yaml"
        config.write_text(config.read_text().replace("password: p,", "password: another,"))
        shop.reopen()
        assert await shop.send(timedelta(hours=2)) == 5
        assert dict(shop.states()) == {"sent": 5}
        shop.project.app.database.close()


async def test_e15_a_refused_sender_holds_its_mails_and_somebody_is_told_once(tmp_path: Path) -> None:
    async with ScriptedServer({"MAIL": Say("550 5.7.1 not yours")}) as server:
        with post(tmp_path, server.port, leads=9, more=ALERTS) as shop:
            await shop.send()
            refused = len(server.lines("MAIL"))
            await shop.send(timedelta(minutes=5))
            assert shop.closed() == [("sender", "news@shop.example")]
            assert (len(server.lines("MAIL")), shop.notices()) == (refused, ["guard/closed"])
            assert shop.states()["failed"] == 0


async def test_e15_a_sender_whose_time_is_over_is_tried_by_one_mail(tmp_path: Path) -> None:
    script = {"MAIL": [Say("550 5.7.1 not yours")] * 9}
    async with ScriptedServer(script) as server:
        with post(tmp_path, server.port, leads=9) as shop:
            await shop.send()
            server.behaviour.script.clear()
            shop.over("sender")
            await shop.send(timedelta(hours=2))
            assert (len(server.received), shop.closed()) == (1, [])
            await shop.send(timedelta(hours=4))
            assert dict(shop.states()) == {"sent": 9}


async def test_e15_five_refusals_close_a_destination_for_every_worker_and_no_lead_is_suppressed(tmp_path: Path) -> None:
    async with ScriptedServer({"RCPT": Say("550 5.7.1 we do not like you")}) as server:
        with post(tmp_path, server.port, leads=36, more=ALERTS) as shop:  # mail0.example has six, the others five
            await shop.send()
            assert {scope for scope, _ in shop.closed()} == {"destination"}
            assert (shop.states()["failed"], shop.suppressed()) == (36, 0)
            assert "guard/closed" in shop.notices()


async def test_e15_a_few_refusals_close_no_destination(tmp_path: Path) -> None:
    async with ScriptedServer({"RCPT": [Say("550 5.7.1 not this one")] * 4}) as server:
        with post(tmp_path, server.port, leads=7) as shop:
            await shop.send()
            assert (shop.closed(), dict(shop.states())) == ([], {"failed": 4, "sent": 3})


async def test_e15_a_domain_that_cannot_be_reached_is_paused_after_five_and_then_suppresses(tmp_path: Path) -> None:
    async with ScriptedServer({"RCPT": Say("550 5.4.4 unable to route")}) as server:
        with post(tmp_path, server.port, leads=28) as shop:  # four at each of seven domains
            await shop.send()
            assert (shop.closed(), shop.suppressed()) == ([], 0)
        with post(tmp_path / "more", server.port, leads=35) as shop:
            await shop.send()
            assert len(shop.closed()) == 7
            assert shop.suppressed() > 0


async def test_e15_mails_for_a_closed_destination_wait(tmp_path: Path) -> None:
    async with ScriptedServer({"RCPT": [Say("550 5.7.1 no")] * 70}) as server:
        with post(tmp_path, server.port, leads=70) as shop:
            await shop.send()
            server.behaviour.script.clear()
            asked = len(server.lines("RCPT"))
            assert await shop.send(timedelta(minutes=5)) == 0
            assert len(server.lines("RCPT")) == asked


async def test_e15_the_projects_own_rules_come_first(tmp_path: Path) -> None:
    rules = '[[rule]]\nname = "fishing"\ncode = 550\ntext = "gone fishing"\nclass = "transient"\nmessage = "retry"\n'
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "own.toml").write_text(rules)
    async with ScriptedServer({"RCPT": Say("550 5.1.1 Gone fishing")}) as server:
        with post(tmp_path, server.port, leads=1, smtp="outcomes: own.toml") as shop:
            await shop.send()
            assert (dict(shop.states()), shop.suppressed()) == ({"pending": 1}, 0)


@pytest.mark.parametrize(
    ("policy", "received", "state"), [("hold", 1, {"unknown": 1}), ("resend", 2, {"sent": 1})], ids=["hold", "resend"]
)
async def test_e18_a_stream_is_held_or_sent_again_with_the_same_bytes(
    tmp_path: Path, policy: str, received: int, state: dict[str, int]
) -> None:
    async with ScriptedServer({"DOT": [Drop("rst", accepted=True)]}) as server:
        with post(tmp_path, server.port, leads=1, smtp=f"unknown: {{{{marketing: {policy}}}}}") as shop:
            await shop.send()
            await shop.send(timedelta(hours=1))
            assert (len(server.received), dict(shop.states())) == (received, state)
            assert len({mail.sha256 for mail in server.received}) == 1


async def test_e18_bytes_are_kept_only_until_the_outcome_is_known(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=1, smtp="unknown: {{marketing: resend}}") as shop:
            await shop.send()
            with shop.project.app.database.read() as tx:
                assert tx.exec_driver_sql("SELECT body FROM messages").scalar() is None
