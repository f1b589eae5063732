"""A Maildir as the box that returned mail arrives in: `new/` is read, what is done with leaves it (trust E25)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

from nurture.errors import UserError

log = structlog.get_logger()

_SEEN = ":2,S"  # the flags of a mail that was looked at (https://cr.yp.to/proto/maildir.html)


@dataclass(frozen=True)
class Maildir:
    """`path` holds the folders `new`, `cur` and `tmp`."""

    path: Path
    every: float = 15.0  # seconds between two looks; looking costs one listing of a folder

    def check(self) -> None:
        """Raises UserError where the folder is no Maildir."""
        if not (self.path / "new").is_dir():
            raise UserError(
                f"'{self.path}' is no Maildir: it has no folder 'new'",
                hint="a mail server makes it with the first mail, or 'maildirmake' does",
            )

    @contextmanager
    def opened(self) -> Iterator[Self]:
        yield self

    def new(self, limit: int) -> list[str]:
        """The names of mails nobody has looked at, oldest first."""
        try:
            return sorted(n for n in os.listdir(self.path / "new") if not n.startswith("."))[:limit]
        except OSError as error:
            raise UserError(f"the Maildir '{self.path}' cannot be read: {error.strerror}") from error

    def fetch(self, name: str, longest: int) -> bytes | None:
        """The mail's first octets; None where another worker was faster, or it cannot be read."""
        try:
            with (self.path / "new" / name).open("rb") as opened:
                return opened.read(longest)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.error("returns.unreadable", why=error.strerror)
            return None

    def put_away(self, name: str, *, keep: bool) -> None:
        """Delete it, or keep it in `cur` as seen."""
        file = self.path / "new" / name
        with suppress(FileNotFoundError):
            if keep:
                (self.path / "cur").mkdir(exist_ok=True)
                file.rename(self.path / "cur" / (name.partition(":2,")[0] + _SEEN))
            else:
                file.unlink()
