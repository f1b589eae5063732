"""Taking a person out of the tables but the ledger, which does it by itself (trust C23). What stays names nobody: the
address's keyed hash where they had said no, and rows that only count."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from nurture.store.database import Transaction
from nurture.store.tables import (
    consents,
    deals,
    decisions,
    enrollments,
    events,
    identities,
    lead_scores,
    lead_stages,
    lead_tags,
    leads,
    matches,
    messages,
    stage_moves,
    timers,
)


def erase(tx: Transaction, lead: int) -> None:
    """Remove the lead and all that is theirs. Enrollments and messages stay as rows without content, for the counts of
    reports; their lead is nobody."""
    for table in (events, identities, lead_scores, lead_stages, lead_tags, consents, matches, timers, decisions):
        tx.execute(delete(table).where(table.c.lead_id == lead))
    tx.execute(delete(stage_moves).where(stage_moves.c.lead_id == lead))
    emptied = {"lead_id": -lead, "entry": {}, "data": {}, "key": "", "error": None}
    tx.execute(update(enrollments).where(enrollments.c.lead_id == lead).values(**emptied))
    tx.execute(
        update(messages)
        .where(messages.c.lead_id == lead)
        .values(lead_id=None, recipient=None, options={}, body=None, answer=None)
    )
    tx.execute(update(deals).where(deals.c.lead_id == lead).values(external_id=None, owner=None))
    tx.execute(delete(leads).where(leads.c.id == lead))


def address_of(tx: Transaction, lead: int) -> str | None:
    return tx.execute(select(leads.c.address_hash).where(leads.c.id == lead)).scalar()
