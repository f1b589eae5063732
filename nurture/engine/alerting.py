"""A mail to whom the project names for alerts (`alerts.fallback`), about something the program did by itself."""

from __future__ import annotations

from datetime import datetime

from nurture.campaign.project import Project
from nurture.mail.provider import provider_of
from nurture.store import outbox
from nurture.store.database import Transaction

PAUSED, STOPPED, CLOSED = "guard/paused", "guard/stopped", "guard/closed"


def tell(tx: Transaction, project: Project, template: str, subject: str, now: datetime) -> None:
    """Put it into the outbox. It belongs to no campaign, since a paused one's mails wait."""
    to = project.alerts.fallback
    if to is None:
        return
    row = {
        "lead_id": None,
        "shard": 0,
        "kind": outbox.NOTICE,
        "template": template,
        "service": True,
        "recipient": to,
        "options": {"subject": subject},
        "lane": provider_of(to),
        "due": now,
        "released_at": now,
    }
    outbox.insert(tx, [row])
