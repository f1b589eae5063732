"""What happened in a rehearsal, read back: one line a decision or mail, in order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from nurture.store.database import Transaction
from nurture.store.tables import consents, decisions, enrollments, lead_stages, lead_tags, messages


@dataclass(frozen=True, slots=True)
class Line:
    """`what` is entered, not_entered, sent, notified, refused, skipped, deferred, moved, ended…; `detail` the template,
    reason or stage it concerns."""

    at: datetime
    lead: int
    what: str
    reason: str | None
    detail: str | None
    campaign: str
    step: str | None
    enrollment: int | None
    inputs: dict[str, Any]


def lines(tx: Transaction) -> list[Line]:
    """Decisions as recorded, by instant; a released mail becomes `sent` when its message was."""
    c = decisions.c
    query = select(c.at, c.lead_id, c.what, c.reason, c.inputs, c.campaign, c.step, c.enrollment_id, c.id)
    found = []
    for at, lead, what, reason, inputs, campaign, step, enrollment, _ in tx.execute(
        query.order_by(c.at, c.lead_id, c.id)
    ):
        inputs = inputs or {}
        found.append(Line(at, lead, what, reason, inputs.get("detail"), campaign, step, enrollment, inputs))
    return found


@dataclass(frozen=True, slots=True)
class Left:
    """A message that left, or did not."""

    at: datetime
    lead: int
    kind: str
    template: str | None
    step: str | None
    state: str
    enrollment: int | None


def left(tx: Transaction) -> list[Left]:
    """Messages in the order they were released."""
    c = messages.c
    query = select(c.sent_at, c.released_at, c.lead_id, c.kind, c.template, c.step, c.state, c.enrollment_id)
    return [
        Left(row[0] or row[1], row[2], row[3], row[4], row[5], row[6], row[7])
        for row in tx.execute(query.order_by(c.released_at, c.id))
    ]


def ends(tx: Transaction) -> list[tuple[int, str, str | None, datetime]]:
    """(lead, state, reason, entered) of every enrollment, in the order of entering."""
    c = enrollments.c
    query = select(c.lead_id, c.state, c.reason, c.entered_at).order_by(c.entered_at, c.id)
    return [(row[0], row[1], row[2], row[3]) for row in tx.execute(query)]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a lead stands at the end: one stage a funnel, tags and topics with consent in the order of the alphabet."""

    stages: tuple[str, ...]
    tags: tuple[str, ...]
    consents: tuple[str, ...]


def standing(tx: Transaction, lead: int) -> Standing:
    """What is true of this lead now."""
    stages = select(lead_stages.c.stage).where(lead_stages.c.lead_id == lead)
    tags = select(lead_tags.c.tag).where(lead_tags.c.lead_id == lead)
    granted = select(consents.c.topic).where(consents.c.lead_id == lead, consents.c.state == "granted")
    return Standing(
        tuple(row[0] for row in tx.execute(stages)),
        tuple(sorted(row[0] for row in tx.execute(tags))),
        tuple(sorted(row[0] for row in tx.execute(granted))),
    )
