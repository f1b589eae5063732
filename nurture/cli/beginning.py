"""`nurture init`: a new project that runs."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from nurture.cli.console import JsonOption, print_json
from nurture.errors import NotFound, UserError

STARTER = "starter"


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or an empty one.")],
    playbook: Annotated[str, typer.Option("--playbook", metavar="NAME", help="What to begin with.")] = STARTER,
    as_json: JsonOption = False,
) -> None:
    """Make a new project that runs: a campaign with its tests, its mails, a config, a secret of its own."""
    from nurture.cli.schema import hint_for, write_schemas

    written = _files(playbook)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty", hint="name a new folder")
    try:
        for path, content in written.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(hint_for(path) + content)
        _write_secret(folder / "secret.key")
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}") from error
    schemas = [str(path.relative_to(folder)) for path in write_schemas(folder)]
    if as_json:
        print_json({"folder": str(folder), "playbook": playbook, "files": [*sorted(written), *schemas, "secret.key"]})
        return
    typer.echo(f"{folder} is ready. Next:\n\n  cd {folder}\n  nurture test\n  nurture deploy\n  nurture run")


def _files(playbook: str) -> dict[str, bytes]:
    from nurture.campaign.problems import did_you_mean
    from nurture.cli import playbooks

    known = playbooks.listed()
    if playbook not in known:
        meant = did_you_mean(playbook, list(known))
        width = max(map(len, known))
        there_are = "\n".join(f"  {name:<{width}}  {line}" for name, line in known.items())
        raise NotFound(
            f"there is no playbook '{playbook}'",
            hint=f"{meant or ''} there are:\n{there_are}".lstrip(),
        )
    return playbooks.files_of(playbook)


def _write_secret(path: Path) -> None:
    """A secret nobody else may read."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
