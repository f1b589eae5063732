"""All that is known of one lead, for a person or a program to read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Table, select

from nurture.campaign.project import Project
from nurture.journey.timing import zone_name
from nurture.lead.lead import LeadId, field_name
from nurture.store.batch import Row
from nurture.store.conditions import score_values
from nurture.store.database import Transaction
from nurture.store.tables import (
    accounts,
    consents,
    enrollments,
    events,
    identities,
    lead_stages,
    lead_tags,
    leads,
    messages,
)

_FIELDS = ("email", "first_name", "last_name", "name", "phone", "country", "locale", "zone", "source", "owner")
_MOST_EVENTS = 1_000  # the latest


def read_profile(tx: Transaction, project: Project, lead: LeadId, now: datetime) -> dict[str, Any] | None:
    """Attributes, stages, tags, scores as they are now, consents, events (each once, oldest first), enrollments,
    messages; None where there is no such lead. Instants are datetimes."""
    row = tx.execute(select(leads).where(leads.c.id == lead)).mappings().first()
    if row is None:
        return None
    built_in = {field_name(name): row[name] for name in _FIELDS if row[name] is not None}
    [scores] = score_values(tx, project, [Row(lead, now, zone_name(row["zone"], project.zone))])
    return {
        "id": lead,
        "external_id": row["external_id"],
        "created_at": row["created_at"],
        "restricted": row["restricted"],
        "attributes": {**row["attributes"], **built_in},
        "identities": _rows(tx, identities, lead, "kind", "value"),
        "account": _account(tx, row["account_id"]),
        "stages": {r["funnel"]: {"stage": r["stage"], "since": r["since"]} for r in _stages(tx, lead)},
        "tags": read_tags(tx, lead),
        "scores": scores,
        "consents": {
            r["topic"]: {name: r[name] for name in ("state", "since", "basis", "expires_at")}
            for r in _rows(tx, consents, lead, "topic", "state", "since", "basis", "expires_at")
        },
        "events": _events(tx, lead),
        "enrollments": _rows(
            tx,
            enrollments,
            lead,
            *("id", "campaign", "version", "key", "state", "reason", "step", "due", "entered_at", "ended_at"),
        ),
        "messages": _rows(
            tx,
            messages,
            lead,
            *("id", "kind", "campaign", "step", "template", "topic", "state", "reason", "released_at", "sent_at"),
        ),
    }


def _rows(tx: Transaction, table: Table, lead: LeadId, *names: str) -> list[dict[str, Any]]:
    order: list[Column[Any]] = list(table.primary_key.columns)
    query = select(*(table.c[name] for name in names)).where(table.c.lead_id == lead).order_by(*order)
    return [dict(row) for row in tx.execute(query).mappings()]


def read_tags(tx: Transaction, lead: LeadId) -> list[str]:
    """In the order of the alphabet."""
    return sorted(row["tag"] for row in _rows(tx, lead_tags, lead, "tag"))


def _stages(tx: Transaction, lead: LeadId) -> list[dict[str, Any]]:
    return _rows(tx, lead_stages, lead, "funnel", "stage", "since")


def _account(tx: Transaction, account: int | None) -> dict[str, Any] | None:
    if account is None:
        return None
    query = select(accounts.c.external_id, accounts.c.attributes).where(accounts.c.id == account)
    row = tx.execute(query).mappings().first()
    return dict(row) if row else None


def _events(tx: Transaction, lead: LeadId) -> list[dict[str, Any]]:
    c = events.c
    query = select(c.name, c.at, c.properties).where(c.lead_id == lead).order_by(c.at.desc(), c.id.desc())
    return [dict(row) for row in tx.execute(query.limit(_MOST_EVENTS)).mappings()][::-1]


def locale_of(tx: Transaction, lead: LeadId) -> str | None:
    """The lead's language, None where it is not known or there is no such lead."""
    found: str | None = tx.execute(select(leads.c.locale).where(leads.c.id == lead)).scalar()
    return found
