"""`nurture db`: the schema of the database, and copies of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import JsonOption, ProjectOption, open_folder, print_json

if TYPE_CHECKING:
    from nurture.store.database import Database

app = typer.Typer(help="The database: bring its schema up to date, copy it.", no_args_is_help=True)


def _open(project: Path | None) -> Database:
    from nurture.settings import database_url
    from nurture.store.database import open_database

    return open_database(database_url(open_folder(project), os.environ))


@app.command("upgrade")
def upgrade(
    no_backup: Annotated[bool, typer.Option("--no-backup", help="Do not copy a SQLite file before.")] = False,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Bring the database to the schema this program needs, or make a new one. A SQLite file is copied first; back up a
    PostgreSQL database yourself."""
    from nurture.store import migrate

    database = _open(project)
    try:
        before, copy = migrate.present(database), None
        if before not in (None, migrate.needed()) and database.path is not None and not no_backup:
            copy = _free(database.path, before)
            migrate.backup(database, copy)
        before, after = migrate.upgrade(database)
    finally:
        database.close()
    if as_json:
        print_json({"from": before, "to": after, "backup": str(copy) if copy else None})
        return
    if copy:
        typer.echo(f"copied to {copy}")
    if before == after:
        typer.echo(f"the database is at schema {after}; nothing to do")
    else:
        typer.echo(f"the database is now at schema {after}" + (f", it was at {before}" if before else ""))


def _free(path: Path, schema: str | None) -> Path:
    """A name beside the database that no file has yet."""
    wanted = path.with_name(f"{path.stem}-before-upgrade-from-{schema}{path.suffix}")
    found, n = wanted, 1
    while found.exists():
        n += 1
        found = wanted.with_name(f"{wanted.stem}-{n}{wanted.suffix}")
    return found


@app.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; a file of that name must not exist.")],
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Copy a SQLite database whole, while it is in use. The copy is checked, and readable by you alone: it holds
    people's addresses."""
    from nurture.errors import UserError
    from nurture.store import migrate

    database = _open(project)
    try:
        if database.missing:
            raise UserError(f"there is no database yet at {database.path}", hint="run 'nurture db upgrade' to make one")
        migrate.backup(database, file)
    finally:
        database.close()
    size = file.stat().st_size
    if as_json:
        print_json({"file": str(file), "bytes": size})
    else:
        typer.echo(f"copied to {file}, {size / 1e6:.1f} MB")
