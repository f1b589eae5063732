"""What is done every now and then: consents that ran out, keys of events long past."""

from __future__ import annotations

from datetime import datetime, timedelta

from nurture.clock import machine_now
from nurture.engine import consent, tracking
from nurture.engine.consent import ConsentRules
from nurture.lead.consent import Declaration, Proof
from nurture.store import consents, events, tallies
from nurture.store.database import Database

KEYS_KEPT = timedelta(days=30)  # how long a replay of an event is known as one (trust R14 asks for 24 h)
ASKED_KEPT = timedelta(days=8)  # a week to compare with; names of networks are among them
LEFT_KEPT = timedelta(days=2)  # the longest limit of sending is a day's
_PAGE = 500


def run(database: Database, rules: ConsentRules, now: datetime) -> None:
    """Write down which consents have run out, and forget what is only of use for a while."""
    with database.write() as tx:
        events.forget_keys(tx, machine_now() - KEYS_KEPT)
        tallies.prune(tx, [tallies.ASKED], now - ASKED_KEPT)
        tallies.prune(tx, tallies.LEFT, machine_now() - LEFT_KEPT)
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
