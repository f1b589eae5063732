"""Mails that come with nurture; a project may have its own of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources


def builtin_files() -> dict[str, str]:
    """The texts of the built-in mails, by path."""
    folder = resources.files("nurture.mail.builtin").joinpath("consent")
    return {
        f"consent/{file.name}": file.read_text("utf-8")
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith((".html", ".txt"))
    }


def with_builtin(files: Mapping[str, str]) -> dict[str, str]:
    """A project's template files and the built-in ones beside them.

    A project with any `consent/confirm` of its own gets none of ours: half of each would mix languages.
    """
    own = any(path.startswith("consent/confirm.") for path in files)
    return {**({} if own else builtin_files()), **files}
