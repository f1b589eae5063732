"""A fresh project in an editor: what its YAML language server offers, shows and finds, by the schemas `init` wrote."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from nurture.cli import run
from tests.e2e.yaml_server import YamlServer
from tests.peers.ground import need, program

pytestmark = pytest.mark.editor
HINT = "# yaml-language-server: $schema=../schemas/campaign.schema.json\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("editor") / "firm"
    assert run(["init", str(root), "--playbook", "b2b-long-cycle"]) == 0
    return root


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[YamlServer]:
    need("yaml-language-server", root=False)
    with YamlServer(program("yaml-language-server"), project) as started:
        yield started


_numbers = count(1)


class Editing:
    """A new file of the project, open in the editor; the cursor stands where its text has a `|`."""

    def __init__(self, server: YamlServer, folder: Path, text: str) -> None:
        before, _, after = text.partition("|")
        self._server, self._path = server, folder / f"new-{next(_numbers)}.yaml"
        self._line, self._character = before.count("\n"), len(before) - before.rfind("\n") - 1
        self.problems = server.show(self._path, before + after)

    def offered(self) -> set[str]:
        return set(self._server.completions(self._path, self._line, self._character))

    def shown(self) -> str:
        return self._server.hover(self._path, self._line, self._character)


def campaign(server: YamlServer, project: Path, steps: str) -> Editing:
    text = f"{HINT}campaign: new\nenter: {{manual: true}}\nsteps:\n{steps}"
    return Editing(server, project / "campaigns", text)


@pytest.mark.parametrize("pattern", ["campaigns/*.yaml", "config.yaml", "mappings/*.yaml"])
def test_nothing_is_wrong_with_the_files_of_a_new_project(server: YamlServer, project: Path, pattern: str) -> None:
    found = {path.name: server.show(path, path.read_text()) for path in project.glob(pattern)}
    assert found
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_a_new_step_is_offered_every_action(server: YamlServer, project: Path) -> None:
    assert {"send", "wait", "branch", "split", "exit"} <= campaign(server, project, "  - |\n").offered()


def test_beside_an_action_only_its_own_keys_are_offered(server: YamlServer, project: Path) -> None:
    offered = campaign(server, project, "  - send: guide\n    |\n").offered()
    assert {"topic", "class", "if_late", "window"} <= offered
    assert not {"wait", "then", "split"} & offered


def test_the_names_the_project_declares_are_offered(server: YamlServer, project: Path) -> None:
    assert "mql" in campaign(server, project, "  - move: |\n").offered()
    assert "deal/pilot" in campaign(server, project, "  - send: |\n").offered()


def test_the_words_a_key_takes_are_offered(server: YamlServer, project: Path) -> None:
    assert {"marketing", "service"} <= campaign(server, project, "  - send: guide\n    class: |\n").offered()


def test_a_key_is_explained_with_an_example(server: YamlServer, project: Path) -> None:
    shown = campaign(server, project, "  - w|ait: 3d\n").shown()
    assert "Stands still" in shown
    assert "2d" in shown


def test_a_key_with_a_typo_is_found(server: YamlServer, project: Path) -> None:
    assert "Property wiat is not allowed." in campaign(server, project, "  - wiat: 3d\n").problems


def test_a_value_that_is_none_is_told_in_our_words(server: YamlServer, project: Path) -> None:
    (told,) = campaign(server, project, "  - wait: 3 days\n").problems
    assert told.startswith("Write how long: 45s, 15m (minutes)")


def test_config_yaml_is_completed_explained_and_checked(server: YamlServer, project: Path) -> None:
    text = (project / "config.yaml").read_text().replace("smtp:", "# smtp:")
    editing = Editing(server, project, text + "smtp:\n  hots: a\n  |\n")
    assert "Property hots is not allowed." in editing.problems
    assert {"host", "port", "warm_up"} <= editing.offered()
    assert "587 if not written" in Editing(server, project, text + "smtp:\n  po|rt: 25\n").shown()


def test_a_mapping_is_completed_explained_and_checked(server: YamlServer, project: Path) -> None:
    text = (project / "mappings/leads.yaml").read_text()
    editing = Editing(server, project / "mappings", text + "deal:\n  piepline: sales\n  |\n")
    assert "Property piepline is not allowed." in editing.problems
    assert {"amount", "outcome", "pipeline"} <= editing.offered()
    pointed = Editing(server, project / "mappings", text.replace("email:", "em|ail:", 1))
    assert "finds the lead again" in pointed.shown()
