"""Hosted forms, from a stranger and from a link in a mail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from nurture.campaign.project import Form, Input
from tests.e2e.web_world import PROJECT, Endpoint, running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Endpoint]:
    async with running(tmp_path) as endpoint:
        yield endpoint


async def send(world: Endpoint, path: str = "/f/guide", **fields: Any) -> httpx.Response:
    return await world.client.post(path, data=fields)


def submitted(world: Endpoint) -> list[dict[str, Any]]:
    return [row["properties"] for row in world.rows("events") if row["name"] == "form.submitted"]


async def test_a_form_makes_a_lead_with_its_fields(world: Endpoint) -> None:
    answer = await send(world, email="anna@example.com", company="Acme", seats="12")
    assert answer.status_code == 200
    [lead] = world.rows("leads")
    assert (lead["email"], lead["attributes"]) == ("anna@example.com", {"company": "Acme", "seats": 12})
    assert submitted(world) == [{"form": "guide", "company": "Acme", "seats": 12}]


async def test_c09_nothing_is_ticked_beforehand(world: Endpoint) -> None:
    page = await world.client.get("/f/guide")
    assert "checked" not in page.text
    assert "Yes, the letter." in page.text


async def test_c09_one_tick_is_one_topic_with_the_words_beside_it(world: Endpoint) -> None:
    await send(world, email="anna@example.com", topics="letter")
    lead = world.rows("leads")[0]["id"]
    assert world.states(lead) == {"letter": "requested"}
    [entry] = world.entries(lead)
    assert (entry["wording"], entry["page"], entry["source"]) == ("Yes, the letter.", "/f/guide", "guide")
    assert [m["kind"] for m in world.rows("messages")] == ["confirm"]


async def test_a_topic_the_form_does_not_offer_is_not_agreed_to(world: Endpoint) -> None:
    await send(world, email="anna@example.com", topics="tracking_opens")
    assert world.rows("consents") == []


async def test_x07_known_and_unknown_addresses_get_the_same_answer(world: Endpoint) -> None:
    world.member()
    known = await send(world, email="anna@example.com", topics="letter")
    unknown = await send(world, email="bo@example.com", topics="letter")
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)


async def test_a_stranger_does_not_overwrite_what_is_known(world: Endpoint) -> None:
    lead = world.lead(first_name="Anna")
    await send(world, email="anna@example.com", company="Evil")
    await send(world, email="anna@example.com", company="More evil")
    [row] = world.rows("leads")
    assert (row["id"], row["attributes"]) == (lead, {"company": "Evil"})


async def test_who_reads_the_form_in_french_is_written_to_in_french(world: Endpoint) -> None:
    await world.client.post("/f/guide", data={"email": "luce@example.com"}, headers={"Accept-Language": "fr-CH, en"})
    assert world.rows("leads")[0]["locale"] == "fr"


async def test_a_form_does_not_change_the_language_of_a_known_lead(world: Endpoint) -> None:
    world.lead(email="luce@example.com", locale="ro")
    await world.client.post("/f/guide", data={"email": "luce@example.com"}, headers={"Accept-Language": "fr"})
    assert world.rows("leads")[0]["locale"] == "ro"


async def test_what_is_no_address_is_said_beside_the_filled_form(world: Endpoint) -> None:
    answer = await send(world, email="anna at example", company="Acme")
    assert answer.status_code == 422
    assert 'value="Acme"' in answer.text
    assert world.rows("leads") == []


async def test_a_link_from_a_mail_knows_the_lead_and_fills_in_fields(world: Endpoint) -> None:
    lead = world.lead()
    path = world.path(world.links.form("guide", lead, {"seats": 9}))
    page = await world.client.get(path)
    assert 'value="9"' in page.text
    assert 'name="email"' not in page.text
    await send(world, path, seats="10", company="Acme")
    [row] = world.rows("leads")
    assert (row["id"], row["attributes"]) == (lead, {"seats": 10, "company": "Acme"})


async def test_a_field_is_asked_for_in_the_words_of_the_visitor(tmp_path: Path) -> None:
    look = Input({"fr": "Votre note", "en": "Your mark"}, {"9": {"fr": "Neuf", "en": "Nine"}, "10": {"fr": "Dix"}})
    asked = Form("nps", {"score": "number", "why": "text"}, inputs={"score": look, "why": Input(lines=3)})
    async with running(tmp_path, project=msgspec.structs.replace(PROJECT, forms={"nps": asked})) as world:
        path = world.path(world.links.form("nps", world.lead(locale="fr"), {"score": 10}))
        page = (await world.client.get(path)).text
        assert "<legend>Votre note</legend>" in page
        assert '<input type="radio" name="score" value="9">' in page
        assert '<input type="radio" name="score" value="10" checked>' in page
        assert '<textarea name="why" rows="3"' in page


async def test_s29_no_form_changes_the_address_of_a_known_lead(world: Endpoint) -> None:
    lead = world.lead()
    await send(world, world.path(world.links.form("guide", lead)), email="evil@example.com")
    assert [row["email"] for row in world.rows("leads")] == ["anna@example.com"]


async def test_a_link_of_another_form_opens_an_empty_one(world: Endpoint) -> None:
    lead = world.lead()
    token = world.path(world.links.form("other", lead)).rpartition("/")[2]
    page = await world.client.get(f"/f/guide/{token}")
    assert 'name="email"' in page.text


async def test_json_is_answered_as_json(world: Endpoint) -> None:
    said = {"email": "anna@example.com", "seats": 3, "topics": ["letter"]}
    answer = await world.client.post("/f/guide", json=said)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert submitted(world) == [{"form": "guide", "seats": 3}]


async def test_x18_a_program_that_fills_in_everything_is_thanked_and_forgotten(world: Endpoint) -> None:
    human = await send(world, email="bo@example.com")
    robot = await send(world, email="anna@example.com", website="https://spam.example")
    assert robot.text == human.text
    assert [row["email"] for row in world.rows("leads")] == ["bo@example.com"]


async def test_x18_one_victim_gets_one_mail_however_often_a_form_is_sent(tmp_path: Path) -> None:
    async with running(tmp_path, forms_per_hour=1_000) as world:
        for _ in range(100):
            await send(world, email="anna@example.com", topics="letter")
        assert len(world.rows("messages")) == 1


async def test_x18_one_network_reaches_few_victims(tmp_path: Path) -> None:
    async with running(tmp_path, forms_per_hour=20) as world:
        answers = [await send(world, email=f"v{n}@example.com", topics="letter") for n in range(40)]
        assert [a.status_code for a in answers] == [200] * 20 + [429] * 20
        assert len(world.rows("messages")) == 20


async def test_an_unknown_form_is_a_404(world: Endpoint) -> None:
    assert (await world.client.get("/f/nothing")).status_code == 404
