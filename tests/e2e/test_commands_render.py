"""`nurture render --matrix`: every mail as files, judged, compared with what is deployed."""

from __future__ import annotations

import re
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from nurture.cli import run
from nurture.cli.camera import browser, camera
from tests.e2e.commands import CART, MAIL, Shop
from tests.peers.ground import need

WIDTH = struct.Struct(">16xI")  # of a PNG: behind its signature, and length and name of its first part


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "review"


def rendered(shop: Shop, out: Path, *words: object) -> dict[str, Any]:
    found: dict[str, Any] = shop.json("render", "--matrix", out, "--no-pictures", *words)
    return found


def marks(found: dict[str, Any]) -> dict[str, set[str]]:
    told: dict[str, set[str]] = {}
    for mail in found["mails"]:
        told.setdefault(mail["template"], set()).add(mail["mark"])
    return told


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- what is rendered


def test_every_mail_is_written_for_every_sample_in_every_language(shop: Shop, out: Path) -> None:
    shop.write("templates/hello.fr.html", MAIL.replace("Hello", "Bonjour"))
    rendered(shop, out, "hello")
    people, locales, kinds = ("address-alone", "everything"), ("en", "fr"), ("html", "txt")
    written = [f"hello/hello/{who}.{locale}.{kind}" for who in people for locale in locales for kind in kinds]
    assert sorted(files(out)) == [*written, "index.html", "index.json"]


def test_a_mail_of_a_language_is_the_one_its_readers_get(shop: Shop, out: Path) -> None:
    shop.write("templates/hello.fr.html", MAIL.replace("Hello", "Bonjour"))
    rendered(shop, out, "hello")
    assert (out / "hello/hello/everything.fr.txt").read_text("utf-8").startswith("Subject: Bonjour Camille\n")
    assert (out / "hello/hello/everything.en.txt").read_text("utf-8").startswith("Subject: Hello Camille\n")


def test_only_the_language_asked_for_is_rendered(shop: Shop, out: Path) -> None:
    shop.write("templates/hello.fr.html", MAIL.replace("Hello", "Bonjour"))
    assert {mail["locale"] for mail in rendered(shop, out, "--locale", "fr")["mails"]} == {"fr"}


def test_the_same_files_give_the_same_bytes(shop: Shop, tmp_path: Path) -> None:
    rendered(shop, tmp_path / "one")
    rendered(shop, tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_samples_are_the_leads_of_tests_that_expect_the_mail_and_an_address_alone(shop: Shop, out: Path) -> None:
    found = rendered(shop, out, "cart/reminder")
    assert [mail["sample"] for mail in found["mails"]] == [
        "a silent shopper gets one mail",
        "only the address is known",
    ]


def test_a_mail_no_test_expects_has_the_leads_of_all_its_campaigns_tests(shop: Shop, out: Path) -> None:
    found = rendered(shop, out, "cart/coupon")
    assert len(found["mails"]) == 3


def test_a_mail_is_printed_with_what_its_test_says(shop: Shop, out: Path) -> None:
    shop.write("templates/cart/reminder.html", MAIL.replace("<p>Hello</p>", "<p>Basket of {{ entry.total }}</p>"))
    rendered(shop, out, "cart/reminder")
    assert "Basket of 80" in (out / "cart/reminder/cart/a-silent-shopper-gets-one-mail.en.txt").read_text("utf-8")


def test_samples_come_out_of_a_table(shop: Shop, out: Path, tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text("email,first_name\nann@example.com,Ann\nbo@example.com,\n", "utf-8")
    found = rendered(shop, out, "hello", "--leads", table)
    assert [mail["subject"] for mail in found["mails"]] == ["Hello Ann", "Hello you"]


def test_a_project_of_a_playbook_brings_its_own_sample_leads(shop: Shop, out: Path) -> None:
    shop.write("data/leads.csv", "mail,name\nann@example.com,Ann\n")
    shop.write("mappings/leads.yaml", 'lead: {email: "{{ row.mail }}", first_name: "{{ row.name }}"}\n')
    assert [mail["subject"] for mail in rendered(shop, out, "hello")["mails"]] == ["Hello Ann"]


def test_a_mapping_without_leads_is_refused(shop: Shop, out: Path) -> None:
    assert shop.run("render", "--matrix", out, "--mapping", "map.yaml") == 1
    assert "--mapping belongs to --leads" in shop.err


def test_a_template_that_two_campaigns_print_is_rendered_for_both(shop: Shop, out: Path) -> None:
    shop.write(
        "campaigns/again.yaml", "campaign: again\ntopic: offers\nenter: {manual: true}\nsteps: [{send: hello}]\n"
    )
    assert {mail["campaign"] for mail in rendered(shop, out, "hello")["mails"]} == {"hello", "again"}


def test_steps_that_differ_in_nothing_one_sees_are_rendered_once(shop: Shop, out: Path) -> None:
    steps = "[{send: bye}, {wait: 1d}, {id: two, send: bye}]"
    shop.write("campaigns/again.yaml", f"campaign: again\ntopic: offers\nenter: {{manual: true}}\nsteps: {steps}\n")
    assert {mail["step"] for mail in rendered(shop, out, "bye")["mails"] if mail["campaign"] == "again"} == {"bye"}


def test_steps_with_subjects_of_their_own_are_both_rendered(shop: Shop, out: Path) -> None:
    steps = "[{send: bye}, {wait: 1d}, {id: two, send: bye, subject: Once more}]"
    shop.write("campaigns/again.yaml", f"campaign: again\ntopic: offers\nenter: {{manual: true}}\nsteps: {steps}\n")
    rendered(shop, out, "bye")
    assert (out / "bye/again.two/everything.en.txt").read_text("utf-8").startswith("Subject: Once more\n")


def test_the_confirmation_is_rendered_for_each_topic_that_is_confirmed(shop: Shop, out: Path) -> None:
    config = (shop.root / "config.yaml").read_text("utf-8")
    letter = "  letter: {title: {en: The letter}, wording: {en: Yes to the letter.}}\n"
    shop.write("config.yaml", config.replace("topics:\n", f"topics:\n{letter}"))
    found = [mail for mail in rendered(shop, out)["mails"] if mail["template"] == "consent/confirm"]
    assert {(mail["topic"], mail["locale"]) for mail in found} == {("letter", "en"), ("letter", "fr"), ("letter", "ro")}


def test_a_template_nobody_knows_is_met_with_a_guess(shop: Shop, out: Path) -> None:
    assert shop.run("render", "helo", "--matrix", out) == 1
    assert "did you mean 'hello'?" in shop.err


# --- what is wrong


def test_a_review_without_errors_ends_with_0_and_names_each_finding_once(shop: Shop, out: Path) -> None:
    assert shop.run("render", "hello", "--matrix", out, "--no-pictures") == 0
    first, sums, page = shop.out.splitlines()
    assert first.startswith("hello: warning preheader: no preheader")
    assert sums == "1 template as 2 mails (2 new): 0 errors, 2 warnings"
    assert page == str(out / "index.html")


def test_a_review_with_an_error_ends_with_1(shop: Shop, out: Path) -> None:
    shop.write("templates/hello.html", MAIL.replace("<p>Hello</p>", '<p><img src="/a.png" alt=""></p>'))
    assert shop.run("render", "hello", "--matrix", out, "--no-pictures") == 1
    assert "hello: error pictures: the picture a.png has no whole address: /a.png\n" in shop.out


NAMELESS = MAIL.replace("<p>Hello</p>", "<p>Hello {{ lead.last_name }}</p>")


def test_a_mail_that_cannot_be_printed_for_who_gets_it_is_an_error(shop: Shop, out: Path) -> None:
    shop.write("templates/cart/reminder.html", NAMELESS.replace("lead.last_name", "entry.total.cents"))
    assert shop.run("render", "cart/reminder", "--matrix", out, "--no-pictures") == 1
    assert "cart/reminder: error print: template 'cart/reminder': cart/reminder.html:4:" in shop.out


def test_a_mail_that_cannot_be_printed_for_a_lead_that_may_never_come_to_it_is_a_warning(shop: Shop, out: Path) -> None:
    shop.write("templates/hello.html", NAMELESS)
    found = rendered(shop, out, "hello")
    assert {mail["sample"]: [(f["level"], f["check"]) for f in mail["findings"]] for mail in found["mails"]} == {
        "everything filled in": [("warning", "preheader")],
        "only the address is known": [("warning", "print")],
    }


def test_what_a_campaign_asks_of_a_lead_is_there_in_every_sample(shop: Shop, out: Path) -> None:
    config = (shop.root / "config.yaml").read_text("utf-8")
    shop.write("config.yaml", config + "attributes: {renews_on: date, seats: number, company: text}\n")
    shop.write("templates/renewal.html", NAMELESS.replace("lead.last_name", "lead.renews_on | day }} {{ lead.seats"))
    steps = "[{if: {lead: {seats: {at_least: 2}}}, send: renewal}]"
    shop.write(
        "campaigns/renewal.yaml", f"campaign: renewal\ntopic: offers\nenter: {{date: lead.renews_on}}\nsteps: {steps}\n"
    )
    found = rendered(shop, out, "renewal")
    assert [finding["check"] for mail in found["mails"] for finding in mail["findings"]] == ["preheader", "preheader"]


def test_a_language_that_was_only_copied_is_an_error(shop: Shop, out: Path) -> None:
    long = MAIL.replace("<p>Hello</p>", "<p>Your tea is still here, where you left it yesterday.</p>")
    shop.write("templates/hello.html", long)
    shop.write("templates/hello.fr.html", long)
    assert shop.run("render", "hello", "--matrix", out, "--no-pictures") == 1
    assert "error locale: not translated: 'fr' says the same as 'en' (fr: 2 of 4)" in shop.out


def test_a_campaign_with_errors_is_told_before_anything_is_written(shop: Shop, out: Path) -> None:
    shop.write("campaigns/cart.yaml", CART.replace("wait: 1d", "wiat: 1d"))
    assert shop.run("render", "--matrix", out) == 1
    assert "N112" in shop.err
    assert not out.exists()


def test_the_mails_of_the_example_shop_have_nothing_wrong(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leads = out.with_name("leads.csv")
    leads.write_text("email\nann@example.com\n", "utf-8")
    words = ["render", "--matrix", str(out), "--leads", str(leads), "--no-pictures"]
    assert run(["--project", str(Path(__file__).parents[2]), *words]) == 0
    assert re.search(r": 0 errors, 0 warnings$", capsys.readouterr().out, re.MULTILINE)


# --- what has changed


def test_without_a_database_every_mail_is_new_and_none_is_made(shop: Shop, out: Path) -> None:
    assert marks(rendered(shop, out)) == {name: {"new"} for name in ("bye", "cart/coupon", "cart/reminder", "hello")}
    assert not (shop.root / "nurture.db").exists()


def test_mails_are_compared_with_what_is_deployed(shop: Shop, out: Path) -> None:
    shop.deploy()
    shop.write("templates/bye.html", MAIL.replace("<p>Hello</p>", "<p>Farewell</p>"))
    shop.write("templates/late.html", MAIL)
    (shop.root / "templates/cart/coupon.html").unlink()
    shop.write("campaigns/cart.yaml", CART.replace("{send: cart/coupon}", "{tag: warm}"))
    found = rendered(shop, out)
    assert marks(found) == {"bye": {"changed"}, "cart/reminder": {"same"}, "hello": {"same"}, "late": {"new"}}
    assert found["gone"] == ["cart/coupon"]


def test_what_changed_is_written_beside_the_mail(shop: Shop, out: Path) -> None:
    shop.deploy()
    shop.write("templates/bye.html", MAIL.replace("<p>Hello</p>", "<p>Farewell</p>"))
    rendered(shop, out)
    difference = (out / "bye/hello/everything.en.diff").read_text("utf-8")
    assert [line for line in difference.splitlines() if line[:1] in "+-"] == [
        "--- deployed",
        "+++ here",
        "-Hello",
        "+Farewell",
    ]


def test_a_change_of_colours_alone_is_a_change(shop: Shop, out: Path) -> None:
    shop.deploy()
    shop.write("templates/bye.html", MAIL.replace("<p>Hello", '<p style="color:#333">Hello'))
    assert marks(rendered(shop, out))["bye"] == {"changed"}


def test_a_change_of_the_sender_changes_every_mail(shop: Shop, out: Path) -> None:
    shop.deploy()
    config = (shop.root / "config.yaml").read_text("utf-8")
    shop.write("config.yaml", config.replace("name: Acme,", "name: The new Acme,"))
    assert set.union(*marks(rendered(shop, out)).values()) == {"changed"}


def test_a_change_of_what_no_mail_shows_changes_none(shop: Shop, out: Path) -> None:
    shop.deploy()
    config = (shop.root / "config.yaml").read_text("utf-8")
    shop.write("config.yaml", config.replace("blast: 2", "blast: 3"))
    assert set.union(*marks(rendered(shop, out)).values()) == {"same"}


def test_only_changed_mails_are_rendered_where_that_is_asked_for(shop: Shop, out: Path) -> None:
    shop.deploy()
    shop.write("templates/bye.html", MAIL.replace("<p>Hello</p>", "<p>Farewell</p>"))
    assert marks(rendered(shop, out, "--changed")) == {"bye": {"changed"}}


def test_where_nothing_changed_there_is_nothing_to_look_at(shop: Shop, out: Path) -> None:
    shop.deploy()
    assert shop.run("render", "--matrix", out, "--changed") == 0
    assert "0 templates as 0 mails (none): 0 errors, 0 warnings" in shop.out


# --- the folder


def test_what_an_earlier_review_left_is_taken_away(shop: Shop, out: Path) -> None:
    rendered(shop, out)
    rendered(shop, out, "hello")
    assert not (out / "bye").exists() or not list((out / "bye").rglob("*.html"))


def test_a_folder_with_other_things_is_left_alone(shop: Shop, out: Path) -> None:
    out.mkdir()
    (out / "mine.txt").write_text("mine", "utf-8")
    assert shop.run("render", "--matrix", out) == 1
    assert "holds other things than a review" in shop.err
    assert files(out) == {"mine.txt": b"mine"}


def test_an_index_that_names_files_elsewhere_takes_none_of_them_away(shop: Shop, out: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", "utf-8")
    out.mkdir()
    (out / "index.json").write_text('{"mails": [{"files": {"html": "../mine.txt"}}]}', "utf-8")
    rendered(shop, out, "hello")
    assert (tmp_path / "mine.txt").is_file()


def test_without_a_browser_it_is_said_what_is_missing(shop: Shop, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NURTURE_BROWSER", "/nowhere/chromium")
    assert shop.run("render", "hello", "--matrix", out) == 0
    assert "no pictures: there is no Chromium or Chrome here; install one" in shop.err
    assert "<iframe sandbox" in (out / "index.html").read_text("utf-8")


# --- pictures and the page


@pytest.mark.chromium
def test_pictures_are_as_wide_as_a_desktop_and_as_a_phone(shop: Shop, out: Path) -> None:
    need("chromium", root=False)
    assert shop.run("render", "hello", "--matrix", out, "--locale", "en") == 0, shop.err
    widths = {path.name: WIDTH.unpack_from(path.read_bytes())[0] for path in out.rglob("*.png")}
    kinds = (("desktop", 700), ("phone", 375))
    people = ("everything", "address-alone")
    assert widths == {f"{who}.en.{kind}.png": width for who in people for kind, width in kinds}


@pytest.mark.chromium
def test_a_mail_that_knows_the_dark_is_taken_in_the_dark_too(shop: Shop, out: Path) -> None:
    need("chromium", root=False)
    dark = "<style>@media (prefers-color-scheme: dark) { body { background: #111; color: #eee } }</style>"
    shop.write("templates/hello.html", MAIL.replace("<p>Hello</p>", f"{dark}<p>Hello</p>"))
    found = shop.json("render", "hello", "--matrix", out)
    pictures = found["mails"][0]["files"]
    assert {kind for kind in pictures if kind.endswith("png")} == {
        "desktop.png", "phone.png", "desktop-dark.png", "phone-dark.png",
    }  # fmt: skip
    assert (out / pictures["desktop.png"]).read_bytes() != (out / pictures["desktop-dark.png"]).read_bytes()


@pytest.mark.chromium
def test_a_picture_of_a_mail_asks_nobody(shop: Shop) -> None:
    need("chromium", root=False)
    path = browser()
    assert path is not None
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        html = f'<img src="{address}a.png"><iframe src="{address}"></iframe><script>fetch("{address}")</script>'
        with camera(path) as shooting:
            for width in ("phone", "desktop"):
                shooting.take(html, width, "light")
        with pytest.raises(BlockingIOError):  # nobody waits at the door
            server.accept()


@pytest.mark.chromium
def test_the_page_shows_what_is_chosen_without_a_script(shop: Shop, out: Path, chromium: Browser) -> None:
    shop.write("templates/hello.fr.html", MAIL.replace("Hello", "Bonjour"))
    rendered(shop, out)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((out / "index.html").as_uri())
    titles = page.locator("h2:visible")
    assert titles.all_text_contents() == ["bye", "cart/coupon", "cart/reminder", "hello"]
    page.click("label[for=locale-fr]")
    assert titles.all_text_contents() == ["hello"]
    page.click("label[for=any-locale]")
    page.select_option("#mail", label="bye")
    assert titles.all_text_contents() == ["bye"]
    context.close()


@pytest.mark.chromium
def test_the_preview_switches_language_colours_and_width_without_a_script(
    shop: Shop, out: Path, chromium: Browser
) -> None:
    shop.write("templates/hello.fr.html", MAIL.replace("Hello", "Bonjour"))
    out.mkdir()
    shop.run("preview", "hello", "--out", out / "p.html")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((out / "p.html").as_uri())
    frames = page.locator("iframe:visible")
    assert [frame.get_attribute("title") for frame in frames.all()] == [
        "The mail, wide, light",
        "The mail, on a phone, light",
    ]
    for label in ("locale-2", "dark", "only-phone"):
        page.click(f"label[for={label}]")
    assert [frame.get_attribute("title") for frame in frames.all()] == ["The mail, on a phone, dark"]
    assert page.locator("h1:visible").all_text_contents() == ["Bonjour Camille"]
    context.close()


def test_the_page_holds_no_script_and_fetches_nothing_elsewhere(shop: Shop, out: Path) -> None:
    rendered(shop, out)
    page = (out / "index.html").read_text("utf-8")
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
