"""Problems of templates, with their place (campaigns.md §9)."""

from __future__ import annotations

from typing import Any

import pytest

from nurture.campaign.problems import Mark, Problem
from nurture.mail.builtin import builtin_mails
from nurture.mail.check import check_subject, check_template
from nurture.mail.known import Known

KNOWN = Known(
    lead={"email": "text", "first_name": "text", "renewal_date": "date", "address": {"city": "text"}},
    account={"name": "text"},
    entry={
        "items": [{"name": "text", "price": "number", "url": "url"}],
        "total": "number",
        "currency": "text",
        "cart_url": "url",
    },
    topics={"offers"},
    forms={"survey": {"score"}},
)
FOOT = '<a href="{{ links.unsubscribe }}">Leave</a> {{ sender.postal_address }}'


def found(
    body: str, *, marketing: bool = True, known: Known = KNOWN, head: str = "subject: S", **given: Any
) -> list[Problem]:
    files = {"m.html": f"---\n{head}\n---\n{body}\n{FOOT}\n"} | given.pop("files", {})
    return check_template("m", files, known, marketing=marketing, **given)


def codes(problems: list[Problem]) -> list[str]:
    return [p.code for p in problems]


GOOD = [
    "<p>Hi {{ lead.first_name }}</p>",
    "{% for item in entry.items %}{{ item.name }} {{ item.price|money(entry.currency) }} {{ loop.index }}{% endfor %}",
    "{% for item in entry.items if item.price > 3 %}{{ item.name }}{% endfor %}",
    "{{ (entry.items|first).name }}",
    "{% set first = entry.items %}{% for i in first %}{{ i.name }}{% endfor %}",
    "{{ lead.address.city }} {{ lead['first_name'] }}",
    "{{ lead.first_name or 'you' }} {{ lead.first_name|default('you') }}",
    "{% if lead.first_name is defined and lead.first_name %}x{% endif %}",
    "{{ links.form('survey', score=9) }} {{ links.confirm('offers') }} {{ links.preferences }}",
    '<a href="{{ entry.cart_url }}">go</a>',
    '<img src="cid:x" alt="">',
    "{{ now|day }} {{ campaign.title }} {{ enrollment.entered_at|day }} {{ enrollment.data.stock.level }}",
    "{% macro m(x) %}{{ x.anything }}{% endmacro %}{{ m(entry) }}",
    "{% set n = namespace(t=0) %}{{ n.t }}",
    "{% with a = lead.first_name %}{{ a }}{% endwith %}",
    "{% raw %}{{ nothing }}{% endraw %}{# {{ nothing }} #}",
    "{{ subject }} {{ preheader }} {{ locale }}",
    '<p{% if lead.first_name %} class="b"{% endif %}>x</p>',
]


@pytest.mark.parametrize("body", GOOD)
def test_a_good_template_has_no_problem(body: str) -> None:
    assert [p for p in found(body) if p.severity == "error"] == []


@pytest.mark.parametrize(
    ("body", "code", "column", "width", "hint"),
    [
        ("{{ lead.first_nam }}", "N402", 9, 9, "did you mean 'first_name'?"),
        ("x {{ ledd.first_name }}", "N402", 6, 4, "did you mean 'lead'?"),
        ("{{ first_name }}", "N402", 4, 10, "did you mean 'lead.first_name'?"),
        ("{{ lead.address.town }}", "N402", 17, 4, "known are: city"),
        ("{% for i in entry.items %}{{ i.nme }}{% endfor %}", "N402", 32, 3, "did you mean 'name'?"),
        ("{% for i in entry.itmes %}{% endfor %}", "N402", 19, 5, "did you mean 'items'?"),
        ("{% if lead.nothing %}{% endif %}", "N402", 12, 7, "known are"),
        ("{% if entry.nothing is defined %}{% endif %}", "N402", 13, 7, "known are"),
        ("{{ lead.nothing|default('x') }}", "N402", 9, 7, "known are"),
        ("{% if false %}{% elif lead.nothing %}{% endif %}", "N402", 28, 7, "known are"),
        ("{% set a = lead.nothing %}", "N402", 17, 7, "known are"),
        ("{{ lead.first_name|uper }}", "N403", 20, 4, "did you mean 'upper'?"),
        ("{{ lead.first_name|tojson }}", "N403", 20, 6, ""),
        ("{% if lead.first_name is definde %}{% endif %}", "N403", 26, 7, "did you mean 'defined'?"),
        ("<a href={{ entry.cart_url }}>x</a>", "N406", 9, 20, "quotes"),
        ("<a {{ lead.first_name }}>x</a>", "N406", 4, 21, ""),
        ("{{ lead.first_name|safe }}", "N407", 20, 4, "leave '|safe' out"),
        ("{% for i in entry.items %}{{ i.name|safe }}{% endfor %}", "N407", 37, 4, "leave"),
        ("{% set x = lead.first_name %}{{ x|safe }}", "N407", 35, 4, "leave"),
        ('<a href="javascript:x">x</a>', "N408", 1, 23, ""),
        ("<script>x</script>", "N408", 1, 8, ""),
        ('<p onclick="x">y</p>', "N408", 1, 15, ""),
        ('<img src="cid:x">', "N411", 1, 17, "alt"),
        ('<img src="https://a.b/c.png" alt="">', "N414", 1, 36, "draw it with HTML"),
        ('<img src="{{ entry.cart_url }}" alt="">', "N414", 1, 39, ""),
        ('<td background="http://a.b/c.png">x</td>', "N414", 1, 34, ""),
        ('<p style="background:url(https://a.b/c)">x</p>', "N414", 1, 41, ""),
        ('<link rel="stylesheet" href="https://a.b/c.css">', "N414", 1, 48, ""),
        ("{{ entry.items }}", "N419", 4, 11, "known are: name"),
        ("{{ lead }}", "N419", 4, 4, "known are"),
        ("{{ entry.items.name }}", "N419", 4, 16, ""),
        ("{% for x in entry.total %}{% endfor %}", "N419", 13, 11, ""),
        ("<style>{% if true %}a{}{% endif %}</style>", "N420", 8, 13, ""),
        ("{{ links.unsubscibe }}", "N421", 10, 10, "did you mean 'unsubscribe'?"),
        ("{{ links.form('surve') }}", "N421", 16, 5, "did you mean 'survey'?"),
        ("{{ links.form('survey', scor=1) }}", "N421", 25, 4, "did you mean 'score'?"),
        ("{{ links.confirm('ofers') }}", "N421", 19, 5, "did you mean 'offers'?"),
        ("{{ links.confirm() }}", "N421", 4, 13, ""),
        ("{{ links.form }}", "N421", 4, 10, ""),
        ("{% if lead.first_name %}", "N401", 1, 0, ""),
        ("{{ lead.first_name", "N401", 1, 0, ""),
        ("{% fro x in y %}{% endfor %}", "N401", 1, 0, ""),
        ('{% include "_nowhere.html" %}', "N416", 1, 0, ""),
    ],
)
def test_a_problem_is_marked_where_it_stands(body: str, code: str, column: int, width: int, hint: str) -> None:
    problem = next(p for p in found(body) if p.code == code)
    assert hint in problem.hint
    if width:
        assert (problem.mark.line, problem.mark.column, problem.mark.width) == (4, column, width)
        assert problem.snippet == body


def test_two_unknown_names_on_one_line_are_marked_apart() -> None:
    columns = [p.mark.column for p in found("{{ lead.x }} {{ lead.x }}") if p.code == "N402"]
    assert columns == [9, 22]


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ("preheader: P", "N412"),
        ("subject: S\nsubjekt: T", "N413"),
        ("subject: {{ x }}", "N413"),
        ("subject: Hi {{ lead.nme }}", "N402"),
    ],
)
def test_front_matter_is_checked_too(head: str, code: str) -> None:
    assert code in codes(found("<p>x</p>", head=head))


def test_a_problem_of_the_subject_is_marked_in_the_front_matter() -> None:
    problem = next(p for p in found("x", head="preheader: P\nsubject: Hi {{ lead.nme }}") if p.code == "N402")
    assert (problem.mark.line, problem.mark.column) == (3, 21)


def test_a_send_steps_subject_stands_in_for_a_missing_one() -> None:
    assert "N412" not in codes(found("x", head="preheader: P", subject_given=True))


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"m.html": "<p>x</p>{{ sender.postal_address }}"}, ["N404", "N404"]),
        ({"m.html": '<a href="{{ links.unsubscribe }}">x</a>'}, ["N405", "N405"]),
        ({"m.html": FOOT, "m.txt": "Hi"}, ["N404", "N405"]),
        ({"m.html": FOOT, "m.txt": "{{ links.unsubscribe }} {{ sender.postal_address }}"}, []),
        ({"m.html": f'<div style="display:none">{FOOT}</div>x'}, ["N404", "N404", "N405", "N405"]),
        ({"m.html": f"<!-- {FOOT} -->x"}, ["N404", "N404", "N405", "N405"]),
        ({"m.html": '{% extends "_l.html" %}', "_l.html": f"<html><body>{FOOT}</body></html>"}, []),
        ({"m.txt": "x"}, ["N404", "N405"]),
    ],
)
def test_e12_a_marketing_mail_shows_how_to_leave_and_who_sends(files: dict[str, str], wanted: list[str]) -> None:
    problems = check_template("m", files, KNOWN, marketing=True, subject_given=True)
    assert codes(problems) == wanted


def test_e12_a_service_mail_needs_neither() -> None:
    assert check_template("m", {"m.html": "<p>x</p>"}, KNOWN, marketing=False, subject_given=True) == []


def test_e13_a_remote_picture_is_only_remarked_on_where_tracking_is_consented_to() -> None:
    problems = found('<img src="https://a.b/c.png" alt="">', tracking=True)
    assert [(p.code, p.severity) for p in problems] == [("N414", "warning")]


@pytest.mark.parametrize(
    "body", ["<img src='data:image/svg+xml,x' alt=''>", "<img src='data:image/png;base64,x' alt=''>"]
)
def test_an_embedded_picture_is_a_warning(body: str) -> None:
    assert [(p.code, p.severity) for p in found(body)] == [("N415", "warning")]


def test_a_text_part_that_comes_out_empty_is_a_problem() -> None:
    assert "N409" in codes(check_template("m", {"m.html": "<img src='cid:x' alt=''>"}, KNOWN, marketing=False))


def test_a_mail_over_102_kb_is_a_problem() -> None:
    assert "N410" in codes(found("x" * 103 * 1024))


@pytest.mark.parametrize(("locales", "missing"), [(["fr"], 0), (["fr", "ro"], 1), (["fr-CH"], 0)])
def test_every_locale_must_find_a_text(locales: list[str], missing: int) -> None:
    files = {"m.fr.html": FOOT}
    problems = check_template(
        "m", files, KNOWN, marketing=True, locales=locales, project_locale="fr", subject_given=True
    )
    assert codes(problems) == []
    problems = check_template(
        "m", files, KNOWN, marketing=True, locales=locales, project_locale="en", subject_given=True
    )
    assert codes(problems) == ["N416"] * (missing + 1)


def test_a_template_that_is_not_there_is_a_problem() -> None:
    assert codes(check_template("m", {}, KNOWN, marketing=True)) == ["N416"]


def test_all_problems_of_all_locales_are_reported_at_once() -> None:
    files = {"m.html": "{{ lead.a }}" + FOOT, "m.fr.html": "{{ lead.b }} {{ lead.c }}" + FOOT}
    problems = check_template("m", files, KNOWN, marketing=True, subject_given=True)
    assert [(p.mark.file, p.code) for p in problems] == [
        ("templates/m.fr.html", "N402"),
        ("templates/m.fr.html", "N402"),
        ("templates/m.html", "N402"),
    ]


def test_a_problem_of_a_layout_is_marked_in_the_layout() -> None:
    files = {"_l.html": "<html>\n{{ lead.nme }}{% block b %}{% endblock %}</html>"}
    problem = next(p for p in found('{% extends "_l.html" %}', files=files) if p.code == "N402")
    assert (problem.mark.file, problem.mark.line) == ("templates/_l.html", 2)


def test_an_included_part_sees_the_loop_around_it() -> None:
    body = '{% for item in entry.items %}{% include "_p.html" %}{% endfor %}'
    assert codes(found(body, files={"_p.html": "{{ item.name }}"})) == []
    assert codes(found(body, files={"_p.html": "{{ item.nme }}"})) == ["N402"]


def test_without_a_known_entry_event_any_property_may_be_there() -> None:
    anything = Known(lead={"email": "text"})
    assert codes(found("{{ entry.whatever }}{% for i in entry.list %}{{ i.x }}{% endfor %}", known=anything)) == []


@pytest.mark.parametrize(
    ("mjml", "wanted"),
    [
        (
            "<mjml><mj-body><mj-section><mj-column><mj-text>{{ lead.first_name }}"
            + FOOT
            + "</mj-text></mj-column></mj-section></mj-body></mjml>",
            [],
        ),
        ("<mjml><mj-body><mj-sektion>x" + FOOT + "</mj-sektion></mj-body></mjml>", ["N418"]),
        ("<mjml><mj-body><mj-section></mj-body></mjml>", ["N418"]),
    ],
)
def test_mjml_is_checked(mjml: str, wanted: list[str]) -> None:
    problems = check_template("m", {"m.mjml": mjml}, KNOWN, marketing=True, subject_given=True)
    assert sorted(set(codes([p for p in problems if p.severity == "error"])) & {"N418", "N402"}) == wanted


def test_c8_the_built_in_confirmation_passes_its_own_check() -> None:
    problems = check_template(
        "consent/confirm", builtin_mails()["consent/confirm"], KNOWN, marketing=False, locales=["en", "fr", "ro", "de"]
    )
    assert problems == []


ASK = '{{ consent.wording }} <a href="{{ links.confirm(consent.topic) }}">yes</a>'


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (ASK, []),
        (ASK + '<a href="https://acme.example/imprint">Imprint</a>', []),
        (ASK + '<a href="{{ links.preferences }}">p</a>', []),
        (ASK + '<a href="https://acme.example/sale">Sale!</a>', ["N417"]),
        (ASK + '<img src="cid:x" alt="">', ["N417"]),
        ("{{ consent.wording }}", ["N417"]),
        ('<a href="{{ links.confirm(consent.topic) }}">yes</a>', ["N417"]),
    ],
)
def test_c8_a_confirmation_asks_and_advertises_nothing(body: str, wanted: list[str]) -> None:
    files = {"consent/confirm.html": f"<p>{body}</p>"}
    assert codes(check_template("consent/confirm", files, KNOWN, marketing=False, subject_given=True)) == wanted


def test_only_the_confirmation_knows_consent() -> None:
    assert "N402" in codes(found("{{ consent.wording }}"))


def test_a_steps_own_subject_is_marked_at_the_step() -> None:
    mark = Mark("campaigns/a.yaml", 7, 14)
    problems = check_subject("Hi {{ lead.nme }}", KNOWN, mark)
    assert [(p.mark, p.code) for p in problems] == [(mark, "N402")]
