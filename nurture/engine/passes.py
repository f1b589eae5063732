"""One tick's work over some shards: sweeps, reactions, due steps, each batch in a short transaction of its own.

Called by the embedded worker for all shards, and by the fleet's jobs for one. On PostgreSQL a shard's row is locked for
the length of a transaction, so that two workers never play one shard at once, whoever coordinates them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from nurture.clock import Stopwatch
from nurture.engine.advance import Pass, advance_batch, wake_overtaken
from nurture.engine.deploy import sweep_batch
from nurture.engine.live import Live, load_live
from nurture.engine.react import react_batch
from nurture.errors import LostRace
from nurture.lead.keyring import Keyring
from nurture.store.database import Database, Transaction
from nurture.store.scope import Scope
from nurture.store.shards import lock_shards

log = structlog.get_logger()

ATTEMPTS = 5  # of a transaction that another one overtook


@dataclass
class Passes:
    """The passes of one worker. `live` is kept until a deploy makes another; `allowed` is the staging guard's (trust
    R18)."""

    database: Database
    keyring: Keyring
    allowed: Callable[[str], bool] | None = None
    live: Live | None = None
    stopping: Callable[[], bool] = field(default=lambda: False)
    _moved: Stopwatch | None = None

    def standing(self) -> float:
        """Seconds since the run under way began its last batch, none of which takes long: a run that hangs stands
        longer and longer (trust R16). 0 where none is under way."""
        moved = self._moved
        return moved.seconds() if moved is not None else 0.0

    def run(self, now: datetime, shards: Sequence[int] | None = None) -> int:
        """Everything that is due in these shards (None: all) at `now`; how many items were played."""
        self._moved = Stopwatch()
        try:
            return self._run(now, shards)
        finally:
            self._moved = None

    def _run(self, now: datetime, shards: Sequence[int] | None) -> int:
        with self.database.read() as tx:
            self.live = live = load_live(tx, self.keyring, self.live, self.allowed)
        if live is None:
            return 0
        played, ran = 0, Pass()
        for step in (
            lambda tx, scope: sweep_batch(tx, live, scope, now),
            lambda tx, scope: react_batch(tx, live, scope),
            lambda tx, scope: advance_batch(tx, live, scope, ran),
            lambda tx, scope: react_batch(tx, live, scope),
        ):
            while not self.stopping():
                done = self._transact(step, now, shards)
                played += done
                if not done:
                    break
        if ran.behind and not self.database.is_sqlite:  # where writers take turns nothing is overtaken
            with self.database.write() as tx:
                wake_overtaken(tx, ran, now)
        return played

    def _transact(self, step: Callable[[Transaction, Scope], int], now: datetime, shards: Sequence[int] | None) -> int:
        for attempt in range(1, ATTEMPTS + 1):
            self._moved = Stopwatch()
            try:
                with self.database.write() as tx:
                    mine = lock_shards(tx, shards)
                    return step(tx, Scope(now, None if mine is None else tuple(mine))) if mine != [] else 0
            except LostRace as race:
                log.info("pass.retried", attempt=attempt, why=race.message)
        return 0
