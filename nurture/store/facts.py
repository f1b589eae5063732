"""What a batch of leads is, in a constant number of queries: for deciding, and for the passes around it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, select

from nurture.campaign.project import Project
from nurture.journey.facts import LeadFacts
from nurture.journey.timing import zone_name
from nurture.store.among import among
from nurture.store.database import Transaction
from nurture.store.tables import accounts, enrollments, lead_stages, leads, messages

BUILT_IN = ("email", "external_id", "first_name", "last_name", "name", "phone", "country", "locale", "source", "owner")


@dataclass(slots=True)
class KnownLead:
    """A lead as a pass knows it. `stages` is the same mapping as `facts.stages` and follows moves of this pass."""

    id: int
    shard: int
    zone: str
    email: str | None
    address_hash: str | None
    account: int | None
    restricted: bool
    unprofiled: bool
    facts: LeadFacts
    stages: dict[str, str] = field(default_factory=dict)


def load_leads(tx: Transaction, project: Project, lead_ids: Sequence[int]) -> dict[int, KnownLead]:
    """These leads with their stages, in two queries."""
    c = leads.c
    built_in = [c[name] for name in BUILT_IN]
    query = select(
        c.id,
        c.shard,
        c.zone,
        c.address_hash,
        c.account_id,
        c.restricted,
        c.unprofiled,
        c.created_at,
        c.attributes,
        *built_in,
    ).where(among(c.id, lead_ids))
    found: dict[int, KnownLead] = {}
    for id_, shard, zone, address_hash, account, restricted, unprofiled, created_at, attributes, *known in tx.execute(
        query
    ):
        values: dict[str, Any] = dict(zip(BUILT_IN, known, strict=True))
        stages: dict[str, str] = {}
        facts = LeadFacts(
            draw=values["external_id"] or address_hash or f"lead:{id_}",
            zone=zone_name(zone, project.zone),
            locale=values["locale"],
            owner=values["owner"],
            stages=stages,
            attributes={**values, "timezone": zone, **attributes},
            created_at=created_at,
        )
        found[id_] = KnownLead(
            id_,
            shard,
            facts.zone or "UTC",
            values["email"],
            address_hash,
            account,
            restricted,
            unprofiled,
            facts,
            stages,
        )
    stood = select(lead_stages.c.lead_id, lead_stages.c.funnel, lead_stages.c.stage)
    for lead, funnel, stage in tx.execute(stood.where(among(lead_stages.c.lead_id, lead_ids))):
        if lead in found:
            found[lead].stages[funnel] = stage
    return found


def underway(tx: Transaction, enrollment_ids: Sequence[int], *, waiting: bool = False) -> set[int]:
    """Enrollments that have a mail which has not left yet (S18). With `waiting`, outcomes that are just being written
    are waited for, on PostgreSQL."""
    c = messages.c
    query = select(c.enrollment_id).where(
        among(c.enrollment_id, enrollment_ids), c.state.in_(("pending", "claimed", "sending")), c.kind == "mail"
    )
    if waiting and tx.dialect.name == "postgresql":
        query = query.order_by(c.id).with_for_update(read=True)
    return {row[0] for row in tx.execute(query)}


def nth_releases(tx: Transaction, lead_ids: Sequence[int], nth: int) -> dict[int, datetime]:
    """Per lead, the release of its nth-latest marketing mail that counts under the cap (S22)."""
    c = messages.c
    ranked = (
        select(
            c.lead_id,
            c.released_at,
            func.row_number().over(partition_by=c.lead_id, order_by=(c.released_at.desc(), c.id.desc())).label("n"),
        )
        .where(
            among(c.lead_id, lead_ids),
            c.kind == "mail",
            c.service.is_(False),
            c.state.not_in(("cancelled", "failed")),
        )
        .subquery()
    )
    return {r[0]: r[1] for r in tx.execute(select(ranked.c.lead_id, ranked.c.released_at).where(ranked.c.n == nth))}


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one template in a competition."""

    template: str
    sent: int
    clicked: int
    goals: int


def first_sent(tx: Transaction, campaign: str, steps: Sequence[str]) -> dict[str, datetime]:
    """By step, when the first mail of it was released that was sent."""
    c = messages.c
    query = select(c.step, func.min(c.released_at)).where(*_sent(campaign, steps)).group_by(c.step)
    return {row[0]: row[1] for row in tx.execute(query)}


def tried(tx: Transaction, campaign: str, step: str, first: int, until: datetime | None) -> list[Tried]:
    """What came of the first so many mails of this step, of those released until then; by template."""
    m, e = messages.c, enrollments.c
    ranked = (
        select(
            m.template,
            m.clicked_at,
            m.enrollment_id,
            func.row_number().over(order_by=(m.released_at, m.id)).label("n"),
        )
        .where(*_sent(campaign, [step]), *([m.released_at <= until] if until is not None else []))
        .subquery()
    )
    r = ranked.c
    query = (
        select(r.template, func.count(), func.count(r.clicked_at), func.count(case((e.state == "goal", 1))))
        .select_from(ranked.outerjoin(enrollments, e.id == r.enrollment_id))
        .where(r.n <= first)
        .group_by(r.template)
        .order_by(r.template)
    )
    return [Tried(*row) for row in tx.execute(query)]


def _sent(campaign: str, steps: Sequence[str]) -> list[ColumnElement[bool]]:
    c = messages.c
    return [c.campaign == campaign, c.step.in_(steps), c.kind == "mail", c.state.in_(("sent", "unknown"))]


def colleagues(tx: Transaction, account_ids: Sequence[int]) -> dict[int, list[int]]:
    """Leads of these accounts, by account."""
    found: dict[int, list[int]] = defaultdict(list)
    query = select(leads.c.account_id, leads.c.id).where(leads.c.account_id.in_(account_ids)).order_by(leads.c.id)
    for account, lead in tx.execute(query):
        found[account].append(lead)
    return found


def account_attributes(tx: Transaction, account_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    query = select(accounts.c.id, accounts.c.attributes).where(accounts.c.id.in_(account_ids))
    return {row[0]: row[1] for row in tx.execute(query)}
