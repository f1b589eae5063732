"""A flood of sign-ups: somebody fills in forms with other people's addresses, so that they drown in mail (trust X18).

The bounds hold by themselves; here somebody is told, once a day, in time to close the form or the key it comes through.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from nurture.engine.alerting import tell
from nurture.engine.confirming import ASKED, REFUSED
from nurture.engine.live import Live
from nurture.store import tallies
from nurture.store.database import Database
from nurture.store.events import EventKey, accept_keys

log = structlog.get_logger()

TEMPLATE = "guard/flood"
WEEK = timedelta(days=7)
TIMES = 10  # so much more than in the mean hour of the last week
LEAST = 100  # mails in an hour; fewer are no flood


def run(database: Database, live: Live, now: datetime) -> str | None:
    """Look at this hour's confirmation mails, and tell where they are too many; what was told."""
    with database.read() as tx:
        asked, refused = (tallies.by_slot(tx, tallies.ASKED, name, now - WEEK) for name in (ASKED, REFUSED))
    found = judge(asked, refused, now)
    if found is None:
        return None
    with database.write() as tx:
        [new] = accept_keys(tx, [EventKey("flood", f"{now:%Y-%m-%d}", "told")], now)
        if new != "new":
            return None
        tell(tx, live.project, TEMPLATE, found, now)
    log.error("confirmations.flood", why=found)
    return found


def judge(asked: dict[datetime, int], refused: dict[datetime, int], now: datetime) -> str | None:
    """What these counts by hour mean; None for nothing."""
    hour = tallies.hour_of(now)
    if kept_back := refused.get(hour, 0):
        return f"{kept_back:,} confirmation mails were kept back within an hour: too many sign-ups at once"
    mean = sum(count for at, count in asked.items() if at != hour) / (WEEK / timedelta(hours=1))
    present = asked.get(hour, 0)
    if present >= max(LEAST, TIMES * mean):
        return f"{present:,} confirmation mails within an hour; {mean:,.1f} are usual"
    return None
