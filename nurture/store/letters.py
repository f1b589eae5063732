"""What claimed messages are printed from: leads, accounts, enrollments, requests of consent, in one query each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from nurture.campaign.project import Project
from nurture.journey.enrollment import Enrollment
from nurture.store import enrollments, facts, tracking
from nurture.store.database import Transaction
from nurture.store.facts import KnownLead
from nurture.store.outbox import Claimed
from nurture.store.tables import consent_ledger


@dataclass(frozen=True, slots=True)
class Request:
    """A request of consent that waits for its confirmation, as its mail tells it."""

    topic: str
    wording: str | None
    requested_at: datetime
    source: str | None
    ip: str | None


@dataclass(frozen=True)
class Letters:
    """By id of lead, account, enrollment; requests by lead and topic."""

    leads: dict[int, KnownLead] = field(default_factory=dict)
    accounts: dict[int, dict[str, Any]] = field(default_factory=dict)
    enrollments: dict[int, Enrollment] = field(default_factory=dict)
    requests: dict[tuple[int, str], Request] = field(default_factory=dict)
    counted: dict[int, frozenset[str]] = field(default_factory=dict)  # who agreed to which counting


def load(tx: Transaction, project: Project, claimed: Sequence[Claimed], now: datetime) -> Letters:
    """Everything that these messages print."""
    leads = facts.load_leads(tx, project, sorted({m.lead for m in claimed if m.lead is not None}))
    ids = sorted({m.enrollment for m in claimed if m.enrollment is not None})
    asking = sorted({m.lead for m in claimed if m.kind == "confirm" and m.lead is not None})
    return Letters(
        leads,
        facts.account_attributes(tx, sorted({k.account for k in leads.values() if k.account is not None})),
        {e.id: e for e in enrollments.by_ids(tx, ids)} if ids else {},
        _requests(tx, asking) if asking else {},
        tracking.counted(tx, project.tracking, sorted(leads), now) if project.tracking and leads else {},
    )


def _requests(tx: Transaction, lead_ids: Sequence[int]) -> dict[tuple[int, str], Request]:
    c = consent_ledger.c
    query = select(c.lead_id, c.topic, c.wording, c.occurred_at, c.page, c.ip).where(
        c.lead_id.in_(lead_ids), c.event == "requested", c.topic.is_not(None)
    )
    return {(row[0], row[1]): Request(*row[1:]) for row in tx.execute(query.order_by(c.id))}
