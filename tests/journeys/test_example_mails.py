"""The mails of the example shop: whole in three languages, and made for people we know much and little about."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from nurture.mail.links import LeadLinks, Links
from nurture.mail.render import CompiledTemplate, Rendered
from nurture.mail.template import template, template_names

ROOT = Path(__file__).parents[2] / "templates"
FILES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in ROOT.rglob("*") if path.is_file()
}
NAMES = template_names(FILES)
MAILS = [name for name in NAMES if not name.startswith("internal/")]
SERVICE = {"after/brewing", "guide/your-copy"}
LOCALES = ("fr", "en", "ro")
NOW = datetime(2026, 3, 9, 9, 5, tzinfo=UTC)
UNKNOWN = dict.fromkeys(
    (
        "first_name",
        "last_name",
        "name",
        "owner",
        "source",
        "country",
        "birthday",
        "favourite",
        "company",
        "role",
        "covers",
    )
)
KNOWN = {
    "first_name": "Ana",
    "name": "Ana Pop",
    "favourite": "oolong",
    "company": "Hanul",
    "role": "owner",
    "covers": 40,
}
ENTRY = {
    "cart_id": "c1",
    "cart_url": "https://frunza.example/ro/basket/c1",
    "order_id": "o1",
    "total": 67.5,
    "currency": "EUR",
    "items": [
        {"sku": "S", "name": name, "url": "https://frunza.example/p", "category": category, "price": 9.5, "quantity": 2}
        for name, category in (("Sencha", "green"), ("Earl Grey", "black"), ("Apuseni", "herbal"), ("Duo", "ware"))
    ],
    "sku": "GYO-50",
    "name": "Gyokuro Uji",
    "url": "https://frunza.example/ro/p/gyo-50",
    "category": "green",
    "old_price": 29.0,
    "price": 23.2,
}


@cache
def compiled(mail: str) -> CompiledTemplate:
    return CompiledTemplate(template(mail, FILES), project_locale="fr")


@cache  # compiling a mail takes some 20 ms, and several tests look at the same one
def rendered(mail: str, locale: str, known: bool = True) -> Rendered:
    links = LeadLinks(Links("http://127.0.0.1:8025", ["s" * 40]), lead=5, topic="offers", message=9)
    context = {
        "lead": {**UNKNOWN, "email": "ana@posta.example", "locale": locale, **(KNOWN if known else {})},
        "account": {},
        "entry": ENTRY,
        "enrollment": {"data": {}},
        "campaign": {"name": "cart-recovery", "title": "Baskets"},
        "sender": {"name": "Maison Frunza", "email": "l@frunza.example", "postal_address": "12 rue du Samovar, Paris"},
        "links": links,
        "now": NOW,
    }
    return compiled(mail).render(locale, context, zone=ZoneInfo("Europe/Bucharest"))


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_is_written_in_every_language(name: str) -> None:
    assert set(template(name, FILES).variants()) == set(LOCALES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_a_mail_can_be_made_for_everybody(name: str, known: bool) -> None:
    mail = rendered(name, "ro", known)
    assert mail.subject
    assert "None" not in mail.subject + mail.text


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", sorted(set(MAILS) - SERVICE))
def test_e12_a_marketing_mail_says_who_sent_it_and_how_to_leave_in_both_parts(name: str, locale: str) -> None:
    mail = rendered(name, locale)
    for part in (mail.html, mail.text):
        assert "http://127.0.0.1:8025/u/" in part
        assert "12 rue du Samovar" in part


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", MAILS)
def test_e13_a_mail_loads_nothing_and_is_not_cut_off(name: str, locale: str) -> None:
    html = rendered(name, locale).html
    assert not re.search(r"<img|url\(|@import|<link", html)
    assert len(html.encode()) < 40_000  # Gmail cuts at 102,000


@pytest.mark.parametrize("path", [path for path in FILES if ".ro." in path or path.endswith("/ro.html")])
def test_romanian_has_its_comma_below(path: str) -> None:
    assert not set("şţŞŢ") & set(FILES[path])


@pytest.mark.parametrize("path", [path for path in FILES if path.endswith((".fr.html", ".fr.txt"))])
def test_french_signs_do_not_stand_alone_on_a_line(path: str) -> None:
    prose = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", "", FILES[path], flags=re.DOTALL)
    assert not re.search(r" [;:?!»]|« ", prose)
