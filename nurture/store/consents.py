"""The present state of consent, and what follows from it for a batch of leads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from nurture.campaign.project import Project
from nurture.lead.consent import State
from nurture.lead.lead import LeadId
from nurture.lead.permission import Standing, judge_service, judge_topic
from nurture.store.database import Transaction
from nurture.store.suppressions import scopes
from nurture.store.tables import consents, leads


@dataclass(slots=True)
class Consent:
    """One row. `requests` counts confirmation mails since the last answer, `requested_at` is the latest of them."""

    lead: LeadId
    topic: str
    state: State
    since: datetime
    basis: str | None = None
    expires_at: datetime | None = None
    requests: int = 0
    requested_at: datetime | None = None


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
    consents: dict[str, Consent] = field(default_factory=dict)
    scopes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Permission:
    """`ok` or the reason for the no: for service mail, and per topic."""

    service: str
    topics: dict[str, str]


_CONSENT = [
    consents.c[n] for n in ("lead_id", "topic", "state", "since", "basis", "expires_at", "requests", "requested_at")
]
_PERSON = [leads.c[n] for n in ("id", "email", "address_hash", "country", "zone", "locale", "restricted")]


def people(tx: Transaction, lead_ids: Sequence[LeadId], *, locked: bool = False) -> dict[LeadId, Person]:
    """These leads with their consents and suppressions, in three queries. `locked`: nobody else changes the consent of
    any of them until this transaction ends."""
    query = select(*_PERSON).where(leads.c.id.in_(sorted(set(lead_ids)))).order_by(leads.c.id)
    found = {row[0]: Person(*row) for row in tx.execute(query.with_for_update() if locked else query)}
    for row in tx.execute(select(*_CONSENT).where(consents.c.lead_id.in_(list(found)))):
        found[row[0]].consents[row[1]] = Consent(*row)
    by_hash = scopes(tx, [p.address_hash for p in found.values() if p.address_hash])
    for person in found.values():
        person.scopes = dict(by_hash.get(person.address_hash or "", {}))
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
        }
        for c in rows
    ]
    if not values:
        return
    insert = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(consents)
    changed = {n: insert.excluded[n] for n in values[0] if n not in ("lead_id", "topic")}
    tx.execute(insert.on_conflict_do_update(index_elements=["lead_id", "topic"], set_=changed), values)


def due_to_expire(tx: Transaction, now: datetime, limit: int) -> list[tuple[LeadId, str]]:
    """(lead, topic) whose consent has run out and does not say so yet."""
    c = consents.c
    query = select(c.lead_id, c.topic).where(c.state == "granted", c.expires_at.is_not(None), c.expires_at <= now)
    return [(row[0], row[1]) for row in tx.execute(query.order_by(c.lead_id, c.topic).limit(limit))]


def permissions(
    tx: Transaction, project: Project, lead_ids: Sequence[LeadId], topics: Iterable[str], now: datetime
) -> dict[LeadId, Permission]:
    """Whether these leads may be mailed now, for service and on each topic, in three queries for all of them."""
    wanted = list(topics)
    bases = {topic: project.topics[topic].basis if topic in project.topics else "consent" for topic in wanted}
    answers = {}
    for person in people(tx, lead_ids).values():
        has_address = person.email is not None
        per_topic = {topic: judge_topic(topic, bases[topic], standing(person, topic), now) for topic in wanted}
        answers[person.id] = Permission(judge_service(has_address, person.restricted, person.scopes), per_topic)
    return answers


def standing(person: Person, topic: str) -> Standing:
    """What is known of this person for this topic, as `lead.permission` judges it."""
    consent: Any = person.consents.get(topic)
    return Standing(
        has_address=person.email is not None,
        restricted=person.restricted,
        state=consent.state if consent else "none",
        since=consent.since if consent else None,
        basis=consent.basis if consent else None,
        expires_at=consent.expires_at if consent else None,
        scopes=person.scopes,
        country=person.country,
    )
