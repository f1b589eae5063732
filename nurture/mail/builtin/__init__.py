"""Mails that come with nurture; a project may have its own of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

from nurture.mail.template import template, template_names


@cache
def builtin_mails() -> Mapping[str, Mapping[str, str]]:
    """The files of each built-in mail, its layout among them: by name, then by path."""
    folder = resources.files("nurture.mail.builtin")
    files = {
        f"{group.name}/{file.name}": file.read_text("utf-8")
        for group in folder.iterdir()
        if group.is_dir()
        for file in group.iterdir()
        if file.name.endswith((".html", ".txt"))
    }
    return {name: template(name, files).files for name in template_names(files)}


def with_builtin(files: Mapping[str, str]) -> dict[str, str]:
    """A project's template files and the built-in mails beside them.

    A project with any `consent/confirm` of its own gets none of ours: half of each would mix languages.
    """
    own = set(template_names(files))
    ours: dict[str, str] = {}
    for name, found in builtin_mails().items():
        if name not in own:
            ours |= found
    return {**ours, **files}
