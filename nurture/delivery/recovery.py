"""Taking over what a worker that died had claimed: from its journal where it can be read, else when its leases end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import structlog

from nurture.delivery import journal
from nurture.delivery.journal import Fate
from nurture.engine import outcomes
from nurture.engine.live import Live
from nurture.engine.turn import Turn
from nurture.store import enrollments, leases, outbox
from nurture.store.database import Database
from nurture.store.outbox import Claimed, Result

log = structlog.get_logger()


def adopt(database: Database, live: Live, folder: Path, now: datetime) -> int:
    """Settle the messages of workers of this machine that live no more; how many became unknown."""
    unknown = 0
    for found in journal.orphans(folder):
        with database.write() as tx:
            sending = leases.under_way(tx, found.worker)
            unknown += settle(Turn(tx, live), sending, found.fates, now)
            back, _ = leases.end_leases(tx, now, worker=found.worker)
        journal.forget(found)
        log.warning("worker.adopted", worker=found.worker, pending_again=back, sending=len(sending), unknown=unknown)
    return unknown


def settle(turn: Turn, sending: list[Claimed], fates: Mapping[tuple[int, int], Fate], now: datetime) -> int:
    """Give each message the end its journal tells of: sent, unknown (what kept its bytes goes again with them: that is
    its stream's policy, trust E18), or never begun and so pending. How many are unknown."""
    results, returned = [], []
    for m in sending:
        fate = fates.get((m.id, m.fence))
        if fate == "sent":
            results.append(Result(m.id, m.fence, "sent", now, "told by the journal", code=250))
        elif fate == "dotted" and m.body is None:
            results.append(Result(m.id, m.fence, "unknown", now, outbox.ENDED_ON_THE_WIRE))
        else:
            returned.append((m.id, m.fence))
    outcomes.settle(turn, {m.id: m for m in sending}, results)
    outbox.give_back(turn.tx, returned)
    turn.flush()
    return sum(r.state == "unknown" for r in results)


def end_leases(database: Database, live: Live, now: datetime, machine: datetime, *, alone: bool = False) -> None:
    """Leases that ended without a journal to read: claimed goes back, sending is unknown. `alone`: this worker holds
    the file's lock, so every claim that stands is a dead worker's."""
    with database.write() as tx:
        back, unknown = leases.end_leases(tx, machine, everybody=alone)
        woken = leases.held_enrollments(tx, unknown) if unknown else []
        if woken:
            enrollments.wake(tx, woken, "earlier mail", now)
        expired = leases.expire(tx, now)
    if back or unknown or expired:
        log.warning("leases.ended", pending_again=back, unknown=len(unknown), expired=len(expired))
