"""What holds for every public route, whichever there are: tokens (trust X6), headers (X8), redirects (X10)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Mount, Route

from nurture.mail.links import Payload, Purpose
from tests.e2e.web_world import Endpoint, hidden, running

# What a route's own token holds, for the lead 1.
OWN: dict[str, tuple[Purpose, Payload]] = {
    "/u/{token}": (Purpose.UNSUBSCRIBE, (1, "offers", 5)),
    "/c/{token}": (Purpose.CONFIRM, (1, "letter", 0)),
    "/p/{token}": (Purpose.PREFERENCES, (1,)),
    "/d/{token}": (Purpose.DATA, (1, 1, "mark")),
    "/e/{token}": (Purpose.ERASE, (1, 1, "mark")),
    "/f/{form}/{token}": (Purpose.FORM, ("guide", 1)),
    "/r/{token}": (Purpose.CLICK, (1, 0)),
    "/o/{token}": (Purpose.OPEN, (1,)),
}
FOR_PROGRAMS = ("/v1/", "/hooks/", "/healthz", "/readyz", "/metrics", "/openapi.json")
NOBODYS = "x" * 42
STRICT = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow"}
PAGE = {"x-frame-options": "DENY", "x-content-type-options": "nosniff"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Endpoint]:
    async with running(tmp_path) as endpoint:
        assert endpoint.member() == 1
        yield endpoint


def public(world: Endpoint) -> list[str]:
    """The routes of people, as the app has them."""
    routes = [route for route in world.app.routes if isinstance(route, Route) and not isinstance(route, Mount)]
    return [route.path for route in routes if not route.path.startswith(FOR_PROGRAMS)]


def filled(route: str, token: str) -> str:
    return route.replace("{form}", "guide").replace("{token}", token)


async def test_x06_every_public_route_is_listed_here(world: Endpoint) -> None:
    assert set(public(world)) == {*OWN, "/f/{form}"}


@pytest.mark.parametrize("route", OWN)
@pytest.mark.parametrize("other", Purpose)
async def test_x06_a_token_of_another_purpose_is_nobodys(world: Endpoint, route: str, other: Purpose) -> None:
    own, payload = OWN[route]
    if other is own:
        return
    path = filled(route, world.links.token(other, *payload))
    before = [world.rows(table) for table in ("consents", "consent_ledger", "suppressions", "leads")]
    assert _same(await world.client.get(path)) == _same(await world.client.get(filled(route, NOBODYS)))
    page = await world.client.get(path)
    fields: dict[str, Any] = hidden(page.text) if "html" in page.headers["content-type"] else {}
    for data in ({"List-Unsubscribe": "One-Click"}, {**fields, "do": "all"}, {**fields, "do": "erase"}):
        assert (await world.client.post(path, data=data)).status_code in (200, 400, 403, 405, 422)
    assert [world.rows(table) for table in ("consents", "consent_ledger", "suppressions", "leads")] == before
    assert not world.erased


@pytest.mark.parametrize("route", OWN)
async def test_x06_a_token_with_a_changed_character_is_nobodys(world: Endpoint, route: str) -> None:
    purpose, payload = OWN[route]
    token = world.links.token(purpose, *payload)
    nobodys = _same(await world.client.get(filled(route, NOBODYS)))
    for place in range(len(token)):
        other = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert _same(await world.client.get(filled(route, other))) == nobodys, place


def _same(answer: httpx.Response) -> tuple[int, str | None, str]:
    """An answer without what differs for every token."""
    plain = re.sub(r'value="[0-9a-f]{32}"|/p/[^"]+', "", answer.text)
    return answer.status_code, answer.headers.get("location"), plain


@pytest.mark.parametrize("route", [*OWN, "/f/{form}", "/nothing", "/u/", "/p/a/b"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_x08_every_answer_keeps_to_itself(world: Endpoint, route: str, method: str) -> None:
    purpose, payload = OWN.get(route, (Purpose.OPEN, (1,)))
    for token in (world.links.token(purpose, *payload), NOBODYS):
        answer = await world.client.request(method, filled(route, token), headers={"Origin": "https://evil.example"})
        if answer.status_code == 405:
            assert not answer.content
            continue
        kept = STRICT | (PAGE if "html" in answer.headers["content-type"] else {})
        assert {name: answer.headers.get(name) for name in kept} == kept
        assert "set-cookie" not in answer.headers
        assert "server" not in answer.headers
        if "html" in answer.headers["content-type"]:
            policy = answer.headers["content-security-policy"]
            assert {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy.split("; "))
            assert not re.search(r"<(?:script|iframe|object|embed|link|img)\b", answer.text)


@pytest.mark.parametrize("query", ["url", "u", "next", "redirect", "to", "location"])
@pytest.mark.parametrize(
    "evil", ["//evil.example", "https:evil.example", "\\\\evil.example", "https://evil.example", "/\r\nLocation: x"]
)
async def test_x10_no_route_leads_where_its_address_says(world: Endpoint, query: str, evil: str) -> None:
    for route in [*public(world), "/", "/nothing"]:
        answer = await world.client.get(filled(route, NOBODYS), params={query: evil})
        assert "location" not in answer.headers
        assert "refresh" not in answer.headers
        assert "evil" not in answer.text


@pytest.mark.parametrize("path", ["//evil.example/", "//evil.example/u/x/", "/\\evil.example", "/u/x/", "/%0d%0aX: 1"])
async def test_x10_no_path_is_mended_by_a_redirect(world: Endpoint, path: str) -> None:
    answer = await world.client.get(f"http://acme.example{path}")
    assert answer.status_code == 404
    assert "location" not in answer.headers
    assert "x" not in answer.headers
