"""Mails that came back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import bindparam, func, select, update

from nurture.store.database import Transaction
from nurture.store.tables import messages


def mark(tx: Transaction, kinds: Mapping[int, str], at: datetime) -> None:
    """These mails, message → kind of bounce, came back."""
    c = messages.c
    statement = update(messages).where(c.id == bindparam("b_id")).values(bounced_at=at, bounce=bindparam("b_kind"))
    if kinds:
        tx.execute(statement, [{"b_id": message, "b_kind": kind} for message, kind in kinds.items()])


def count(tx: Transaction, lead: int, mailbox: str, kind: str, since: datetime) -> int:
    """How many of the lead's mails to this address (its keyed hash) came back since then in this way. What came back
    from an address before says nothing of this one. Uses ix_messages_lead_released."""
    c = messages.c
    query = select(func.count()).where(
        c.lead_id == lead, c.mailed_to == mailbox, c.bounced_at >= since, c.bounce == kind
    )
    return tx.execute(query).scalar_one()
