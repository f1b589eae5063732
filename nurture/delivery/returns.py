"""Mail to our envelope senders: read out of its box, acted on, and only then put away (trust E25).

A mail leaves the box after the commit of what it said, never before: a worker that is killed in between reads it once
more, and what was noted is noted once (trust E24). What a person may want to see is kept as seen, the rest deleted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from nurture.engine.feedback import Feedback, Taken
from nurture.engine.live import Live
from nurture.engine.turn import Turn
from nurture.mail.report import Kind, read_report
from nurture.store.database import Database

log = structlog.get_logger()

LONGEST = 1024 * 1024  # octets read of a mail; a report's own parts stand at its beginning
PAGE = 500  # mails of one run
_DONE: frozenset[Taken] = frozenset(("bounced", "complained", "unsubscribed", "delivered", "repeated", "late"))


class Opened(Protocol):
    """A box that is being read."""

    def new(self, limit: int) -> list[str]:
        """The names of mails nobody has looked at, oldest first."""

    def fetch(self, name: str, longest: int) -> bytes | None:
        """The mail's first octets; None where there is nothing to read any more."""

    def put_away(self, name: str, *, keep: bool) -> None:
        """Delete it, or keep it as seen."""


class Box(Protocol):
    """Where returned mail arrives. `every`: seconds between two looks into it."""

    @property
    def every(self) -> float: ...

    def check(self) -> None:
        """Raises UserError for what only a person can mend."""

    def opened(self) -> AbstractContextManager[Opened]:
        """Raises UserError where it cannot be read now."""


@dataclass(frozen=True)
class Returns:
    """Reads one box. `crash` names points at which tests end the process."""

    box: Box
    database: Database
    feedback: Feedback
    crash: Callable[[str], None] = lambda _point: None

    def read(self, live: Live, now: datetime, limit: int = PAGE) -> Counter[str]:
        """Act on what is new, oldest first; how often each thing came of it."""
        counts: Counter[str] = Counter()
        with self.box.opened() as box:
            for name in box.new(limit):
                counts.update(self._take(live, box, name, now))
        if counts:
            log.info("returns.read", **counts)
        return counts

    def _take(self, live: Live, box: Opened, name: str, now: datetime) -> list[Taken]:
        data = box.fetch(name, LONGEST)
        if data is None:
            return []
        notices = read_report(data)
        with self.database.write() as tx:
            turn = Turn(tx, live)
            taken = self.feedback.take(turn, notices, now)
            turn.flush()
            self.crash("taken")
        self.crash("committed")
        done = all(t in _DONE or n.kind in _MACHINES for t, n in zip(taken, notices, strict=True))
        box.put_away(name, keep=not done)
        return list(taken)


# Nobody wants to see these again, whosever they are; replies, forgeries and the unreadable stay for a person.
_MACHINES: Sequence[Kind] = (Kind.AUTORESPONDED, Kind.DEFERRED)
