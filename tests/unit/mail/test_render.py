"""One mail for one lead (campaigns.md §9)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from nurture.mail.builtin import builtin_mails, with_builtin
from nurture.mail.links import LeadLinks, Links, Purpose
from nurture.mail.render import CompiledTemplate, Rendered, RenderFailed
from nurture.mail.template import template

LINKS = Links("https://e.com", ["secret"])


def context(**given: Any) -> dict[str, Any]:
    return {
        "lead": {"first_name": "Anna", "email": "anna@example.com", "name": None},
        "account": {},
        "entry": {
            "items": [{"name": "Tea", "price": 12.5}],
            "total": 59.9,
            "currency": "EUR",
            "at": "2026-03-02T23:30:00+00:00",
        },
        "enrollment": {},
        "campaign": {"title": "Carts"},
        "sender": {"name": "Acme", "postal_address": "1 rue"},
        "links": LeadLinks(LINKS, lead=5, topic="offers", message=9, requests={"offers": 77}),
        "now": datetime(2026, 3, 2, 9, 5, tzinfo=UTC),
    } | given


def compiled(files: dict[str, str], name: str = "m", **given: Any) -> CompiledTemplate:
    return CompiledTemplate(template(name, files), **({"project_locale": "en"} | given))


def rendered(files: dict[str, str], locale: str = "en", **given: Any) -> Rendered:
    return compiled(files).render(locale, context(**given), zone=ZoneInfo("Europe/Paris"))


HTML = (
    '---\nsubject: "Hi {{ lead.first_name }}"\npreheader: "{{ entry.total|money(entry.currency) }}"\nfrom: owner\n---\n'
    "<html><body><p>{{ lead.first_name }}</p></body></html>"
)


def test_a_mail_has_subject_preheader_sender_html_and_text() -> None:
    mail = rendered({"m.html": HTML})
    assert (mail.subject, mail.preheader, mail.from_, mail.text) == ("Hi Anna", "€59.90", "owner", "Anna\n")
    assert "<p>Anna</p>" in mail.html


def test_a_subject_is_text_and_html_is_escaped() -> None:
    mail = rendered({"m.html": HTML}, lead={"first_name": "<b> & Co"})
    assert (mail.subject, "&lt;b&gt; &amp; Co" in mail.html, mail.text) == ("Hi <b> & Co", True, "<b> & Co\n")


def test_a_txt_file_goes_before_the_derived_text() -> None:
    assert rendered({"m.html": HTML, "m.txt": "Dear {{ lead.first_name }}"}).text == "Dear Anna\n"


def test_a_text_of_another_locale_is_not_mixed_in() -> None:
    mail = rendered({"m.fr.html": HTML, "m.txt": "english", "m.html": HTML}, "fr")
    assert (mail.locale, mail.text) == ("fr", "Anna\n")


def test_a_mail_may_be_text_only() -> None:
    mail = rendered({"m.txt": "---\nsubject: x\n---\nHi {{ lead.first_name }}"})
    assert (mail.html, mail.text) == ("", "Hi Anna\n")


def test_a_send_step_may_bring_its_own_subject() -> None:
    mail = compiled({"m.html": HTML}).render("en", context(), subject="Now, {{ lead.first_name }}!")
    assert mail.subject == "Now, Anna!"


def test_subject_and_preheader_can_be_printed_in_the_layout() -> None:
    files = {
        "m.html": '---\nsubject: S\npreheader: P\n---\n{% extends "_l.html" %}',
        "_l.html": "<html lang='{{ locale }}'><title>{{ subject }}</title>{{ preheader }}</html>",
    }
    assert rendered(files).html == "<html lang='en'><title>S</title>P</html>"


@pytest.mark.parametrize(
    ("locale", "files", "shown"),
    [
        ("fr-CH", ["m.fr.html"], "3 mars 2026, 00:30"),
        ("de", ["m.fr.html", "m.html"], "3. März 2026, 00:30"),
        ("ro", ["m.en.html"], "March 3, 2026, 12:30\u202fAM"),
    ],
)
def test_times_are_in_the_leads_zone_and_the_mails_language(locale: str, files: list[str], shown: str) -> None:
    source = "<html>{{ entry.at|day }}, {{ entry.at|clock }}</html>"
    assert rendered(dict.fromkeys(files, source), locale).html == f"<html>{shown}</html>"


def test_styles_of_the_layout_reach_the_mail() -> None:
    files = {
        "m.html": '{% extends "_l.html" %}{% block body %}<p>{{ lead.first_name }}</p>{% endblock %}',
        "_l.html": "<html><head><style>p { color: red }</style></head><body>{% block body %}{% endblock %}</body>",
    }
    assert '<p style="color: red;">Anna</p>' in rendered(files).html


def test_rendering_twice_gives_the_same_mail() -> None:
    mail = compiled({"m.html": HTML})
    assert mail.render("en", context()) == mail.render("en", context())


def test_one_lead_leaves_nothing_for_the_next() -> None:
    mail = compiled({"m.html": "{% set x = lead.first_name %}<html>{{ x }}</html>"})
    mail.render("en", context())
    assert mail.render("en", context(lead={"first_name": "Bo"})).html == "<html>Bo</html>"


@pytest.mark.parametrize(
    ("files", "file", "line", "variable", "words"),
    [
        ({"m.html": "<p>\n\n{{ lead.name }}</p>"}, "m.html", 3, "lead.name", "empty for this lead"),
        ({"m.html": "<p>\n{{ lead.nothing }}</p>"}, "m.html", 2, "lead.nothing", "empty for this lead"),
        ({"m.html": "---\nsubject: S\n---\n<p>\n{{ nobody }}</p>"}, "m.html", 5, "nobody", "not known"),
        ({"m.html": "---\npreheader: x\nsubject: Hi {{ lead.name }}\n---\nx"}, "m.html", 3, "lead.name", "empty"),
        (
            {"m.html": 'a\n{% include "_p.html" %}', "_p.html": "\n\n{{ lead.name }}"},
            "_p.html",
            3,
            "lead.name",
            "empty",
        ),
        (
            {"m.html": '{% extends "_l.html" %}', "_l.html": "<html>\n{{ lead.name }}</html>"},
            "_l.html",
            2,
            "lead.name",
            "empty",
        ),
        ({"m.txt": "a\nb {{ lead.name }}"}, "m.txt", 2, "lead.name", "empty"),
        ({"m.html": "a\n{{ lead.first_name|money('EUR') }}"}, "m.html", 2, "", "number"),
        ({"m.html": "a\n{{ lead.first_name - 1 }}"}, "m.html", 2, "", "not available"),
        ({"m.html": "a\n{{ lead.__class__ }}"}, "m.html", 2, "lead.__class__", "empty"),
        ({"m.html": "a\n{{ links.form('f', x='" + "x" * 300 + "') }}"}, "m.html", 2, "", "200"),
        ({"m.html": "a\n{% if %}"}, "m.html", 0, "", "Expected"),
    ],
)
def test_r13_a_failure_names_file_line_and_variable(
    files: dict[str, str], file: str, line: int, variable: str, words: str
) -> None:
    with pytest.raises(RenderFailed) as failed:
        rendered(files)
    assert (failed.value.file, failed.value.line, failed.value.variable) == (file, line, variable)
    assert words.lower() in failed.value.reason.lower()


@pytest.mark.parametrize(
    "source",
    [
        "{{ lead.email|money }}",
        "{{ lead.email|day }}",
        "{{ lead.email + 1 }}",
        "{{ lead[lead.email].x }}",
        "{{ links.form(lead.email) }}",
    ],
)
def test_x16_a_failure_never_quotes_a_value_of_the_lead(source: str) -> None:
    with pytest.raises(RenderFailed) as failed:
        rendered({"m.html": source})
    assert "anna@example.com" not in str(failed.value)


def test_a_mail_without_a_text_for_the_lead_fails() -> None:
    with pytest.raises(RenderFailed, match="locale"):
        rendered({"m.fr.html": "x"}, "ro")


def test_links_of_the_mail_are_the_leads() -> None:
    mail = rendered({"m.html": '<html><a href="{{ links.unsubscribe }}">u</a></html>'})
    token = mail.html.split("/u/")[1].split('"')[0]
    assert LINKS.read(Purpose.UNSUBSCRIBE, token) == (5, "offers", 9)


CONSENT = {
    "topic": "offers",
    "title": "Offers",
    "wording": "I agree.",
    "requested_at": None,
    "source": None,
    "ip": None,
}


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", "Is this you?"),
        ("fr", "Est-ce bien vous\u202f?"),
        ("ro", "Sunteți dumneavoastră?"),
        ("de", "Is this you?"),
    ],
)
def test_c8_the_built_in_confirmation_speaks_the_leads_language(locale: str, words: str) -> None:
    mail = compiled(builtin_mails()["consent/confirm"], "consent/confirm", project_locale="de").render(
        locale, context(consent=CONSENT)
    )
    assert (words in mail.html, words in mail.text, "I agree." in mail.text) == (True, True, True)


@pytest.mark.parametrize("locale", ["en", "fr", "ro"])
def test_c8_the_confirmation_says_who_what_when_where_and_from_which_address(locale: str) -> None:
    consent = CONSENT | {
        "requested_at": datetime(2026, 3, 2, 9, 5, tzinfo=UTC),
        "source": "e.com/form",
        "ip": "192.0.2.1",
    }
    mail = compiled(builtin_mails()["consent/confirm"], "consent/confirm").render(locale, context(consent=consent))
    for part in (mail.html, mail.text):
        assert [w for w in ("Acme", "1 rue", "Offers", "e.com/form", "192.0.2.1", "2026", "/c/") if w not in part] == []


def test_a_projects_own_confirmation_replaces_ours_in_every_language() -> None:
    files = with_builtin({"consent/confirm.html": "mine"})
    assert [path for path in files if path.startswith("consent/")] == ["consent/confirm.html"]
