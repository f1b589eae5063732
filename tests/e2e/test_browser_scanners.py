"""What programs do that open every link of a mail before its reader does: nothing may come of it."""

from __future__ import annotations

import re
from contextlib import nullcontext, suppress
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Error
from sqlalchemy import select

from nurture.inbox.letter import Letter
from nurture.store import tables as t
from tests.e2e.browsing import window
from tests.e2e.house import House

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(240)]

TIMES = 50


def held(house: House) -> list[Any]:
    """All that is known of who agreed to what."""
    with house.app.database.read() as tx:
        tables = (t.consents, t.consent_ledger, t.suppressions)
        return [tx.execute(select(table).order_by(*table.primary_key)).all() for table in tables]


def addresses(house: House, letters: list[Letter]) -> list[str]:
    """Every address of our own in these mails, whichever part or header it stands in."""
    found = [f"{house.base_url}/{path}" for letter in letters for path in letter.paths(house.base_url)]
    found += [letter.one_click for letter in letters if letter.one_click]
    found += [url for letter in letters for url in re.findall(re.escape(house.base_url) + r"[^\s<>\"')]+", letter.text)]
    return list(dict.fromkeys(found))


@pytest.fixture(scope="module")
def mailed(house: House) -> list[str]:
    """The links of a confirmation that waits, of a letter whose clicks are counted, and of both mails about rights."""
    house.door.submit("letter", {"email": "waits@posta.example", "topics": ["newsletter"]}, "10.0.0.2")
    house.work()
    house.knows("reader", "reader@posta.example", "fr", "offers")
    house.choose("reader@posta.example", "offers", "tracking_clicks", "tracking_opens")
    house.knows("reader", "reader@posta.example", "fr", "newsletter")
    for button in ("data", "erase"):
        house.press(house.preferences("reader@posta.example"), button)
    house.work()
    found = addresses(house, list(house.inbox.letters()))
    assert {url.removeprefix(house.base_url)[:3] for url in found} == {"/c/", "/u/", "/p/", "/r/", "/o/", "/d/", "/e/"}
    return found


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_e04_fetching_every_link_of_a_mail_changes_no_consent(house: House, mailed: list[str], method: str) -> None:
    before = held(house)
    with httpx.Client() as client:
        answers = {client.request(method, url).status_code for url in mailed for _ in range(TIMES)}
    assert max(answers) < 400
    assert held(house) == before


def test_e04_a_scanner_with_a_browser_and_script_changes_no_consent(
    chromium: Browser, house: House, mailed: list[str]
) -> None:
    before = held(house)
    with window(chromium, house.base_url) as w:
        for url in mailed:
            visited = w.context.new_page()
            for _ in range(5):
                with suppress(Error) if "/r/" in url else nullcontext():  # leads to a shop that is made up
                    visited.goto(url)
            visited.wait_for_load_state("networkidle")
            visited.close()
        assert w.dialogs == []
    assert held(house) == before


def test_c07_fifty_visits_by_a_browser_leave_the_request_pending(
    chromium: Browser, house: House, mailed: list[str]
) -> None:
    """Each stays a while, moves the mouse and scrolls, as sandboxes do that wait for a page to act by itself."""
    confirm = addresses(house, [house.letter("waits@posta.example", "consent/confirm")])[0]
    assert "/c/" in confirm
    with window(chromium, house.base_url) as w:
        for _ in range(TIMES):
            w.page.goto(confirm)
            w.page.mouse.move(200, 200)
            w.page.mouse.wheel(0, 400)
        w.page.wait_for_load_state("networkidle")
        assert house.states("waits@posta.example") == {"newsletter": "requested"}
        w.page.get_by_role("button").click()
        assert house.states("waits@posta.example") == {"newsletter": "granted"}


def test_e03_the_button_of_a_mail_program_needs_nothing_but_the_header(house: House, mailed: list[str]) -> None:
    """Both encodings of RFC 8058, without cookies or an Origin: no redirect, no second step, done when it answers."""
    house.knows("oneclick", "oneclick@posta.example", "fr", "newsletter")
    url = house.letter("oneclick@posta.example", "welcome/hello").one_click
    with httpx.Client() as client:
        first = client.post(url, files={"List-Unsubscribe": (None, "One-Click")}, headers={"Accept": ""})
        assert house.states("oneclick@posta.example") == {"newsletter": "withdrawn"}
        again = client.post(url, data={"List-Unsubscribe": "One-Click"}, headers={"User-Agent": ""})
    assert [(a.status_code, a.headers.get("location"), a.cookies) for a in (first, again)] == [(200, None, {})] * 2
