"""The `tests:` of a campaign as data; `nurture test` plays them on a virtual clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nurture.campaign.condition import Moment
from nurture.campaign.duration import Duration
from nurture.campaign.problems import Mark

DEFAULT_START = Moment("2026-03-02T10:00")  # a Monday; local to the project's zone
DEFAULT_UNTIL = Duration(days=400)

Instant = Duration | Moment  # from the test's start, or a local date


@dataclass(frozen=True)
class TestEvent:
    """`name` is an event of the project or the engine, or `enroll` for a manual entry."""

    __test__ = False  # not a pytest class

    at: Instant
    name: str
    properties: dict[str, Any]
    mark: Mark


@dataclass(frozen=True)
class TestLead:
    """Who is played. `stages`: at most one of each funnel; `fields` are built-in and own attributes, typed."""

    __test__ = False

    fields: dict[str, Any] = field(default_factory=dict)
    stages: tuple[str, ...] = ()
    consents: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TestDeal:
    __test__ = False

    pipeline: str
    stage: str
    amount: float | None = None
    outcome: str = "open"  # open, won or lost


@dataclass(frozen=True)
class Happens:
    """A mail or a notice by its template (or written step id), and when."""

    name: str
    at: Instant
    mark: Mark


@dataclass(frozen=True)
class Expect:
    """What must hold at the end; None is not looked at."""

    entered: bool | int | None = None
    not_entered: str | None = None
    sent: tuple[Happens, ...] | None = None
    notified: tuple[Happens, ...] | None = None
    refused: dict[str, str] | None = None
    stages: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    consents: tuple[str, ...] | None = None
    scores: dict[str, float] | None = None
    ended: str | None = None  # finished, goal, exit(REASON) or failed(REASON)


@dataclass(frozen=True)
class CampaignTest:
    __test__ = False

    campaign: str
    name: str
    mark: Mark
    lead: TestLead
    expect: Expect
    start: Moment = DEFAULT_START
    until: Instant = DEFAULT_UNTIL
    account: dict[str, Any] | None = None
    deals: tuple[TestDeal, ...] = ()
    answers: dict[str, Any] = field(default_factory=dict)
    events: tuple[TestEvent, ...] = ()
