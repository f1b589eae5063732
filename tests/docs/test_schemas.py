"""The JSON Schemas for editors say what the program takes, and show it by example."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nurture.campaign.mapping import read_mapping
from nurture.campaign.project import Project
from nurture.campaign.read import read_campaign, read_project
from nurture.campaign.reading.schema import example
from nurture.cli import playbooks
from nurture.options import MACHINE
from tests.docs.pages import ROOT
from tests.docs.schemas import SCHEMAS, Surroundings, as_editor, keys, refusals

SHARED = Path(os.environ.get("NURTURE_SHARED") or ROOT.parent / "shared") / "campaigns"


# --- what is said of each key


@pytest.mark.parametrize("of", SCHEMAS)
def test_a_schema_is_one(of: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[of])


@pytest.mark.parametrize("of", SCHEMAS)
def test_every_key_says_what_it_does_and_shows_an_example(of: str) -> None:
    lacking = [path for path, schema in keys(of) if not schema.get("description")]
    assert lacking == []
    assert [path for path, schema in keys(of) if example(schema, SCHEMAS[of]["$defs"]) is None] == []


@pytest.mark.parametrize("of", SCHEMAS)
def test_every_example_and_default_is_what_its_key_takes(of: str) -> None:
    wrong = []
    for path, schema in keys(of):
        judge = jsonschema.Draft202012Validator({**schema, "$defs": SCHEMAS[of].get("$defs", {})})
        shown = [*schema.get("examples", ()), *([schema["default"]] if "default" in schema else [])]
        wrong += [(path, value) for value in shown if not judge.is_valid(value)]
    assert wrong == []


# --- what is shown, put before the program


def example_config(instead_of: str = "funnels") -> dict[str, Any]:
    """The examples of all sections of config.yaml together: what the examples of campaigns name is declared in it.
    Of `funnel` and `funnels` there can be one."""
    sections = {name: example(one, SCHEMAS["config"]["$defs"]) for name, one in SCHEMAS["config"]["properties"].items()}
    return {name: shown for name, shown in sections.items() if name != instead_of}


def config_errors(document: Any) -> list[str]:
    found = read_project(("config.yaml", json.dumps(document)), None, MACHINE)
    return [str(p) for p in found.problems if p.severity == "error"]


def example_project() -> Project:
    return read_project(("config.yaml", json.dumps(example_config())), None, MACHINE).project


def campaign_errors(document: Any, project: Project) -> list[str]:
    found = read_campaign("c.yaml", json.dumps(document), project)
    return [str(p) for p in found.problems if p.severity == "error"]


def test_the_examples_of_config_make_a_config_the_program_takes() -> None:
    assert config_errors(example_config()) == []


def test_the_program_takes_every_example_of_a_config() -> None:
    bases = [example_config(), example_config("funnel")]
    found = Surroundings("config", bases, lambda document: not config_errors(document), but={"condition", "test"})
    assert found.nowhere == []


def test_the_program_takes_every_example_of_a_campaign() -> None:
    project = example_project()
    base = {
        "campaign": "c",
        "topic": "newsletter",
        "enter": {"event": "order_completed", "key": "cart_id"},
        "steps": [{"send": "welcome/hello"}],
    }
    always = {
        "$step.send": {"id": "hello"},
        ".tests[].events[].at": {"order_completed": {}},
    }  # variants need the one, an event has a name
    found = Surroundings("campaign", [base], lambda document: not campaign_errors(document, project), always=always)
    assert found.nowhere == []


def test_the_program_takes_every_example_of_a_mapping() -> None:
    def takes(document: Any) -> bool:
        return not read_mapping("m.yaml", json.dumps(document))[1]

    assert Surroundings("mapping", [{}], takes).nowhere == []


# --- what people wrote


def written() -> dict[str, tuple[str, str]]:
    """Every campaign, config and mapping that is at hand: of the example shop, of the playbooks, of the field."""
    found: dict[str, tuple[str, str]] = {}
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in ROOT.glob("*/*.yaml") if path.parent.name in _OF}
    texts["config.yaml"] = (ROOT / "config.yaml").read_text()
    for name in playbooks.listed():
        for path, content in playbooks.files_of(name).items():
            if path.endswith(".yaml"):
                texts[f"{name}/{path}"] = content.decode()
    if SHARED.is_dir():
        texts |= {
            f"shared/{path.parent.name}/campaigns/{path.name}": path.read_text() for path in SHARED.glob("*/*.yaml")
        }
    for name, text in texts.items():
        of = "config" if name.endswith("config.yaml") else _OF[name.split("/")[-2]]
        found[name] = (of, text)
    return found


_OF = {"campaigns": "campaign", "mappings": "mapping"}
WRITTEN = written()


@pytest.mark.parametrize("name", WRITTEN)
def test_a_schema_takes_what_the_program_takes(name: str) -> None:
    of, text = WRITTEN[name]
    assert refusals(of, as_editor(text)) == []


# --- what is wrong by its shape

SHAPE = {"N110", "N112", "N113", "N114", "N115", "N201", "N203", "N204", "N205", "N206", "N207", "N208"}
BAD = ROOT / "tests" / "bad_campaigns"


def wrong_by_shape() -> dict[str, str]:
    """Bad campaigns in which something stands that is wrong whatever the project declares."""
    found = {}
    for path in sorted(BAD.glob("*.txt")):
        codes = set(re.findall(r"error (N\d+)", path.read_text()))
        if codes & SHAPE:
            found[path.stem] = path.with_suffix(".yaml").read_text()
    return found


@pytest.mark.parametrize("name", wrong_by_shape())
def test_a_schema_refuses_what_the_program_refuses_for_its_shape(name: str) -> None:
    assert refusals("campaign", as_editor(wrong_by_shape()[name])) != []


WRONG = {
    "campaign": [
        "campaign: c\nenter: {manual: true}\nsteps: [{wiat: 3d}]\n",
        "campaign: c\nenter: {manual: true}\nsteps: [{wait: 3 days}]\n",
        "campaign: c\nenter: {match: {tag: x}}\nsteps: [{tag: y}]\n",
        "campaign: c\nenter: {manual: true}\nsteps: [{wait: {until: 9am}}]\n",
        "campaign: c\nenter: {manual: true}\nsteps: [{send: a, topic: b, window: {days: mon-frday}}]\n",
        "campaign: c\nenter: {manual: true}\nsteps: [{repeat: {every: -3d, steps: [{tag: x}]}}]\n",
        "campaign: c\nenter: {manual: true}\nsteps: [{tag: x, if: {did: {at_least: 2}}}]\n",
        "campaign: c\nenter: {manual: true}\n",
    ],
    "config": [
        "timezone: Europe/Paris\n",
        "project: p\nsmtp: {host: a, prot: 25}\n",
        "project: p\nsmtp: {port: 70000}\n",
        "project: p\nbase_url: news.example.com\n",
        "project: p\ntransport: pigeon\n",
        "project: p\nreturns: {}\n",
        "project: p\nprivacy: {retention: {evnts: 2y}}\n",
        "project: p\nevents: {bought: {total: nmber}}\n",
        "project: p\nfunnel: [{name: a, bnad: tofu}]\n",
    ],
    "mapping": [
        'leed: {email: "{{ row.email }}"}\n',
        'lead: {emial: "{{ row.email }}"}\n',
        "lead: {first_name: Ann}\n",
        "stage: {name: mql, since: 2026-01-01}\n",
        "lead: {email: a@b.example}\nconsent: {topic: x, basis: cosent, at: now, source: y}\n",
    ],
}


@pytest.mark.parametrize(("of", "text"), [(of, text) for of, texts in WRONG.items() for text in texts])
def test_a_schema_refuses_what_is_no_such_file(of: str, text: str) -> None:
    assert refusals(of, as_editor(text)) != []


@pytest.mark.parametrize("text", WRONG["config"])
def test_the_program_refuses_that_too(text: str) -> None:
    assert config_errors(as_editor(text)) != []
