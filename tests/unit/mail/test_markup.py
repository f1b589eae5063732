"""Where Jinja stands in HTML."""

from __future__ import annotations

import pytest

from nurture.mail.markup import read, split


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("a {{ b }} c", ["text", "print", "text"]),
        ("{{ '}}' }}", ["print"]),
        ("{{ {'a': {'b': 1}}['a'] }}x", ["print", "text"]),
        ("{% if a %}b{% endif %}", ["statement", "text", "statement"]),
        ("{# {{ no }} #}x", ["comment", "text"]),
        ("{% raw %}{{ x }}{% endraw %}", ["raw"]),
        ("{{ unclosed", ["text"]),
        ("{{ 'unclosed }}", ["text"]),
        ("a { b } c", ["text"]),
        ("", []),
    ],
)
def test_a_source_is_cut_into_text_and_jinja(source: str, kinds: list[str]) -> None:
    pieces = split(source)
    assert [p.kind for p in pieces] == kinds
    assert "".join(p.text for p in pieces) == source


@pytest.mark.parametrize(
    ("source", "where", "element", "attribute", "before"),
    [
        ("<p>{{ x }}</p>", "text", "", "", ""),
        ('<a href="{{ x }}">', "value", "a", "href", ""),
        ("<a href='/p/{{ x }}'>", "value", "a", "href", "/p/"),
        ("<a href={{ x }}>", "unquoted", "a", "href", ""),
        ("<a href=/p/{{ x }}>", "unquoted", "a", "href", "/p/"),
        ('<a id="b" {{ x }}>', "tag", "a", "", ""),
        ("<style>a{ {{ x }} }</style>", "raw", "style", "", ""),
        ("<title>{{ x }}</title>", "raw", "title", "", ""),
        ("<!-- {{ x }} -->", "comment", "", "", ""),
        ('<p title="a > b">{{ x }}</p>', "text", "", "", ""),
        ("1 < 2 {{ x }}", "text", "", "", ""),
        ("<!doctype html>{{ x }}", "text", "", "", ""),
        ("</>{{ x }}", "text", "", "", ""),
        ("<img alt={{ x }}/>", "unquoted", "img", "alt", ""),
        ('<a\nhref = "{{ x }}">', "value", "a", "href", ""),
    ],
)
def test_the_spot_of_a_print(source: str, where: str, element: str, attribute: str, before: str) -> None:
    spot = read(source).spots[0]
    assert (spot.where, spot.attribute, spot.before) == (where, attribute, before)
    assert spot.element == element or where in {"text", "comment"}


def test_attributes_keep_their_jinja() -> None:
    tag = next(read('<a href="{{ x }}?a=1" hidden class=b>').tags())
    assert tag.attributes == {"href": "{{ x }}?a=1", "hidden": None, "class": "b"}


def test_an_unquoted_value_ends_with_its_tag() -> None:
    assert [t.name for t in read("<a href=x>y</a><b>").tags()] == ["a", "a", "b"]
