"""The Maildir that mail to our envelope senders is delivered to: read, acted on, and only then put away (trust E25).

A file leaves `new/` after the commit of what it said, never before: a worker that is killed in between reads it once
more, and what was noted is noted once (trust E24). What a person may want to see is moved to `cur/`, the rest deleted.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from nurture.engine.feedback import Feedback, Taken
from nurture.engine.live import Live
from nurture.engine.turn import Turn
from nurture.errors import UserError
from nurture.mail.report import Kind, read_report
from nurture.store.database import Database

log = structlog.get_logger()

LONGEST = 1024 * 1024  # octets read of a mail; a report's own parts stand at its beginning
PAGE = 500  # files of one run
_SEEN = ":2,S"  # the flags of a mail that was looked at (https://cr.yp.to/proto/maildir.html)
_DONE: frozenset[Taken] = frozenset(("bounced", "complained", "unsubscribed", "delivered", "repeated", "late"))


@dataclass(frozen=True)
class Returns:
    """Reads one Maildir. `crash` names points at which tests end the process."""

    path: Path
    database: Database
    feedback: Feedback
    crash: Callable[[str], None] = lambda _point: None

    def check(self) -> None:
        """Raises UserError where the folder is no Maildir."""
        if not (self.path / "new").is_dir():
            raise UserError(
                f"'{self.path}' is no Maildir: it has no folder 'new'",
                hint="a mail server makes it with the first mail, or 'maildirmake' does",
            )

    def read(self, live: Live, now: datetime, limit: int = PAGE) -> Counter[str]:
        """Act on what is new, oldest first; how often each thing came of it."""
        counts: Counter[str] = Counter()
        for name in self._new(limit):
            taken = self._take(live, self.path / "new" / name, now)
            counts.update(taken)
        if counts:
            log.info("returns.read", **counts)
        return counts

    def waiting(self) -> bool:
        """Whether there is a mail nobody has looked at."""
        return bool(self._new(1))

    def _new(self, limit: int) -> list[str]:
        try:
            return sorted(n for n in os.listdir(self.path / "new") if not n.startswith("."))[:limit]
        except OSError as error:
            raise UserError(f"the Maildir '{self.path}' cannot be read: {error.strerror}") from error

    def _take(self, live: Live, file: Path, now: datetime) -> list[Taken]:
        try:
            with file.open("rb") as opened:
                data = opened.read(LONGEST)
        except FileNotFoundError:
            return []  # another worker was faster
        except OSError as error:
            log.error("returns.unreadable", why=error.strerror)
            return []
        notices = read_report(data)
        with self.database.write() as tx:
            turn = Turn(tx, live)
            taken = self.feedback.take(turn, notices, now)
            turn.flush()
            self.crash("taken")
        self.crash("committed")
        done = all(t in _DONE or n.kind in _MACHINES for t, n in zip(taken, notices, strict=True))
        self._put_away(file, keep=not done)
        return list(taken)

    def _put_away(self, file: Path, *, keep: bool) -> None:
        with suppress(FileNotFoundError):
            if keep:
                (self.path / "cur").mkdir(exist_ok=True)
                file.rename(self.path / "cur" / (file.name.partition(":2,")[0] + _SEEN))
            else:
                file.unlink()


# Nobody wants to see these again, whosever they are; replies, forgeries and the unreadable stay for a person.
_MACHINES: Sequence[Kind] = (Kind.AUTORESPONDED, Kind.DEFERRED)
