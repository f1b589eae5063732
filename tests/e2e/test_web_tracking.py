"""Clicks and openings, as people, scanners and forgers make them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from nurture.engine import tracking
from nurture.mail.links import Links
from nurture.store import tables as t
from nurture.store.tracking import keep_links
from tests.e2e.web_world import Endpoint, running

PERSON = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
PAGES = [f"https://shop.example/page/{n}" for n in range(12)]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Endpoint]:
    async with running(tmp_path) as endpoint:
        yield endpoint


def mail(world: Endpoint, lead: int) -> int:
    """A mail of twelve links that the server has just taken."""
    now = world.clock.now()
    row = {"lead_id": lead, "shard": 1, "state": "sent", "due": now, "released_at": now, "sent_at": now}
    with world.database.write() as tx:
        made = insert(t.messages).values(**row, template="cart/reminder").returning(t.messages.c.id)
        message = int(tx.execute(made).scalar_one())
        keep_links(tx, {message: PAGES})
    return message


def reader(world: Endpoint, *purposes: str) -> tuple[int, int]:
    lead = world.member()
    for purpose in purposes or ("tracking_clicks", "tracking_opens"):
        world.say(lead, "grant", purpose)
    return lead, mail(world, lead)


async def click(world: Endpoint, message: int, n: int = 0, method: str = "GET", **headers: str) -> str:
    path = world.path(world.links.click(message, n))
    answer = await world.client.request(method, path, headers={**PERSON, **headers})
    assert answer.status_code == 302
    assert answer.headers["cache-control"] == "no-store"
    return answer.headers["location"]


def judged(world: Endpoint) -> list[str]:
    """The events that hits became, after they were counted."""
    world.later(minutes=1)
    tracking.count(world.database, world.clock.now())
    return [e["name"] for e in world.rows("events") if e["name"].startswith("mail.")]


async def test_c21_a_persons_click_leads_on_marks_the_mail_and_is_an_event(world: Endpoint) -> None:
    _, message = reader(world)
    world.later(seconds=30)
    assert await click(world, message, 3) == PAGES[3]
    assert judged(world) == ["mail.clicked"]
    assert world.rows("messages")[0]["clicked_at"] is not None
    assert world.rows("events")[-1]["properties"]["url"] == PAGES[3]


async def test_c21_a_persons_opening_marks_the_mail(world: Endpoint) -> None:
    _, message = reader(world)
    world.later(seconds=30)
    answer = await world.client.get(world.path(world.links.open(message)), headers=PERSON)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
    assert judged(world) == ["mail.opened"]
    assert world.rows("messages")[0]["opened_at"] is not None


async def test_c21_a_scanner_that_follows_all_links_three_seconds_later_moves_nothing(world: Endpoint) -> None:
    _, message = reader(world)
    world.later(seconds=3)
    for n in range(12):
        await click(world, message, n)
    assert judged(world) == []
    assert {h["suspected_bot"] for h in world.rows("hits")} == {"too soon"}


async def test_c21_many_links_of_one_mail_at_once_are_a_machines(world: Endpoint) -> None:
    _, message = reader(world)
    world.later(hours=1)
    for n in range(4):
        await click(world, message, n)
    assert judged(world) == []
    assert world.rows("messages")[0]["clicked_at"] is None


async def test_c21_two_links_of_one_mail_are_a_persons(world: Endpoint) -> None:
    _, message = reader(world)
    world.later(hours=1)
    for n in range(2):
        await click(world, message, n)
    assert judged(world) == ["mail.clicked"] * 2


async def test_c21_head_is_no_click(world: Endpoint) -> None:
    _, message = reader(world)
    world.later(hours=1)
    await click(world, message, method="HEAD")
    assert judged(world) == []


async def test_c21_a_hit_counts_once(world: Endpoint) -> None:
    _, message = reader(world)
    world.later(hours=1)
    await click(world, message)
    assert judged(world) == judged(world) == ["mail.clicked"]


async def test_c20_without_consent_the_link_leads_on_and_nothing_is_kept(world: Endpoint) -> None:
    message = mail(world, world.member())
    world.later(hours=1)
    assert await click(world, message) == PAGES[0]
    assert (await world.client.get(world.path(world.links.open(message)), headers=PERSON)).status_code == 200
    assert world.rows("hits") == []


async def test_c20_after_a_withdrawal_old_links_lead_on_and_leave_no_row(world: Endpoint) -> None:
    lead, message = reader(world)
    for purpose in ("tracking_clicks", "tracking_opens"):
        world.say(lead, "withdraw", purpose)
    world.later(hours=1)
    assert await click(world, message) == PAGES[0]
    await world.client.get(world.path(world.links.open(message)), headers=PERSON)
    assert world.rows("hits") == []


async def test_c20_the_two_purposes_are_apart(world: Endpoint) -> None:
    _, message = reader(world, "tracking_opens")
    world.later(hours=1)
    await click(world, message)
    assert world.rows("hits") == []


async def test_x10_an_unknown_link_is_a_page_that_says_so(world: Endpoint) -> None:
    _, message = reader(world)
    foreign = Links("https://acme.example", ["another secret"])
    for url in (
        world.links.click(message, 99),
        world.links.click(message + 1, 0),
        foreign.click(message, 0),
        world.links.open(message).replace("/o/", "/r/"),
        world.links.click(message, 0)[:-2],
    ):
        answer = await world.client.get(world.path(url), headers=PERSON)
        assert answer.status_code == 404
        assert "location" not in answer.headers


async def test_x10_a_stored_target_is_looked_at_again(world: Endpoint) -> None:
    _, message = reader(world)
    with world.database.write() as tx:
        tx.execute(update(t.message_links).values(url="//evil.example"))
    answer = await world.client.get(world.path(world.links.click(message, 0)), headers=PERSON)
    assert answer.status_code == 404


async def test_x07_the_picture_is_the_same_for_any_token(world: Endpoint) -> None:
    _, message = reader(world)
    real = await world.client.get(world.path(world.links.open(message)), headers=PERSON)
    made_up = await world.client.get("/o/abcdefghijklmnopqrstuvwxyz", headers=PERSON)
    assert (real.status_code, real.content) == (made_up.status_code, made_up.content)


async def test_c23_no_network_address_is_kept_with_a_hit(world: Endpoint) -> None:
    _, message = reader(world)
    world.clock.advance(timedelta(hours=1))
    await click(world, message)
    assert "198.51.100.7" not in str([dict(h) for h in world.rows("hits")])
