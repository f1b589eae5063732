"""The mails with a fresh link to see or erase one's data."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from nurture.mail.builtin import builtin_mails
from nurture.mail.links import LeadLinks, Links
from nurture.mail.render import CompiledTemplate, Rendered
from nurture.mail.template import Template

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LINKS = Links("https://acme.example", ["a secret"])
SENDER = {"name": "Acme", "email": "news@acme.example", "reply_to": "", "postal_address": "1 rue de la Paix"}


def printed(name: str, locale: str) -> Rendered:
    files = builtin_mails()[f"privacy/{name}"]
    template = CompiledTemplate(Template(f"privacy/{name}", dict(files)), project_locale="en", currency="EUR")
    links = LeadLinks(LINKS, lead=7, requests={"$asked": 1_772_442_000, "$address": "0123456789ab"})
    names = ("lead", "account", "entry", "enrollment", "campaign")
    empty: dict[str, dict[str, str]] = {name: {} for name in names}
    return template.render(locale, {**empty, "sender": SENDER, "links": links, "now": NOW}, zone=ZoneInfo("UTC"))


@pytest.mark.parametrize("locale", ["en", "fr", "ro", "de"])
@pytest.mark.parametrize(("name", "page"), [("data", "my_data"), ("erase", "erase_me")])
def test_x08_the_mail_holds_the_fresh_link_in_both_parts(name: str, page: str, locale: str) -> None:
    made = printed(name, locale)
    link = getattr(LINKS, page)(7, 1_772_442_000, "0123456789ab")
    assert link in made.html
    assert link in made.text


@pytest.mark.parametrize(("locale", "said"), [("en", "Your data"), ("fr", "Vos données"), ("ro", "Datele")])
def test_x08_the_mail_speaks_the_leads_language(locale: str, said: str) -> None:
    assert printed("data", locale).subject.startswith(said)
