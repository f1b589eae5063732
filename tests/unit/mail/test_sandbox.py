"""What a template can do, and what it cannot (trust X1, X2, X3)."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from jinja2 import TemplateError

from nurture.mail.formats import Unfit
from nurture.mail.links import LeadLinks, Links
from nurture.mail.meter import Meter
from nurture.mail.sandbox import MailEnvironment

LINKS = LeadLinks(Links("https://e.com", ["very secret"]), lead=1, topic="offers", message=2)


def render(source: str, *, html: bool = True, **given: Any) -> str:
    context = {
        "lead": {"first_name": "Anna", "name": None, "items": [{"n": 1}, {"n": 2}], "tags": ["a", "b"]},
        "links": LINKS,
        "now": datetime(2026, 3, 2, 9, 5, tzinfo=UTC),
        "_locale": "fr",
        "_zone": UTC,
        "_currency": "EUR",
        "_memory": {},
        "_meter": Meter(),
    }
    return MailEnvironment(html=html).from_string(source).render(context | given)


ESCAPES = [
    "{{ lead.__class__ }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ ''['__class__'] }}",
    "{{ lead|attr('__class__') }}",
    "{{ lead.items.__class__ }}",
    "{{ [lead]|map(attribute='__class__')|list }}",
    "{{ [''] |map(attribute='__class__')|first }}",
    "{{ [lead]|map('attr', '__class__')|first }}",
    "{{ '{0.__class__}'.format(lead) }}",
    "{{ '{0.__class__}'|format(lead) }}",
    "{{ '%s'|format(lead) }}",
    "{{ 'a'.format_map(lead) }}",
    "{{ lipsum.__globals__ }}",
    "{{ lipsum() }}",
    "{{ cycler('a').__init__ }}",
    "{{ joiner() }}",
    "{{ range(3) }}",
    "{{ dict(a=1) }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ namespace.__init__.__globals__ }}",
    "{% set n = namespace(a=1) %}{{ n.__class__ }}",
    "{% set n = namespace(a=1) %}{{ n._Namespace__attrs }}",
    "{% for x in [1] %}{{ loop.__class__ }}{{ loop._recurse }}{% endfor %}",
    "{{ links.__init__.__globals__ }}",
    "{{ links._links }}",
    "{{ links._links._secrets }}",
    "{{ links.unsubscribe.__func__ }}",
    "{{ links.confirm.__self__ }}",
    "{{ links['_links'] }}",
    "{{ now.__reduce__() }}",
    "{{ now.strftime('%Y') }}",
    "{{ now.tzinfo }}",
    "{{ lead.pop('first_name') }}",
    "{{ lead.update(a=1) }}",
    "{{ lead.tags.append('x') }}",
    "{{ lead.tags.__add__(['x']) }}",
    "{{ config }}",
    "{{ env }}",
    "{{ request }}",
    "{{ get_flashed_messages }}",
    "{{ url_for }}",
    "{% macro m() %}{% endmacro %}{{ m.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m._func }}",
    "{{ (lead.items|groupby('n'))[0].__class__ }}",
    "{{ 'x'|tojson }}",
    "{{ lead|pprint }}",
    "{{ lead|xmlattr }}",
    "{{ 'http://x.y'|urlize }}",
    "{{ [1,2]|random }}",
    "{{ lead }}",
    "{{ lead.tags }}",
    "{% include 'anything' %}",
    "{% import 'os' as os %}",
]


@pytest.mark.parametrize("source", ESCAPES)
@pytest.mark.parametrize("html", [True, False])
def test_x1_there_is_no_way_out(source: str, html: bool) -> None:
    with pytest.raises((TemplateError, TypeError)):
        render(source, html=html)


def test_x1_the_environment_never_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "canary-7f3a")
    assert os.environ["CANARY"] == "canary-7f3a"
    for source in ESCAPES:
        try:
            shown = render(source)
        except (TemplateError, TypeError) as error:
            shown = str(error)
        assert "canary-7f3a" not in shown
        assert "very secret" not in shown


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{{ lead.first_name }}", "Anna"),
        ("{{ lead['first_name'] }}", "Anna"),
        ("{% for i in lead.items %}{{ loop.index }}{{ i.n }}{% if not loop.last %},{% endif %}{% endfor %}", "11,22"),
        ("{{ lead.items|length }} {{ lead.items|sum(attribute='n') }}", "2 3"),
        ("{{ lead.tags|join(', ')|upper }}", "A, B"),
        ("{{ lead.first_name.upper() }} {{ 'a,b'.split(',')[1] }}", "ANNA b"),
        ("{{ lead.first_name ~ ' ' ~ 3 }}", "Anna 3"),
        ("{{ 3 * 4 + 1 }} {{ 'a' + 'b' }} {{ 7 // 2 }} {{ 7 % 4 }}", "13 ab 3 3"),
        ("{{ lead.name or 'you' }}", "you"),
        ("{{ lead.name|default('you') }}", "you"),
        ("{{ lead.nothing|default('you') }}", "you"),
        ("{% if lead.name %}a{% else %}b{% endif %}", "b"),
        ("{% if lead.nothing %}a{% else %}b{% endif %}", "b"),
        ("{% if lead.nothing == 'x' %}a{% else %}b{% endif %}", "b"),
        ("{% if lead.address.city %}a{% else %}b{% endif %}", "b"),
        ("{% if lead.nothing is defined %}a{% else %}b{% endif %}", "b"),
        ("{% for x in lead.nothing %}a{% else %}b{% endfor %}", "b"),
        ("{% for x in lead.name %}a{% else %}b{% endfor %}", "b"),
        ("{% set n = namespace(t=0) %}{% for i in lead.items %}{% set n.t = n.t + i.n %}{% endfor %}{{ n.t }}", "3"),
        ("{% macro m(x) %}<b>{{ x }}</b>{% endmacro %}{{ m('a') }}", "<b>a</b>"),
        ("{{ now.year }}", "2026"),
        ("{{ 2.345|round(2) }} {{ '5'|int + 1 }}", "2.35 6"),
        ("{{ links.unsubscribe[:16] }}", "https://e.com/u/"),
        ("{{ 'a' if lead.first_name == 'Anna' else 'b' }}", "a"),
        ("{{ 'a-b'|replace('-', '+') }}", "a+b"),
    ],
)
def test_what_mails_need_works(source: str, shown: str) -> None:
    assert render(source) == shown


@pytest.mark.parametrize(
    "source",
    [
        "{{ lead.name }}",
        "{{ lead.nothing }}",
        "{{ nobody }}",
        "{{ lead.a.b }}",
        "{{ lead.name ~ '!' }}",
        "{% if nobody %}{% endif %}",
    ],
)
def test_r13_an_empty_or_unknown_name_is_never_printed(source: str) -> None:
    with pytest.raises(TemplateError):
        render(f"Hi {source},")


@pytest.mark.parametrize("value", ["<b>", "\"x\" onclick='y'", "a&b", "</td>", "{{ 7 * 7 }}", "{% raw %}"])
def test_x3_html_escapes_and_text_does_not(value: str) -> None:
    escaped = render('<p title="{{ v }}">{{ v }}</p>', v=value)
    assert not {"<b>", "</td>", '"x"', "49"} & {part for part in ("<b>", "</td>", '"x"', "49") if part in escaped}
    assert render("{{ v }}|{{ v|e }}", html=False, v=value) == f"{value}|{value}"


@pytest.mark.parametrize(
    ("source", "locale", "shown"),
    [
        ("{{ 59.9|money('EUR') }}", "fr", "59,90\u00a0€"),
        ("{{ '59.90'|money('EUR') }}", "en", "€59.90"),
        ("{{ 1234.5|money('CHF') }}", "de-CH", "CHF\u00a01’234.50"),
        ("{{ 59.9|money }}", "ro", "59,90\u00a0EUR"),
        ("{{ 5|money('jpy') }}", "en", "¥5"),
        ("{{ d|money('EUR') }}", "fr", "0,10\u00a0€"),
        ("{{ '2026-04-02'|day }}", "fr", "2 avril 2026"),
        ("{{ '2026-04-02T23:30:00+00:00'|day }}", "en", "April 2, 2026"),
        ("{{ now|day }} {{ now|clock }}", "ro", "2 martie 2026 09:05"),
        ("{{ '18:30'|clock }}", "fr", "18:30"),
        ("{{ '2026-04-02T18:30'|clock }}", "en-GB", "18:30"),
        ("{{ day|day }}", "fr", "1 janvier 2026"),
        ("{{ 1|money('EUR') }}", "nonsense", "€1.00"),
    ],
)
def test_figures_and_times_are_written_for_the_lead(source: str, locale: str, shown: str) -> None:
    assert render(source, _locale=locale, d=Decimal("0.1"), day=date(2026, 1, 1)) == shown


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x'|money('EUR') }}",
        "{{ 1|money('EURO') }}",
        "{{ 1|money('<b>') }}",
        "{{ lead|money('EUR') }}",
        "{{ true|money }}",
        "{{ 'NaN'|money }}",
        "{{ 'soon'|day }}",
        "{{ lead.tags|day }}",
        "{{ '2026-04-02'|clock }}",
        "{{ '18:30'|day }}",
        "{{ 1e300|money }}",
    ],
)
def test_a_value_that_is_no_figure_or_time_is_refused(source: str) -> None:
    with pytest.raises(Unfit):
        render(source)


def test_x17_a_reference_to_a_secret_is_plain_text_in_a_template_and_in_a_leads_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CANARY", "canary-7f3a")
    written = "${CANARY} ${file:/etc/hostname}"
    assert render(f"{written} {{{{ v }}}}", v=written) == f"{written} {written}"


def test_remembered_formats_stay_bounded() -> None:
    memory: dict[Any, str] = {}
    render("{% for n in numbers %}{{ n|money('EUR') }}{% endfor %}", numbers=list(range(5000)), _memory=memory)
    assert len(memory) <= 4096
