"""Hostile values in every place of a mail that takes one (trust X3, X4)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from nurture.mail.header import HeaderRefused, Mailbox
from nurture.mail.message import Head, Letterhead, build
from nurture.mail.meter import Meter
from nurture.mail.prepare import prepare
from nurture.mail.render import CompiledTemplate
from nurture.mail.sandbox import MailEnvironment
from nurture.mail.template import Template
from tests.payloads import ADDRESSES, PAYLOADS
from tests.unit.mail.test_message import HOSTILE_VALUES

CONTEXTS = {
    "text": "<p>Hi {{ v }}!</p>",
    "attribute in double quotes": '<p title="Hi {{ v }}">Hi</p>',
    "attribute in single quotes": "<p title='Hi {{ v }}'>Hi</p>",
    "address": '<a href="{{ v }}">Hi</a>',
    "part of an address": '<a href="https://e.com/?n={{ v }}">Hi</a>',
    "style": '<p style="color: {{ v }}">Hi</p>',
    "sheet of styles": "<style>p { color: {{ v }} }</style><p>Hi</p>",
    "sheet of styles that stays": "<style>@media (width: 1px) { p { color: {{ v }} } }</style><p>Hi</p>",
    "comment": "<!-- {{ v }} --><p>Hi</p>",
    "comment for Outlook": "<!--[if mso]><p>{{ v }}</p><![endif]--><p>Hi</p>",
    "title": "<h1>{{ v }}</h1><table><tr><td>{{ v }}</td></tr></table>",
}
FETCHING = (
    *("url(https://e.vil/)", "URL(//e.vil)", "u\\72l(//e.vil)", "image-set('//e.vil' 1x)", "src('//e.vil')"),
    *("red} p{background:url(//e.vil)", "red}*{display:none", "/*", "*/", "@import '//e.vil'", "expression(alert(1))"),
    *("xrgb(1)", "red\n}", "element(#x)", "var(--x)", "attr(href)"),
)
SCHEMES = {"https", "http", "mailto", "tel", "sms", "cid"}


class _Outline(HTMLParser):
    """Elements with the names of their attributes, and the schemes of addresses."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[str, ...]]] = []
        self.schemes: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(name for name, _ in attrs)))
        for name, value in attrs:
            scheme = re.match(r"([a-z][a-z0-9+.-]*):", "".join(c for c in (value or "").lower() if c > " "))
            if name in {"href", "src"} and scheme:
                self.schemes.add(scheme[1])


def outline(context: str, value: str) -> _Outline:
    source = prepare(f"<html><body>{CONTEXTS[context]}</body></html>").html
    return _Outline(MailEnvironment(html=True).from_string(source).render(v=value, _meter=Meter()))


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("value", [*PAYLOADS, *ADDRESSES])
def test_x3_a_payload_adds_no_element_no_attribute_and_no_scheme(context: str, value: str) -> None:
    found = outline(context, value)
    assert (found.seen, found.schemes - SCHEMES) == (outline(context, "Anna").seen, set())


STYLES = ("style", "sheet of styles", "sheet of styles that stays")


def styled(context: str, value: str) -> str:
    source = prepare(f"<html><body>{CONTEXTS[context]}</body></html>").html
    return MailEnvironment(html=True).from_string(source).render(v=value, _meter=Meter())


@pytest.mark.parametrize("context", STYLES)
@pytest.mark.parametrize("value", [*PAYLOADS, *FETCHING])
def test_x3_a_payload_in_a_style_fetches_nothing_and_ends_no_rule(context: str, value: str) -> None:
    assert styled(context, value) == styled(context, "")


@pytest.mark.parametrize("context", STYLES)
@pytest.mark.parametrize("value", ["#1a7f37", "rgb(26, 127, 55)", "red; font-size: 12px", "calc(1px + 2%)", "é"])
def test_a_colour_or_a_length_is_printed_in_a_style(context: str, value: str) -> None:
    assert value in styled(context, value)


@pytest.mark.parametrize("value", PAYLOADS)
def test_x3_a_payload_stands_in_the_text_part_as_it_is(value: str) -> None:
    template = Template("m", {"m.txt": "---\nsubject: s\n---\nHi {{ lead.first_name }}!"})
    text = CompiledTemplate(template, project_locale="en").render("en", {"lead": {"first_name": value}}).text
    assert f"Hi {value}!" in text


# Some are refused, some stand there encoded or as they are; none makes a line of its own.
HEADERS = [
    *HOSTILE_VALUES,
    *("x\\r\\nBcc: evil@e.vil", "x%0d%0aBcc: evil@e.vil", "x&#13;&#10;Bcc: evil@e.vil", "x\tBcc: evil@e.vil"),
    *("Bcc: evil@e.vil", ": x", ":", "x:y:z", "From: x", "To: a@b.c, d@e.f", "<evil@e.vil>", "a@b.c", "a, b; c"),
    *('"', '\\"', "\\", "(comment)", "(", ")", "<", ">", "[x]", "=?", "?=", "=?utf-8?q?plain?=", "=?x?", "=0ABcc: x"),
    *(
        "é" * 400,
        "x" * 2000,
        "名" * 300,
        " x ",
        "\u00a0x",
        "\u200bx",
        "\ufeffx",
        "🫖" * 100,
        "a\u0301" * 200,
        "x " * 500,
    ),
]
WHEN = datetime(2026, 3, 2, tzinfo=UTC)


def headers(value: str, field: str) -> list[str]:
    """The names of the header lines that a mail with this value in this field has on the wire."""
    given = {"subject": "Hello", "name": "Anna", "from": "Acme", "tag": "t"} | {field: value}
    letterhead = Letterhead(
        sender=Mailbox("news@example.com", given["from"]), marketing=False, extra=(("X-Tag", given["tag"]),)
    )
    to = Mailbox("anna@example.com", given["name"])
    head = Head(letterhead=letterhead, to=to, subject=given["subject"], message_id="m1@example.com", date=WHEN)
    data = build(head, "hi")
    return re.findall(r"^([^ \t\r\n][^:\r\n]*):", data.split(b"\r\n\r\n", 1)[0].decode(), re.MULTILINE)


@pytest.mark.parametrize("field", ["subject", "name", "from", "tag"])
@pytest.mark.parametrize("value", HEADERS)
def test_x4_a_payload_adds_no_header(value: str, field: str) -> None:
    try:
        found = headers(value, field)
    except HeaderRefused:
        return  # nothing was made
    assert found == headers("Anna", field)


def test_x4_there_are_sixty_payloads_and_the_plainest_is_sent() -> None:
    assert len(HEADERS) >= 60
    assert "X-Tag" in headers("x:y:z", "subject")


@pytest.mark.parametrize("value", HEADERS)
@pytest.mark.parametrize("source", ["{{ lead.company }}", "{{ lead.tags|join(', ') }}"])
def test_x4_a_payload_in_a_field_or_a_tag_that_a_subject_prints_adds_no_header(value: str, source: str) -> None:
    template = Template("m", {"m.txt": f'---\nsubject: "{source}"\n---\nHi'})
    lead = {"company": value, "tags": ["a", value]}
    subject = CompiledTemplate(template, project_locale="en").render("en", {"lead": lead}).subject
    try:
        found = headers(subject, "subject")
    except HeaderRefused:
        return
    assert found == headers("Anna", "subject")
