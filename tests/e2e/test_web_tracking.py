"""Clicks and openings, as people, scanners and forgers make them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert, update

from nurture.engine import tracking
from nurture.engine.scanners import known_scanners
from nurture.errors import UserError
from nurture.mail.links import Links
from nurture.store import tables as t
from nurture.store.tracking import counted, keep_links
from tests.e2e.web_world import PROJECT, Endpoint, hidden, running

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


HYGIENE = msgspec.structs.replace(PROJECT, tracking="hygiene_only")


@pytest.fixture
async def tidy(tmp_path: Path) -> AsyncIterator[Endpoint]:
    """An endpoint of a project with `tracking: hygiene_only`."""
    (tmp_path / "tidy").mkdir()
    async with running(tmp_path / "tidy", project=HYGIENE) as endpoint:
        yield endpoint


async def look(world: Endpoint, message: int, **headers: str) -> None:
    answer = await world.client.get(world.path(world.links.open(message)), headers={**PERSON, **headers})
    assert answer.status_code == 200


def kept(world: Endpoint) -> tuple[object, list[object]]:
    """The day that is kept of the only lead, and everything else that the opening left."""
    [lead] = world.rows("leads")
    marks = [m for m in world.rows("messages") if m["opened_at"] or m["clicked_at"]]
    return lead["attributes"].get("last_opened_on"), [*world.rows("hits"), *marks]


async def test_c20_hygiene_only_keeps_one_date_and_overwrites_it(tidy: Endpoint) -> None:
    message = mail(tidy, tidy.member())
    before = tidy.rows("leads")[0]["changed_at"]
    tidy.later(minutes=1)
    await look(tidy, message)
    assert kept(tidy) == ("2026-03-02", [])
    tidy.later(days=3)
    await look(tidy, message)
    assert kept(tidy) == ("2026-03-05", [])
    assert tidy.rows("leads")[0]["changed_at"] == before
    assert judged(tidy) == []


async def test_c20_the_date_of_hygiene_only_is_the_projects_day(tidy: Endpoint) -> None:
    message = mail(tidy, tidy.member())
    tidy.later(hours=14, minutes=30)  # 23:30 UTC, half past midnight in Paris
    await look(tidy, message)
    assert kept(tidy) == ("2026-03-03", [])


async def test_c20_hygiene_only_keeps_nothing_of_clicks(tidy: Endpoint) -> None:
    lead, message = reader(tidy)
    tidy.later(minutes=1)
    await click(tidy, message)
    assert kept(tidy) == (None, [])
    assert lead


@pytest.mark.parametrize("headers", [{"User-Agent": "LinkScanner/1"}, {"User-Agent": ""}])
async def test_c20_hygiene_only_keeps_no_day_of_a_machine(tidy: Endpoint, headers: dict[str, str]) -> None:
    message = mail(tidy, tidy.member())
    tidy.later(minutes=1)
    await look(tidy, message, **headers)
    assert kept(tidy) == (None, [])


async def test_c20_who_objects_to_the_date_has_none_from_then_on(tidy: Endpoint) -> None:
    lead = tidy.member()
    message = mail(tidy, lead)
    tidy.later(minutes=1)
    await look(tidy, message)
    path = tidy.path(tidy.links.preferences(lead))
    page = await tidy.client.get(path)
    page = await tidy.client.post(path, data={**hidden(page.text), "do": "open-date-off"})
    assert "We do not keep it" in page.text
    await look(tidy, message)
    assert kept(tidy) == (None, [])


async def test_c20_after_an_objection_no_picture_is_put_into_a_mail(tidy: Endpoint) -> None:
    lead = tidy.member()
    with tidy.database.read() as tx:
        assert counted(tx, "hygiene_only", [lead], tidy.clock.now()) == {lead: frozenset({"tracking_opens"})}
    tidy.say(lead, "object", "open_date")
    with tidy.database.read() as tx:
        assert counted(tx, "hygiene_only", [lead], tidy.clock.now()) == {}


@pytest.mark.parametrize(
    ("address", "whose"),
    [
        ("40.107.3.4", "Microsoft Exchange Online Protection"),
        ("2a01:111:f400:7e00::1", "Microsoft Exchange Online Protection"),
        ("::ffff:209.222.82.1", "Barracuda"),
        ("192.0.2.9", "our own gateway"),
        ("198.51.100.7", None),
        ("no address", None),
        (None, None),
    ],
)
def test_c21_the_networks_of_scanners_are_known(address: str | None, whose: str | None) -> None:
    assert known_scanners("# ours\n192.0.2.0/24  our own gateway\n").whose(address) == whose


def test_c21_a_line_that_is_no_network_is_named() -> None:
    with pytest.raises(UserError, match=r"scanners.txt:2: '192.0.2.1/24' is not a network"):
        known_scanners("\n192.0.2.1/24 a host with a mask\n")


async def test_c21_a_click_from_a_scanners_network_is_kept_with_its_name_and_not_counted(tmp_path: Path) -> None:
    async with running(tmp_path, scanners=known_scanners("198.51.100.0/24 the test's own network")) as world:
        _, message = reader(world)
        world.later(hours=1)
        await click(world, message)
        assert judged(world) == []
        assert [h["suspected_bot"] for h in world.rows("hits")] == ["scanner: the test's own network"]
