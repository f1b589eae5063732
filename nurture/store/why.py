"""Everything that was decided about one lead, for `nurture why`. Only reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from nurture.lead.lead import LeadId
from nurture.store.database import Transaction
from nurture.store.tables import decisions, enrollments, messages
from nurture.store.timeline import Line


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision and the version it was made under."""

    line: Line
    version: str | None


@dataclass(frozen=True, slots=True)
class Mailed:
    """What became of a message after it was released."""

    id: int
    enrollment: int | None
    step: str | None
    kind: str
    template: str | None
    state: str
    reason: str | None
    released_at: datetime
    sent_at: datetime | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Stands:
    """An open enrollment: on which step, until when it is not looked at, and why."""

    id: int
    campaign: str
    version: str
    key: str
    state: str
    step: str | None
    due: datetime | None
    wake: datetime | None
    held: str | None
    error: str | None


def decisions_about(tx: Transaction, lead: LeadId, campaign: str | None = None) -> list[Decided]:
    """In the order they were made. Uses ix_decisions_lead_id."""
    c = decisions.c
    query = select(c.at, c.what, c.reason, c.inputs, c.campaign, c.step, c.enrollment_id, c.version)
    query = query.where(c.lead_id == lead).order_by(c.at, c.id)
    if campaign is not None:
        query = query.where(c.campaign == campaign)
    found = []
    for at, what, reason, inputs, name, step, enrollment, version in tx.execute(query):
        inputs = inputs or {}
        found.append(
            Decided(Line(at, lead, what, reason, inputs.get("detail"), name, step, enrollment, inputs), version)
        )
    return found


def messages_to(tx: Transaction, lead: LeadId) -> list[Mailed]:
    """Every message about the lead, oldest first."""
    c = messages.c
    names = ("id", "enrollment_id", "step", "kind", "template", "state", "reason", "released_at", "sent_at", "attempts")
    query = select(*(c[name] for name in names)).where(c.lead_id == lead).order_by(c.id)
    return [Mailed(*row) for row in tx.execute(query)]


def standing(tx: Transaction, lead: LeadId, campaign: str | None = None) -> list[Stands]:
    """The lead's open enrollments."""
    c = enrollments.c
    names = ("id", "campaign", "version", "key", "state", "step", "due", "wake", "held", "error")
    query = select(*(c[name] for name in names)).where(c.lead_id == lead, c.state.in_(("waiting", "parked")))
    if campaign is not None:
        query = query.where(c.campaign == campaign)
    return [Stands(*row) for row in tx.execute(query.order_by(c.id))]
