"""Leads as lines of a list, newest first."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import select

from nurture.lead.lead import LeadId
from nurture.store.database import Transaction
from nurture.store.tables import lead_stages, lead_tags, leads


class LeadLine(msgspec.Struct, frozen=True):
    """`stages` by funnel."""

    id: LeadId
    external_id: str | None
    email: str | None
    source: str | None
    owner: str | None
    created_at: datetime
    stages: dict[str, str]


def list_leads(
    tx: Transaction,
    *,
    stage: str | None = None,
    tag: str | None = None,
    owner: str | None = None,
    before: LeadId | None = None,
    limit: int = 100,
) -> list[LeadLine]:
    """At most `limit` leads for whom all that is given holds, the newest first; `before` takes up after that id."""
    c = leads.c
    query = select(c.id, c.external_id, c.email, c.source, c.owner, c.created_at)
    if stage is not None:
        query = query.where(c.id.in_(select(lead_stages.c.lead_id).where(lead_stages.c.stage == stage)))
    if tag is not None:
        query = query.where(c.id.in_(select(lead_tags.c.lead_id).where(lead_tags.c.tag == tag)))
    if owner is not None:
        query = query.where(c.owner == owner)
    if before is not None:
        query = query.where(c.id < before)
    rows = tx.execute(query.order_by(c.id.desc()).limit(limit)).all()
    standing: dict[LeadId, dict[str, str]] = {row.id: {} for row in rows}
    s = lead_stages.c
    for lead, funnel, name in tx.execute(select(s.lead_id, s.funnel, s.stage).where(s.lead_id.in_(list(standing)))):
        standing[lead][funnel] = name
    return [LeadLine(*row, stages=standing[row.id]) for row in rows]
