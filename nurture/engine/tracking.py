"""Clicks and openings: stored as they come in, counted a little later, and only people's (trust C20, C21).

Asked again at every hit: who has withdrawn leaves no trace any more, though the link still leads on. A click is judged
after `WAIT`, because only then can one see whether the same visitor followed all links of the mail at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from nurture.campaign.project import Project
from nurture.journey.timing import local
from nurture.lead.event import Happening
from nurture.store import tracking
from nurture.store.database import Database, Transaction
from nurture.store.events import store_events
from nurture.store.tracking import Hit, Mailed

TOO_SOON = timedelta(seconds=10)  # after the server took the mail: scanners follow links before the person sees it
WAIT = timedelta(seconds=15)
MANY = 4  # different links of one mail, by one visitor, within WAIT of each other
HYGIENE: Literal["hygiene_only"] = "hygiene_only"  # of `tracking` in config.yaml
_PAGE = 500
_EVENTS = {"click": "mail.clicked", "open": "mail.opened"}
_PURPOSES = {"click": "tracking_clicks", "open": "tracking_opens"}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who came, as far as it matters: `mark` is a keyed hash of the network address."""

    mark: str | None
    agent: str
    looks_only: bool  # HEAD
    scanner: str | None = None  # whose gateway it is, where the network is known for that


def follow(
    tx: Transaction, project: Project, message: int, position: int, visitor: Visitor, now: datetime
) -> str | None:
    """Where the link leads; the hit is kept where the lead agrees to it now. None for a link that nobody mailed."""
    page = tracking.page_of(tx, message, position)
    if page is not None and project.tracking != HYGIENE:
        _keep(tx, message, "click", position, visitor, now)
    return page


def opened(tx: Transaction, project: Project, message: int, visitor: Visitor, now: datetime) -> None:
    """The picture of a mail was fetched."""
    if project.tracking == HYGIENE:
        _keep_day(tx, project, message, visitor, now)
    else:
        _keep(tx, message, "open", None, visitor, now)


def _keep_day(tx: Transaction, project: Project, message: int, visitor: Visitor, now: datetime) -> None:
    """Only the day, in the project's zone, over the one before; of a machine's visit nothing (CNIL 2026-042)."""
    mail = tracking.mailed(tx, message)
    if mail is None or mail.lead is None or _suspicion(mail, visitor, now) is not None:
        return
    if tracking.counted(tx, HYGIENE, [mail.lead], now):
        tracking.keep_open_date(tx, mail.lead, local(now, project.zone).date())


def _keep(tx: Transaction, message: int, kind: str, position: int | None, visitor: Visitor, now: datetime) -> None:
    mail = tracking.mailed(tx, message)
    if mail is None or mail.lead is None:
        return
    if _PURPOSES[kind] in tracking.agreed(tx, [mail.lead], now).get(mail.lead, ()):
        tracking.keep_hit(tx, mail, kind, position, now, visitor.mark, _suspicion(mail, visitor, now))


def _suspicion(mail: Mailed, visitor: Visitor, now: datetime) -> str | None:
    if visitor.looks_only:
        return "HEAD"
    if visitor.scanner is not None:
        return f"scanner: {visitor.scanner}"
    agent = visitor.agent.lower()
    if not agent or any(word in agent for word in ("bot", "crawl", "spider", "scan", "preview", "curl", "python-")):
        return "browser"
    if mail.sent_at is None or now - mail.sent_at < TOO_SOON:
        return "too soon"
    return None


def count(database: Database, now: datetime) -> int:
    """Judge what has waited long enough: people's hits mark their mail and become events. How many were people's."""
    counted = 0
    while True:
        with database.write() as tx:
            page = tracking.uncounted(tx, now - WAIT, _PAGE)
            for hit in page:
                counted += _count(tx, hit, now)
        if len(page) < _PAGE:
            return counted


def _count(tx: Transaction, hit: Hit, now: datetime) -> bool:
    if hit.kind == "click" and tracking.clicked_around(tx, hit, hit.at - WAIT, hit.at + WAIT) >= MANY:
        tracking.judge(tx, [hit.id], "many links")
        return False
    tracking.judge(tx, [hit.id], None)
    tracking.mark(tx, hit.message, hit.kind, hit.at)
    mail = tracking.mailed(tx, hit.message)
    assert mail is not None, "a hit goes with its mail"
    properties: dict[str, Any] = {
        "mail": mail.template,
        "step": mail.step,
        "campaign": mail.campaign,
        "message": hit.message,
    }
    if hit.position is not None:
        properties["url"] = tracking.page_of(tx, hit.message, hit.position)
    store_events(tx, [Happening(hit.lead, _EVENTS[hit.kind], hit.at, now, properties, source="engine")])
    return True
