"""The present state of consent per lead and topic; whether one may write is `store.permissions`'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from nurture.lead.consent import State
from nurture.lead.lead import LeadId
from nurture.lead.soft_opt_in import NO_GROUNDS, Grounds
from nurture.store.among import among
from nurture.store.database import Transaction, upserting
from nurture.store.outbox import CONFIRM
from nurture.store.suppressions import scopes
from nurture.store.tables import consents, leads, messages


@dataclass(slots=True)
class Consent:
    """One row. `requests` counts confirmation mails since the person last agreed (a no keeps the count: nobody may be
    asked again and again), `requested_at` is the latest of them."""

    lead: LeadId
    topic: str
    state: State
    since: datetime
    basis: str | None = None
    expires_at: datetime | None = None
    requests: int = 0
    requested_at: datetime | None = None
    grounds: Grounds = NO_GROUNDS  # of a soft opt-in


@dataclass(slots=True)
class Person:
    """What consent is about, of one lead."""

    id: LeadId
    email: str | None
    address_hash: str | None
    country: str | None
    zone: str | None
    locale: str | None
    restricted: bool
    unprofiled: bool = False
    paused_until: datetime | None = None
    consents: dict[str, Consent] = field(default_factory=dict)
    scopes: dict[str, str] = field(default_factory=dict)


_KEY = ("lead_id", "topic")
_ANSWER = ("state", "since", "basis", "expires_at", "requests", "requested_at")
_STATED = (*_KEY, *_ANSWER)
_SALE = ("sale_kind", "sale_reference", "sold_at", "objection_offered")
_CONSENT = [consents.c[n] for n in (*_STATED, *_SALE)]
_PERSON = [
    leads.c[n]
    for n in ("id", "email", "address_hash", "country", "zone", "locale", "restricted", "unprofiled", "paused_until")
]


def people(tx: Transaction, lead_ids: Sequence[LeadId], *, locked: bool = False) -> dict[LeadId, Person]:
    """These leads with their consents and suppressions, in three queries. `locked`: nobody else changes the consent of
    any of them until this transaction ends."""
    query = select(*_PERSON).where(among(leads.c.id, sorted(set(lead_ids)))).order_by(leads.c.id)
    found = {row[0]: Person(*row) for row in tx.execute(query.with_for_update() if locked else query)}
    for row in tx.execute(select(*_CONSENT).where(among(consents.c.lead_id, found))):
        found[row[0]].consents[row[1]] = consent = Consent(*row[: len(_STATED)])
        consent.grounds = Grounds(*row[len(_STATED) :])
    # Asked also where nobody was found: three queries for a lead that is here and for one that is not (trust X7).
    by_hash = scopes(tx, [p.address_hash for p in found.values() if p.address_hash] or [""])
    for person in found.values():
        if person.address_hash in by_hash:
            person.scopes = dict(by_hash[person.address_hash])
    return found


def save(tx: Transaction, rows: Iterable[Consent]) -> None:
    """Write these states."""
    values = [
        {
            "lead_id": c.lead,
            "topic": c.topic,
            "state": c.state,
            "since": c.since,
            "basis": c.basis,
            "expires_at": c.expires_at,
            "requests": c.requests,
            "requested_at": c.requested_at,
            **sale_columns(c.grounds),
        }
        for c in rows
    ]
    if not values:
        return
    insert = upserting(tx, consents)
    changed = {n: insert.excluded[n] for n in (*_ANSWER, *_SALE)}
    tx.execute(insert.on_conflict_do_update(index_elements=_KEY, set_=changed), values)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The confirmation mails made for a lead at one mailbox: how many, and when the latest left, or was made."""

    count: int
    latest: datetime


def confirmations(tx: Transaction, lead_ids: Iterable[LeadId]) -> dict[tuple[LeadId, str], Confirmed]:
    """Confirmation mails by lead and mark of the mailbox; those that were cancelled are none."""
    c = messages.c
    query = select(c.lead_id, c.options, func.coalesce(c.sent_at, c.released_at)).where(
        among(c.lead_id, lead_ids), c.kind == CONFIRM, c.state != "cancelled"
    )
    found: dict[tuple[LeadId, str], Confirmed] = {}
    for lead, options, at in tx.execute(query):
        key = (lead, options.get("mailbox", ""))
        known = found.get(key)
        found[key] = Confirmed(1, at) if known is None else Confirmed(known.count + 1, max(known.latest, at))
    return found


def sale_columns(grounds: Grounds) -> dict[str, Any]:
    """The columns of a row that rests on this sale."""
    return {
        "sale_kind": grounds.kind,
        "sale_reference": grounds.reference,
        "sold_at": grounds.sold_at,
        "objection_offered": grounds.objection_offered,
    }


def sale_of(row: Mapping[str, Any]) -> Grounds:
    """The sale that this row rests on."""
    return Grounds(*(row[name] for name in _SALE))


def due_to_expire(tx: Transaction, now: datetime, limit: int) -> list[tuple[LeadId, str]]:
    """(lead, topic) whose consent has run out and does not say so yet."""
    c = consents.c
    query = select(c.lead_id, c.topic).where(c.state == "granted", c.expires_at <= now)
    return [(row[0], row[1]) for row in tx.execute(query.order_by(*consents.primary_key).limit(limit))]
