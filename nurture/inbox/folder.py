"""The mails that `transport: folder` wrote, one file each, as an inbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.utils import getaddresses
from pathlib import Path

from nurture.campaign.project import Project
from nurture.inbox.letter import Letter, named
from nurture.store.database import Transaction

WORDS = (
    "These mails lie in the folder that 'transport: folder' in config.yaml names. Nobody else has got them. Choose one "
    "on the left: it looks as its reader sees it.",
    "The links to unsubscribe, to preferences, to forms and to confirm work while 'nurture run' runs.",
)


class FolderInbox:
    """Reads what is new each time it is asked. `reading` opens the project's database, None where there is none yet."""

    def __init__(
        self, project: Project, folder: Path, reading: Callable[[], AbstractContextManager[Transaction | None]]
    ) -> None:
        self.project = project
        self._folder = folder
        self._reading = reading
        self._known: dict[tuple[str, int], Letter] = {}

    def letters(self) -> Sequence[Letter]:
        """All of them, oldest first, with the names of their campaigns."""
        files = {(path.name, path.stat().st_mtime_ns): path for path in self._folder.glob("*.eml")}
        new = {key: _letter(path, key[1]) for key, path in files.items() if key not in self._known}
        if new:
            with self._reading() as tx:
                told = named(tx, list(new.values())) if tx is not None else list(new.values())
            self._known |= dict(zip(new, told, strict=True))
        return sorted((self._known[key] for key in files), key=lambda letter: (letter.at, letter.number))


def _letter(path: Path, written_ns: int) -> Letter:
    """A file's mail; the file's name is its number in the outbox."""
    raw = path.read_bytes()
    number = int(path.stem) if path.stem.isdecimal() else 0
    recipient = next(iter(getaddresses(message_from_bytes(raw, policy=policy.default).get_all("To", []))), ("", ""))
    at = datetime.fromtimestamp(written_ns / 1e9, UTC)
    return Letter(number, at, "", recipient[1], raw, number, name=recipient[0])
