"""The text part made from HTML (E13)."""

from __future__ import annotations

import pytest

from nurture.mail.meter import Meter
from nurture.mail.plaintext import text_source, tidy
from nurture.mail.sandbox import MailEnvironment


def told(source: str) -> str:
    context = {"xs": ["a", "b"], "u": "https://a.b/?x=1&y=2", "n": "<Anna>", "yes": True, "_meter": Meter()}
    return tidy(MailEnvironment(html=False).from_string(text_source(source)).render(context))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo\n"),
        ("<p>one\n   two</p>", "one two\n"),
        ("a<br>b", "a\nb\n"),
        ("<h1>Title</h1><p>x</p>", "Title\n\nx\n"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b\n"),
        ('<a href="https://a.b/c">here</a>', "here <https://a.b/c>\n"),
        ('<a href="{{ u }}">here</a>', "here <https://a.b/?x=1&y=2>\n"),
        ('<a href="https://a.b/?x=1&amp;y=2">here</a>', "here <https://a.b/?x=1&y=2>\n"),
        ('<a href="{{ u }}">{{ u }}</a>', "https://a.b/?x=1&y=2\n"),
        ('<a href="https://a.b/">a.b</a>', "a.b\n"),
        ('<a href="mailto:a@b.c">a@b.c</a>', "a@b.c\n"),
        ('<a href="#top">top</a>', "top\n"),
        ('<a href="https://a.b"><img src="x" alt="A cup"></a>', "A cup <https://a.b>\n"),
        ('<img src="x" alt="">', "\n"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc\n"),
        ("<p>&lt;{{ n }}&gt; &amp; &eacute;&nbsp;!</p>", "<<Anna>> & é !\n"),
        ("<p>a {% if yes %} Prêt\u202f? {% endif %}</p>", "a Prêt\u202f?\n"),
        ("<p>&#123;&#123; n &#125;&#125;</p>", "{{ n }}\n"),
        ("<head><title>{{ n }}</title><style>a{}</style></head><p>x</p>", "x\n"),
        ('<div style="display:none">{{ n }}</div>x', "x\n"),
        ('<div style="DISPLAY: NONE"><div>a</div>b</div>x', "x\n"),
        ('<span aria-hidden="true">✽</span>x', "x\n"),
        ("<div hidden>a</div>x", "x\n"),
        ("<!-- note -->x", "x\n"),
        ("{% for x in xs %}<p>{{ x }}</p>{% endfor %}", "a\n\nb\n"),
        ("{% if yes %}<p>a</p>{% else %}<p>b</p>{% endif %}", "a\n"),
        ('<div style="display:none">{% set z = 5 %}{{ z }}</div>{{ z }}', "5\n"),
        ("a<hr>b", "a\n\n---\n\nb\n"),
        ("x</a>y", "xy\n"),
    ],
)
def test_html_is_told_as_text(html: str, text: str) -> None:
    assert told(html) == text


def test_an_authors_own_text_keeps_its_indents() -> None:
    assert tidy("a  \n   b\n\n\n\nc", derived=False) == "a\n   b\n\nc\n"


def test_e13_a_link_of_a_lead_that_is_a_script_is_not_told() -> None:
    from nurture.mail.prepare import guarded

    source = text_source(guarded('<a href="{{ u }}">x</a>'))
    assert MailEnvironment(html=False).from_string(source).render(u="javascript:x", _meter=Meter()).strip() == "x <#>"
