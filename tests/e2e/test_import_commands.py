"""The commands as a person gives them: what they print, what they ask, how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nurture.cli import run

CONFIG = """
project: acme
timezone: Europe/Paris
locale: en
secrets: ["${NURTURE_SECRET}"]
sender: {name: Acme, email: news@acme.example, postal_address: "1 Main Street"}
funnel: {stages: [lead, mql, customer]}
pipelines: {sales: {stages: [demo, closing]}}
topics: {offers: {title: {en: Offers}, wording: {en: "Yes"}}}
"""
LEADS = 'lead: {email: "{{ row.mail }}", external_id: "{{ row.id }}"}\nstage: {name: mql, since: "{{ row.since }}"}\n'

Command = Callable[..., int]


@pytest.fixture
def nurture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command line in a project's folder and gives its exit code."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "map.yaml").write_text(LEADS)
    (tmp_path / "leads.csv").write_text("id,mail,since\n7,anna@example.com,2026-01-01\n8,bo at home,2026-01-02\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NURTURE_SECRET", "a secret of sixteen characters")
    return lambda *words: run(words)


IMPORT = ("import", "leads", "leads.csv", "--mapping", "map.yaml")


def test_an_import_says_what_became_of_the_rows(nurture: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert nurture(*IMPORT) == 0
    text = capsys.readouterr().out
    assert "2 rows: 1 new, 0 changed, 0 unchanged, 1 refused" in text
    assert "leads.csv.rejects.csv" in text


def test_an_import_as_json(nurture: Command, capsys: pytest.CaptureFixture[str]) -> None:
    nurture(*IMPORT, "--json")
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["new"], found["rejected"], found["odd"]) == (2, 1, 1, [])


def test_a_file_without_a_usable_row_ends_with_1(nurture: Command, tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("id,mail,since\n8,bo at home,2026-01-02\n")
    assert nurture(*IMPORT) == 1


def test_a_dry_run_leaves_no_lead(nurture: Command, capsys: pytest.CaptureFixture[str]) -> None:
    nurture(*IMPORT, "--dry-run")
    capsys.readouterr()
    nurture("leads", "list", "--json")
    assert json.loads(capsys.readouterr().out) == []


def test_a_mapping_with_a_mistake_is_shown_with_its_line(nurture: Command, capsys: pytest.CaptureFixture[str]) -> None:
    Path("map.yaml").write_text(LEADS.replace("row.mail", "row.email"))
    assert nurture(*IMPORT) == 1
    text = capsys.readouterr().err
    assert "map.yaml:1:15: error N706: the file has no column 'email'" in text
    assert "did you mean 'mail'?" in text


def test_a_mapping_that_is_not_there_is_told_plainly(nurture: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert nurture("import", "leads", "leads.csv", "--mapping", "nope.yaml") == 1
    assert "cannot read nope.yaml" in capsys.readouterr().err


def test_a_missing_secret_is_named(
    nurture: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NURTURE_SECRET")
    assert nurture(*IMPORT) == 1
    assert "NURTURE_SECRET" in capsys.readouterr().err


def test_a_trigger_shows_the_number_and_waits_for_a_yes(
    nurture: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert nurture(*IMPORT, "--trigger") == 1
    assert "1 leads may start campaigns" in capsys.readouterr().err
    nurture("leads", "list", "--json")
    assert json.loads(capsys.readouterr().out) == []


def test_a_trigger_with_yes_goes_on(nurture: Command) -> None:
    assert nurture(*IMPORT, "--trigger", "--yes") == 0


def test_enrolling_into_an_unknown_campaign_is_refused(nurture: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert nurture(*IMPORT, "--enroll", "welcome", "--yes") == 1
    assert "no campaign 'welcome'" in capsys.readouterr().err


@pytest.mark.parametrize("ref", ["7", "anna@example.com"])
def test_a_lead_is_shown_by_any_of_its_names(nurture: Command, capsys: pytest.CaptureFixture[str], ref: str) -> None:
    nurture(*IMPORT)
    capsys.readouterr()
    assert nurture("leads", "show", ref, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["external_id"], found["stages"]["main"]["stage"]) == ("7", "mql")


def test_a_lead_is_shown_to_a_person(nurture: Command, capsys: pytest.CaptureFixture[str]) -> None:
    nurture(*IMPORT)
    assert nurture("leads", "show", "7") == 0
    assert "anna@example.com" in capsys.readouterr().out


def test_a_lead_that_is_not_there_ends_with_1(nurture: Command) -> None:
    assert nurture("leads", "show", "nobody") == 1


def test_leads_are_listed_by_stage(nurture: Command, capsys: pytest.CaptureFixture[str]) -> None:
    nurture(*IMPORT)
    capsys.readouterr()
    nurture("leads", "list", "--stage", "mql", "--json")
    assert [line["external_id"] for line in json.loads(capsys.readouterr().out)] == ["7"]


def test_the_funnel_report_has_the_promised_shape(nurture: Command, capsys: pytest.CaptureFixture[str]) -> None:
    nurture(*IMPORT)
    capsys.readouterr()
    assert nurture("report", "funnel", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"stages", "overall", "by_source", "bottleneck", "odd"}
    stage = {"stage", "entered", "now_here", "advanced", "conversion", "median_days", "p90_days", "open"}
    assert all(set(s) == stage for s in found["stages"])
    assert set(found["overall"]) == {"entered", "won", "conversion", "median_cycle_days", "mean_cycle_days"}
    source = {"source", "entered", "won", "conversion", "interval", "cost_per_lead"}
    assert all(set(s) == source for s in found["by_source"])


@pytest.mark.parametrize("words", [("funnel",), ("funnel", "--csv"), ("pipeline",), ("forecast",)])
def test_every_report_prints_something(
    nurture: Command, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert nurture("report", *words) == 0
    assert capsys.readouterr().out.strip()


def test_a_report_is_written_as_a_page(nurture: Command, tmp_path: Path) -> None:
    assert nurture("report", "funnel", "--html", "funnel.html") == 0
    assert (tmp_path / "funnel.html").read_text().startswith("<!doctype html>")
