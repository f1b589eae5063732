"""What happened to a mail after it was sent, and small look-ups for one lead."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, update

from nurture.store.database import Transaction
from nurture.store.tables import consents, messages


def mark_mail(tx: Transaction, lead: int, mail: str, what: str, at: datetime) -> dict[str, Any]:
    """Mark the lead's latest sent mail of this name (template or step; "any") as opened, clicked, bounced or replied
    to; what the event says of it, empty where there is no such mail."""
    c = messages.c
    query = select(c.id, c.template, c.step, c.campaign).where(
        c.lead_id == lead, c.kind == "mail", c.state.in_(("sent", "unknown"))
    )
    if mail != "any":
        query = query.where(or_(c.template == mail, c.step == mail))
    row = tx.execute(query.order_by(c.sent_at.desc(), c.id.desc()).limit(1)).first()
    if row is None:
        return {}
    tx.execute(update(messages).where(c.id == row.id).values(**{f"{what}_at": at}))
    return {"mail": row.template, "step": row.step, "campaign": row.campaign, "message": row.id}


def consent_state(tx: Transaction, lead: int, topic: str) -> str:
    """The state as stored; "none" where nothing was ever said."""
    query = select(consents.c.state).where(consents.c.lead_id == lead, consents.c.topic == topic)
    return tx.execute(query).scalar() or "none"
