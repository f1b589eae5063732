"""The state of one pass over one enrollment, and the few moves a step can make on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from nurture.campaign.duration import Duration
from nurture.campaign.plan import END, AnyStep, Plan
from nurture.campaign.window import Window
from nurture.journey.effects import AnyEffect, Decision, End, Record, What
from nurture.journey.enrollment import Enrollment, Held, State
from nurture.journey.facts import Facts
from nurture.journey.reads import NONE, Facets, Route, route, touches
from nurture.journey.timing import Workdays, shift, workdays, zone_name

AT_MOST = 100  # steps without standing still; a circle ends here (S19)


class FactsNeeded(Exception):
    """A step needs something this pass has changed, or has not loaded; raised before the step has done anything."""


class Walk:
    """One pass. A handler ends its step by exactly one of `go`, `stand`, `finish`, `park`."""

    __slots__ = (
        "arms",
        "at",
        "due",
        "effects",
        "end",
        "error",
        "facts",
        "held",
        "loops",
        "now",
        "over",
        "reached",
        "records",
        "released",
        "route",
        "stages",
        "state",
        "touched",
        "visit",
        "wake",
        "walked",
        "who",
        "zone",
    )

    def __init__(self, plan: Plan, who: Enrollment, facts: Facts, now: datetime, at: int, walked: int) -> None:
        self.route: Route = route(plan, facts.project)
        self.who, self.facts, self.now, self.at, self.walked = who, facts, now, at, walked
        self.visit, self.due, self.reached, self.wake, self.held = who.visit, who.due, who.reached, who.wake, who.held
        self.arms, self.loops = who.arms, who.loops
        self.zone = zone_name(facts.lead.zone, facts.project.zone)
        self.stages: Mapping[str, str] = facts.lead.stages
        self.effects: list[AnyEffect] = []
        self.records: list[Record] = []
        self.touched: Facets = NONE
        self.released = False  # a mail in this pass: the next one waits (S18)
        self.over = False
        self.state: State = "waiting"
        self.end: End | None = None
        self.error: str | None = None

    # --- what a step reads

    @property
    def plan(self) -> Plan:
        return self.route.plan

    @property
    def step(self) -> AnyStep:
        return self.route.plan.steps[self.at]

    def ask(self, condition: int) -> bool:
        """The answer as of the instant the step is reached, with all this pass has changed so far (S19)."""
        if self.touched and not self.touched.isdisjoint(self.route.facets[condition]):
            raise FactsNeeded
        try:
            return self.facts.answers[condition]
        except KeyError:
            raise FactsNeeded from None

    def window(self) -> Window | None:
        """The campaign's window, else the project's."""
        return self.plan.window or self.facts.project.window

    def work(self, duration: Duration) -> Workdays | None:
        return workdays(self.window(), self.facts.project) if duration.workdays else None

    def shift(self, instant: datetime, duration: Duration) -> datetime:
        """That much later on the lead's clock."""
        return shift(instant, duration, self.zone, workdays=self.work(duration))

    def values(self) -> dict[str, Mapping[str, Any]]:
        """What a date to wait for may name."""
        lead = {"created_at": self.facts.lead.created_at, **self.facts.lead.attributes}
        return {"lead": lead, "entry": self.who.entry, "data": self.who.data}

    # --- what a step does

    def note(self, what: What, reason: str | None = None, **more: Any) -> None:
        """A line for `why` about the present step; `detail`, `until`, and anything else as inputs."""
        detail, until = more.pop("detail", None), more.pop("until", None)
        self.records.append(Record(what, self.step.id, reason, detail, until, more))

    def do(self, effect: AnyEffect) -> None:
        self.effects.append(effect)
        changed = touches(effect)
        if changed:
            self.touched |= changed

    def go(self, target: int, due: datetime | None = None) -> None:
        """On to the next step, reached now. Its `due` is the present step's unless named."""
        if target == END:
            return self.finish("finished")
        self.walked += 1
        if self.walked >= AT_MOST:
            return self.finish("failed", "too many steps")
        self.at, self.visit, self.reached, self.held, self.wake = target, self.visit + 1, self.now, None, self.now
        if due is not None:
            self.due = due

    def stand(self, held: Held | None, wake: datetime | None, due: datetime | None = None) -> None:
        """Stand still on this step and be looked at again at `wake`."""
        self.held, self.wake, self.walked, self.over = held, wake, 0, True
        if due is not None:
            self.due = due

    def park(self, error: str) -> None:
        """Stand aside until a deploy mends it."""
        self.note("parked", error)
        self.state, self.error, self.wake, self.over = "parked", error, None, True

    def finish(self, state: State, reason: str | None = None) -> None:
        self.note("ended", reason, detail=state)
        self.state, self.end, self.wake, self.held, self.over = state, End(state=state, reason=reason), None, None, True

    def decision(self, *, again: bool = False) -> Decision:
        after = msgspec.structs.replace(
            self.who,
            state=self.state,
            step=self.step.id,
            visit=self.visit,
            due=self.due,
            reached=self.reached,
            wake=self.now if again else self.wake,
            held=self.held,
            arms=self.arms,
            loops=self.loops,
            error=self.error,
        )
        return Decision(
            after=after,
            effects=tuple(self.effects),
            records=tuple(self.records),
            end=self.end,
            again=again,
            walked=self.walked,
            watching=self.route.watching[self.at] if self.state == "waiting" else (),
        )
