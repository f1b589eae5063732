"""Secrets stay secret (trust X17)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nurture.cli.config import app
from nurture.exposure import exposed
from nurture.folder import read_folder

CONFIG = """\
project: acme
base_url: https://news.acme.example
database: postgresql://nurture:canary-database@db.acme.example/nurture?sslpassword=canary-query
secrets: ["${NURTURE_SECRET}", canary-secret-written-out]
smtp: {host: smtp.acme.example, username: acme, password: canary-password}
dkim: [{domain: acme.example, selector: s1, key: "${file:dkim.pem}"}]
providers: {postmark: canary-provider}
webhooks: {crm: {url: "https://user:canary-user@crm.acme.example/hooks/canary-path"}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "dkim.pem").write_text("canary-key")
    for path in tmp_path.iterdir():
        path.chmod(0o600)
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"NURTURE_SECRET": "canary-environment"})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_x17_config_show_shows_no_secret_wherever_it_comes_from(project: Path, form: list[str]) -> None:
    assert "canary" not in run("show", "--project", str(project), *form)


def test_x17_config_show_shows_the_rest_and_which_references_are_there(project: Path) -> None:
    told: dict[str, Any] = json.loads(run("show", "--json", "--project", str(project)))
    assert told["config"]["smtp"] == {"host": "smtp.acme.example", "username": "acme", "password": "********"}
    assert told["config"]["secrets"] == ["${NURTURE_SECRET}", "********"]
    assert told["config"]["database"] == "postgresql://nurture:********@db.acme.example/nurture"
    assert told["references"] == {"NURTURE_SECRET": True, "file:dkim.pem": True}


def test_x17_a_reference_that_leads_nowhere_is_told(project: Path) -> None:
    (project / "dkim.pem").unlink()
    assert "# ${file:dkim.pem} is missing" in run("show", "--project", str(project))


def test_x17_files_that_only_their_owner_reads_are_fine(project: Path) -> None:
    assert exposed(read_folder(project), project / "config.yaml") == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
@pytest.mark.parametrize("name", ["config.yaml", "dkim.pem", "nurture.db"])
def test_x17_a_file_with_secrets_that_others_may_read_is_named(project: Path, name: str, mode: int) -> None:
    (project / "nurture.db").touch(mode=0o600)
    (project / name).chmod(mode)
    assert [e.path.name for e in exposed(read_folder(project), project / "nurture.db")] == [name]


def test_x17_a_config_without_a_secret_of_its_own_may_be_read(project: Path) -> None:
    (project / "config.yaml").write_text('project: acme\nsecrets: ["${NURTURE_SECRET}"]\n')
    (project / "config.yaml").chmod(0o644)
    assert exposed(read_folder(project)) == []
