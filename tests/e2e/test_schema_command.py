"""`nurture schema` and what `init` gives an editor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nurture.cli import playbooks, run
from nurture.cli.schema import hint_for
from tests.docs.schemas import as_editor
from tests.e2e.commands import Shop


def schema(root: Path, of: str) -> Any:
    return json.loads((root / f"schemas/{of}.schema.json").read_text())


def test_the_written_schemas_offer_what_the_project_declares(shop: Shop) -> None:
    assert shop.run("schema", "--write") == 0, shop.err
    defs = schema(shop.root, "campaign")["$defs"]
    assert defs["stage"]["examples"] == ["lead", "mql", "customer"]
    assert {"cart", "hello"} == set(defs["campaign"]["examples"])
    assert {"cart/reminder", "bye"} <= set(defs["template"]["examples"])
    assert "email" in defs["lead-tests"]["properties"]


def test_a_name_that_is_not_declared_is_left_to_check(shop: Shop) -> None:
    shop.run("schema", "--write")
    document = {"campaign": "new", "enter": {"event": "unheard_of"}, "steps": [{"move": "nowhere"}]}
    assert list(jsonschema.Draft202012Validator(schema(shop.root, "campaign")).iter_errors(document)) == []


def test_written_again_they_have_the_names_of_today(shop: Shop) -> None:
    shop.run("schema", "--write")
    config = shop.root / "config.yaml"
    config.write_text(config.read_text().replace("[lead, mql, customer]", "[lead, fan, customer]"))
    assert shop.run("schema", "--write") == 0
    assert "fan" in schema(shop.root, "campaign")["$defs"]["stage"]["examples"]


def test_writing_is_of_all_three(shop: Shop) -> None:
    assert shop.run("schema", "config", "--write") == 1
    assert "--write writes all three" in shop.err


@pytest.mark.parametrize("of", ["campaign", "config", "mapping"])
def test_each_schema_is_printed(shop: Shop, of: str) -> None:
    assert shop.run("schema", of) == 0
    assert json.loads(shop.out)["title"].startswith("nurture")


@pytest.mark.parametrize("playbook", playbooks.listed())
def test_every_file_of_a_new_project_names_the_schema_that_takes_it(playbook: str, tmp_path: Path) -> None:
    assert run(["init", str(tmp_path / "firm"), "--playbook", playbook]) == 0
    files = [path for path in (tmp_path / "firm").rglob("*.yaml") if "templates" not in path.parts]
    for path in files:
        text = path.read_text()
        hint, _, named = text.partition("\n")[0].partition("$schema=")
        assert hint == "# yaml-language-server: "
        judge = jsonschema.Draft202012Validator(json.loads((path.parent / named).read_text()))
        assert [error.message for error in judge.iter_errors(as_editor(text))] == [], path.name


@pytest.mark.parametrize("path", ["README.md", "templates/a.yaml", "data/leads.csv", "segments.yaml"])
def test_other_files_name_none(path: str) -> None:
    assert hint_for(path) == b""
