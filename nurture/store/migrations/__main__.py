"""Draft a migration from what the tables have become. For us who write them, not for who runs them.

    python -m nurture.store.migrations NAME        the next step, from the last one to the tables as they are
    python -m nurture.store.migrations --initial   0001 anew; only before the first release

A draft is read and mended before it is committed: Alembic sees no renames, and no data.
"""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command

from nurture.store.database import open_database
from nurture.store.migrate import configuration, revisions, upgrade

HERE = Path(__file__).parent / "versions"


def draft(name: str, *, initial: bool = False) -> Path:
    """Write the next revision file, numbered from the last; returns its path."""
    if initial:
        for old in HERE.glob("[0-9]*.py"):
            old.unlink()
    known = revisions()
    number = f"{len(known) + 1:04}"
    database = open_database("sqlite://")
    if known:
        upgrade(database)
    with database.write() as tx:
        config = configuration(tx)
        config.set_main_option("file_template", f"%%(rev)s_{name.lower().replace(' ', '_')}")
        config.attributes["batch"] = bool(known)  # SQLite alters a table only by building it anew
        command.revision(config, message=name, rev_id=number, autogenerate=True)
    database.close()
    written = next(HERE.glob(f"{number}_*.py"))
    lines = written.read_text().splitlines(keepends=True)
    written.write_text("".join(line for line in lines if "# ###" not in line))
    return written


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--initial"]:
            written = draft("Initial", initial=True)
        case [name]:
            written = draft(name)
        case _:
            sys.exit(__doc__)
    sys.stdout.write(f"{written}\n")
