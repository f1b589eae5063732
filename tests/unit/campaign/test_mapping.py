from __future__ import annotations

import pytest

from nurture.campaign.mapping import RowMapping, RowRefused, read_mapping
from nurture.campaign.project import Funnel, Project, Stage, Topic

PROJECT = Project(funnels={"main": Funnel("main", (Stage("mql"),))}, topics={"offers": Topic("offers")})


def mapping(text: str) -> RowMapping:
    read, problems = read_mapping("map.yaml", text)
    assert read is not None, [str(p) for p in problems]
    return read


def codes(text: str) -> list[str]:
    return [p.code for p in read_mapping("map.yaml", text)[1]]


def test_a_template_is_rendered_over_the_row() -> None:
    found = mapping('lead: {email: "{{ row.id }}@example.com", external_id: "{{ row.id }}"}').render(
        "lead", {"id": "7"}
    )
    assert found == {"email": "7@example.com", "external_id": "7"}


def test_an_empty_value_says_nothing() -> None:
    read = mapping('lead: {external_id: "{{ row.id }}", source: "{{ row.origin }}"}')
    assert read.render("lead", {"id": "7", "origin": "  "}) == {"external_id": "7"}


def test_values_stay_the_text_they_were() -> None:
    assert mapping("lead: {external_id: 010, source: NO}").render("lead", {}) == {"external_id": "010", "source": "NO"}


def test_json_values_become_text() -> None:
    read = mapping('lead: {external_id: "{{ row.n }}", source: "{{ row.b }}", phone: "{{ row.nothing }}"}')
    assert read.render("lead", {"n": 7, "b": True, "nothing": None}) == {"external_id": "7", "source": "true"}


def test_a_column_may_be_named_like_a_method_of_a_mapping() -> None:
    read = mapping('lead: {external_id: "{{ row.items }}", source: "a {{ row.values }}"}')
    assert read.render("lead", {"items": "3", "values": "4"}) == {"external_id": "3", "source": "a 4"}


def test_a_column_with_a_space_is_reached_by_brackets() -> None:
    assert mapping("lead: {external_id: \"{{ row['Lead ID'] }}\"}").render("lead", {"Lead ID": "x"}) == {
        "external_id": "x"
    }


def test_a_row_without_the_field_is_refused_by_its_name() -> None:
    with pytest.raises(RowRefused, match="no field 'id'"):
        mapping('lead: {external_id: "{{ row.id }}"}').render("lead", {"name": "x"})


def test_an_expression_over_a_missing_field_is_refused_by_its_name() -> None:
    with pytest.raises(RowRefused, match="no field 'id'"):
        mapping('lead: {external_id: "a{{ row.id | upper }}"}').render("lead", {"name": "x"})


def test_a_default_stands_in_for_a_missing_field() -> None:
    read = mapping('lead: {external_id: "{{ row.id }}", source: "{{ row.origin | default(\'web\') }}"}')
    assert read.render("lead", {"id": "1"})["source"] == "web"


def test_the_sandbox_keeps_a_template_inside() -> None:
    read = mapping('lead: {external_id: "a{{ row.__class__.__mro__ }}"}')
    with pytest.raises(RowRefused):
        read.render("lead", {"id": "1"})


def test_an_unknown_key_is_a_problem_with_a_hint() -> None:
    (problem,) = read_mapping("map.yaml", "lead: {external_id: a, sorce: b}")[1]
    assert (problem.code, problem.mark.column) == ("N702", 24)
    assert problem.hint.startswith("did you mean 'source'?")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "N701"),
        ("- a", "N701"),
        ("leads: {external_id: a}", "N702"),
        ("lead: a", "N703"),
        ("lead: {external_id: [a]}", "N703"),
        ("lead: {source: a}", "N704"),
        ("lead: {external_id: a}\nstage: {name: mql}", "N704"),
        ("stage: {name: mql, since: x}", "N704"),
        ("lead: {external_id: a}\nconsent: {topic: offers, basis: consent, at: x}", "N704"),
        ("event: {lead: a, name: b}", "N704"),
        ("lead: {external_id: '{{ row.id'}", "N705"),
        ("lead: {external_id: '{{ id }}'}", "N707"),
        ("lead: {external_id: a, external_id: b}", "N105"),
    ],
)
def test_what_is_wrong_has_a_code(text: str, code: str) -> None:
    assert code in codes(text)


def test_a_missing_column_names_those_there_are() -> None:
    (problem,) = mapping('lead: {external_id: "{{ row.id }}"}').check("leads", PROJECT, ["mql", "origin"])
    assert (problem.code, problem.message, problem.hint) == (
        "N706",
        "the file has no column 'id'",
        "it has: mql, origin",
    )
    assert problem.snippet


def test_a_column_that_is_almost_there_is_suggested() -> None:
    (problem,) = mapping('lead: {external_id: "{{ row.mqlid }}"}').check("leads", PROJECT, ["mql_id"])
    assert problem.hint == "did you mean 'mql_id'?"


def test_columns_of_blocks_that_the_import_does_not_use_do_not_matter() -> None:
    read = mapping('lead: {external_id: "{{ row.id }}"}\nevent: {lead: x, name: y, at: "{{ row.t }}"}')
    assert read.check("leads", PROJECT, ["id"]) == []


def test_an_import_needs_its_block() -> None:
    (problem,) = mapping("lead: {external_id: a}").check("deals", PROJECT, [])
    assert problem.code == "N708"


@pytest.mark.parametrize(
    "text",
    [
        "lead: {external_id: a}\nstage: {name: sql, since: x}",
        "lead: {external_id: a}\nconsent: {topic: news, basis: consent, at: x, source: y}",
        "lead: {external_id: a}\nconsent: {topic: offers, basis: sure, at: x, source: y}",
        "lead: {external_id: a}\nconsent: {topic: offers, basis: consent, at: x, source: y, state: maybe}",
    ],
)
def test_a_name_the_project_does_not_know_is_a_problem(text: str) -> None:
    assert [p.code for p in mapping(text).check("leads", PROJECT, [])] == ["N709"]
