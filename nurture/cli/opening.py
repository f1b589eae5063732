"""Opening a project's database for a command: what config.yaml says, the tables there, the keys at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nurture.cli.console import open_folder

if TYPE_CHECKING:
    from nurture.campaign.project import Project
    from nurture.engine.consent import ConsentRules
    from nurture.folder import Folder
    from nurture.lead.keyring import Keyring
    from nurture.store.database import Database


@dataclass(frozen=True)
class Opened:
    """The project as config.yaml has it now, and its database at this program's schema."""

    folder: Folder
    project: Project
    database: Database

    def keyring(self) -> Keyring:
        """Keys of the project's secrets. Raises ProjectProblems where one is missing."""
        from nurture.lead.keyring import Keyring
        from nurture.settings import load_settings, read_language

        got = read_language(self.folder, os.environ).got
        written = tuple(got.get("secrets", ()) or ()) if got is not None else ()
        if not written or any("${" in secret for secret in written):
            written = load_settings(self.folder, os.environ).secrets
        return Keyring(written)

    def consent_rules(self) -> ConsentRules:
        """What a change of consent is judged by: this project, and the campaigns that are live."""
        from nurture.engine.consent import ConsentRules
        from nurture.engine.live import load_live

        keyring = self.keyring()
        with self.database.read() as tx:
            live = load_live(tx, keyring)
        if live is None:
            return ConsentRules(self.project, keyring)
        return replace(live.consent_rules, project=self.project)


@contextmanager
def as_it_is(folder: Folder) -> Iterator[Database]:
    """The project's database for a look: neither made nor brought up to date, so it may be `missing`. Raises
    SchemaMismatch for one of another version."""
    from nurture.settings import database_url
    from nurture.store import migrate
    from nurture.store.database import open_database

    database = open_database(database_url(folder, os.environ))
    try:
        if not database.missing:
            migrate.check(database)
        yield database
    finally:
        database.close()


@contextmanager
def opened(project: Path | None) -> Iterator[Opened]:
    """The project of this command. Raises ProjectProblems for errors in config.yaml, SchemaMismatch for a database of
    another version; a SQLite file that is not there yet is made."""
    from nurture.campaign.problems import ProjectProblems, errors
    from nurture.settings import database_url, read_language
    from nurture.store import migrate
    from nurture.store.database import open_database
    from nurture.store.suppression_journal import suppression_journal

    folder = open_folder(project)
    language = read_language(folder, os.environ)
    wrong = errors(language.problems)
    if wrong:
        raise ProjectProblems(wrong)
    database = open_database(database_url(folder, os.environ))
    database.journal = suppression_journal(folder.root)
    try:
        if database.is_sqlite and migrate.present(database) is None:
            migrate.upgrade(database)
        migrate.check(database)
        yield Opened(folder, language.project, database)
    finally:
        database.close()
