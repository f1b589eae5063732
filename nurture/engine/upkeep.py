"""What is done every now and then: heartbeats, consents that ran out."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite

from nurture.clock import machine_now
from nurture.engine import consent
from nurture.engine.consent import ConsentRules
from nurture.lead.consent import Declaration, Proof
from nurture.store import consents
from nurture.store.database import Database, Transaction
from nurture.store.tables import workers

_PAGE = 500


def run(database: Database, rules: ConsentRules, worker: str, now: datetime) -> None:
    """Say that this worker lives, and write down which consents have run out."""
    with database.write() as tx:
        beat(tx, worker)
    while expire_consents(database, rules, now):
        pass


def beat(tx: Transaction, worker: str) -> None:
    """The worker lives; machine time."""
    at = machine_now()
    insert = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(workers)
    row = {"id": worker, "started_at": at, "beat_at": at, "detail": {}}
    tx.execute(insert.values(row).on_conflict_do_update(index_elements=["id"], set_={"beat_at": at}))


def expire_consents(database: Database, rules: ConsentRules, now: datetime) -> bool:
    """Consents that have run out say so: in the ledger, and to campaigns. Whether there were any."""
    with database.write() as tx:
        due = consents.due_to_expire(tx, now, _PAGE)
        said = [
            Declaration(lead, topic, "expire", "engine", "engine", now, Proof(method="ran out")) for lead, topic in due
        ]
        if said:
            consent.change(tx, said, rules, now)
    return len(due) == _PAGE
