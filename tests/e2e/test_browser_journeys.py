"""What a person does with a mail and a browser: signing up, leaving, choosing, asking for their data."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, Page

from nurture.inbox.letter import Letter
from tests.e2e.browsing import window
from tests.e2e.house import House

HELLO = "welcome/hello"
pytestmark = [pytest.mark.chromium, pytest.mark.timeout(180)]


def sign_up(page: Page, house: House, email: str) -> Letter:
    """Fill in the form of the letter and send it; the mail that asks to confirm."""
    page.goto(f"{house.base_url}/f/letter")
    page.get_by_label("Adresse e-mail").fill(email)
    page.get_by_label("Prénom").fill("Camille")
    page.get_by_label("La lettre du thé").check()
    page.get_by_role("button").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Merci"
    [letter] = [each for each in house.work() if each.recipient == email]
    return letter


def link(house: House, letter: Letter, page: str) -> str:
    """The mail's link to one of our pages, by the page's letter."""
    [path] = [path for path in letter.paths(house.base_url) if path.startswith(f"{page}/")]
    return f"{house.base_url}/{path}"


def press(page: Page, name: str) -> str:
    """Press a button; the heading of the page that answers."""
    page.get_by_role("button", name=name).click()
    return page.get_by_role("heading", level=1).inner_text()


@pytest.mark.parametrize("script", [True, False])
def test_c07_from_the_form_to_the_button_of_the_mails_page(chromium: Browser, house: House, script: bool) -> None:
    email = f"signup-{script}@posta.example".lower()
    with window(chromium, house.base_url, locale="fr-FR", java_script_enabled=script) as w:
        letter = sign_up(w.page, house, email)
        w.page.goto(link(house, letter, "c"))
        assert house.states(email) == {"newsletter": "requested"}
        assert press(w.page, "Oui, j’accepte") == "Merci, c’est confirmé"
        assert house.states(email) == {"newsletter": "granted"}
        assert w.kept_to_itself
    house.work()
    assert house.letter(email, HELLO).subject == "Bienvenue à table, Camille"


def test_c09_the_form_of_the_shop_has_nothing_ticked_and_takes_no_for_an_answer(
    chromium: Browser, house: House
) -> None:
    with window(chromium, house.base_url, locale="en-GB") as w:
        w.page.goto(f"{house.base_url}/f/letter")
        assert w.page.locator(":checked").count() == 0
        w.page.get_by_label("Email address").fill("no-tick@posta.example")
        assert press(w.page, "Send") == "Thank you"
    assert [each for each in house.work() if each.recipient == "no-tick@posta.example"] == []
    assert house.states("no-tick@posta.example") == {}


def test_c15_two_clicks_from_the_mail_to_unsubscribed(chromium: Browser, house: House) -> None:
    """With every cookie refused and no script, in the mail as the reader has it before them."""
    house.knows("leaver", "leaver@posta.example", "ro", "newsletter", "offers", first_name="Ana")
    letter = house.letter("leaver@posta.example", HELLO)
    own = (house.base_url, house.setting.inbox_url)
    with window(chromium, *own, refuses_cookies=True, java_script_enabled=False) as w:
        w.page.goto(f"{house.setting.inbox_url}/mail/{letter.number}/html")
        with w.context.expect_page() as opened:
            w.page.get_by_role("link", name="Dezabonare").click()
        assert press(opened.value, "Da, dezabonați-mă") == "V-ați dezabonat"
        assert w.kept_to_itself
    assert house.states("leaver@posta.example") == {"newsletter": "withdrawn", "offers": "granted"}


def test_c18_the_page_after_leaving_offers_to_leave_everything(chromium: Browser, house: House) -> None:
    house.knows("all", "all@posta.example", "en", "newsletter", "offers")
    letter = house.letter("all@posta.example", HELLO)
    with window(chromium, house.base_url) as w:
        w.page.goto(link(house, letter, "u"))
        assert press(w.page, "Yes, unsubscribe me") == "You are unsubscribed"
        assert press(w.page, "Stop all marketing emails") == "You are unsubscribed from everything"
    assert set(house.states("all@posta.example").values()) == {"withdrawn"}


def test_c15_leaving_with_the_keyboard_alone_and_the_focus_is_seen(chromium: Browser, house: House) -> None:
    house.knows("keys", "keys@posta.example", "fr", "newsletter")
    letter = house.letter("keys@posta.example", HELLO)
    with window(chromium, house.base_url) as w:
        w.page.goto(link(house, letter, "u"))
        w.page.keyboard.press("Tab")
        assert w.page.evaluate("document.activeElement.innerText") == "Oui, me désabonner"
        assert w.page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
        w.page.keyboard.press("Enter")
        w.page.get_by_role("heading", name="Votre désabonnement est enregistré").wait_for()
    assert house.states("keys@posta.example")["newsletter"] == "withdrawn"


def test_c09_the_form_is_filled_in_and_sent_with_the_keyboard_alone(chromium: Browser, house: House) -> None:
    with window(chromium, house.base_url, locale="fr") as w:
        w.page.goto(f"{house.base_url}/f/letter")
        for typed in ("typed@posta.example", "Dana", " "):
            w.page.keyboard.press("Tab")
            w.page.keyboard.type(typed)
        w.page.keyboard.press("Tab")
        assert w.page.evaluate("document.activeElement.innerText") == "Envoyer"
        w.page.keyboard.press("Enter")
        w.page.get_by_role("heading", name="Merci").wait_for()
    assert house.states("typed@posta.example") == {"newsletter": "requested"}


def test_c28_the_preference_centre_from_topics_to_erasure(chromium: Browser, house: House) -> None:
    """One person, one afternoon: fewer topics, a rest, no profile, all their data, and gone."""
    email = "chooser@posta.example"
    house.knows("chooser", email, "fr", "newsletter", "offers", first_name="Ileana")
    letter = house.letter(email, HELLO)
    with window(chromium, house.base_url, java_script_enabled=False, accept_downloads=True) as w:
        page = w.page
        page.goto(link(house, letter, "p"))
        assert page.get_by_label("Rappels et offres").is_checked()
        page.get_by_label("Rappels et offres").uncheck()
        page.get_by_role("button", name="Enregistrer").click()
        assert "C’est enregistré" in page.get_by_role("status").inner_text()
        assert house.states(email) == {"newsletter": "granted", "offers": "withdrawn"}

        page.get_by_role("button", name="Pause de trois mois").click()
        assert page.get_by_text("jusqu’au 2 juin 2026").is_visible()
        page.get_by_role("button", name="Mettre fin à la pause").click()
        assert page.get_by_role("button", name="Pause d’un mois").is_visible()

        page.get_by_role("button", name="Ne pas établir mon profil").click()
        assert page.get_by_text("nous n’établissons aucun profil de vous").is_visible()
        assert "objection" in {entry["event"] for entry in house.proofs(email)}

        page.get_by_role("button", name="M’envoyer mes données").click()
        [mail] = house.work()
        assert mail.recipient == email
        page.goto(link(house, mail, "d"))
        with page.expect_download() as got:
            page.get_by_role("button", name="Télécharger").click()
        assert "Ileana" in json.dumps(json.loads(got.value.path().read_text("utf-8")))

        page.goto(link(house, letter, "p"))
        page.get_by_role("button", name="Effacer tout ce qui me concerne").click()
        [mail] = house.work()
        page.goto(link(house, mail, "e"))
        assert press(page, "Oui, tout effacer") == "Tout est effacé"
        assert w.kept_to_itself
    assert not house.is_known(email)


def test_c20_counting_is_agreed_to_on_the_page_and_taken_back_there(chromium: Browser, house: House) -> None:
    email = "counted@posta.example"
    house.knows("counted", email, "en", "offers")
    with window(chromium, house.base_url) as w:
        w.page.goto(house.preferences(email))
        w.page.get_by_label("Count which links I follow").check()
        w.page.get_by_role("button", name="Save").click()
        assert house.states(email)["tracking_clicks"] == "granted"
        w.page.get_by_label("Count which links I follow").uncheck()
        w.page.get_by_role("button", name="Save").click()
    assert house.states(email)["tracking_clicks"] == "withdrawn"


def test_x09_a_page_elsewhere_cannot_press_our_buttons(chromium: Browser, house: House) -> None:
    """The form posted from another origin, by a browser that says where it comes from."""
    house.knows("victim", "victim@posta.example", "fr", "newsletter")
    letter = house.letter("victim@posta.example", HELLO)
    with window(chromium, house.base_url) as w:
        address = link(house, letter, "u")
        attack = f'<form method="post" action="{address}"><input name="do" value="topic"><button>Win!</button></form>'
        w.context.route("https://evil.example/", lambda route: route.fulfill(body=attack, content_type="text/html"))
        w.page.goto("https://evil.example/")
        assert press(w.page, "Win!") == "Cela n’a pas fonctionné"
    assert house.states("victim@posta.example")["newsletter"] == "granted"
