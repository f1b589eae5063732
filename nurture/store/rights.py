"""What people asked for about themselves: a pause, no profile, restriction; and the record that somebody did it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, func, insert, select, update

from nurture.lead.lead import LeadId
from nurture.store.database import Transaction
from nurture.store.outbox import RIGHT
from nurture.store.tables import deployment, lead_scores, leads, messages, privacy_actions, timers


def set_pause(tx: Transaction, lead: LeadId, until: datetime | None) -> None:
    """No marketing before `until`; None ends a pause."""
    tx.execute(update(leads).where(leads.c.id == lead).values(paused_until=until))


def set_unprofiled(tx: Transaction, lead: LeadId, unprofiled: bool) -> None:
    """Objected to profiling: the points are gone, and none are added. Lifted: they begin anew."""
    tx.execute(update(leads).where(leads.c.id == lead).values(unprofiled=unprofiled))
    if unprofiled:
        tx.execute(delete(lead_scores).where(lead_scores.c.lead_id == lead))
        looks = timers.c.owner.startswith("score:", autoescape=True)
        tx.execute(delete(timers).where(timers.c.lead_id == lead, timers.c.kind == "look", looks))


def set_restricted(tx: Transaction, lead: LeadId, restricted: bool) -> bool:
    """Kept, not used (GDPR 18). Whether anything changed."""
    query = update(leads).where(leads.c.id == lead, leads.c.restricted.is_not(restricted))
    return tx.execute(query.values(restricted=restricted)).rowcount == 1


def attributes_of(tx: Transaction, lead: LeadId) -> list[str]:
    """The names of the attributes that the lead has now, declared or not."""
    return list(tx.execute(select(leads.c.attributes).where(leads.c.id == lead)).scalar() or {})


def asked_since(tx: Transaction, lead: LeadId, template: str, since: datetime) -> bool:
    """Whether a mail of this kind was put into the outbox for the lead after `since`."""
    c = messages.c
    found = exists().where(c.lead_id == lead, c.kind == RIGHT, c.template == template, c.released_at > since)
    return bool(tx.execute(select(found)).scalar())


def last(tx: Transaction, what: str, *, after: datetime | None = None, alone: bool = False) -> datetime | None:
    """When somebody last did this, after that instant; None where nobody did. `alone`: until this transaction ends no
    other asks so, and two do not both find that it is their turn."""
    if alone and tx.dialect.name == "postgresql":
        tx.execute(select(deployment.c.id).with_for_update())  # a row that is always there; a deploy waits an instant
    c = privacy_actions.c
    query = select(func.max(c.at)).where(c.what == what)
    found: datetime | None = tx.execute(query if after is None else query.where(c.at > after)).scalar()
    return found


def actions(tx: Transaction, since: datetime) -> list[dict[str, Any]]:
    """What was asked or done for somebody since then, in that order."""
    c = privacy_actions.c
    query = select(privacy_actions).where(c.at >= since, c.lead_id.is_not(None)).order_by(c.at, c.id)
    return [dict(row) for row in tx.execute(query).mappings()]


def country_of(tx: Transaction, lead: LeadId) -> str | None:
    found: str | None = tx.execute(select(leads.c.country).where(leads.c.id == lead)).scalar()
    return found


def note(
    tx: Transaction,
    what: str,
    actor: str,
    now: datetime,
    *,
    lead: LeadId | None = None,
    reason: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Keep that somebody did something about a person's rights (trust C31)."""
    row = {"at": now, "what": what, "actor": actor, "lead_id": lead, "reason": reason, "detail": dict(detail or {})}
    tx.execute(insert(privacy_actions).values(**row))
