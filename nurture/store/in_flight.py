"""Who walks which version, and where they stand: what a deploy is weighed against. Only reads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from nurture.store.database import Transaction
from nurture.store.tables import consent_ledger, enrollments, lead_stages, leads, messages, templates

_OPEN = ("waiting", "parked")


@dataclass(frozen=True, slots=True)
class Standing:
    """So many open enrollments of a version stand on this step; `parked` are among them."""

    campaign: str
    version: str
    step: str
    count: int
    parked: int


def standing(tx: Transaction) -> list[Standing]:
    """Every step somebody stands on. Uses ix_enrollments_version."""
    c = enrollments.c
    parked = func.sum(func.coalesce((c.state == "parked").cast(c.visit.type), 0))
    query = (
        select(c.campaign, c.version, func.coalesce(c.step, ""), func.count(), parked)
        .where(c.state.in_(_OPEN))
        .group_by(c.campaign, c.version, c.step)
        .order_by(c.campaign, c.version, c.step)
    )
    return [Standing(row[0], row[1], row[2], row[3], int(row[4])) for row in tx.execute(query)]


def had_mail(tx: Transaction, campaign: str, version: str, steps: Collection[str]) -> int:
    """How many open enrollments of the version have had a mail of one of these steps."""
    e, m = enrollments.c, messages.c
    query = (
        select(func.count(func.distinct(e.id)))
        .join(messages, m.enrollment_id == e.id)
        .where(e.campaign == campaign, e.version == version, e.state.in_(_OPEN), m.kind == "mail", m.step.in_(steps))
    )
    return tx.execute(query).scalar() or 0


def lead_page(tx: Transaction, after: int, limit: int) -> list[tuple[int, str | None]]:
    """(id, zone) of the next leads by id."""
    query = select(leads.c.id, leads.c.zone).where(leads.c.id > after).order_by(leads.c.id).limit(limit)
    return [(row[0], row[1]) for row in tx.execute(query)]


def count_leads(tx: Transaction) -> int:
    """How many leads there are."""
    return tx.execute(select(func.count()).select_from(leads)).scalar_one()


def count_in_stage(tx: Transaction, stage: str) -> int:
    """How many leads stand in this stage."""
    return tx.execute(select(func.count()).select_from(lead_stages).where(lead_stages.c.stage == stage)).scalar() or 0


def live_template_hashes(tx: Transaction) -> dict[str, str]:
    """The live hash of every template, by name."""
    return {row[0]: row[1] for row in tx.execute(select(templates.c.name, templates.c.hash).where(templates.c.live))}


def message_state(tx: Transaction, message: int) -> str | None:
    """The state of a message; None where there is none of that id."""
    state: str | None = tx.execute(select(messages.c.state).where(messages.c.id == message)).scalar()
    return state


def count_ledger(tx: Transaction) -> int:
    """How many entries the consent ledger has."""
    return tx.execute(select(func.count()).select_from(consent_ledger)).scalar() or 0


def latest_entry(tx: Transaction, lead: int, campaign: str) -> dict[str, Any] | None:
    """What the lead's latest enrollment in the campaign began with; None where it was never in it."""
    c = enrollments.c
    query = select(c.entry).where(c.lead_id == lead, c.campaign == campaign).order_by(c.entered_at.desc(), c.id.desc())
    found: dict[str, Any] | None = tx.execute(query.limit(1)).scalar()
    return found
