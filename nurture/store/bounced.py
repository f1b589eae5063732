"""Mails that came back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update

from nurture.store.database import Transaction
from nurture.store.tables import messages


def mark(tx: Transaction, message_ids: Sequence[int], at: datetime) -> None:
    tx.execute(update(messages).where(messages.c.id.in_(message_ids)).values(bounced_at=at))


def count(tx: Transaction, lead: int, since: datetime) -> int:
    """How many of the lead's mails came back since then."""
    query = select(func.count()).where(messages.c.lead_id == lead, messages.c.bounced_at >= since)
    return tx.execute(query).scalar_one()
