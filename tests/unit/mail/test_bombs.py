"""Templates that want all of a machine's time or memory (trust X2).

Time is what the processor spent on the thread, so a busy machine does not judge; memory is what Python allocated.
"""

from __future__ import annotations

import resource
import tracemalloc
from datetime import UTC, datetime

import pytest
from jinja2 import TemplateError

from nurture.mail.layout import flatten
from nurture.mail.links import LeadLinks, Links
from nurture.mail.meter import Meter
from nurture.mail.prepare import prepare
from nurture.mail.render import CompiledTemplate, RenderFailed
from nurture.mail.sandbox import MailEnvironment
from nurture.mail.template import Template, TemplateBroken

MOST_SECONDS = 1.0
MOST_BYTES = 100_000_000
LINKS = LeadLinks(Links("https://e.com", ["very secret"]), lead=1, topic="offers", message=2)


def render(source: str) -> str:
    context = {
        "lead": {"first_name": "Anna", "tags": ["a", "b"]},
        "links": LINKS,
        "now": datetime(2026, 3, 2, 9, 5, tzinfo=UTC),
        "_locale": "fr",
        "_zone": UTC,
        "_currency": "EUR",
        "_memory": {},
        "_meter": Meter(),
    }
    return MailEnvironment(html=True).from_string(source).render(context)


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_THREAD)
    return used.ru_utime + used.ru_stime


def times(count: int, body: str) -> str:
    """A loop without `range`, which there is none of."""
    return "{% for i in '" + "a" * count + "' %}" + body + "{% endfor %}"


def grown(start: str, step: str, count: int = 60) -> str:
    return f"{{% set n = namespace(x={start}) %}}" + times(count, f"{{% set n.x = {step} %}}")


TEXT = grown("'aaaaaaaaaa'", "n.x ~ n.x if n.x|length < 100000 else n.x", 20)  # n.x: 160,000 characters
WORDS = TEXT.replace("aaaaaaaaaa", "a a a a a ")
QUOTES = TEXT.replace("aaaaaaaaaa", "&&&&&&&&&&")
NESTED = grown("(1,)", "(n.x, n.x, n.x, n.x)")  # 4 to the power of 60 values


def often(what: str, count: int = 45_000) -> str:
    return times(count, f"{{% set n.y = {what} %}}")


BOMBS = {
    # what the sandbox has no word for
    "repeat": "{{ 'a' * 100000000 }}",
    "repeat backwards": "{{ 100000000 * 'a' }}",
    "repeat a list": "{{ ['a'] * 100000000 }}",
    "repeat a constant": "{{ 'a' ~ 'b' * 1000000000 }}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "center": "{{ 'a'|center(50000000) }}",
    "center method": "{{ 'a'.center(50000000) }}",
    "ljust": "{{ 'a'.ljust(50000000) }}",
    "rjust": "{{ 'a'.rjust(1000000000) }}",
    "zfill": "{{ 'a'.zfill(1000000000) }}",
    "expandtabs": "{{ '\t'.expandtabs(1000000000) }}",
    "encode": "{{ 'a'.encode('utf-8') * 1000000000 }}",
    "translate": "{{ 'a'.translate({97: 'aaaa'}) }}",
    "join method": "{{ 'aaa'.join('aaa') }}",
    "replace method": "{{ 'a'.replace('a', 'aaaa') }}",
    "format width": "{{ '%1000000000d' % 1 }}",
    "format method": "{{ '{:>1000000000}'.format(1) }}",
    "format filter": "{{ '%1000000000d'|format(1) }}",
    "indent": "{{ 'a'|indent(50000000) }}",
    "wordwrap": "{{ 'a'|wordwrap(1, wrapstring='aaaaaaaa') }}",
    "batch": "{{ [1]|batch(50000000, 0)|list }}",
    "slice filter": "{{ [1]|slice(50000000)|list }}",
    "range": "{% for i in range(100000000) %}x{% endfor %}",
    # growing
    "tilde": grown("'aaaaaaaaaa'", "n.x ~ n.x") + "{{ n.x }}",
    "plus": grown("'aaaaaaaaaa'", "n.x + n.x") + "{{ n.x }}",
    "replace": grown("'aaaaaaaaaa'", "n.x|replace('a', 'aa')") + "{{ n.x }}",
    "join": grown("'aaaaaaaaaa'", "[n.x, n.x]|join(n.x)") + "{{ n.x }}",
    "set block": "{% set n = namespace(x='aaaaaaaaaa') %}" + times(60, "{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}"),
    "list": grown("[1]", "n.x + n.x"),
    "number": grown("9", "n.x * n.x", 90) + "{{ n.x }}",
    "number in base 16": TEXT.replace("aaaaaaaaaa", "ffffffffff") + often("n.x|int(0, 16) // 3"),
    "sum of lists": grown("[[1]]", "[n.x|sum(start=[])] + n.x + n.x"),
    "escape": QUOTES + "{% set n.y = n.x" + "|forceescape" * 40 + " %}",
    "urlencode": QUOTES + "{% set n.y = n.x" + "|urlencode" * 12 + " %}",
    "a long word between": "{{ ('a' ~ 'b')|list|join('" + "x" * 199_990 + "' ~ 'xxxxxxxxx') }}",
    "kept": TEXT + "{% set n.l = [] %}" + times(20_000, "{% set n.l = [n.l, n.x ~ 'x'] %}"),
    "map of one": TEXT + "{% set n.l = n.x|map('default', n.x)|list %}{{ n.l|map('list')|list|length }}",
    # a list in a list in a list
    "compare nested": NESTED + "{% if n.x == (1, 2) or (n.x, 1) == (n.x, 2) %}{% endif %}",
    "hash nested": NESTED + "{{ [n.x]|unique|list|length }}",
    "write nested": NESTED + "{{ n.x|string|length }}",
    "upper nested": NESTED + "{{ n.x|upper }}",
    "join nested": NESTED + "{{ [n.x]|join }}",
    "sort nested": NESTED + "{{ [n.x, n.x]|sort|length }}",
    "nested in namespaces": "{% set a = namespace(x=1) %}{% set l = [a, a] %}{% set a.x = l %}{{ a|string }}",
    # often
    "upper often": TEXT + often("n.x|upper"),
    "title often": WORDS + often("n.x|title"),
    "list often": TEXT + often("n.x|list|length"),
    "sort often": TEXT + often("n.x|sort|length"),
    "sort by a path": TEXT + often("n.x|sort(attribute='0.0.0.0')|length"),
    "unique often": TEXT + often("n.x|unique|list|length"),
    "groupby often": TEXT + often("n.x|groupby(0)|length"),
    "max often": TEXT + often("n.x|max"),
    "select often": TEXT + often("n.x|select('in', n.x)|list|length"),
    "map often": TEXT + often("n.x|map('upper')|map('lower')|list|length"),
    "split often": TEXT + often("n.x.split('a')|length"),
    "strip often": TEXT + often("n.x.strip('b')"),
    "strip of much": TEXT + often("n.x.strip('b' ~ n.x)"),
    "striptags often": TEXT + often("('<' ~ n.x)|striptags"),
    "wordcount often": WORDS + often("n.x|wordcount"),
    "urlencode often": TEXT + often("n.x|urlencode"),
    "slice often": TEXT + often("n.x[1:]"),
    "compare often": TEXT + often("n.x ~ '' == n.x ~ ''"),
    "search often": TEXT + often("'b' in n.x"),
    "test often": TEXT + often("'b' is in n.x"),
    "add often": grown("[1]", "n.x + n.x", 14) + often("n.x + [1]"),
    "money often": times(45_000, "{{ loop.index|money('EUR') }}"),
    "links often": times(45_000, "{{ links.form('a' ~ loop.index) }}"),
    "print often": TEXT + times(45_000, "{% set n.y %}{{ n.x }}{{ n.x }}{% endset %}"),
    "macro often": TEXT + "{% macro m(a) %}{{ a }}{% endmacro %}" + often("m(n.x)"),
    "caller often": TEXT
    + "{% macro m() %}{{ caller() }}{{ caller() }}{% endmacro %}"
    + times(10_000, "{% set n.y %}{% call m() %}{{ n.x }}{% endcall %}{% endset %}"),
    "filter block often": TEXT + times(10_000, "{% set n.y %}{% filter upper %}{{ n.x }}{% endfilter %}{% endset %}"),
    "much in a loop": times(45_000, "{% if lead %}{% endif %}" * 900),
    "a loop that takes nothing": "{% for a in '" + "a" * 45_000 + "' if a == 'b' %}{% endfor %}" * 100,
    "much text in a loop": times(30_000, "x" * 100),
    "loops in loops": "".join(f"{{% for {v} in '{'a' * 60}' %}}" for v in "abcdefgh") + "x" + "{% endfor %}" * 8,
    # without end
    "macro": "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    "macro in two": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "loop in two": "{% for i in [1, 2] recursive %}{% if loop.depth < 60 %}{{ loop([1, 2]) }}{% endif %}{% endfor %}",
    "map of map": "{% set n = namespace(g='a') %}"
    + times(45_000, "{% set n.g = n.g|map('upper') %}")
    + "{{ n.g|list }}",
    # its own budget
    "budget": "{% set _meter = 1 %}" + times(45_000, "{{ lead.first_name }}"),
    "budget in a loop": "{% for _meter in [1] %}{% endfor %}",
    "budget in a macro": "{% macro m(_meter) %}{% endmacro %}",
    "budget read": "{% if _meter %}{% endif %}",
    # to be read and compiled
    "many statements": "{% if lead %}{% endif %}" * 40_000,
    "a long sum": "{{ " + "1 + " * 200_000 + "1 }}",
    "brackets": "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
    "lists": "{{ " + "[" * 5_000 + "1" + "]" * 5_000 + " }}",
    "ifs": "{% if 1 %}" * 3_000 + "x" + "{% endif %}" * 3_000,
    "a long number": "{{ " + "9" * 90_000 + " }}",
    "filters in a row": "{{ 'a'" + "|upper" * 16_000 + " }}",
    "open braces": "{" * 400_000,
    "open statements": "{%" * 400_000,
    "open strings": "{{ '" * 300_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_x02_a_bomb_is_refused_within_a_second_of_work(name: str) -> None:
    before = cpu()
    with pytest.raises((TemplateError, TypeError, RecursionError, ValueError)):
        render(BOMBS[name])
    assert cpu() - before < MOST_SECONDS


MEMORY = (
    "kept",
    "map of one",
    "escape",
    "urlencode",
    "tilde",
    "sort often",
    "list often",
    "many statements",
    "add often",
)


@pytest.mark.parametrize("name", MEMORY)
def test_x02_a_bomb_does_not_fill_the_memory(name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises((TemplateError, TypeError, RecursionError)):
            render(BOMBS[name])
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


def test_x02_a_bomb_is_one_mail_that_cannot_be_made_and_the_next_one_can() -> None:
    def compiled(source: str) -> CompiledTemplate:
        return CompiledTemplate(Template("a/b", {"a/b.txt": f"---\nsubject: s\n---\n{source}"}), project_locale="en")

    bomb, fine = compiled(BOMBS["upper often"]), compiled("Hello {{ lead.first_name }}")
    with pytest.raises(RenderFailed, match="works too long"):
        bomb.render("en", {"lead": {"first_name": "Anna"}})
    assert fine.render("en", {"lead": {"first_name": "Anna"}}).text == "Hello Anna\n"


def test_x02_a_template_that_is_nested_too_deep_is_a_mail_that_cannot_be_made() -> None:
    source = "---\nsubject: s\n---\n" + BOMBS["brackets"]
    with pytest.raises(RenderFailed, match="nested too deep"):
        CompiledTemplate(Template("a/b", {"a/b.txt": source}), project_locale="en").render("en", {})


def test_x02_files_that_include_the_next_one_twice_are_refused() -> None:
    files = {f"_{n}.html": f"{{% include '_{n + 1}.html' %}}" * 2 for n in range(18)} | {"_18.html": "x"}
    with pytest.raises(TemplateBroken, match="into one another"):
        flatten("_0.html", files)


@pytest.mark.parametrize(
    "source", ["{" * 400_000, "<" * 200_000, "<a href='" * 40_000, "<p>" * 20_000, "{{ '" * 100_000]
)
def test_x02_html_is_made_ready_in_a_second_whatever_it_is(source: str) -> None:
    before = cpu()
    try:
        prepare(source)
    finally:
        assert cpu() - before < MOST_SECONDS


def test_x02_a_mail_with_a_hundred_products_is_far_from_the_bound() -> None:
    source = (
        "{% for i in items %}<tr><td>{{ loop.index }} {{ i.name|upper }}</td><td>{{ i.price|money }}</td>"
        "<td>{% if i.price > 10 and i.name != lead.first_name %}{{ i.name|truncate(20) }}{% endif %}</td></tr>"
        "{% endfor %}"
    )
    meter = Meter()
    items = [{"name": f"Tea number {n} from the mountains", "price": n} for n in range(100)]
    context = {"items": items, "lead": {"first_name": "Anna"}, "_locale": "fr", "_currency": "EUR", "_memory": {}}
    MailEnvironment(html=True).from_string(source).render({**context, "_meter": meter})
    assert meter.left > 3_800_000
