"""What surrounds the campaigns: funnels, pipelines, scores, topics, declared names, caps, windows, teams.

This is the part of config.yaml that gives campaigns their meaning. It is deployed beside them and is always the live
one for every version (S33). Secrets, servers and databases are not in here: they are the machine's (`settings`).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from nurture.campaign.condition import Condition
from nurture.campaign.duration import Duration
from nurture.campaign.window import Window

Basis = Literal["consent", "soft_opt_in", "legitimate_interest", "service"]
# The declared type of a property: a name of FieldType, a mapping of further ones, or [mapping] for a list of such.
Shape = str | dict[str, Any] | list[Any]


class Stage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stage of a funnel. `moves` names the stages one may be moved to from here besides those further on. Who stands
    in one that is `left` has gone: coming there is neither a step forward nor winning."""

    name: str
    band: Literal["tofu", "mofu", "bofu"] | None = None
    enter_if: Condition | None = None
    sla: Duration | None = None
    moves: tuple[str, ...] = ()
    left: bool = False


class Funnel(msgspec.Struct, frozen=True):
    name: str
    stages: tuple[Stage, ...]

    def names(self) -> tuple[str, ...]:
        return tuple(stage.name for stage in self.stages)


class DealStage(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    probability: float | None = None  # 0–1; None: not in the forecast


class Recycle(msgspec.Struct, frozen=True):
    """A lost deal's lead goes back to stage `to` once `after` has passed."""

    to: str
    after: Duration


class Pipeline(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    stages: tuple[DealStage, ...]
    won: tuple[str, ...] = ()  # reasons one may give
    lost: tuple[str, ...] = ()
    recycle: Recycle | None = None


class ScoreRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """Points for each event (they decay) or while a condition holds (they do not)."""

    points: float
    event: str | None = None
    where: Condition | None = None
    condition: Condition | None = None


class Threshold(msgspec.Struct, frozen=True, omit_defaults=True):
    """Crossed upward at `at`, fallen below at `at - hysteresis` (S31)."""

    name: str
    at: float
    hysteresis: float = 0.0


class Score(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    rules: tuple[ScoreRule, ...] = ()
    half_life: Duration | None = None
    at_most: float | None = None
    thresholds: tuple[Threshold, ...] = ()

    @property
    def half_life_s(self) -> float:
        """Seconds in which the points of events halve; 0 where they do not decay."""
        return 0.0 if self.half_life is None else float(self.half_life.mean_seconds())


class Topic(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a lead can agree to. `title` and `wording` are by locale; the wording is the exact text agreed to."""

    name: str
    title: dict[str, str] = {}
    wording: dict[str, str] = {}
    basis: Basis = "consent"
    double_opt_in: bool = True
    expires_after: Duration | None = None
    similar_to: str | None = None  # of a soft opt-in: what was sold that these mails are about the like of
    assessment: str | None = None  # of a legitimate interest: where its assessment lies (GDPR rec. 47)
    countries: tuple[str, ...] = ()  # of a legitimate interest: the only ones it covers

    @property
    def of_similar_products(self) -> bool:
        """Whether the project says that these mails are about products like those people bought (trust C10)."""
        return self.basis == "soft_opt_in" or self.similar_to is not None


class Input(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a form asks for one of its fields. `choices` are values with what people read beside each."""

    label: dict[str, str] = {}
    choices: dict[str, dict[str, str]] = {}
    lines: int = 1


class Form(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    fields: dict[str, Shape] = {}
    title: dict[str, str] = {}
    topics: tuple[str, ...] = ()
    inputs: dict[str, Input] = {}


class Cap(msgspec.Struct, frozen=True):
    """At most so many marketing mails released in a rolling time."""

    at_most: int
    per: Duration


class Webhook(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    url: str = ""  # the template of it may hold a secret reference; the machine's settings hold the value
    timeout: Duration = Duration(seconds=10)
    erasures: bool = False  # told of every erasure of a lead (GDPR 19)


class Alerts(msgspec.Struct, frozen=True, omit_defaults=True):
    """`blast`: leads that may enter at one deploy, and mails of one campaign in an hour, before somebody is asked;
    `per_hour`: campaigns' mails in an hour over all of them, None without limit; `growth`: how much larger a change may
    make a campaign's audience, 0.5 is half as large again."""

    blast: int = 10_000
    fallback: str | None = None
    per_hour: int | None = None
    growth: float = 0.5


class Sender(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str = ""
    email: str = ""
    reply_to: str | None = None
    postal_address: str = ""


class Project(msgspec.Struct, frozen=True, omit_defaults=True):
    """The live context of every campaign. Mappings are by name and keep the order they were written in."""

    name: str = "project"
    zone: str = "UTC"
    locale: str = "en"
    currency: str = "EUR"
    sender: Sender = Sender()
    funnels: dict[str, Funnel] = {}
    pipelines: dict[str, Pipeline] = {}
    scores: dict[str, Score] = {}
    topics: dict[str, Topic] = {}
    segments: dict[str, Condition] = {}
    events: dict[str, dict[str, Shape]] = {}
    attributes: dict[str, Shape] = {}
    account_attributes: dict[str, Shape] = {}
    forms: dict[str, Form] = {}
    cap: Cap | None = None
    window: Window | None = None
    holidays: dict[str, tuple[str, ...]] = {}  # own lists of ISO dates
    teams: dict[str, tuple[str, ...]] = {}
    channels: dict[str, str] = {}  # webhook names to notify through
    webhooks: dict[str, Webhook] = {}
    alerts: Alerts = Alerts()
    late_events: Duration = Duration(seconds=86_400)
    expires_after: Duration = Duration(seconds=72 * 3600)
    tracking: bool | Literal["hygiene_only"] = False

    def funnel_of(self, stage: str) -> Funnel | None:
        """The funnel that stage belongs to; stage names are unique over all funnels."""
        return next((f for f in self.funnels.values() if stage in f.names()), None)
