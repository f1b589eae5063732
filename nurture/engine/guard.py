"""Guard rails: a campaign whose mails come back, or are called spam, is paused before the sender is spoilt (E27).

Judged by the latest mails of each campaign, none from before its last pause by this guard, and only where there are
enough of them to mean anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from nurture.engine import deploy
from nurture.engine.alerting import PAUSED, tell
from nurture.engine.live import Live
from nurture.store import returned, versions
from nurture.store.database import Database, Transaction
from nurture.store.events import EventKey, accept_keys
from nurture.store.returned import Tally

log = structlog.get_logger()


@dataclass(frozen=True)
class Rails:
    """Shares are of the `latest` mails within `within`. Google wants complaints below 0.3 %; SES reviews an account at
    0.1 % complaints and 5 % hard bounces, and stops it at 0.5 % and 10 %."""

    complaints_warn: float = 0.001
    complaints_pause: float = 0.003
    bounces_pause: float = 0.05
    least: int = 100  # mails; fewer say nothing
    least_complaints: int = 3  # one unhappy reader of 300 is no 0.3 %
    latest: int = 2_000
    within: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a campaign. `pause` False: only worth a word."""

    campaign: str
    pause: bool
    text: str


def run(database: Database, live: Live, now: datetime, rails: Rails | None = None) -> list[Finding]:
    """Look at every campaign that is live; pause and tell where it is time. What was found."""
    rails = rails or Rails()
    running = {name for name, c in live.campaigns.items() if not c.stands}
    with database.read() as tx:
        tallies = returned.tallies(tx, now - rails.within, rails.latest)
    found = [f for name, tally in sorted(tallies.items()) if name in running and (f := judge(name, tally, rails))]
    if found:
        with database.write() as tx:
            _act(tx, live, found, now)
    return found


def judge(campaign: str, tally: Tally, rails: Rails) -> Finding | None:
    """What these figures mean; None for nothing."""
    if tally.sent < rails.least:
        return None
    bounces, complaints = tally.hard / tally.sent, tally.complaints / tally.sent
    if bounces >= rails.bounces_pause:
        return Finding(campaign, True, f"{bounces:.1%} of the last {tally.sent:,} mails came back for good")
    if complaints >= rails.complaints_pause and tally.complaints >= rails.least_complaints:
        return Finding(campaign, True, f"{complaints:.2%} of the last {tally.sent:,} mails were called spam")
    if complaints >= rails.complaints_warn:
        return Finding(campaign, False, f"{complaints:.2%} of the last {tally.sent:,} mails were called spam")
    return None


def _act(tx: Transaction, live: Live, found: Sequence[Finding], now: datetime) -> None:
    # A warning once a day; a pause is one by itself, for the campaign then stands.
    keys = [EventKey("guard", f"{f.campaign}:{now:%Y-%m-%d}", "warned") for f in found if not f.pause]
    told = {key.message_id for key, new in zip(keys, accept_keys(tx, keys, now), strict=True) if new == "new"}
    for f in found:
        if f.pause:
            deploy.pause(tx, f.campaign, now)
            versions.note_guarded(tx, f.campaign, f.text, now)
            log.error("campaign.paused_by_guard", campaign=f.campaign, why=f.text)
            tell(tx, live.project, PAUSED, f"'{f.campaign}' is paused: {f.text}", now)
        elif f"{f.campaign}:{now:%Y-%m-%d}" in told:
            log.warning("campaign.complaints", campaign=f.campaign, why=f.text)
