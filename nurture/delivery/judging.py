"""What becomes of a mail that was not taken: the message, its lane, and the ways that its reply speaks against.

The reply's meaning is `mail.outcome`'s table (trust E15); here it is applied: tried again later (trust E16), slowed
(trust E17), held, left unknown or sent again with the same bytes as the stream's policy says (trust E18).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from nurture.clock import Dice
from nurture.delivery.pacing import Cut, Lanes
from nurture.delivery.transport import Dropped, Refused
from nurture.engine.barred import ways_of
from nurture.mail.outcome import Move, Outcome, Phase, Route, Rules, classify, next_attempt
from nurture.store.closures import DESTINATION, DOMAIN, SENDER, SERVER, Strike
from nurture.store.outbox import Claimed, Launch, Result

log = structlog.get_logger()

SERVICE, MARKETING = "service", "marketing"
_ADDRESS = re.compile(r"[^\s<>]+@[^\s<>]+")
_SCOPES = {
    Route.STOP: SERVER,
    Route.PAUSE_SENDER: SENDER,
    Route.PAUSE_DESTINATION: DESTINATION,
    Route.PAUSE_DOMAIN: DOMAIN,
}
_AT_LEAST = timedelta(minutes=30)  # of a pause or a suspension that a rule gives no length


@dataclass(frozen=True)
class Retry:
    """When an attempt that failed for now is made again (trust E16)."""

    first: timedelta = timedelta(minutes=5)
    longest: timedelta = timedelta(hours=4)
    give_up: timedelta = timedelta(hours=72)


class Judged(NamedTuple):
    """`strike`: what the reply says against a way, for every worker to know."""

    outcome: Outcome
    result: Result
    strike: Strike | None


@dataclass
class Judge:
    """One worker's judge. `resend` are the streams whose mails, when nobody knows what became of them, go again with
    the same bytes. `server` names the mail server's settings: others may serve where these do not."""

    rules: Rules
    lanes: Lanes
    retry: Retry = field(default_factory=Retry)
    resend: Collection[str] = frozenset({SERVICE})
    server: str = ""
    dice: Dice = field(default_factory=Dice)

    def resends(self, m: Claimed) -> bool:
        """Whether this message's bytes are kept, to go again should its outcome stay unknown (trust E18)."""
        return (SERVICE if m.service else MARKETING) in self.resend

    def judge(self, m: Claimed, launch: Launch, result: Refused | Dropped, now: datetime, at: float) -> Judged:
        """What follows from this reply; `at` is the lanes' clock."""
        reply = result.reply
        phase = Phase.DOT if isinstance(result, Dropped) and result.dot_written else reply.phase
        if isinstance(result, Dropped) and not result.dot_written and phase == Phase.DOT:
            phase = Phase.BODY  # the dot was never handed to the socket: as if the server had said 451 (RFC 5321 §3.8)
        outcome = classify(phase, reply.code, reply.enhanced, reply.text, self.rules)
        self._pace(m, outcome, at)
        told = Result(
            m.id,
            m.fence,
            "failed",
            now,
            phase=str(phase),
            code=reply.code,
            enhanced=reply.enhanced,
            text=reply.text[:500],
            outcome=str(outcome.kind),
            reason=(f"{reply.code} {reply.text}" if reply.code else f"no answer: {reply.text}").strip(": ")[:300],
        )
        return Judged(outcome, self._follow(m, outcome, told, now), self._strike(m, launch, outcome, told))

    def _follow(self, m: Claimed, outcome: Outcome, told: Result, now: datetime) -> Result:
        """What becomes of the message."""
        match outcome.message:
            case Move.DONE:
                return replace(told, state="sent")
            case Move.UNKNOWN:
                return self._again(m, outcome, told, now) if self.resends(m) else replace(told, state="unknown")
            case Move.RETRY:
                return self._again(m, outcome, told, now)
            case Move.HOLD:  # the way is closed: how long is the gate's to say, and it is nobody's attempt that failed
                return replace(told, state="pending", due=now + (outcome.pause or _AT_LEAST))
            case _:
                return told

    def _again(self, m: Claimed, outcome: Outcome, told: Result, now: datetime) -> Result:
        wait = next_attempt(m.attempts + 1, self.retry.first, self.retry.longest, self.dice.between)
        due = now + max(wait, outcome.retry_after or timedelta(0))
        if due - m.released_at > self.retry.give_up:
            return replace(told, reason=f"gave up: {told.reason}")
        return replace(told, state="pending", due=due)

    def _strike(self, m: Claimed, launch: Launch, outcome: Outcome, told: Result) -> Strike | None:
        scope = _SCOPES.get(outcome.route)
        if scope is None:
            return None
        way = next(way for way in ways_of(m, launch, self.server) if way[0] == scope)
        # Kept beyond an erasure, so it names nobody.
        reason = _ADDRESS.sub("…", told.reason or "")
        pause = outcome.pause or _AT_LEAST
        return Strike(way, outcome.rule, reason, outcome.pause_after, outcome.pause_within, pause)

    def _pace(self, m: Claimed, outcome: Outcome, at: float) -> None:
        lane = self.lanes.named(m.lane, at)
        match outcome.route:
            case Route.SLOW:
                rate = None if outcome.rate is None else outcome.rate / 60
                if lane.throttled(Cut(rate, outcome.pause.total_seconds() or 1800.0), at):
                    log.warning("lane.slowed", lane=m.lane, rule=outcome.rule)
            case Route.SUSPEND:
                lane.throttled(Cut(None, hold=outcome.pause.total_seconds() or 1800.0), at)
                log.warning("lane.suspended", lane=m.lane, rule=outcome.rule)
            case Route.BACKOFF:
                lane.unreachable(at)
                if outcome.alert:
                    log.error("route.closed", lane=m.lane, rule=outcome.rule)
