"""Campaigns and templates together: what a template prints must be what its campaign gives it."""

from __future__ import annotations

import pytest

from nurture.campaign.problems import Problem
from nurture.campaign.read import read_campaign
from nurture.engine.checking import check_in_flight, check_project
from tests.unit.campaign.project import shop

FRAME = (
    '---\nsubject: Hello\n---\n<p>{} {{{{ sender.postal_address }}}} <a href="{{{{ links.unsubscribe }}}}">x</a></p>\n'
)
ENTER = "{event: cart_updated}"


def campaign(steps: str, enter: str = ENTER) -> str:
    return f"campaign: c\ntopic: offers\nenter: {enter}\nsteps: [{steps}]\n"


def problems(printed: str, steps: str = "{send: hello}", enter: str = ENTER) -> list[Problem]:
    files = {"campaigns/c.yaml": campaign(steps, enter)}
    return check_project(shop(), files, {"hello.html": FRAME.format(printed)}).problems


@pytest.mark.parametrize("printed", ["{{ entry.total }}", "{{ lead.plan or '' }}", "{{ account.employees }}"])
def test_a_declared_name_may_be_printed(printed: str) -> None:
    assert problems(printed) == []


@pytest.mark.parametrize("printed", ["{{ entry.totl }}", "{{ lead.plann }}", "{{ account.size }}", "{{ nobody }}"])
def test_an_unknown_name_is_an_error_at_its_place(printed: str) -> None:
    (found,) = problems(printed)
    assert (found.code, found.severity, found.mark.file, found.mark.line) == (
        "N402",
        "error",
        "templates/hello.html",
        4,
    )


@pytest.mark.parametrize("enter", ["{schedule: 2026-11-27T09:30}", "{match: {tag: x}, existing: skip}"])
def test_no_entry_event_means_no_entry_to_print(enter: str) -> None:
    assert [p.code for p in problems("{{ entry.total }}", enter=enter)] == ["N402"]


def test_what_a_person_enrolls_with_may_be_anything() -> None:
    assert problems("{{ entry.total }}", enter="{manual: true}") == []


def test_an_answer_may_be_printed_where_its_webhook_is_called() -> None:
    printed = "{{ enrollment.data.stock.price }}"
    assert problems(printed, "{call: {webhook: stock}}, {send: hello}") == []
    assert [p.code for p in problems(printed)] == ["N402"]


def test_a_marketing_mail_needs_its_duties_and_a_service_mail_does_not() -> None:
    bare = {"hello.html": "---\nsubject: Hello\n---\n<p>Hi</p>\n"}
    marketing = check_project(shop(), {"c.yaml": campaign("{send: hello}")}, bare)
    assert {p.code for p in marketing.problems} == {"N404", "N405"}
    assert marketing.broken
    assert not check_project(shop(), {"c.yaml": campaign("{send: hello, class: service}")}, bare).broken


def test_a_subject_of_the_step_is_checked_at_the_step() -> None:
    (found,) = problems("x", "{send: hello, subject: 'For {{ lead.frist_name }}'}")
    assert (found.code, found.mark.file, found.mark.line) == ("N402", "campaigns/c.yaml", 4)


def test_a_template_nobody_prints_is_read_all_the_same() -> None:
    found = check_project(shop(), {}, {"later.html": FRAME.format("{{ lead.plann }}")})
    assert [p.code for p in found.problems] == ["N402"]


def test_a_missing_template_is_told_once_at_the_step() -> None:
    found = check_project(shop(), {"c.yaml": campaign("{send: hallo}")}, {"hello.html": FRAME.format("x")}).problems
    assert [(p.code, p.hint) for p in found] == [("N334", "did you mean 'hello'?")]


def test_a_changed_template_must_serve_versions_in_flight() -> None:
    old = read_campaign("c.yaml", campaign("{send: hello}", "{event: webinar_registered}"), shop()).plan
    assert old is not None
    templates = {"hello": {"hello.html": FRAME.format("{{ entry.starts_at }}")}}
    assert check_in_flight(shop(), {"c at 1a2b": old}, templates) == []
    templates = {"hello": {"hello.html": FRAME.format("{{ entry.total }}")}}
    (found,) = check_in_flight(shop(), {"c at 1a2b": old}, templates)
    assert found.code == "N402"
    assert "c at 1a2b" in found.message
