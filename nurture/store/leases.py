"""Claims whose worker is gone, and messages nobody claimed in time: what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from nurture.store.database import Transaction
from nurture.store.outbox import CLAIMED, ENDED_ON_THE_WIRE, Claimed
from nurture.store.tables import enrollments, messages


def end_leases(
    tx: Transaction, now: datetime, *, worker: str | None = None, everybody: bool = False
) -> tuple[int, list[int]]:
    """Leases that ended: claimed → pending; sending → unknown, since the server may have taken it. With `worker` all of
    that worker's, with `everybody` all there are, for a worker that knows that the others live no more. A message that
    kept its bytes goes again with them: that is its stream's policy (trust E18). (how many are pending again, ids now
    unknown)."""
    c = messages.c
    over = c.lease_until <= now
    if worker is not None:
        over = c.worker == worker
    elif everybody:
        over = c.state.in_(("claimed", "sending"))
    if tx.dialect.name == "postgresql":
        # What another transaction holds is being settled, or its client stands still: it is not waited for.
        free = select(c.id).where(over, c.state.in_(("claimed", "sending"))).order_by(c.id)
        over = c.id.in_([row[0] for row in tx.execute(free.with_for_update(skip_locked=True))])
    freed: dict[str, Any] = {"fence": c.fence + 1, "lease_until": None}
    again = c.body.is_not(None)
    back = tx.execute(
        update(messages)
        .where(over & ((c.state == "claimed") | ((c.state == "sending") & again)))
        .values(state="pending", **freed)
    ).rowcount
    unknown = tx.execute(
        update(messages)
        .where(c.state == "sending", over)
        .values(state="unknown", sent_at=now, reason=ENDED_ON_THE_WIRE, **freed)
        .returning(c.id)
    )
    return back, [row[0] for row in unknown]


def under_way(tx: Transaction, worker: str) -> list[Claimed]:
    """What this worker had on the wire or was about to put there."""
    query = select(*CLAIMED).where(messages.c.state == "sending", messages.c.worker == worker)
    return [Claimed(*row) for row in tx.execute(query.order_by(messages.c.id))]


def expire(tx: Transaction, now: datetime) -> list[int]:
    """pending longer than `expires_after` → failed(expired); their ids (S25)."""
    c = messages.c
    gone = tx.execute(
        update(messages)
        .where(c.state == "pending", c.expires_at <= now)
        .values(state="failed", reason="expired")
        .returning(c.id)
    )
    return [row[0] for row in gone]


def held_enrollments(tx: Transaction, message_ids: Sequence[int]) -> list[int]:
    """Enrollments of these messages that are still open, for waking."""
    c = messages.c
    query = (
        select(c.enrollment_id)
        .join(enrollments, enrollments.c.id == c.enrollment_id)
        .where(c.id.in_(message_ids), enrollments.c.state == "waiting")
    )
    return [row[0] for row in tx.execute(query)]
