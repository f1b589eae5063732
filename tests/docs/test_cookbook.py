"""The cookbook keeps its word: thirty recipes, side by side in one project, without a warning, every step tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nurture.campaign.project import Project
from nurture.campaign.read import Campaigns, read_campaigns
from nurture.campaign.reading.campaign import campaign_schema
from nurture.engine.checking import Checked, check_project
from nurture.engine.coverage import gaps
from nurture.engine.trial import run
from nurture.folder import Folder, read_folder
from nurture.settings import read_language
from tests.docs.cookbook import FOLDER, PAGES, name, parsed, recipes, titles, write_project
from tests.docs.pages import Block, blocks
from tests.docs.words import Words

RECIPES = recipes()
INDEX = (FOLDER / "README.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return read_folder(write_project(tmp_path_factory.mktemp("cookbook") / "project"))


@pytest.fixture(scope="module")
def project(folder: Folder) -> Project:
    return read_language(folder, {}).project


@pytest.fixture(scope="module")
def read(folder: Folder, project: Project) -> Campaigns:
    return read_campaigns(folder.campaigns, project)


@pytest.fixture(scope="module")
def checked(folder: Folder, project: Project) -> Checked:
    return check_project(project, folder.campaigns, folder.templates)


def test_there_are_thirty_recipes() -> None:
    assert len({name(recipe) for recipe in RECIPES}) == 30


def test_no_yaml_of_the_cookbook_is_left_unproven() -> None:
    told = {str(block) for block in blocks("yaml") if block.page in PAGES}
    assert told == {str(recipe) for recipe in RECIPES}


def test_the_config_of_the_cookbook_has_no_problem(folder: Folder) -> None:
    assert [str(problem) for problem in read_language(folder, {}).problems] == []


@pytest.mark.parametrize("recipe", RECIPES, ids=name)
def test_a_recipe_has_neither_error_nor_warning(recipe: Block, checked: Checked) -> None:
    mine = f"campaigns/{name(recipe)}.yaml"
    assert [str(problem) for problem in checked.problems if problem.mark.file == mine] == []


def test_the_mails_of_the_cookbook_have_no_problem(checked: Checked) -> None:
    assert [str(problem) for problem in checked.problems if problem.mark.file.startswith("templates/")] == []


@pytest.mark.parametrize("recipe", RECIPES, ids=name)
def test_the_tests_of_a_recipe_pass_and_reach_every_step(recipe: Block, project: Project, read: Campaigns) -> None:
    tests = [test for test in read.tests if test.campaign == name(recipe)]
    verdicts = {test.name: run(project, read.plans[test.campaign], test) for test in tests}
    assert {told: v.differences for told, v in verdicts.items() if not v.passed} == {}
    reached = frozenset().union(*(v.reached for v in verdicts.values()))
    assert [str(gap) for gap in gaps(read.specs[name(recipe)], reached)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_recipe_begins_with_a_wish_and_ends_with_the_reason(page: Path) -> None:
    for part in re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]:
        title, _, text = part.partition("\n")
        wish, _, reason = text.partition("```yaml\n")
        assert re.fullmatch(r"\s*\*“.+”\*\s*", wish, re.DOTALL), title
        said = re.sub(r"```.*?```", "", "```yaml\n" + reason, flags=re.DOTALL)
        assert len(re.findall(r"\.\s", said)) >= 2, title


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_recipe_stands_in_the_index(page: Path) -> None:
    missing = [title for title in titles(page) if f"[{title}]({page.name}#" not in INDEX]
    assert missing == []


def test_the_index_shows_the_config_that_the_recipes_are_checked_with() -> None:
    (shown,) = [block for block in blocks("yaml") if block.page == FOLDER / "README.md"]
    assert shown.text == (FOLDER / "config.yaml").read_text()


def test_the_cookbook_uses_every_word_of_the_language() -> None:
    words = Words(campaign_schema())
    used = set().union(*(words.used(parsed(recipe)) for recipe in RECIPES))
    assert words.known() - used == set()


def test_a_word_that_no_campaign_uses_would_be_seen() -> None:
    words = Words(campaign_schema())
    campaign = parsed(RECIPES[0])
    del campaign["goal"]
    assert {"goal", "goal.event"} <= words.known() - words.used(campaign)
