"""How much may leave, asked by the wire gate: a new sender's warm-up (trust E17), the blast limits (trust R19, X19).

What is counted is what is put on the wire, in the transaction that puts it there and in rows every worker sees: however
many workers, and whatever let the mails in (a condition that holds for everybody, a stolen key), no more leave.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from nurture.engine import deploy
from nurture.engine.alerting import STOPPED, tell
from nurture.engine.barred import Held
from nurture.engine.turn import Turn
from nurture.mail.warming import WarmUp
from nurture.store import tallies, versions
from nurture.store.outbox import MAIL, Claimed
from nurture.store.tallies import ALL, CAMPAIGN, DAY, LANE

log = structlog.get_logger()

HOUR = timedelta(hours=1)
STOPPED_AT = "blast limit"


def keep_back(
    turn: Turn, going: Sequence[Claimed], warm_up: WarmUp | None, now: datetime, machine: datetime
) -> list[Held]:
    """Count these as leaving, but for those that are over a limit; the latter. `now` is campaign time, `machine` the
    time limits are counted in."""
    kept = _warm(turn, going, warm_up, now, machine)
    over = {k.message.id for k in kept}
    blasted = _blast(turn, [m for m in going if m.id not in over], now, machine)
    kept += blasted
    over |= {k.message.id for k in blasted}
    leaving = Counter(m.lane for m in going if m.id not in over)
    tallies.add(turn.tx, LANE, leaving, tallies.slot_of(machine))
    return kept


def _warm(turn: Turn, going: Sequence[Claimed], warm_up: WarmUp | None, now: datetime, machine: datetime) -> list[Held]:
    """What a provider does not get today. Service mail is counted and goes: it is owed."""
    allowed = None if warm_up is None else warm_up.allowed(machine)
    if warm_up is None or allowed is None:
        return []
    lanes: dict[str, list[Claimed]] = defaultdict(list)
    for m in going:
        lanes[m.lane].append(m)
    kept, today = [], tallies.day_of(machine)
    tomorrow = now + (warm_up.next_day(machine) - machine)
    for lane, group in sorted(lanes.items()):
        tallies.add(turn.tx, DAY, {lane: len(group)}, today)
        over = tallies.total(turn.tx, DAY, lane, today) - allowed
        held = [m for m in group if not m.service][-over:] if over > 0 else []
        tallies.add(turn.tx, DAY, {lane: -len(held)}, today)
        kept += [Held(m, "warm-up", tomorrow) for m in held]
    return kept


def _blast(turn: Turn, going: Sequence[Claimed], now: datetime, machine: datetime) -> list[Held]:
    """What is beyond the limit of its campaign, or of all. A mail that is tried again was counted before."""
    campaigns: dict[str, list[Claimed]] = defaultdict(list)
    for m in going:
        if m.kind == MAIL and m.campaign is not None and m.attempts == 0:
            campaigns[m.campaign].append(m)
    alerts, slot, kept = turn.live.project.alerts, tallies.slot_of(machine), list[Held]()
    for campaign, group in sorted(campaigns.items()):
        counted = len(group) - versions.use_allowance(turn.tx, campaign, len(group))
        over = _over(turn, CAMPAIGN, campaign, counted, alerts.blast, slot, machine)
        if over:
            kept += [Held(m, STOPPED_AT, now) for m in group[-over:]]
            _stop(turn, campaign, f"{alerts.blast:,} mails in an hour are its limit (alerts.blast)", now)
    if alerts.per_hour is not None:
        held = {k.message.id for k in kept}
        rest = [m for group in campaigns.values() for m in group if m.id not in held and not m.service]
        over = _over(turn, ALL, "", len(rest), alerts.per_hour, slot, machine)
        if over:
            kept += [Held(m, STOPPED_AT, now) for m in rest[-over:]]
            _stop_all(turn, f"{alerts.per_hour:,} mails in an hour are the limit (alerts.per_hour)", now)
    return kept


def _over(turn: Turn, scope: str, name: str, count: int, limit: int, slot: datetime, machine: datetime) -> int:
    """Count so many more; how many of them are beyond the limit of an hour, and not counted."""
    tallies.add(turn.tx, scope, {name: count}, slot)
    over = min(count, max(0, tallies.total(turn.tx, scope, name, machine - HOUR) - limit))
    tallies.add(turn.tx, scope, {name: -over}, slot)
    return over


def _stop(turn: Turn, campaign: str, why: str, now: datetime) -> None:
    """The campaign stands until a person says that this is meant; its mails stay in the outbox."""
    if versions.paused_already(turn.tx, campaign):
        return
    deploy.pause(turn.tx, campaign, now)
    versions.note_stopped(turn.tx, campaign, why)
    log.error("campaign.stopped", campaign=campaign, why=why)
    tell(turn.tx, turn.live.project, STOPPED, f"'{campaign}' is paused: {why}", now)


def _stop_all(turn: Turn, why: str, now: datetime) -> None:
    if versions.paused_already(turn.tx, None):
        return
    deploy.pause(turn.tx, None, now, spare_service=True)
    log.error("sending.stopped", why=why)
    tell(turn.tx, turn.live.project, STOPPED, f"everything is paused but service mails: {why}", now)
