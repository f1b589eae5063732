"""The error tree.

    NurtureError
    ├── UserError            exit 1: the user's own problem, told plainly with a hint
    │   ├── ProjectProblems  exit 1: findings in campaigns, templates, config; carries them all
    │   └── NotFound         exit 1: a lead, a campaign, a template that is not there
    ├── StoreError           exit 3: the database refused something we thought possible
    │   ├── SchemaMismatch   exit 1: the database is at another schema than this program
    │   └── LostRace         a guarded write found the row already moved
    ├── StoreUnavailable     exit 1: disk full, read-only, connection lost; callers answer 503 and try later
    └── Bug                  exit 3: ours

Library errors stop at the edge of their module and arrive here with `__cause__` kept.
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_USER = 1
EXIT_BUG = 3
EXIT_INTERRUPTED = 130


class NurtureError(Exception):
    """Root of everything this program raises on purpose; `exit_code` is what the command ends with."""

    exit_code = EXIT_BUG

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UserError(NurtureError):
    """The user can mend this; `message` is in their words, `hint` says how."""

    exit_code = EXIT_USER


class NotFound(UserError):
    """Something the user named is not there."""


class StoreError(NurtureError):
    """The database refused something we thought possible."""


class SchemaMismatch(UserError):
    """The database is at another schema than this program needs."""


class LostRace(StoreError):
    """A guarded write found that somebody else had moved the row."""


class StoreUnavailable(NurtureError):
    """The database cannot be written now: full, read-only or gone. Nothing was changed."""

    exit_code = EXIT_USER


class Bug(NurtureError):
    """Ours; the command prints a log to paste."""
