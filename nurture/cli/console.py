"""What commands share: the `--project` and `--json` options, the project they work on, JSON on stdout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any

import typer

from nurture.errors import UserError
from nurture.folder import Folder, find_root, read_folder

chosen_before: ContextVar[Path | None] = ContextVar("project", default=None)  # `--project` before the command
ProjectOption = Annotated[
    Path | None, typer.Option("--project", metavar="DIR", help="The project's folder, if not found upward from here.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]


def project_root(project: Path | None, start: Path | None = None) -> Path:
    """The project's folder: from `--project` before or after the command, else upward from `start` or here. Raises
    UserError where there is none."""
    return find_root(start or Path.cwd(), project or chosen_before.get())


def open_folder(project: Path | None) -> Folder:
    """All texts of the project. Raises UserError where there is none, or it cannot be read."""
    return read_folder(project_root(project))


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def counted(number: int, word: str) -> str:
    """`1 lead`, `2,000 leads`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def named_values(pairs: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` options as a mapping. Raises UserError for what is none."""
    given = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise UserError(f"'{pair}' is not NAME=VALUE")
        given[name.strip()] = value.strip()
    return given


def write_file(path: Path, content: str | bytes) -> None:
    """Raises UserError where it cannot be written."""
    try:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def open_in_browser(what: Path | str) -> None:
    """Open a browser on a file or an address, where there is a desktop to open it on."""
    import os
    import sys
    import webbrowser

    desktop = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if desktop:
        webbrowser.open(what if isinstance(what, str) else what.resolve().as_uri())
