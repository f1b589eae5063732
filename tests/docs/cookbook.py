"""The cookbook as one project: its config.yaml, every recipe as a campaign, and a plain template for every mail."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.docs.pages import DOCS, Block, blocks

FOLDER = DOCS / "cookbook"
PAGES = [page for page in sorted(FOLDER.glob("*.md")) if page.name != "README.md"]
_RECIPE = re.compile(r"^## (.+)$", re.MULTILINE)

_MAIL = """\
---
subject: A word from {{ sender.name }}
---
<p>Hello.</p>
<p><a href="{{ links.unsubscribe }}">Unsubscribe</a> · {{ sender.postal_address }}</p>
"""
_SERVICE = "---\nsubject: What you asked for\n---\n<p>Here it is.</p>\n"


def titles(page: Path) -> list[str]:
    """The recipes of a page."""
    return _RECIPE.findall(page.read_text())


def recipes() -> list[Block]:
    """Every campaign of the cookbook."""
    return [block for block in blocks("yaml") if block.page in PAGES and block.text.startswith("campaign:")]


def parsed(recipe: Block) -> Any:
    return yaml.load(recipe.text, yaml.BaseLoader)


def name(recipe: Block) -> str:
    return str(parsed(recipe)["campaign"])


def write_project(root: Path) -> Path:
    """All of it as a project that `nurture` takes. Templates that a page shows are as it shows them."""
    (root / "campaigns").mkdir(parents=True)
    shutil.copy(FOLDER / "config.yaml", root)
    for recipe in recipes():
        (root / "campaigns" / f"{name(recipe)}.yaml").write_text(recipe.text)
        for template, text in _templates(parsed(recipe)):
            _write(root / "templates" / f"{template}.html", text)
    for block in blocks("html"):
        if block.page in PAGES and block.file:
            _write(root / block.file, block.text)
    return root


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _templates(node: Any) -> Iterator[tuple[str, str]]:
    """Each mail and notice the steps name, with something to send."""
    if isinstance(node, dict):
        if "send" in node:
            send, text = node["send"], _SERVICE if node.get("class") == "service" else _MAIL
            yield from ((one, text) for one in (send["variants"] if isinstance(send, dict) else [send]))
        if "template" in node:
            yield node["template"], _SERVICE
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _templates(inner)


if __name__ == "__main__":  # to look at it: python -m tests.docs.cookbook FOLDER
    import sys

    write_project(Path(sys.argv[1]))
