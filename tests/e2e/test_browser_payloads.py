"""What strangers put into names and baskets, shown by a real browser: text stays text (trust X3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser

from tests.e2e.browsing import Window, schemes, skeleton, window
from tests.e2e.house import START, House
from tests.payloads import ADDRESSES, PAYLOADS

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(240)]

PLAIN = "Ana"


@pytest.fixture(scope="module")
def w(chromium: Browser, house: House) -> Iterator[Window]:
    with window(chromium, house.base_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def baskets(house: House) -> House:
    """A lead for every payload, who left a basket whose goods are called as they are; `payload-0` is harmless."""
    left = {f"payload-{n}": (payload, "https://frunza.example/p") for n, payload in enumerate((PLAIN, *PAYLOADS))}
    left |= {f"address-{n}": (PLAIN, url) for n, url in enumerate(ADDRESSES)}
    people = {each: {"email": email(each), "first_name": name} for each, (name, _) in left.items()}
    house.knows_all(people, "fr", "offers")
    for each, (name, url) in left.items():
        item = {"sku": "S", "name": name, "url": url, "category": "green", "price": 14.5, "quantity": 2}
        house.happens(each, "cart_updated", cart_id=each, cart_url=url, total=29.0, currency="EUR", items=[item])
    house.work()
    house.jump(START + timedelta(hours=3))
    house.work()
    return house


def email(lead: str) -> str:
    return f"{lead}@posta.example"


def mail(w: Window, house: House, lead: str) -> list[str]:
    """Show a mail without any policy to protect the reader, as in a careless mail program; what it is made of."""
    w.page.goto("about:blank")
    w.page.set_content(house.letter(email(lead), "cart/reminder").html)
    return skeleton(w.page)


def test_x03_a_payload_in_a_name_is_text_in_a_mail(w: Window, baskets: House) -> None:
    plain = mail(w, baskets, "payload-0")
    for number, payload in enumerate(PAYLOADS, start=1):
        assert mail(w, baskets, f"payload-{number}") == plain, payload
        assert schemes(w.page) <= {"http:", "https:"}, payload
        assert (w.dialogs, w.strangers) == ([], []), payload


def test_x03_an_address_in_a_basket_leads_nowhere_but_to_the_web(w: Window, baskets: House) -> None:
    plain = mail(w, baskets, "payload-0")
    for number, url in enumerate(ADDRESSES):
        made = mail(w, baskets, f"address-{number}")
        assert {element for element in made if element not in plain} <= {"a style"}, url  # a link that leads nowhere
        assert schemes(w.page) <= {"http:", "https:", "about:"}, url  # about:blank is a refused address
        assert w.dialogs == [], url


def test_x03_a_payload_in_a_field_is_text_on_the_page_that_shows_it_again(w: Window, house: House) -> None:
    """Into an input and a text area, by a form that is shown again because of its address."""

    def shown(value: str) -> list[str]:
        w.page.goto(f"{house.base_url}/f/review")
        w.page.evaluate("document.querySelector('form').noValidate = true")
        w.page.locator("[name=email]").evaluate(
            "(input, value) => { input.type = 'text'; input.value = value; }", value
        )
        w.page.locator("[name=comment]").fill(value)
        w.page.get_by_role("button").click()
        w.page.get_by_role("alert").wait_for()
        return skeleton(w.page)

    plain = shown(PLAIN)
    w.complaints.clear()
    for payload in PAYLOADS:
        assert shown(payload) == plain, payload
        assert w.page.locator("[name=comment]").input_value() == payload
        assert w.dialogs == [], payload
    assert [said for said in w.complaints if "422" not in said] == []
