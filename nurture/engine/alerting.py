"""A mail to whom the project names for alerts (`alerts.fallback`), about something the program did by itself."""

from __future__ import annotations

from datetime import datetime

from nurture.campaign.project import Project
from nurture.mail.provider import provider_of
from nurture.store import outbox
from nurture.store.database import Transaction

PAUSED, STOPPED, CLOSED = "guard/paused", "guard/stopped", "guard/closed"


def tell(tx: Transaction, project: Project, template: str, subject: str, now: datetime) -> None:
    """Put it into the outbox; nothing where nobody is named."""
    if project.alerts.fallback is not None:
        notify(tx, project.alerts.fallback, template, now, subject=subject)


def notify(
    tx: Transaction, to: str, template: str, now: datetime, *, lead: int | None = None, shard: int = 0, **options: str
) -> None:
    """A notice to this colleague. It belongs to no campaign, since a paused one's mails wait."""
    row = {
        "lead_id": lead,
        "shard": shard,
        "kind": outbox.NOTICE,
        "template": template,
        "service": True,
        "recipient": to,
        "options": options,
        "lane": provider_of(to),
        "due": now,
        "released_at": now,
    }
    outbox.insert(tx, [row])
