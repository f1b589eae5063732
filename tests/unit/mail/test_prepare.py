"""HTML made ready once per version must render to what the source would have rendered (libraries.md)."""

from __future__ import annotations

import re

import pytest

from nurture.mail.meter import Meter
from nurture.mail.prepare import prepare
from nurture.mail.sandbox import MailEnvironment
from nurture.mail.template import TemplateBroken

STYLE = (
    "<style>td { color: red } .big { font-size: 20px } @media (max-width: 600px) { td { color: blue } }"
    " a:hover { color: green }</style>"
)
PAGE = f"<html><head>{STYLE}</head><body>%s</body></html>"
CONTEXT = {
    "xs": [{"n": "one", "u": "https://a.b/?x=1&y=2"}, {"n": "<two>", "u": "https://c.d"}],
    "yes": True,
    "no": False,
    "colour": "#123456",
}


def rendered(source: str) -> str:
    return MailEnvironment(html=True).from_string(source).render(CONTEXT | {"_meter": Meter()})


def shape(html: str) -> list[str]:
    """Tags and words in order, without attributes and the bodies browsers put into tables."""
    html = re.sub(r"<(head|style)\b.*?</\1>|<!doctype[^>]*>|</?tbody>", "", html, flags=re.S | re.I)
    return [
        part.lower()
        for part in re.findall(
            r"</?[a-z0-9]+|[\w&;]+(?=[^<>]*(?:<|$))", re.sub(r"(<[a-z0-9]+)\s[^>]*>", r"\1>", html, flags=re.I)
        )
    ]


BODIES = [
    "<p>{{ xs[0].n }}</p>",
    "<table>{% for x in xs %}<tr><td>{{ x.n }}</td></tr>{% endfor %}</table>",
    "<table><tr><td>a</td></tr>{% if yes %}<tr><td>b</td></tr>{% endif %}</table>",
    "<table><tbody>{% for x in xs %}<tr><td>{{ x.n }}</td></tr>{% endfor %}</tbody></table>",
    "<table>{% for x in xs %}<tr>{% for y in xs %}<td>{{ y.n }}</td>{% endfor %}</tr>{% endfor %}</table>",
    "<table><tr><td><table>{% for x in xs %}<tr><td>{{ x.n }}</td></tr>{% endfor %}</table></td></tr></table>",
    '<a href="{{ xs[0].u }}" class="big">{{ xs[1].n }}</a>',
    '<td bgcolor="{{ colour }}"></td>'.join(["<table><tr>", "</tr></table>"]),
    '<p class="big" title="{% if no %}a{% else %}b{% endif %}">x</p>',
    "<ul>{% for x in xs %}<li>{{ x.n }}</li>{% endfor %}</ul>",
    "{% set a = 'b' %}<p>{{ a }}</p>",
    "<!--[if mso]><table><tr><td>{{ colour }}</td></tr></table><![endif]--><p>x</p>",
    "<p>{%- if yes -%} a {%- endif -%}</p>",
    "<p>{% raw %}{{ not jinja }}{% endraw %}</p>",
    "<p>{{ '}}' }}{{ \"%}\" }}</p>",
    "<p>&amp; &lt; é &nbsp; “”</p>",
    "<p>{{ xs | map(attribute='n') | join(', ') }}</p>",
]


@pytest.mark.parametrize("body", BODIES)
def test_inlined_styles_change_nothing_that_is_shown(body: str) -> None:
    prepared = prepare(PAGE % body)
    assert (shape(rendered(prepared.html)), prepared.inlined) == (shape(rendered(PAGE % body)), True)


def test_styles_stand_on_the_elements_and_media_queries_stay() -> None:
    html = prepare(PAGE % "<table>{% for x in xs %}<tr><td>{{ x.n }}</td></tr>{% endfor %}</table>").html
    assert ('<td style="color: red' in html, "@media" in html, "a:hover" in html, "td { color: red }" in html) == (
        True,
        True,
        True,
        False,
    )


@pytest.mark.parametrize(
    "body",
    [
        "{% if yes %}<div class='a'>{% else %}<div class='b'>{% endif %}x</div>",
        "<p>one<p>two",
        "<table>{% for x in xs %}<td>{{ x.n }}</td>{% endfor %}</table>",
        "</div><p>x</p>",
        '<p{% if yes %} class="big"{% endif %}>x</p>',
    ],
)
def test_where_tags_do_not_balance_the_source_is_left_alone(body: str) -> None:
    prepared = prepare(PAGE % body)
    assert (prepared.html, prepared.inlined) == (PAGE % body, False)


def test_a_fragment_becomes_a_document() -> None:
    assert re.match(r"<!doctype html>\s*<html", prepare("<p>x</p>").html)


def test_the_preheader_stands_hidden_at_the_top() -> None:
    html = prepare("<html><body class='a'><p>x</p></body></html>", preheader=True).html
    assert re.search(r"<body class='a'><div style=\"display:none[^>]*>\{\{ preheader \}\}</div>", html)


def test_a_layout_that_prints_the_preheader_itself_gets_no_second_one() -> None:
    html = prepare("<html><body>{{ preheader }}</body></html>", preheader=True).html
    assert html.count("preheader") == 1


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://a.b/?x=1&y=2", "https://a.b/?x=1&amp;y=2"),
        ("mailto:a@b.c", "mailto:a@b.c"),
        ("tel:+33", "tel:+33"),
        ("/path", "/path"),
        ("javascript:alert(1)", "#"),
        ("JaVaScRiPt:alert(1)", "#"),
        (" javascript:alert(1)", "#"),
        ("java\tscript:alert(1)", "#"),
        ("java\nscript:alert(1)", "#"),
        ("\x01javascript:alert(1)", "#"),
        ("\u00a0javascript:alert(1)", "#"),
        ("vbscript:x", "#"),
        ("data:text/html,<script>", "#"),
        ("data:image/svg+xml,<svg onload=x>", "#"),
        ("file:///etc/passwd", "#"),
        ("feed:javascript:x", "#"),
    ],
)
@pytest.mark.parametrize(
    "source",
    [
        '<a href="{{ u }}">',
        "<a href='{{ u }}'>",
        '<a href=" {{- u -}}">',
        '<img src="{% if u %}{{ u }}{% endif %}" alt="">',
    ],
)
def test_x3_no_value_of_a_lead_makes_a_script_of_a_link(address: str, shown: str, source: str) -> None:
    html = (
        MailEnvironment(html=True)
        .from_string(prepare(f"<html><body>{source}</body></html>").html)
        .render(u=address, _meter=Meter())
    )
    assert re.search(r"(?:href|src)=[\"']\s*(.*?)[\"']", html)[1] == shown  # type: ignore[index]


def test_a_print_behind_a_written_scheme_is_not_touched() -> None:
    assert "web_address" not in prepare('<html><a href="https://a.b/{{ u }}">').html


MJML = (
    "<mjml><mj-head><mj-preview>{{ preheader }}</mj-preview></mj-head><mj-body>{% if yes %}<mj-section><mj-column>"
    "{% for x in xs %}<mj-text>Hi {{ x.n }} {% if no %}<b>no</b>{% endif %}</mj-text>{% endfor %}"
    '<mj-button href="{{ xs[0].u }}">Go</mj-button>'
    "</mj-column></mj-section>{% endif %}</mj-body></mjml>"
)


def test_mjml_is_compiled_with_its_jinja_alive() -> None:
    html = (
        MailEnvironment(html=True)
        .from_string(prepare(MJML, mjml=True).html)
        .render({**CONTEXT, "preheader": "pre", "_meter": Meter()})
    )
    found = [next(filter(None, f)) for f in re.findall(r"Hi (\S+)|(pre)<|href=\"(https[^\"]+)\"|(<b>no)", html)]
    assert found == ["pre", "one", "&lt;two&gt;", "https://a.b/?x=1&amp;y=2"]


def test_e13_compiled_mjml_fetches_no_font() -> None:
    assert "googleapis" not in prepare(MJML, mjml=True).html


def test_mjml_that_cannot_be_read_is_the_authors_problem() -> None:
    with pytest.raises(TemplateBroken, match="MJML"):
        prepare("<mjml><mj-body><mj-section></mj-body></mjml>", mjml=True, file="a.mjml")
