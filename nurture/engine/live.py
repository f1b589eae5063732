"""What is live, as the passes need it: plans by version, and who listens to which event.

Loaded once per generation (a deploy, a pause or a resume moves it on) and shared by every pass until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

from nurture.campaign.condition import Condition, ScoreIs
from nurture.campaign.plan import (
    EnterDate,
    EnterEvent,
    EnterMatch,
    EnterSchedule,
    EnterStage,
    Plan,
    Trigger,
    WaitFor,
)
from nurture.campaign.project import Project
from nurture.engine.consent import ConsentRules
from nurture.journey.reads import event_touches, facets
from nurture.lead.keyring import Keyring
from nurture.mail.provider import provider_of
from nurture.store import versions
from nurture.store.conditions import Asker
from nurture.store.database import Transaction
from nurture.store.versions import Deployed


@dataclass(frozen=True)
class Watch:
    """The conditions and events that may end an open enrollment or wake it, of one plan.

    `conditions` are asked together, in this order, for every enrollment of the version that something happened to:
    first the `where` of each trigger in `events`, then each condition of `matches`.
    """

    events: tuple[tuple[str, Trigger], ...]  # (place, trigger): place is "goal", "exit:N" or "wait:STEP"
    matches: tuple[tuple[str, int], ...]  # (place, condition index)

    def places(self, name: str) -> list[tuple[str, Trigger]]:
        """Triggers that listen to an event of this name."""
        return [(place, t) for place, t in self.events if t.event == name or (t.event == "any" and "." not in name)]


def watch(plan: Plan) -> Watch:
    """Everything of this plan that listens."""
    triggers: list[tuple[str, Trigger]] = []
    if plan.goal:
        triggers.append(("goal", plan.goal.trigger))
    triggers += [(f"exit:{n}", item.trigger) for n, item in enumerate(plan.exits)]
    triggers += [(f"wait:{step.id}", step.trigger) for step in plan.steps if isinstance(step, WaitFor)]
    return Watch(
        events=tuple((place, t) for place, t in triggers if t.event),
        matches=tuple((place, t.match) for place, t in triggers if t.match is not None),
    )


@dataclass
class Live:
    """The live project and campaigns. Not changed after loading but for plans of older versions, added when met."""

    generation: int
    project: Project
    paused: bool
    pause_spares_service: bool
    campaigns: dict[str, Deployed]
    plans: dict[tuple[str, str], Plan]
    templates: dict[str, str]
    asker: Asker
    keyring: Keyring
    allowed: Callable[[str], bool] | None = None  # of a staging guard: the addresses that mails may go to
    _facets: dict[Condition, frozenset[str]] = field(default_factory=dict)
    _watches: dict[tuple[str, str], Watch] = field(default_factory=dict)

    def reaches(self, address: str | None) -> bool:
        """Whether the staging guard, where there is one, lets mails to this address go."""
        return self.allowed is None or (address is not None and self.allowed(address))

    def plan(self, campaign: str) -> Plan:
        """The live version's plan."""
        return self.plans[campaign, self.campaigns[campaign].version]

    def watch(self, campaign: str, version: str) -> Watch:
        key = (campaign, version)
        if key not in self._watches:
            self._watches[key] = watch(self.plans[key])
        return self._watches[key]

    def reads(self, condition: Condition) -> frozenset[str]:
        """What a change of may turn the condition."""
        if condition not in self._facets:
            self._facets[condition] = facets(condition, self.project)
        return self._facets[condition]

    def ensure(self, tx: Transaction, pairs: Iterable[tuple[str, str]]) -> None:
        """Load the plans of these (campaign, version) pairs where they are not yet here."""
        missing = {pair for pair in pairs if pair not in self.plans}
        if missing:
            self.plans.update(versions.plans(tx, sorted(missing)))
            self.__dict__.pop("_heard", None)

    def _entering(self, kind: type) -> list[tuple[str, Plan]]:
        found = [(name, self.plan(name)) for name, c in self.campaigns.items() if c.state in ("live", "paused")]
        return [(name, plan) for name, plan in found if isinstance(plan.enter, kind)]

    @cached_property
    def by_event(self) -> dict[str, list[str]]:
        """Campaigns that an event of this name may start or whose quiet it restarts."""
        found: dict[str, list[str]] = {}
        for name, plan in self._entering(EnterEvent):
            assert isinstance(plan.enter, EnterEvent)
            found.setdefault(plan.enter.event, []).append(name)
        return found

    @cached_property
    def by_unless(self) -> dict[str, list[str]]:
        """Campaigns whose quiet an event of this name cancels."""
        found: dict[str, list[str]] = {}
        for name, plan in self._entering(EnterEvent):
            assert isinstance(plan.enter, EnterEvent)
            for unless in plan.enter.unless:
                found.setdefault(unless.event, []).append(name)
        return found

    @cached_property
    def by_stage(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, plan in self._entering(EnterStage):
            assert isinstance(plan.enter, EnterStage)
            found.setdefault(plan.enter.stage, []).append(name)
        return found

    @cached_property
    def by_match(self) -> list[tuple[str, EnterMatch]]:
        return [(n, p.enter) for n, p in self._entering(EnterMatch) if isinstance(p.enter, EnterMatch)]

    @cached_property
    def by_date(self) -> list[tuple[str, EnterDate]]:
        return [(n, p.enter) for n, p in self._entering(EnterDate) if isinstance(p.enter, EnterDate)]

    @cached_property
    def by_schedule(self) -> list[tuple[str, EnterSchedule]]:
        return [(n, p.enter) for n, p in self._entering(EnterSchedule) if isinstance(p.enter, EnterSchedule)]

    @cached_property
    def arming(self) -> frozenset[str]:
        """Campaigns that look at leads at instants of their own."""
        return frozenset(n for n, _ in [*self.by_match, *self.by_date, *self.by_schedule])

    @cached_property
    def _heard(self) -> frozenset[str]:
        """What anybody listens to: names of events, and facets that conditions read."""
        found = {"stage.entered", "lead.created", "lead.changed", "enroll.requested"}
        found |= {*self.by_event, *self.by_unless}
        asked: list[Condition] = [spec.condition for _, spec in self.by_match]
        for key, plan in self.plans.items():
            found |= {t.event for _, t in self.watch(*key).events if t.event}
            asked += [plan.conditions[index] for _, index in self.watch(*key).matches]
        for score in self.project.scores.values():
            found |= {rule.event for rule in score.rules if rule.event}
            if score.thresholds:
                asked.append(ScoreIs(score.name, ()))
        asked += [s.enter_if for f in self.project.funnels.values() for s in f.stages if s.enter_if]
        return frozenset(found.union(*(self.reads(c) for c in asked)))

    def hears(self, name: str) -> bool:
        """Whether an event of this name may do anything but be counted later."""
        if name in self._heard or ("any" in self._heard and "." not in name):
            return True
        return bool(event_touches(name) & self._heard)

    @property
    def asks_accounts(self) -> bool:
        """Whether any condition that ends, wakes or enters looks at the lead's company."""
        return "account" in self._heard

    @property
    def asks_enrollments(self) -> bool:
        """Whether any condition that ends, wakes or enters looks at other enrollments."""
        return "enrollment" in self._heard

    @property
    def reads_accounts(self) -> bool:
        """Whether any condition at all looks at the lead's company."""
        asked = [c for plan in self.plans.values() for c in (*plan.conditions, plan.only_if) if c is not None]
        return self.asks_accounts or any("account" in self.reads(c) for c in asked)

    @property
    def consent_rules(self) -> ConsentRules:
        """What a change of consent is judged by now."""
        return ConsentRules(self.project, self.keyring, self.withdrawal, provider_of, tells_ends=self.asks_enrollments)

    @property
    def withdrawal(self) -> dict[tuple[str, str], str]:
        """(campaign, version) → the topic whose withdrawal ends its enrollments."""
        return {key: plan.topic for key, plan in self.plans.items() if plan.topic and plan.on_withdrawal == "exit"}


def load_live(
    tx: Transaction, keyring: Keyring, before: Live | None = None, allowed: Callable[[str], bool] | None = None
) -> Live | None:
    """What is live now; `before` itself where nothing was deployed since; None where nothing ever was. `allowed` is the
    staging guard's."""
    if before is not None and versions.generation(tx) == before.generation:
        return before
    deployment = versions.current(tx)
    if deployment is None:
        return None
    campaigns = versions.deployed(tx)
    wanted = {(c.name, c.version) for c in campaigns.values()} | set(versions.in_flight(tx))
    return Live(
        generation=deployment.generation,
        project=deployment.project,
        paused=deployment.paused,
        pause_spares_service=deployment.pause_spares_service,
        campaigns=campaigns,
        plans=versions.plans(tx, sorted(wanted)),
        templates=versions.live_templates(tx),
        asker=Asker(deployment.project),
        keyring=keyring,
        allowed=allowed,
    )
