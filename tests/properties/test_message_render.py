"""Whatever a lead is called, the mail around it stays as its author wrote it (trust X3, X4)."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nurture.mail.links import LeadLinks, Links
from nurture.mail.render import CompiledTemplate
from nurture.mail.template import template

SOURCE = """---
subject: "Hi {{ lead.first_name }}"
preheader: "{{ lead.first_name }}"
---
<html><head><title>{{ subject }}</title>
<style>p { color: red } @media (max-width: 9px) { p { color: blue } }</style></head>
<body><p title="{{ lead.first_name }}">{{ lead.first_name }}</p>
<table>{% for item in entry.items %}
<tr><td width='{{ item.n }}'><a href="{{ item.url }}">{{ item.n }}</a></td></tr>
{% endfor %}</table>
<a href="https://e.com/{{ lead.first_name }}">x</a></body></html>
"""
MAIL = CompiledTemplate(template("m", {"m.html": SOURCE}), project_locale="en")
LINKS = LeadLinks(Links("https://e.com", ["s"]), lead=1)

PAYLOADS = (
    "<script> </td> \"onload=\"x 'onload='x javascript:x java\tscript:x --> ]]> {{7*7}} {%raw%} &lt;script&gt; \x00"
    " \r\nBcc:x@y.z <!-- </style> </title> data:text/html,x //evil.example `"
)
payloads = st.sampled_from(PAYLOADS.split(" "))
hostile = st.lists(st.one_of(payloads, st.text(max_size=10)), min_size=1, max_size=4).map("".join)


class _Outline(HTMLParser):
    """Elements with the names of their attributes, and the schemes of links."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[str, ...]]] = []
        self.schemes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(name for name, _ in attrs)))
        for name, value in attrs:
            head, colon, _ = "".join(c for c in (value or "") if c > " ").partition(":")
            if name == "href" and colon and head.isascii() and head.isalpha():
                self.schemes.add(head.lower())


def outline(name: str, url: str) -> _Outline:
    parser = _Outline()
    parser.feed(rendered(name, url).html)
    return parser


def rendered(name: str, url: str) -> Any:
    entry = {"items": [{"n": name, "url": url}, {"n": "two", "url": "https://a.b"}]}
    now = datetime(2026, 3, 2, tzinfo=UTC)
    return MAIL.render("en", {"lead": {"first_name": name}, "entry": entry, "links": LINKS, "now": now})


PLAIN = outline("Anna", "https://a.b").seen


@given(name=hostile, url=hostile)
def test_x3_no_value_adds_an_element_an_attribute_or_a_scheme(name: str, url: str) -> None:
    found = outline(name, url)
    assert (found.seen, found.schemes <= {"https", "http", "mailto", "tel", "sms", "cid"}) == (PLAIN, True)


@given(name=hostile)
def test_the_subject_is_the_value_as_it_is(name: str) -> None:
    assert rendered(name, "https://a.b").subject == f"Hi {name}".strip()
