"""`nurture init`: a new project that runs."""

from __future__ import annotations

import os
import secrets
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import JsonOption, print_json
from nurture.errors import NotFound, UserError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

STARTER = "starter"
_RENAMED = {"gitignore": ".gitignore"}  # a package may not carry the dotted one


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or an empty one.")],
    playbook: Annotated[str, typer.Option("--playbook", metavar="NAME", help="What to begin with.")] = STARTER,
    as_json: JsonOption = False,
) -> None:
    """Make a new project that runs: a campaign with its tests, its mails, a config, a secret of its own."""
    source = _playbook(playbook)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty", hint="name a new folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = sorted(_copy(source, folder))
        _write_secret(folder / "secret.key")
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}") from error
    if as_json:
        print_json({"folder": str(folder), "playbook": playbook, "files": [*written, "secret.key"]})
        return
    typer.echo(f"{folder} is ready. Next:\n\n  cd {folder}\n  nurture test\n  nurture deploy\n  nurture run")


def _playbook(name: str) -> Traversable:
    from nurture.campaign.problems import did_you_mean

    root = files("nurture") / "playbooks"
    known = sorted(f.name for f in root.iterdir() if f.is_dir() and f.joinpath("config.yaml").is_file())
    if name not in known:
        hint = did_you_mean(name, known) or f"there are: {', '.join(known)}"
        raise NotFound(f"there is no playbook '{name}'", hint=hint)
    return root / name


def _copy(source: Traversable, target: Path, below: str = "") -> list[str]:
    """Copy everything; the paths written, below the project."""
    written = []
    for item in source.iterdir():
        name = _RENAMED.get(item.name, item.name)
        if item.is_dir():
            if name != "__pycache__":
                (target / name).mkdir()
                written += _copy(item, target / name, f"{below}{name}/")
        else:
            (target / name).write_bytes(item.read_bytes())
            written.append(f"{below}{name}")
    return written


def _write_secret(path: Path) -> None:
    """A secret nobody else may read."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
