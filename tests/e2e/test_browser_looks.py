"""Every page and mail that people see: in their language, for every eye, hand and screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser

from nurture.engine.confirming import request_of
from nurture.lead.lead import LeadId
from nurture.mail.links import Links
from tests.e2e.browsing import Window, faint, too_wide, unnamed, window
from tests.e2e.house import START, House

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(240)]

LOCALES = ("fr", "en", "ro")
PAGES: dict[str, Callable[[Links, LeadId], str]] = {
    "form": lambda links, lead: f"{links.base}/f/guide",
    "known form": lambda links, lead: links.form("review", lead, {"score": 4}),
    "confirm": lambda links, lead: links.confirm(lead, "newsletter", request_of(START)),
    "unsubscribe": lambda links, lead: links.unsubscribe(lead, "newsletter", 1),
    "preferences": lambda links, lead: links.preferences(lead),
    "my data": lambda links, lead: links.my_data(lead, 1, "x"),
    "erase me": lambda links, lead: links.erase_me(lead, 1, "x"),
    "missing": lambda links, lead: f"{links.base}/f/nothing",
}
# One word of every page that stands in no other language.
SPOKEN = {
    "form": {"fr": "Votre rôle", "en": "Your role", "ro": "Rolul dumneavoastră"},
    "known form": {"fr": "Votre note", "en": "Your mark", "ro": "Nota dumneavoastră"},
    "confirm": {"fr": "Oui, j’accepte", "en": "Yes, I agree", "ro": "Da, sunt de acord"},
    "unsubscribe": {"fr": "me désabonner", "en": "unsubscribe me", "ro": "dezabonați-mă"},
    "preferences": {"fr": "Vos données", "en": "Your data", "ro": "Datele dumneavoastră"},
    "my data": {"fr": "Télécharger", "en": "Download", "ro": "Descărcați"},
    "erase me": {"fr": "tout effacer", "en": "erase everything", "ro": "ștergeți tot"},
}
# Built in and of the shop; each comes to a person of each language.
MAILS = ("consent/confirm", "welcome/hello", "welcome/your-taste", "cart/reminder", "privacy/data", "privacy/erase")
VIEWS = [(scheme, width) for scheme in ("light", "dark") for width in (320, 1280)]


def address(locale: str) -> str:
    return f"reader-{locale}@posta.example"


@pytest.fixture(scope="module")
def readers(house: House) -> House:
    """A person of each language who signed up, left a basket and asked for their data."""
    items = [{"sku": "S", "name": "Sencha Yame", "url": "https://frunza.example/p", "category": "green", "price": 14.5}]
    for locale in LOCALES:
        house.knows(locale, address(locale), locale, "newsletter", "offers", first_name="Ana-Maria")
        house.press(house.preferences(address(locale)), "data")
        house.press(house.preferences(address(locale)), "erase")
        basket = {"cart_id": locale, "cart_url": "https://frunza.example/c", "total": 29.0, "currency": "EUR"}
        house.happens(locale, "cart_updated", **basket, items=[{**items[0], "quantity": 2}])
    for day in (1, 2, 3):
        house.jump(START + timedelta(days=day, hours=1))
        house.work()
    return house


@pytest.fixture(scope="module", params=VIEWS, ids=lambda view: f"{view[0]}-{view[1]}")
def seen(request: pytest.FixtureRequest, chromium: Browser, readers: House) -> Iterator[Window]:
    scheme, width = request.param
    size = {"width": width, "height": 640}
    with window(chromium, readers.base_url, readers.setting.inbox_url, color_scheme=scheme, viewport=size) as opened:
        yield opened


def show(w: Window, house: House, page: str, locale: str) -> None:
    """The page as somebody of that language has it before them."""
    w.context.set_extra_http_headers({"Accept-Language": locale})
    w.page.goto(PAGES[page](house.app.links, house.lead(address(locale))))


@pytest.mark.parametrize("page", SPOKEN)
def test_a_page_speaks_the_language_of_its_lead(chromium: Browser, readers: House, page: str) -> None:
    with window(chromium, readers.base_url) as w:
        for locale in LOCALES:
            show(w, readers, page, locale)
            assert w.page.locator("html").get_attribute("lang") == locale
            body = w.page.locator("body").inner_text()
            assert [spoken for spoken, words in SPOKEN[page].items() if words in body] == [locale]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_read_and_used_by_everybody(readers: House, seen: Window, page: str) -> None:
    """Contrast, width, names of what can be used, one heading that says what it is, and the page's main part."""
    for locale in LOCALES:
        show(seen, readers, page, locale)
        assert faint(seen.page) == []
        assert too_wide(seen.page) <= 0
        assert unnamed(seen.page) == []
        assert [seen.page.locator(part).count() for part in ("h1", "main")] == [1, 1]
        assert seen.page.title().endswith("Maison Frunza")


@pytest.mark.parametrize("page", PAGES)
def test_x08_a_page_asks_nobody_else_and_sets_no_cookie(chromium: Browser, readers: House, page: str) -> None:
    with window(chromium, readers.base_url) as w:
        w.page.goto(PAGES[page](readers.app.links, readers.lead(address("fr"))))
        w.page.wait_for_load_state("networkidle")
        if page == "missing":  # the console tells of the 404
            w.complaints = [said for said in w.complaints if "404" not in said]
        assert w.kept_to_itself


@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_when_it_is_twice_as_large(chromium: Browser, readers: House, page: str) -> None:
    """A window of 1,280 pixels at 200 % has room for 640 (WCAG 2.2, 1.4.4 and 1.4.10)."""
    with window(chromium, readers.base_url, viewport={"width": 640, "height": 400}, device_scale_factor=2) as w:
        w.page.goto(PAGES[page](readers.app.links, readers.lead(address("ro"))))
        assert too_wide(w.page) <= 0
        cut = "[...document.querySelectorAll('button, label')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
        assert w.page.evaluate(cut) == 0


@pytest.mark.parametrize("mail", MAILS)
def test_a_mail_can_be_read_by_everybody(readers: House, seen: Window, mail: str) -> None:
    for locale in LOCALES:
        letter = readers.letter(address(locale), mail)
        seen.page.goto(f"{readers.setting.inbox_url}/mail/{letter.number}/html")
        assert seen.page.locator("html").get_attribute("lang") == locale
        assert faint(seen.page) == []
        assert too_wide(seen.page) <= 0
        assert unnamed(seen.page) == []
        assert seen.page.locator("h1").count() == 1
        assert seen.strangers == []
