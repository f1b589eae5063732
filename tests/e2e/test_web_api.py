"""REST with scoped keys, and what those who watch ask."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import heard
from tests.e2e.web_world import Endpoint, running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Endpoint]:
    async with running(tmp_path) as endpoint:
        sign_in(endpoint, "admin")
        yield endpoint


def sign_in(world: Endpoint, *scopes: str) -> None:
    world.client.headers["Authorization"] = f"Bearer {world.key(*scopes)}"


async def declare(world: Endpoint, **said: Any) -> httpx.Response:
    return await world.client.post("/v1/consents", json={"lead": "u1", "topic": "offers", "state": "granted", **said})


async def test_consent_by_api_is_kept_with_its_proof(world: Endpoint) -> None:
    lead = world.lead()
    answer = await declare(world, wording="Yes.", page="https://acme.example/account", actor="person")
    assert answer.json() == {
        "success": True,
        "lead": lead,
        "topic": "offers",
        "state": "granted",
        "changed": True,
        "mailed": False,
        "lacks": None,
    }
    [entry] = world.entries(lead)
    assert (entry["event"], entry["wording"], entry["actor"]) == ("granted", "Yes.", "person")


async def test_c07_a_topic_with_double_opt_in_is_only_asked_for(world: Endpoint) -> None:
    world.lead()
    answer = (await declare(world, topic="letter")).json()
    assert (answer["state"], answer["mailed"]) == ("requested", True)


async def test_c13_the_api_brings_nobody_back_by_itself(world: Endpoint) -> None:
    lead = world.member()
    world.say(lead, "withdraw", "offers")
    answer = await declare(world)
    assert (answer.status_code, answer.json()["code"]) == (409, "refused")
    assert world.states(lead)["offers"] == "withdrawn"


async def test_withdrawing_by_address(world: Endpoint) -> None:
    lead = world.member()
    answer = await declare(world, lead="ANNA@example.com", topic="*", state="withdrawn", actor="person")
    assert answer.status_code == 200
    assert set(world.states(lead).values()) == {"withdrawn"}


async def test_a_lead_is_shown_whole(world: Endpoint) -> None:
    lead = world.member()
    for ref in ("u1", "anna@example.com", str(lead)):
        shown = (await world.client.get(f"/v1/leads/{ref}")).json()
        assert shown["id"] == lead
    assert shown["attributes"]["email"] == "anna@example.com"
    assert shown["consents"]["offers"]["state"] == "granted"
    assert [e["name"] for e in shown["events"]] == ["consent.granted", "consent.granted"]


async def test_an_unknown_lead_is_a_404(world: Endpoint) -> None:
    answer = await world.client.get("/v1/leads/nobody")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_move_goes_through_the_rules(world: Endpoint) -> None:
    lead = world.lead()
    answer = await world.client.post("/v1/leads/u1/move", json={"stage": "mql", "reason": "called"})
    refused = await world.client.post("/v1/leads/u1/move", json={"stage": "moon"})
    assert answer.json() == {"success": True}
    assert world.moved[0][:3] == (lead, "mql", "called")
    assert (refused.status_code, refused.json()["message"]) == (409, "there is no stage 'moon'")


async def test_c28_rectifying_by_api_is_kept_in_the_log_without_the_value(world: Endpoint) -> None:
    lead = world.lead()
    said = {"set": {"first_name": "Annabella"}, "reason": "ticket 9"}
    answer = await world.client.post("/v1/leads/u1/rectify", json=said)
    assert answer.json() == {"success": True, "changed": ["first_name"]}
    [row] = world.rows("privacy_actions")
    assert (row["what"], row["lead_id"], row["reason"], row["detail"]) == (
        *("rectify", lead, "ticket 9"),
        {"fields": ["first_name"]},
    )


@pytest.mark.parametrize("values", [{"email": "nobody"}, {"emial": "a@example.com"}, {}])
async def test_c28_what_cannot_be_right_is_refused_by_the_api(world: Endpoint, values: dict[str, str]) -> None:
    world.lead()
    assert (await world.client.post("/v1/leads/u1/rectify", json={"set": values})).status_code == 422


async def test_erasing_is_handed_on(world: Endpoint) -> None:
    lead = world.lead()
    assert (await world.client.delete("/v1/leads/u1")).status_code == 200
    assert [said[0] for said in world.erased] == [lead]


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/v1/consents", "read"),
        ("POST", "/v1/leads/u1/rectify", "read"),
        ("GET", "/v1/leads/u1", "ingest"),
        ("POST", "/v1/leads/u1/move", "read"),
        ("DELETE", "/v1/leads/u1", "consent"),
    ],
)
async def test_x11_a_key_opens_its_scope_only(world: Endpoint, method: str, path: str, scope: str) -> None:
    world.lead()
    bodies = {
        "/v1/consents": {"lead": "u1", "topic": "offers", "state": "granted"},
        "/v1/leads/u1/move": {"stage": "mql"},
    }
    sign_in(world, scope)
    assert (await world.client.request(method, path, json=bodies.get(path))).status_code == 403
    del world.client.headers["Authorization"]
    assert (await world.client.request(method, path, json=bodies.get(path))).status_code == 401


async def test_a_wrong_body_says_what_is_wrong(world: Endpoint) -> None:
    answer = await declare(world, state="maybe")
    assert answer.status_code == 422
    assert "state" in answer.json()["message"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"lead": }', "the body is not JSON: Expecting value, at character 9"),
        (b"\xff", "the body is not JSON in UTF-8, or nested too deeply"),
        (b"[" * 90_000, "the body is not JSON in UTF-8, or nested too deeply"),
        (b"[]", "the body is not a JSON object; send one with Content-Type: application/json"),
        (b"", "the body is missing; send one with Content-Type: application/json"),
    ],
)
async def test_a_body_that_is_no_json_is_told_in_plain_words(world: Endpoint, content: bytes, message: str) -> None:
    answer = await world.client.post("/v1/consents", content=content, headers={"Content-Type": "application/json"})
    assert answer.json() == {"success": False, "code": "invalid", "message": message}


async def test_x20_a_body_of_more_than_a_megabyte_is_refused(world: Endpoint) -> None:
    async def without_end() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65536

    for content in (b"x" * 1_100_000, without_end()):
        answer = await world.client.post("/v1/consents", content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["message"]) == (413, "a body has at most 1024 KB")


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/track", "POST"),
        ("/v1/leads/u1", "DELETE, GET"),
        ("/healthz", "GET, HEAD"),
        ("/u/x", "GET, HEAD, POST"),
        ("/r/x", "GET, HEAD"),
        ("/f/guide", "GET, HEAD, POST"),
    ],
)
async def test_x20_only_the_methods_of_an_address_are_taken(world: Endpoint, path: str, methods: str) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND"} - set(methods.split(", ")):
        answer = await world.client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)
    assert (await world.client.options(path)).headers["allow"] == methods


async def test_the_description_names_every_route(world: Endpoint) -> None:
    described = (await world.client.get("/openapi.json")).json()
    assert {"/v1/consents", "/v1/leads/{id}", "/v1/leads/{id}/move"} <= set(described["paths"])


async def test_x20_an_error_shows_nothing_of_the_inside(world: Endpoint) -> None:
    answer = await world.client.get("/v1/nothing")
    assert answer.json() == {"success": False, "code": "not_found", "message": "there is nothing at this address"}


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/leads/u1"), ("GET", "/p/x"), ("POST", "/v1/track")])
async def test_x20_a_failure_inside_shows_no_trace(
    world: Endpoint, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise RuntimeError("the secret reason")

    for name in ("web.api.read_profile", "web.public.masked", "web.ingest.read_call"):
        monkeypatch.setattr(f"nurture.{name}", broken)
    monkeypatch.setattr("nurture.web.personal.Personal.person", broken)
    world.lead()
    transport = httpx.ASGITransport(world.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=world.client.headers) as client:
        answer = await client.request(method, path)
    assert answer.status_code == 500
    assert not any(word in answer.text for word in ("secret reason", "Traceback", "RuntimeError", ".py"))


async def test_r16_alive_and_ready(world: Endpoint) -> None:
    assert (await world.client.get("/healthz")).json() == {"alive": True}
    ready = await world.client.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)


async def test_r16_an_event_nobody_reacts_to_is_not_ready(world: Endpoint) -> None:
    world.member()
    world.later(minutes=3)
    ready = await world.client.get("/readyz")
    assert ready.status_code == 503
    assert "is a worker running?" in ready.json()["checks"]["events"]


async def test_metrics_speak_of_what_waits(world: Endpoint) -> None:
    world.member()
    world.later(seconds=30)
    shown = (await world.client.get("/metrics")).text
    assert "nurture_events_oldest_waiting_seconds 30.0" in shown
    assert "nurture_ingest_stored_total 0.0" in shown


async def test_x16_no_figure_is_labelled_with_a_person(world: Endpoint) -> None:
    world.member()
    shown = (await world.client.get("/metrics")).text
    assert set(re.findall(r"[{,](\w+)=", shown)) <= {"state"}
    assert heard.told(shown.splitlines()) == []
