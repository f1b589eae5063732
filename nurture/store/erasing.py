"""Taking a person out of the tables but the ledger, which does it by itself (trust C23). What stays names nobody: the
address's keyed hash where they had said no, and rows that only count."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, delete, select, text, update

from nurture.errors import StoreUnavailable
from nurture.store.database import Database, Transaction
from nurture.store.suppression_journal import Erasure
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
from nurture.store.types import instant_text

_PAGE = 500
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
        .values(lead_id=None, recipient=None, mailed_to=None, options={}, body=None, answer=None, reason=kept_reason)
    )
    tx.execute(update(deals).where(deals.c.lead_id == lead).values(external_id=None, owner=None, lead_id=-lead))
    tx.execute(delete(leads).where(leads.c.id == lead))


def address_of(tx: Transaction, lead: int) -> str | None:
    return tx.execute(select(leads.c.address_hash).where(leads.c.id == lead)).scalar()


@dataclass(frozen=True, slots=True)
class Known:
    """What other systems may know a lead by."""

    external_ids: list[str]
    address: str | None


def known_by(tx: Transaction, lead: int) -> Known:
    """The ids that callers gave the lead, and its address."""
    c = identities.c
    ids = tx.execute(select(c.value).where(c.lead_id == lead, c.kind == "external").order_by(c.value)).scalars()
    row = tx.execute(select(leads.c.external_id, leads.c.email).where(leads.c.id == lead)).first()
    own, address = row if row is not None else (None, None)
    return Known(sorted({*ids, *([own] if own else [])}), address)


def created_at(tx: Transaction, lead: int) -> datetime | None:
    found: datetime | None = tx.execute(select(leads.c.created_at).where(leads.c.id == lead)).scalar()
    return found


def brought_back(tx: Transaction, erased: Sequence[Erasure]) -> list[int]:
    """Leads that were erased and are there again: the same number, made at the same instant."""
    made = {(line.lead, line.created_at) for line in erased}  # a restored database gives a number out once more
    found = []
    ids = sorted({lead for lead, _ in made})
    for start in range(0, len(ids), _PAGE):
        query = select(leads.c.id, leads.c.created_at).where(leads.c.id.in_(ids[start : start + _PAGE]))
        found += [row[0] for row in tx.execute(query) if (row[0], instant_text(row[1])) in made]
    return found


def scrub(database: Database) -> None:
    """Nothing of what was deleted is left in the files of SQLite. `secure_delete` overwrites deleted rows, but not the
    copies that rows leave behind when a page is rearranged (markers were found so): only VACUUM, which writes the file
    anew, leaves none. It takes as long as copying the file; writers wait meanwhile. PostgreSQL frees dead rows, whose
    space is overwritten when it is used again. Raises StoreUnavailable where others keep the file busy: it may be done
    in part then, and is to be done again."""
    if database.is_sqlite:
        bare = database.engine.raw_connection()  # VACUUM runs outside transactions, which ours begin by themselves
        try:
            bare.cursor().execute("VACUUM")
            busy, *_ = bare.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(f"the file could not be written anew: {error}") from error
        finally:
            bare.close()
        if busy:  # somebody still reads the log, and what was erased stands in it
            raise StoreUnavailable("the file could not be written anew: somebody reads it")
        return
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in (leads, identities, events, messages, attempts, decisions, enrollments, consent_ledger):
            connection.execute(text(f"VACUUM {table.name}"))
