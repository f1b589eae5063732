"""What a decision does to the world, in order, and what it says about why."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from nurture.campaign.window import Window
from nurture.journey.enrollment import Enrollment, State


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """`step` and `visit` with the enrollment name an effect once for ever."""

    step: str
    visit: int


class Release(Effect, frozen=True, kw_only=True):
    """A mail to the lead goes into the outbox and holds its place under the cap."""

    template: str
    variant: bool  # one of several in competition
    service: bool
    topic: str | None
    subject: str | None
    sender: str | None  # an address; None is the project's sender
    reply_to: str | None
    attach_utm: bool
    window: Window | None  # asked once more on the wire
    due: datetime  # when it should have gone
    late: bool  # uses up the lead's one late marketing mail of this pass (S21)


class NotifyColleague(Effect, frozen=True, kw_only=True):
    """A notice to every address in `to`, or through the webhook `channel`."""

    template: str
    to: tuple[str, ...] = ()
    channel: str | None = None


class MoveStage(Effect, frozen=True, kw_only=True):
    stage: str
    funnel: str
    origin: str | None
    reason: str | None


class AddScore(Effect, frozen=True, kw_only=True):
    points: dict[str, float]


class SetFields(Effect, frozen=True, kw_only=True):
    values: dict[str, str | float | bool | None]


class AddTag(Effect, frozen=True, kw_only=True):
    tag: str


class RemoveTag(Effect, frozen=True, kw_only=True):
    tag: str


class OpenDeal(Effect, frozen=True, kw_only=True):
    pipeline: str
    amount: float | None
    owner: str | None


class MoveDeal(Effect, frozen=True, kw_only=True):
    stage: str
    pipeline: str | None


class AssignOwner(Effect, frozen=True, kw_only=True):
    team: str


class RequestConsent(Effect, frozen=True, kw_only=True):
    topic: str


class ExpireConsent(Effect, frozen=True, kw_only=True):
    topic: str


class CallWebhook(Effect, frozen=True, kw_only=True):
    """The answer is awaited until `until`; `body` may hold template text."""

    webhook: str
    body: dict[str, str]
    until: datetime


class EnrollIn(Effect, frozen=True, kw_only=True):
    campaign: str


AnyEffect = (
    Release
    | NotifyColleague
    | MoveStage
    | AddScore
    | SetFields
    | AddTag
    | RemoveTag
    | OpenDeal
    | MoveDeal
    | AssignOwner
    | RequestConsent
    | ExpireConsent
    | CallWebhook
    | EnrollIn
)

What = Literal[
    "released",
    "refused",  # a mail, for good: permission or test mode
    "skipped",  # a step: its `if`, `late`, `no date`, `done before`
    "deferred",  # a mail: window, cap, pause, earlier mail
    "waiting",
    "came",  # a wait_for's event or match
    "time_over",
    "branched",
    "drew",
    "round",
    "moved",
    "move_refused",
    "scored",
    "set",
    "tagged",
    "untagged",
    "deal_opened",
    "deal_moved",
    "notified",
    "not_notified",
    "assigned",
    "not_assigned",
    "consent_requested",
    "consent_expired",
    "called",
    "answered",
    "call_failed",
    "enrolled",
    "renewed",
    "migrated",
    "parked",
    "unparked",
    "ended",
]


class Record(msgspec.Struct, frozen=True):
    """One line of `why`: what happened at a step, its reason, what it concerned (template, stage, arm…)."""

    what: What
    step: str | None
    reason: str | None = None
    detail: str | None = None
    until: datetime | None = None
    inputs: dict[str, Any] = {}

    def stored(self) -> dict[str, Any]:
        """The inputs as kept beside the decision: detail and instant among them."""
        more = {"detail": self.detail, "until": self.until.isoformat() if self.until else None}
        return {**{name: value for name, value in more.items() if value is not None}, **self.inputs}


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended, once. Revenue is credited for a goal's event only; currencies are never added up."""

    state: State
    reason: str | None = None
    revenue: float | None = None
    currency: str | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """`after` replaces the enrollment that was read, guarded by its revision. With `again` the facts must be loaded
    anew, after the effects were written, and `decide` be called with `after` and `walked` (S19)."""

    after: Enrollment
    effects: tuple[AnyEffect, ...] = ()
    records: tuple[Record, ...] = ()
    end: End | None = None
    again: bool = False
    walked: int = 0  # steps done since the enrollment last stood still
    watching: tuple[int, ...] = ()  # conditions to ask when the lead changes, by index (S5)
