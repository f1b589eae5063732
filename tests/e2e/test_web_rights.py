"""What people do about their own data on the pages of a mail: rest, object, see, be forgotten."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nurture.campaign.project import Score
from nurture.engine.confirming import mark_of, request_of
from nurture.engine.consent import change
from nurture.lead.consent import Action, ConsentRefused, Declaration, Proof
from nurture.lead.permission import OK, SUPPRESSED
from nurture.store.consents import people
from nurture.store.permissions import permit
from tests.e2e.web_world import PROJECT, Endpoint, hidden, running

SCORED = msgspec.structs.replace(PROJECT, scores={"interest": Score("interest")})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Endpoint]:
    async with running(tmp_path, project=SCORED) as endpoint:
        yield endpoint


async def press(world: Endpoint, path: str, do: str) -> Any:
    page = await world.client.get(path)
    return await world.client.post(path, data={**hidden(page.text), "do": do})


def preferences(world: Endpoint, lead: int) -> str:
    return world.path(world.links.preferences(lead))


def may(world: Endpoint, lead: int) -> str:
    with world.database.read() as tx:
        return permit(PROJECT, people(tx, [lead])[lead], ["offers"], world.clock.now()).topics["offers"]


def mailed(world: Endpoint, lead: int, asked: str = "data") -> str:
    """The link that the latest mail of this kind holds."""
    [*_, row] = [m for m in world.rows("messages") if m["template"] == f"privacy/{asked}"]
    made = world.links.my_data if asked == "data" else world.links.erase_me
    requests = row["options"]["requests"]
    return world.path(made(lead, requests["$asked"], requests["$address"]))


async def test_c28_a_pause_refuses_marketing_until_it_ends(world: Endpoint) -> None:
    lead = world.member()
    await press(world, preferences(world, lead), "pause-1")
    assert may(world, lead) == SUPPRESSED
    world.later(days=30)  # from 2 March to 1 April
    assert may(world, lead) == SUPPRESSED
    world.later(days=1)
    assert may(world, lead) == OK


async def test_c28_a_pause_keeps_what_was_ticked(world: Endpoint) -> None:
    lead = world.member()
    await press(world, preferences(world, lead), "pause-3")
    assert world.states(lead) == {"letter": "granted", "offers": "granted"}


async def test_c28_a_pause_is_shown_with_its_end_and_can_be_ended(world: Endpoint) -> None:
    lead = world.member(locale="fr")
    page = await press(world, preferences(world, lead), "pause-3")
    assert "jusqu’au 2 juin 2026" in page.text
    page = await press(world, preferences(world, lead), "unpause")
    assert "jusqu’au" not in page.text
    assert may(world, lead) == OK


async def test_c28_an_objection_to_profiling_takes_the_scores_and_is_proven(world: Endpoint) -> None:
    lead = world.member()
    page = await press(world, preferences(world, lead), "profiling-off")
    assert "You have objected" in page.text
    assert world.rows("leads")[0]["unprofiled"]
    assert [e["event"] for e in world.entries(lead) if e["topic"] == "profiling"] == ["objection"]


async def test_c28_an_objection_to_profiling_leaves_the_topics_alone(world: Endpoint) -> None:
    lead = world.member()
    await press(world, preferences(world, lead), "profiling-off")
    assert may(world, lead) == OK


async def test_c28_who_objected_may_allow_it_again(world: Endpoint) -> None:
    lead = world.member()
    for do in ("profiling-off", "profiling-on"):
        await press(world, preferences(world, lead), do)
    assert not world.rows("leads")[0]["unprofiled"]


async def test_x08_a_forwarded_link_shows_no_address_name_or_event(world: Endpoint) -> None:
    lead = world.member(email="anna.smith@example.com", first_name="Annabella", phone="+40123456789")
    page = await world.client.get(preferences(world, lead))
    for secret in ("anna.smith", "Annabella", "+40123456789"):
        assert secret not in page.text
    assert "a•••@e•••.com" in page.text


@pytest.mark.parametrize("do", ["data", "erase"])
async def test_x08_a_forwarded_link_only_has_a_fresh_link_mailed(world: Endpoint, do: str) -> None:
    lead = world.member()
    page = await press(world, preferences(world, lead), do)
    assert "check your inbox" in page.text
    assert "example.com" not in page.text
    assert [m["template"] for m in world.rows("messages") if m["kind"] == "right"] == [f"privacy/{do}"]
    assert world.erased == []


async def test_x08_one_such_mail_a_day(world: Endpoint) -> None:
    lead = world.member()
    for _ in range(3):
        await press(world, preferences(world, lead), "data")
    world.later(hours=25)
    await press(world, preferences(world, lead), "data")
    assert len([m for m in world.rows("messages") if m["kind"] == "right"]) == 2


async def test_x08_the_preference_token_opens_neither_page(world: Endpoint) -> None:
    lead = world.member()
    token = preferences(world, lead).rpartition("/")[2]
    for path in (f"/d/{token}", f"/e/{token}"):
        answer = await press(world, path, "yes")
        assert "no longer valid" in answer.text
    assert world.erased == []


async def test_c22_the_mailed_link_gives_everything_as_json(world: Endpoint) -> None:
    lead = world.member(first_name="Annabella")
    await press(world, preferences(world, lead), "data")
    answer = await press(world, mailed(world, lead), "yes")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    said = json.loads(answer.text)
    assert said["lead"]["email"] == "anna@example.com"
    assert said["lead"]["first_name"] == "Annabella"
    assert {e["topic"]: e.get("wording") for e in said["consent_ledger"]} == {"letter": None, "offers": None}


async def test_c31_asking_and_getting_leave_rows_that_name_nobody(world: Endpoint) -> None:
    lead = world.member(first_name="Annabella")
    await press(world, preferences(world, lead), "data")
    await press(world, mailed(world, lead), "yes")
    rows = world.rows("privacy_actions")
    assert [(r["what"], r["actor"]) for r in rows] == [("asked data", "person"), ("export", "person")]
    assert "anna" not in str([dict(r) for r in rows]).lower()


async def test_x08_looking_at_the_mailed_link_gives_and_erases_nothing(world: Endpoint) -> None:
    lead = world.member()
    for asked in ("data", "erase"):
        await press(world, preferences(world, lead), asked)
        page = await world.client.get(mailed(world, lead, asked))
        assert "anna" not in page.text
    assert world.erased == []


async def test_c23_the_mailed_link_erases(world: Endpoint) -> None:
    lead = world.member()
    await press(world, preferences(world, lead), "erase")
    answer = await press(world, mailed(world, lead, "erase"), "yes")
    assert "Everything is erased" in answer.text
    assert world.erased == [(lead, "person")]


async def test_x08_a_link_older_than_three_days_does_nothing(world: Endpoint) -> None:
    lead = world.member()
    await press(world, preferences(world, lead), "erase")
    path = mailed(world, lead, "erase")
    world.clock.advance(timedelta(days=3, seconds=2))
    answer = await press(world, path, "yes")
    assert "no longer valid" in answer.text
    assert world.erased == []


async def test_x08_a_link_mailed_to_another_address_does_nothing(world: Endpoint) -> None:
    lead = world.member()
    other = mark_of(world.keyring.address_hash("old@example.com"))
    path = world.path(world.links.erase_me(lead, request_of(world.clock.now()), other))
    assert "no longer valid" in (await press(world, path, "yes")).text
    assert world.erased == []


async def test_x09_a_foreign_form_without_the_pages_mark_is_refused(world: Endpoint) -> None:
    lead = world.member()
    await press(world, preferences(world, lead), "erase")
    for path in (preferences(world, lead), mailed(world, lead, "erase")):
        assert (await world.client.post(path, data={"do": "erase"})).status_code == 403
    assert world.erased == []


async def test_x07_an_unknown_token_is_answered_like_a_known_one(world: Endpoint) -> None:
    known = preferences(world, world.lead())
    unknown = preferences(world, 4_000_000)
    for do in ("data", "erase"):
        one, other = await press(world, known, do), await press(world, unknown, do)
        assert (one.status_code, one.text) == (other.status_code, other.text)


async def test_x08_every_page_of_rights_carries_the_strict_headers(world: Endpoint) -> None:
    lead = world.member()
    for asked in ("data", "erase"):
        await press(world, preferences(world, lead), asked)
    for path in (preferences(world, lead), mailed(world, lead), mailed(world, lead, "erase")):
        answer = await world.client.get(path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers
        assert "<script" not in answer.text


# --- Global Privacy Control ---

GPC = {"Sec-GPC": "1"}


async def test_c30_gpc_on_the_preference_page_records_the_opt_out_once(world: Endpoint) -> None:
    lead = world.member()
    for _ in range(3):
        await world.client.get(preferences(world, lead), headers=GPC)
    [entry] = [e for e in world.entries(lead) if e["topic"] == "sale_share"]
    assert (entry["event"], entry["method"], entry["page"], entry["ip"]) == ("objection", "gpc", "/p", "198.51.100.7")
    assert entry["evidence"] == {"request": "sale_share_optout", "signal": "Sec-GPC: 1"}
    assert [row["what"] for row in world.rows("privacy_actions")] == ["sale_share_optout"]


async def test_c30_gpc_is_heeded_on_the_confirm_page_and_on_a_form_of_a_mail(world: Endpoint) -> None:
    for lead, link in (
        (one := world.member(), world.links.confirm(one, "letter", 0)),
        (other := world.member(external="u2", email="bo@example.com"), world.links.form("guide", other, {})),
    ):
        await world.client.get(world.path(link), headers=GPC)
        assert world.states(lead)["sale_share"] == "objected"


async def test_c30_gpc_with_a_form_that_is_sent_records_the_opt_out_of_who_sent_it(world: Endpoint) -> None:
    lead = world.member()
    await world.client.post("/f/guide", data={"email": "anna@example.com"}, headers=GPC)
    assert world.states(lead)["sale_share"] == "objected"


@pytest.mark.parametrize("headers", [{}, {"Sec-GPC": "0"}])
async def test_e4_a_look_without_the_signal_records_nothing(world: Endpoint, headers: dict[str, str]) -> None:
    lead = world.member()
    await world.client.get(preferences(world, lead), headers=headers)
    await world.client.head(preferences(world, lead), headers=GPC)
    assert "sale_share" not in world.states(lead)


async def test_c30_gpc_leaves_what_was_agreed_to_alone(world: Endpoint) -> None:
    lead = world.member()
    await world.client.get(preferences(world, lead), headers=GPC)
    assert may(world, lead) == OK


async def test_c30_nobody_can_ask_again_or_agree_for_who_opted_out(world: Endpoint) -> None:
    lead = world.member()
    await world.client.get(preferences(world, lead), headers=GPC)
    asked: tuple[Action, ...] = ("grant", "request")
    for action in asked:
        with world.database.write() as tx:
            said = Declaration(lead, "sale_share", action, "api", "crm", world.clock.now(), Proof(method="api"))
            [answer] = change(tx, [said], world.rules, world.clock.now())
        assert isinstance(answer, ConsentRefused)


async def test_c28_an_objection_to_all_marketing_stops_scoring_too(world: Endpoint) -> None:
    world.member()
    key = {"Authorization": f"Bearer {world.key('consent')}"}
    said = {"lead": "u1", "topic": "*", "state": "objected", "actor": "person"}
    assert (await world.client.post("/v1/consents", json=said, headers=key)).status_code == 200
    assert world.rows("leads")[0]["unprofiled"]
