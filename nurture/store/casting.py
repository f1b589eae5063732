"""Putting the players of a rehearsal into a throw-away database, as if they had always been there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select

from nurture.campaign.project import Project
from nurture.journey.timing import read_moment, shift, zone_name
from nurture.lead.address import canonical_address
from nurture.lead.keyring import Keyring
from nurture.lead.lead import shard_of, split_traits, typed_fields
from nurture.lead.soft_opt_in import NO_GROUNDS, Grounds
from nurture.store import changes, deals
from nurture.store.consents import sale_columns
from nurture.store.database import Database, Transaction, insert_returning_ids, insert_rows
from nurture.store.deals import Deal
from nurture.store.tables import (
    accounts,
    consents,
    events,
    identities,
    lead_scores,
    lead_stages,
    lead_tags,
    leads,
    metadata,
)


@dataclass(frozen=True, slots=True)
class Cast:
    """One player: its fields by the names campaigns know, where it stands, what it agreed to. `stood` and `agreed` say
    since when, by stage and by topic, where that is known; else it is since the start."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    stages: Sequence[str] = ()
    consents: Sequence[str] = ()
    tags: Sequence[str] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    account: Mapping[str, Any] | None = None
    deals: Sequence[Deal] = ()
    external_id: str | None = None
    stood: Mapping[str, datetime] = field(default_factory=dict)
    agreed: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def account_id(self) -> str | None:
        return str(self.account.get("id", "account")) if self.account is not None else None


def set_up(database: Database) -> None:
    """All tables in an empty throw-away database; it is never upgraded, so it carries no schema number."""
    metadata.create_all(database.engine)


def put(tx: Transaction, project: Project, cast: Sequence[Cast], now: datetime, keyring: Keyring) -> list[int]:
    """Insert the players; their ids in order. Nothing reacts to it."""
    numbers = _accounts(tx, project, cast, now)
    ids = insert_returning_ids(tx, leads, [_lead(project, one, now, keyring, numbers) for one in cast])
    changes.set_columns(tx, {lead: {"shard": shard_of(lead)} for lead in ids})
    insert_rows(
        tx,
        identities,
        [
            {"kind": "external", "value": one.external_id, "lead_id": lead}
            for lead, one in zip(ids, cast, strict=True)
            if one.external_id
        ],
    )
    stood, agreed, tagged, scored, dealt = [], [], [], [], []
    for lead, one in zip(ids, cast, strict=True):
        for stage in one.stages:
            funnel = project.funnel_of(stage)
            if funnel is not None:
                stood.append(
                    {"lead_id": lead, "funnel": funnel.name, "stage": stage, "since": one.stood.get(stage, now)}
                )
        agreed += [_granted(project, lead, topic, one.agreed.get(topic, now), one) for topic in one.consents]
        tagged += [{"lead_id": lead, "tag": name} for name in one.tags]
        scored += [
            {"lead_id": lead, "score": name, "value": value, "at": now, "above": _above(project, name, value)}
            for name, value in one.scores.items()
        ]
        dealt += [msgspec.structs.replace(deal, lead=lead) for deal in one.deals]
    for table, rows in (
        (lead_stages, stood),
        (consents, agreed),
        (lead_tags, tagged),
        (lead_scores, scored),
    ):
        insert_rows(tx, table, rows)
    deals.add_deals(tx, dealt)
    return ids


def _above(project: Project, score: str, value: float) -> list[str]:
    """Thresholds that this many points stand above already."""
    return [t.name for t in project.scores[score].thresholds if value >= t.at] if score in project.scores else []


def history(tx: Transaction, happened: Sequence[tuple[int, str, datetime, Mapping[str, Any]]]) -> None:
    """Events of before: they count, in the order of their instants, and start nothing."""
    insert_rows(
        tx,
        events,
        [
            {
                "lead_id": lead,
                "shard": shard_of(lead),
                "name": name,
                "at": at,
                "accepted_at": at,
                "seq": 0,
                "fact": True,
                "source": "script",
                "properties": dict(properties),
            }
            for lead, name, at, properties in happened
        ],
    )


class Past(NamedTuple):
    """An event of before."""

    id: int
    lead: int
    name: str
    at: datetime


def history_pages(tx: Transaction, names: Set[str], limit: int) -> Iterator[list[Past]]:
    """Events of before with these names (`any`: all of the project's own), `limit` at a time."""
    c = events.c
    wanted = c.name.in_(sorted(names - {"any"}))
    if "any" in names:
        wanted = wanted | c.name.not_like("%.%")
    after = 0
    while True:
        query = select(c.id, c.lead_id, c.name, c.at).where(c.id > after, wanted).order_by(c.id).limit(limit)
        page = [Past(*row) for row in tx.execute(query)]
        if not page:
            return
        yield page
        after = page[-1].id


def accounts_of(tx: Transaction) -> dict[int, int]:
    """Lead → account, of those that have one."""
    query = select(leads.c.id, leads.c.account_id).where(leads.c.account_id.is_not(None))
    return {row[0]: row[1] for row in tx.execute(query)}


def _accounts(tx: Transaction, project: Project, cast: Sequence[Cast], now: datetime) -> dict[str, int]:
    known: dict[str, Mapping[str, Any]] = {}
    for one in cast:
        if one.account is not None and one.account_id is not None:
            known.setdefault(one.account_id, one.account)
    rows = []
    for external, values in known.items():
        own = {name: value for name, value in values.items() if name != "id"}
        typed = typed_fields(project.account_attributes, own, lambda text: read_moment(text, project.zone))
        rows.append({"external_id": external, "attributes": typed})
    return dict(zip(known, insert_returning_ids(tx, accounts, rows), strict=True))


def _lead(project: Project, one: Cast, now: datetime, keyring: Keyring, numbers: Mapping[str, int]) -> dict[str, Any]:
    columns, own = split_traits(one.fields)
    zone = zone_name(columns.get("zone"), project.zone)
    created = one.fields.get("created_at")
    moment = read_moment(created, zone) if created is not None else None
    email = columns.get("email")
    names = ("email", "first_name", "last_name", "name", "phone", "country", "locale", "zone", "source", "owner")
    return {
        **{name: columns.get(name) for name in names},
        "shard": 0,
        "external_id": one.external_id,
        "canonical": canonical_address(email) if email else None,
        "address_hash": keyring.address_hash(email) if email else None,
        "account_id": numbers.get(one.account_id or ""),
        "attributes": typed_fields(project.attributes, own, lambda text: read_moment(text, zone)),
        "created_at": moment or now,
        "changed_at": now,
    }


def _granted(project: Project, lead: int, topic: str, since: datetime, one: Cast) -> dict[str, Any]:
    zone = zone_name(str(one.fields.get("timezone") or ""), project.zone)
    basis = project.topics[topic].basis if topic in project.topics else "consent"
    soft = basis == "soft_opt_in"
    grounds = Grounds("sale", "script", since, objection_offered=True) if soft else NO_GROUNDS
    return {
        "lead_id": lead,
        "topic": topic,
        "state": "granted",
        "since": since,
        "basis": basis,
        "expires_at": runs_out(project, topic, since, zone),
        "requests": 0,
        "requested_at": None,
        **sale_columns(grounds),
    }


def runs_out(project: Project, topic: str, since: datetime, zone: str) -> datetime | None:
    """When consent given then ends by itself; None: never."""
    known = project.topics.get(topic)
    return shift(since, known.expires_after, zone) if known is not None and known.expires_after is not None else None
