"""How much leaves: warm-up (trust E17), blast limits (trust R19, X19), the staging guard (trust R18)."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from nurture.app import App
from nurture.clock import machine_now
from nurture.engine import deploy
from nurture.serving import Endpoint
from nurture.store import tallies, versions
from nurture.store.keys import create_key
from nurture.store.tables import messages
from nurture.web.app import create_app
from tests.delivery.post import Post, post
from tests.delivery.server import ScriptedServer

ALERTS = "alerts: {blast: 10, fallback: ops@shop.example}\n"
GUARD = "allow_recipients: [mail0.example, lead1@mail1.example]\n"


def today() -> date:
    return machine_now().date()


def stands(shop: Post) -> bool:
    with shop.project.app.database.read() as tx:
        return versions.deployed(tx)["mails"].stands


async def drain(shop: Post, later: timedelta = timedelta(0)) -> None:
    while await shop.send(later):
        pass


async def test_r19_a_campaign_that_lets_everybody_in_stops_at_its_limit_and_somebody_is_told(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=60, more=ALERTS) as shop:
            await drain(shop)
            to_leads = [m for m in server.received if "shop.example" not in m.recipients[0]]
            assert (len(to_leads), stands(shop)) == (10, True)
            assert shop.notices() == ["guard/stopped"]
            assert shop.states()["pending"] == 50


async def test_x19_who_stole_a_key_reaches_no_more_people_than_the_limit_and_somebody_is_told(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=1, more=ALERTS) as shop:
            await thief(shop.project.app, people=80)
            shop.release()
            await drain(shop)
            await drain(shop, timedelta(minutes=50))
            to_leads = [m for m in server.received if "shop.example" not in m.recipients[0]]
            assert (len(to_leads), stands(shop)) == (10, True)
            assert shop.notices() == ["guard/stopped"]


async def thief(app: App, people: int) -> None:
    """Somebody with a key for events has these people agree and sets off a mail to each of them."""
    with app.database.write() as tx:
        key = create_key(tx, ["ingest", "consent"], app.clock.now())
    endpoint = Endpoint(app, "127.0.0.1", 0)
    endpoint.ingest.start()
    doors = httpx.ASGITransport(create_app(endpoint.services()))
    async with httpx.AsyncClient(transport=doors, base_url="http://127.0.0.1:9", auth=(key, "")) as client:
        for n in range(people):
            who = {"userId": f"v{n}", "traits": {"email": f"v{n}@victim.example"}}
            assert (await client.post("/v1/identify", json={**who, "messageId": f"i{n}"})).status_code == 200
            said = {"lead": f"v{n}", "topic": "offers", "state": "granted", "wording": "Yes, offers."}
            said |= {"actor": "person", "method": "checkbox", "source": "till"}
            answer = await client.post("/v1/consents", json=said, headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code == 200, answer.text
            event = {"userId": f"v{n}", "event": "go", "messageId": f"e{n}", "properties": {"n": n}}
            assert (await client.post("/v1/track", json=event)).status_code == 200


async def test_r19_a_person_lets_it_go_on_for_a_number_of_mails(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=60, more=ALERTS) as shop:
            await drain(shop)
            with shop.project.app.database.write() as tx:
                deploy.resume(tx, "mails", shop.now, yes_send=25)
            await drain(shop, timedelta(minutes=1))
            assert sum("shop.example" not in m.recipients[0] for m in server.received) == 10 + 25 + 10


async def test_r19_a_plain_resume_counts_anew(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=15, more=ALERTS) as shop:
            await drain(shop)
            with shop.project.app.database.write() as tx:
                deploy.resume(tx, "mails", shop.now)
            await drain(shop, timedelta(minutes=1))
            assert (shop.states()["sent"], stands(shop)) == (16, False)


async def test_r19_the_limit_of_an_hour_pauses_everything_but_service_mails(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=30, more="alerts: {per_hour: 7}\n") as shop:
            await drain(shop)
            with shop.project.app.database.read() as tx:
                live = versions.current(tx)
            assert live is not None
            assert (len(server.received), live.paused, live.pause_spares_service) == (7, True, True)


async def test_e17_a_new_sender_gives_each_provider_so_many_mails_a_day_over_all_workers(tmp_path: Path) -> None:
    smtp = f"warm_up: {{{{since: {today()}, first: 3, growth: 2}}}}"
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=70, smtp=smtp) as shop:  # ten at each of seven domains
            for _ in range(3):  # each a worker of its own
                await shop.send()
            domains = [m.recipients[0].partition("@")[2] for m in server.received]
            assert {domain: domains.count(domain) for domain in domains} == {f"mail{n}.example": 3 for n in range(7)}
            assert shop.reasons() == {"warm-up"}


async def test_e17_what_warm_up_keeps_back_goes_the_next_day(tmp_path: Path) -> None:
    smtp = f"warm_up: {{{{since: {today()}, first: 3, growth: 2}}}}"
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=35, smtp=smtp) as shop:
            await shop.send()
            with shop.project.app.database.read() as tx:
                dues = {row[0] for row in tx.execute(select(messages.c.due).where(messages.c.state == "pending"))}
            midnight = tallies.day_of(machine_now()) + timedelta(days=1)
            assert min(dues) > midnight - timedelta(minutes=10)  # the test's own clock stands still meanwhile
            await drain(shop, midnight - shop.now)
            assert shop.states()["sent"] == 21, "the day that counts is the machine's"


async def test_e17_a_sender_that_is_warm_has_no_limit(tmp_path: Path) -> None:
    smtp = f"warm_up: {{{{since: {today() - timedelta(days=40)}, first: 3, growth: 2, most: 1000}}}}"
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=35, smtp=smtp) as shop:
            await shop.send()
            assert dict(shop.states()) == {"sent": 35}


async def test_e17_a_provider_has_its_own_rate(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        smtp = "providers: {{mail0.example: {{rate: 0.001}}}}"
        with post(tmp_path, server.port, leads=210, smtp=smtp) as shop:  # thirty at each domain, a burst is twenty
            await shop.send()
            domains = [m.recipients[0].partition("@")[2] for m in server.received]
            assert (domains.count("mail0.example"), domains.count("mail1.example")) == (20, 30)


async def test_r18_mails_go_to_nobody_outside_the_allow_list(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=14, more=GUARD) as shop:
            await drain(shop)
            reached = sorted(m.recipients[0] for m in server.received)
            assert reached == ["lead0@mail0.example", "lead1@mail1.example", "lead7@mail0.example"]


async def test_r18_who_is_kept_back_is_refused_with_a_reason(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=2, more="allow_recipients: mail0.example\n") as shop:
            with shop.project.app.database.read() as tx:
                found = tx.exec_driver_sql("SELECT what, reason FROM decisions WHERE what = 'refused'").all()
            assert [tuple(row) for row in found] == [("refused", "test mode")]


async def test_r18_what_was_released_before_the_guard_is_cancelled_before_mail_from(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=7) as shop:
            config = tmp_path / "shop" / "config.yaml"
            config.write_text(config.read_text() + "allow_recipients: [mail0.example]\n")
            shop.reopen()
            await drain(shop)
            assert (len(server.lines("MAIL")), dict(shop.states())) == (1, {"sent": 1, "cancelled": 6})
            assert shop.reasons() == {"test mode"}


async def test_r18_a_notice_to_a_colleague_is_kept_back_too(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        more = ALERTS + "allow_recipients: [mail0.example, mail1.example, mail2.example]\n"
        with post(tmp_path, server.port, leads=60, more=more) as shop:
            await drain(shop)
            assert shop.notices() == ["guard/stopped"]
            assert not any("ops@shop.example" in m.recipients for m in server.received)


@pytest.mark.parametrize("names", ["nobody", "'*.example.com'", "[]"])
def test_r18_a_list_that_cannot_be_one_is_a_problem(tmp_path: Path, names: str) -> None:
    from nurture.folder import read_folder
    from nurture.settings import read_language

    (tmp_path / "config.yaml").write_text(f"project: acme\nallow_recipients: {names}\n")
    [problem] = read_language(read_folder(tmp_path)).problems
    assert problem.mark.line == 2
