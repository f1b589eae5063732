"""What happened in a rehearsal, read back: one line a decision or mail, in order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from nurture.store.database import Transaction
from nurture.store.tables import consents, decisions, enrollments, lead_stages, lead_tags, messages, stage_moves


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


def left(tx: Transaction, campaign: str | None = None) -> list[Left]:
    """Messages in the order they were released; all, or those of a campaign."""
    c = messages.c
    query = select(c.sent_at, c.released_at, c.lead_id, c.kind, c.template, c.step, c.state, c.enrollment_id)
    if campaign is not None:
        query = query.where(c.campaign == campaign)
    return [
        Left(row[0] or row[1], row[2], row[3], row[4], row[5], row[6], row[7])
        for row in tx.execute(query.order_by(c.released_at, c.id))
    ]


def ends(tx: Transaction, campaign: str | None = None) -> list[tuple[int, str, str | None, datetime]]:
    """(lead, state, reason, entered) of every enrollment, or of a campaign's, in the order of entering."""
    c = enrollments.c
    query = select(c.lead_id, c.state, c.reason, c.entered_at).order_by(c.entered_at, c.id)
    if campaign is not None:
        query = query.where(c.campaign == campaign)
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


def moves(tx: Transaction) -> list[tuple[str | None, str, str | None]]:
    """(origin, stage, campaign) of every move that was made; the campaign where it made it."""
    m, e = stage_moves.c, enrollments.c
    query = select(m.from_stage, m.to_stage, e.campaign).outerjoin(enrollments, e.id == m.enrollment_id)
    return [(row[0], row[1], row[2]) for row in tx.execute(query.select_from(stage_moves))]


def standing_now(tx: Transaction) -> dict[str, int]:
    """How many leads stand in each stage."""
    query = select(lead_stages.c.stage, func.count()).group_by(lead_stages.c.stage)
    return {row[0]: row[1] for row in tx.execute(query)}
