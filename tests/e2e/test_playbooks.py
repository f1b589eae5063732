"""Every playbook becomes a project without a fault: its tests reach every step, its mails render, its samples go in."""

from __future__ import annotations

import json
import re
import shlex
from importlib.resources import files
from pathlib import Path

import pytest

from nurture.cli import playbooks, run

NAMES = list(playbooks.listed())
ROOT = Path(__file__).parents[2] / "nurture" / "playbooks"
SHOWN = re.compile(r"\{\{|\{%|\[\[|\[%")  # what a template would leave behind


@pytest.fixture(params=NAMES)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "new"
    assert run(["init", str(folder), "--playbook", request.param]) == 0
    return folder


def test_the_list_has_every_playbook_there_is() -> None:
    lying = {item.name.removesuffix(".yaml") for item in (files("nurture") / "playbooks").iterdir()}
    assert set(NAMES) == {name for name in lying if not name.startswith("_")} - {"index"}


def test_the_page_on_playbooks_has_each_with_its_line() -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/start-from-a-playbook.md").read_text("utf-8")
    assert re.findall(r"^\| `(\S+)` \|", page, re.MULTILINE) == NAMES


def lines_of_its_readme(project: Path, command: str) -> list[list[str]]:
    """What the playbook's README says to type, as words."""
    told = (project / "README.md").read_text("utf-8").replace("\\\n", " ")
    shown = [shlex.split(line, comments=True) for line in told.splitlines() if line.startswith("    nurture ")]
    return [words[1:] for words in shown if words[1] == command]


def test_an_unknown_playbook_is_met_with_the_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(tmp_path / "new"), "--playbook", "aidas"]) == 1
    said = capsys.readouterr().err
    assert "did you mean 'aida'?" in said
    assert all(f"  {name} " in said for name in NAMES)
    assert not (tmp_path / "new").exists()


def test_a_playbook_has_no_problem_and_tests_for_every_step(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--project", str(project), "check"]) == 0
    assert "no problems" in capsys.readouterr().out
    assert run(["--project", str(project), "test", "--coverage"]) == 0, capsys.readouterr().out
    (reached,) = re.findall(r"(\d+) of (\d+) steps and arms", capsys.readouterr().out)
    assert reached[0] == reached[1]


def test_a_playbook_renders_all_its_mails(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mails = [m for m in (project / "templates").rglob("*.html") if not m.parent.name.startswith("_")]
    assert mails
    for mail in mails:
        name, _, locale = mail.relative_to(project / "templates").as_posix().removesuffix(".html").partition(".")
        capsys.readouterr()
        words = [
            "preview",
            name,
            *(["--locale", locale] if locale else []),
            "--out",
            str(tmp_path / "p.html"),
            "--json",
        ]
        assert run(["--project", str(project), *words]) == 0, capsys.readouterr()
        found = json.loads(capsys.readouterr().out)
        assert found["subject"]
        assert found["text"].strip()
        assert not any(SHOWN.search(found[part]) for part in ("subject", "html", "text"))


def test_the_mails_of_a_playbook_have_nothing_wrong_but_links_to_put_in(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.csv").write_text("email\nann@example.com\n", "utf-8")
    capsys.readouterr()
    words = ["render", "--matrix", str(tmp_path / "review"), "--leads", str(tmp_path / "one.csv"), "--no-pictures"]
    assert run(["--project", str(project), *words, "--json"]) == 0, capsys.readouterr()
    found = [finding for mail in json.loads(capsys.readouterr().out)["mails"] for finding in mail["findings"]]
    assert [
        finding for finding in found if finding["check"] != "links" or "www.example.com" not in finding["text"]
    ] == []


def test_a_playbook_takes_its_samples_and_works(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def nurture(*words: str) -> str:
        assert run(["--project", str(project), *words]) == 0, capsys.readouterr()
        return capsys.readouterr().out

    nurture("deploy", "--yes")
    people = project / "data" / "leads.csv"
    if people.is_file():  # the starter begins with nobody
        nurture("import", "leads", str(people), "--mapping", str(project / "mappings" / "leads.yaml"))
        first = people.read_text("utf-8").splitlines()[1].split(",")[0]
        assert json.loads(nurture("leads", "show", first, "--json"))["stages"]
    for kind, name in (("leads", "permissions"), ("leads", "stages"), ("deals", "deals"), ("events", "events")):
        table, mapping = project / "data" / f"{name}.csv", project / "mappings" / f"{name}.yaml"
        if table.is_file():
            nurture("import", kind, str(table), "--mapping", str(mapping))
    assert not list(project.rglob("*.rejects.csv"))
    nurture("worker", "--once")


@pytest.mark.parametrize("name", [name for name in NAMES if (ROOT / name / "data" / "events.csv").is_file()])
def test_a_history_plays_as_the_readme_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", str(tmp_path / "new"), "--playbook", name]) == 0
    monkeypatch.chdir(tmp_path / "new")
    simulations = lines_of_its_readme(tmp_path / "new", "simulate")
    assert simulations
    for words in simulations:
        capsys.readouterr()
        assert run([*words, "--json"]) == 0, capsys.readouterr()
        found = json.loads(capsys.readouterr().out)
        assert found["entered"]
        assert found["sent"]


def test_the_shop_plays_its_sample_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "shop"
    assert run(["init", str(folder), "--playbook", "ecommerce"]) == 0
    capsys.readouterr()
    files = ["--events", str(folder / "data/events.csv"), "--leads", str(folder / "data/permissions.csv")]
    for name in ("events", "permissions"):
        files += ["--mapping", str(folder / "mappings" / f"{name}.yaml")]
    words = ["simulate", "cart-recovery", "--from", "2026-07-01", *files, "--json"]
    assert run(["--project", str(folder), *words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["sent"]) == {"cart/reminder", "cart/second-look", "cart/free-delivery", "cart/last-word"}
    assert told["ended"].keys() == {"goal", "finished", "exit(cart_emptied)"}


def _mails_by_language() -> dict[str, set[str]]:
    """Of the playbooks in several languages, each mail with those it is written in."""
    found: dict[str, set[str]] = {}
    for name in NAMES:
        for path in playbooks.files_of(name):
            if mail := re.fullmatch(r"templates/(.+)\.(en|fr|ro)\.html", path):
                found.setdefault(f"{name}: {mail[1]}", set()).add(mail[2])
    return found


def test_a_mail_in_one_language_is_there_in_all_three() -> None:
    assert {mail: locales for mail, locales in _mails_by_language().items() if locales != {"en", "fr", "ro"}} == {}


@pytest.mark.parametrize("name", NAMES)
def test_french_signs_of_a_playbook_do_not_stand_alone_on_a_line(name: str) -> None:
    for path, content in playbooks.files_of(name).items():
        if re.search(r"[.-]fr\.(html|txt)$|/fr\.html$", path):
            prose = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", "", content.decode(), flags=re.DOTALL)
            assert not re.search(r" [;:?!»]|« ", prose), path


@pytest.mark.parametrize("name", NAMES)
def test_romanian_of_a_playbook_has_its_comma_below(name: str) -> None:
    assert not [path for path, content in playbooks.files_of(name).items() if set("şţŞŢ") & set(content.decode())]


def test_the_page_about_playbooks_has_each_of_them() -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/start-from-a-playbook.md").read_text("utf-8")
    assert re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE) == NAMES


def test_the_words_on_a_button_are_not_of_its_own_colour(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new"
    assert run(["init", str(folder)]) == 0
    capsys.readouterr()
    words = ["preview", "welcome/first-order", "--out", str(tmp_path / "p.html"), "--json"]
    assert run(["--project", str(folder), *words]) == 0
    html = json.loads(capsys.readouterr().out)["html"]
    (style,) = re.findall(r'<td[^>]*class="button[^>]*>\s*<a[^>]*style="([^"]*)"', html)
    assert re.findall(r"(?<![-\w])color:\s*([^;]+)", style)[-1].strip() == "#ffffff"
