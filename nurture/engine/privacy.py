"""A person's rights: to be forgotten (campaigns.md S28, trust C23)."""

from __future__ import annotations

from datetime import datetime

import structlog

from nurture.engine.turn import Turn
from nurture.engine.writing import leave
from nurture.lead.consent import ALL_MARKETING, Declaration, Proof
from nurture.lead.permission import MARKETING
from nurture.store import enrollments, erasing, ledger, outbox, suppressions

log = structlog.get_logger()

ERASED = "erased"


def erase(turn: Turn, lead: int, actor: str, now: datetime) -> None:
    """Take a lead out. Pending messages are cancelled, enrollments end, everything that names the person is removed;
    the address stays suppressed by its keyed hash, so that no import brings the person back. A mail on the wire goes
    out, and its outcome is kept without the person."""
    turn.load([lead])
    address_hash = erasing.address_of(turn.tx, lead)
    leave(turn, [(e, ERASED, now) for e in enrollments.open_of(turn.tx, [lead])])
    outbox.cancel_lead(turn.tx, lead, ERASED)
    turn.flush()
    if address_hash is not None:
        suppressions.suppress(turn.tx, [(address_hash, MARKETING, ERASED)], now)
    said = Declaration(lead, ALL_MARKETING, "withdraw", "operator", actor, now, Proof(method="erasure"))
    ledger.forget(turn.tx, lead, said, turn.live.keyring, now)
    erasing.erase(turn.tx, lead)
    log.info("lead.erased", lead=lead)
