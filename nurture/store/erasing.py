"""Taking a person out of the tables but the ledger, which does it by itself (trust C23). What stays names nobody: the
address's keyed hash where they had said no, and rows that only count."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import case, delete, select, text, update

from nurture.store.database import Database, Transaction
from nurture.store.tables import (
    attempts,
    consent_ledger,
    consents,
    deals,
    decisions,
    enrollments,
    events,
    hits,
    identities,
    lead_scores,
    lead_stages,
    lead_tags,
    leads,
    matches,
    message_links,
    messages,
    stage_moves,
    timers,
)

_THEIRS = (events, identities, lead_scores, lead_stages, lead_tags, consents, matches, timers, decisions, hits)


def erase(tx: Transaction, lead: int) -> None:
    """Remove the lead and all that is theirs. Enrollments and messages stay as rows without content, for the counts of
    reports; their lead is nobody."""
    mine = select(messages.c.id).where(messages.c.lead_id == lead)
    # What servers answered may repeat the address.
    tx.execute(update(attempts).where(attempts.c.message_id.in_(mine)).values(text=None))
    tx.execute(delete(message_links).where(message_links.c.message_id.in_(mine)))
    for table in (*_THEIRS, stage_moves):
        tx.execute(delete(table).where(table.c.lead_id == lead))
    emptied = {"lead_id": -lead, "entry": {}, "data": {}, "key": "", "error": None}
    tx.execute(update(enrollments).where(enrollments.c.lead_id == lead).values(**emptied))
    c = messages.c
    kept_reason = case((c.state == "cancelled", c.reason), else_=None)
    tx.execute(
        update(messages)
        .where(c.lead_id == lead)
        .values(lead_id=None, recipient=None, options={}, body=None, answer=None, reason=kept_reason)
    )
    tx.execute(update(deals).where(deals.c.lead_id == lead).values(external_id=None, owner=None, lead_id=-lead))
    tx.execute(delete(leads).where(leads.c.id == lead))


def address_of(tx: Transaction, lead: int) -> str | None:
    return tx.execute(select(leads.c.address_hash).where(leads.c.id == lead)).scalar()


def created_at(tx: Transaction, lead: int) -> datetime | None:
    found: datetime | None = tx.execute(select(leads.c.created_at).where(leads.c.id == lead)).scalar()
    return found


def scrub(database: Database) -> None:
    """Nothing of what was deleted is left in the files of SQLite: the rows were overwritten (secure_delete), here the
    journal is cut. PostgreSQL frees dead rows, whose space is overwritten when it is used again."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        for table in (leads, identities, events, messages, attempts, decisions, enrollments, consent_ledger):
            connection.execute(text(f"VACUUM {table.name}"))
