"""What is done every now and then: consents that ran out, keys of events long past."""

from __future__ import annotations

from datetime import datetime, timedelta

from nurture.clock import machine_now
from nurture.engine import consent, tracking
from nurture.engine.consent import ConsentRules
from nurture.lead.consent import Declaration, Proof
from nurture.store import consents, events, launches, tallies
from nurture.store.database import Database

KEYS_KEPT = timedelta(days=30)  # how long a replay of an event is known as one (trust R14 asks for 24 h)
TALLIES_KEPT = timedelta(days=8)  # a week to compare with; names of networks are among them
_PAGE = 500


def run(database: Database, rules: ConsentRules, now: datetime) -> None:
    """Write down which consents have run out, and forget what is only of use for a while."""
    with database.write() as tx:
        events.forget_keys(tx, machine_now() - KEYS_KEPT)
        tallies.forget(tx, now - TALLIES_KEPT)
        launches.prune(tx, machine_now())
    tracking.count(database, now)
    while expire_consents(database, rules, now):
        pass


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
