"""Every YAML in the documentation is one that nurture takes, and the tests in it pass.

A block that begins with `project:` is the config.yaml of its page; without one the page speaks of the example shop. A
campaign is checked and tested in that project; parts of a config.yaml are put into it; steps are put into a campaign.
The recipes of the cookbook are one project, which test_cookbook proves; test_tutorial walks the tutorial.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from nurture.campaign.mapping import read_mapping
from nurture.cli import run
from tests.docs.cookbook import PAGES as COOKBOOK
from tests.docs.pages import ROOT, Block, blocks
from tests.docs.tutorial import PAGE as TUTORIAL

ALL = [block for block in blocks("yaml") if block.page not in {*COOKBOOK, TUTORIAL}]


def kind(text: str) -> str:
    """What a block is, by its keys."""
    found: Any = yaml.load(text, yaml.BaseLoader)
    if isinstance(found, list):
        return "steps"
    keys = set(found)
    for key in ("project", "campaign"):
        if key in keys:
            return key
    if keys & {"lead", "event", "deal"} and keys <= {"lead", "event", "deal", "stage", "attributes", "consent"}:
        return "mapping"
    if keys & {"enter", "steps", "goal", "exit", "tests", "migrations", "again", "on_change"}:
        return "part"
    return "config"


def project_of(block: Block, folder: Path) -> Path:
    """The project the block's page speaks of, with its templates and without its campaigns."""
    root = folder / "project"
    root.mkdir()
    (root / "campaigns").mkdir()
    own = [b for b in ALL if b.page == block.page and kind(b.text) == "project"]
    if own:
        (root / "config.yaml").write_text(own[-1].text)
        for template in blocks("html", "txt"):
            if template.page == block.page and template.file:
                path = root / template.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(template.text)
    else:
        shutil.copy(ROOT / "config.yaml", root)
        shutil.copytree(ROOT / "templates", root / "templates")
    return root


def as_campaign(text: str) -> str:
    """A part of a campaign, made whole."""
    part: Any = yaml.load(text, yaml.BaseLoader)
    part = {"steps": part} if isinstance(part, list) else part
    whole = {"campaign": "part", "title": "A part", "topic": "offers", "state": "draft", **part}
    whole.setdefault("enter", {"manual": "true"})
    whole.setdefault("steps", [{"wait": "1d"}])
    return yaml.safe_dump(whole, allow_unicode=True, sort_keys=False)


def merged(config: str, text: str) -> str:
    """The config.yaml with these entries put into its sections."""
    whole: Any = yaml.load(config, yaml.BaseLoader)
    for key, value in yaml.load(text, yaml.BaseLoader).items():
        old = whole.get(key)
        whole[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return yaml.safe_dump(whole, allow_unicode=True, sort_keys=False)


def errors(root: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    run(["check", "--project", str(root), "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    return [f"{p['code']} line {p['line']}: {p['message']}" for p in found if p["severity"] == "error"]


@pytest.mark.parametrize("block", ALL, ids=str)
def test_a_yaml_in_the_docs_is_right(block: Block, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    what = kind(block.text)
    if what == "mapping":
        assert read_mapping(str(block), block.text)[1] == []
        return
    root = project_of(block, tmp_path)
    match what:
        case "campaign":
            (root / "campaigns" / "one.yaml").write_text(block.text)
        case "part" | "steps":
            (root / "campaigns" / "one.yaml").write_text(as_campaign(block.text))
        case "config":
            config = root / "config.yaml"
            config.write_text(merged(config.read_text(), block.text))
    assert errors(root, capsys) == []


@pytest.mark.parametrize("block", [b for b in ALL if kind(b.text) == "campaign"], ids=str)
def test_the_tests_of_a_campaign_in_the_docs_pass(
    block: Block, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project_of(block, tmp_path)
    (root / "campaigns" / "one.yaml").write_text(block.text)
    assert run(["test", "--project", str(root)]) == 0, capsys.readouterr().out


def test_a_wrong_yaml_would_be_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (campaign,) = [b for b in ALL if b.page.name == "test-a-campaign.md" and kind(b.text) == "campaign"]
    root = project_of(campaign, tmp_path)
    (root / "campaigns" / "one.yaml").write_text(campaign.text.replace("send:", "sned:"))
    assert [error[:4] for error in errors(root, capsys)] == ["N112"]
