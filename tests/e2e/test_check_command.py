"""`nurture check` and `nurture schema` on folders, as a person or a CI job runs them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest
import yaml

from nurture.cli import run

REPOSITORY = Path(__file__).parents[2]
CONFIG = "project: p\nlocale: en\ntopics: {offers: {title: Offers}}\nevents: {bought: {total: number}}\n"
GOOD = "campaign: thanks\nenter: {event: bought}\nsteps: [{send: thanks, class: service}]\n"
MAIL = "---\nsubject: Thank you\n---\n<p>Thank you, you paid {{ entry.total }}.</p>\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    put(tmp_path, {"config.yaml": CONFIG, "campaigns/thanks.yaml": GOOD, "templates/thanks.html": MAIL})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")


def test_a_good_project_ends_with_zero(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check"]) == 0
    assert capsys.readouterr().out == "1 campaign with 0 tests: no problems\n"


def test_an_error_ends_with_one_and_shows_the_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(project, {"campaigns/thanks.yaml": GOOD.replace("bought", "bougth")})
    assert run(["check"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("campaigns/thanks.yaml:2:16: error N301: unknown event 'bougth'\n")
    assert "\n   2 | enter: {event: bougth}\n     |                ^^^^^^\n" in out
    assert out.endswith("1 campaign with 0 tests: 1 error, 0 warnings\n")


def test_a_warning_alone_ends_with_zero(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(project, {"campaigns/thanks.yaml": GOOD.replace("bought}", "bought, again: {after: 6m}}")})
    assert run(["check"]) == 0
    assert capsys.readouterr().out.endswith("0 errors, 1 warning\n")


def test_problems_of_config_campaigns_and_templates_come_together(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(
        project,
        {
            "config.yaml": CONFIG + "colour: red\n",
            "campaigns/thanks.yaml": GOOD + "colour: red\n",
            "templates/thanks.html": MAIL.replace("entry.total", "entry.totl"),
        },
    )
    assert run(["check", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(p["file"], p["line"], p["code"]) for p in found] == [
        ("campaigns/thanks.yaml", 4, "N112"),
        ("config.yaml", 5, "N112"),
        ("templates/thanks.html", 4, "N402"),
    ]
    assert set(found[0]) == {"file", "line", "column", "code", "severity", "message", "hint"}


def test_json_of_a_good_project_is_an_empty_list(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_github_shows_the_problem_at_its_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(project, {"campaigns/thanks.yaml": GOOD.replace("bought", "bougth")})
    assert run(["check", "--format", "github"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("::error file=campaigns/thanks.yaml,line=2,col=16,endColumn=21,title=N301::unknown event")
    assert "%0A" in line


def test_only_the_paths_asked_for_are_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(project, {"campaigns/a.yaml": "campaign: a\n", "campaigns/b.yaml": "campaign: b\n"})
    assert run(["check", "campaigns/b.yaml"]) == 1
    out = capsys.readouterr().out
    assert "campaigns/b.yaml:1:1" in out
    assert "campaigns/a.yaml" not in out
    assert run(["check", "campaigns/thanks.yaml"]) == 0


def test_a_file_outside_is_checked_against_the_project(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    draft = tmp_path_factory.mktemp("drafts") / "draft.yaml"
    draft.write_text(GOOD.replace("thanks\n", "draft\n", 1))
    assert run(["check", str(draft)]) == 0
    draft.write_text(GOOD.replace("thanks\n", "draft\n", 1).replace("bought", "bougth"))
    assert run(["check", str(draft)]) == 1


def test_the_project_is_found_upward(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "campaigns")
    assert run(["check"]) == 0


@pytest.mark.parametrize("where", ["before", "after"])
def test_the_project_may_be_named(project: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.chdir("/")
    named = ["--project", str(project)]
    assert run([*named, "check"] if where == "before" else ["check", *named]) == 0


def test_no_project_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["check"]) == 1
    assert "nurture init DIR" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["chekc"], ["check", "--format", "xml"], ["check", "nowhere.yaml"]])
def test_a_command_that_makes_no_sense_is_the_users_problem(project: Path, arguments: list[str]) -> None:
    assert run(arguments) == 1


def test_a_failure_of_ours_ends_with_three_and_a_log(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("nurture.engine.checking.check_project", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run(["check"]) == 3
    (log,) = tmp_path.glob("nurture-*.log")
    assert "ZeroDivisionError: ours" in log.read_text()
    assert log.name in capsys.readouterr().err


def test_an_interruption_ends_with_130(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nurture.engine.checking.check_project", interrupted)
    assert run(["check"]) == 130


def test_a_link_that_leads_out_of_the_project_is_not_followed(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "bad.yaml"
    outside.write_text("campaign: [")
    (project / "campaigns" / "link.yaml").symlink_to(outside)
    assert run(["check"]) == 0


def test_a_file_that_is_no_text_is_a_problem_with_its_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "campaigns" / "latin.yaml").write_bytes("campaign: a\ntitle: é\n".encode("latin-1"))
    assert run(["check"]) == 1
    assert "campaigns/latin.yaml:2:1: error N107" in capsys.readouterr().out


def test_a_huge_file_is_a_problem_and_not_read(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "campaigns" / "huge.yaml").write_text("# " + "x" * 2_000_000)
    assert run(["check"]) == 1
    assert "N102" in capsys.readouterr().out


def test_a_small_project_may_keep_campaigns_beside_its_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, {"config.yaml": CONFIG, "thanks.yaml": GOOD, "templates/thanks.html": MAIL, "other.yaml": "a: b\n"})
    monkeypatch.chdir(tmp_path)
    assert run(["check"]) == 0
    assert capsys.readouterr().out.startswith("1 campaign")


def test_segments_beside_the_config_are_read(project: Path) -> None:
    put(project, {"segments.yaml": "buyers: {did: {event: bought}}\n"})
    put(project, {"campaigns/thanks.yaml": GOOD.replace("bought}", "bought, only_if: {segment: buyers}}")})
    assert run(["check"]) == 0


def test_the_schema_is_the_one_in_the_docs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    printed = capsys.readouterr().out
    assert printed == (REPOSITORY / "docs" / "reference" / "campaign.schema.json").read_text("utf-8")


def test_the_schema_takes_the_example_campaigns_and_refuses_a_wrong_one() -> None:
    schema = json.loads((REPOSITORY / "docs" / "reference" / "campaign.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    judge = jsonschema.Draft202012Validator(schema)
    for path in sorted((REPOSITORY / "campaigns").glob("**/*.yaml")):
        written = json.loads(json.dumps(yaml.safe_load(path.read_text("utf-8")), default=str))
        assert list(judge.iter_errors(written)) == [], path.name
    assert list(judge.iter_errors({"campaign": "c", "enter": {"manual": True}, "steps": [{"wiat": "3d"}]}))


def test_the_example_project_has_no_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(os.fspath(REPOSITORY))
    assert run(["check"]) == 0


def test_a_date_gone_by_is_told_by_the_clock_of_the_machine(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(project, {"campaigns/thanks.yaml": GOOD.replace("{event: bought}", "{schedule: 2019-11-29T09:30}")})
    put(project, {"templates/thanks.html": MAIL.replace("{{ entry.total }}", "it")})
    assert run(["check"]) == 0
    assert "warning N345: 2019-11-29 is past: nobody enters any more" in capsys.readouterr().out
