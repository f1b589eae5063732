"""Why a lead is not in a campaign, asked of the lead as it is now: what stands in its way, in the order in which an
entry asks (S9).

No decision is made and none is written. What it would enter by comes first: most leads are not in a campaign because
nothing of theirs ever began it. The statements are as many as the campaign's conditions want, whatever happened so far.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from nurture.campaign.condition import Condition
from nurture.campaign.needs import leaves
from nurture.campaign.phrasing import phrase
from nurture.campaign.plan import EnterDate, EnterEvent, EnterManual, EnterMatch, EnterSchedule, EnterStage, Plan
from nurture.campaign.project import Project
from nurture.engine.asked_of import SAW, all_leaves, asked_of
from nurture.engine.change import Change, Ways, one_way, ways_to
from nurture.engine.would_need import Known, to_enter_again, would_need
from nurture.journey.dates import next_date, next_occurrence
from nurture.journey.enrollment import key_text
from nurture.journey.entry import refuse_again
from nurture.journey.reads import facets
from nurture.journey.timing import shift
from nurture.store import timers
from nurture.store.acceptance import Arrival
from nurture.store.conditions import Asker, Row
from nurture.store.database import Transaction
from nurture.store.enrollments import Entry
from nurture.store.facts import KnownLead
from nurture.store.timeline import Line
from nurture.store.versions import Deployed
from nurture.store.why import newest_event

_HOPS = 4  # edges followed to find when a leaf turns by itself; an edge may be early


@dataclass(frozen=True)
class Asking:
    """One lead and one campaign as they are now."""

    tx: Transaction
    project: Project
    deployed: Deployed
    plan: Plan
    paused: bool
    lead: KnownLead
    entries: list[Entry]
    known: Known
    asker: Asker

    @property
    def now(self) -> datetime:
        return self.known.now

    def line(self, reason: str, **inputs: Any) -> Line:
        """The answer of an entry that nobody asked for."""
        return Line(self.now, self.lead.id, "would_not_enter", reason, None, self.deployed.name, None, None, inputs)

    def row(self, event: Arrival | None) -> Row:
        key = None
        if isinstance(self.plan.enter, EnterEvent) and self.plan.enter.key and event is not None:
            key = key_text(event.properties.get(self.plan.enter.key))
        return Row(self.lead.id, self.now, self.lead.zone, event=event.id if event else None, key=key)


Standing = tuple[Line, Ways]  # what stands in the way, and what would take it away


def obstacles(asking: Asking) -> list[Standing]:
    """What keeps the lead out now. Never empty: where nothing does, it says what would begin it."""
    event = None
    if isinstance(asking.plan.enter, EnterEvent):
        event = newest_event(asking.tx, asking.lead.id, asking.plan.enter.event)
    found = [*_stopped(asking), *_trigger(asking, event), *_history(asking, event), *_conditions(asking, event)]
    return found or [(asking.line("nothing began it"), one_way(_beginning(asking.plan)))]


def _stopped(asking: Asking) -> Iterator[Standing]:
    if asking.paused:
        yield asking.line("not live"), one_way(Change("everything is resumed: nurture resume --all", saw="all paused"))
    elif asking.deployed.paused:
        resume = f"the campaign is resumed: nurture resume {asking.deployed.name}"
        yield asking.line("not live"), one_way(Change(resume, saw="paused"))
    elif asking.deployed.state != "live":
        state = asking.deployed.state
        yield (
            asking.line("not live"),
            one_way(Change("the campaign is deployed with state: live", f"state: {state}", state)),
        )


# --- what would begin it


def _beginning(plan: Plan) -> Change:
    match plan.enter:
        case EnterEvent(event=event):
            return Change(f"{event} comes", f"enter: {{event: {event}}}")
        case EnterStage(stage=stage):
            return Change(f"it is moved to {stage}", f"enter: {{stage: {stage}}}")
        case EnterMatch(condition=condition):
            return Change("the worker looks at it again", f"enter: {{match: {{{phrase(condition)}}}}}")
        case EnterManual():
            return Change(f"somebody puts it in: nurture enroll {plan.campaign} LEAD", "enter: {manual: true}")
        case _:
            return Change("its day comes")


def _trigger(asking: Asking, event: Arrival | None) -> Iterator[Standing]:
    match asking.plan.enter:
        case EnterEvent() as enter:
            yield from _by_event(asking, enter, event)
        case EnterStage(stage=stage):
            yield from _by_stage(asking, stage)
        case EnterMatch() as enter:
            yield from _by_match(asking, enter)
        case EnterDate() as enter:
            yield from _by_date(asking, enter)
        case EnterSchedule() as enter:
            found = next_occurrence(enter, asking.now, asking.lead.zone, asking.project.zone)
            if found is None:
                yield (
                    asking.line("schedule over"),
                    one_way(Change("the schedule goes on", f"enter: {{schedule: {enter.at}}}")),
                )
            else:
                yield asking.line("its time is to come"), one_way(Change("its time comes", at=found.at))
        case EnterManual():
            yield asking.line("nothing began it"), one_way(_beginning(asking.plan))


def _by_event(asking: Asking, enter: EnterEvent, event: Arrival | None) -> Iterator[Standing]:
    begins = one_way(_beginning(asking.plan))
    if event is None:
        yield asking.line("no event", event=enter.event), begins
        return
    came = {"event": event.name, "at": event.at.isoformat()}
    if event.fact:
        yield asking.line("event too late", **came), one_way(replace(begins[0][0], text=f"{event.name} comes in time"))
        return
    settling = [t for t in timers.of_leads(asking.tx, [asking.lead.id], ["settle"]) if t.owner == asking.plan.campaign]
    running = [t.due for t in settling if t.due is not None]
    if running:
        yield asking.line("not quiet yet", **came), one_way(Change("it stays quiet until then", at=min(running)))
    elif asking.row(event).key is None and enter.key is not None:
        yield asking.line("no key", **came), would_need(asking.plan, asking.line("no key"), asking.known)
    elif enter.where is not None:
        sights = _look(asking, leaves(enter.where), event)
        ways = ways_to(enter.where, True, leaves(enter.where), sights)
        if ways:
            yield asking.line("event did not fit", **came), ways


def _by_stage(asking: Asking, stage: str) -> Iterator[Standing]:
    stands = [where for where in asking.lead.stages.values() if where == stage]
    if not stands:
        funnel = asking.project.funnel_of(stage)
        there = asking.lead.stages.get(funnel.name) if funnel is not None else None
        change = replace(_beginning(asking.plan), saw=there or "no stage")
        yield asking.line("not moved there", stage=stage), one_way(change)
    elif not asking.entries:
        text = f"it is moved to {stage} anew: those who stood there before the campaign, or by an import, are not taken"
        yield asking.line("stood there before", stage=stage), one_way(replace(_beginning(asking.plan), text=text))


def _by_match(asking: Asking, enter: EnterMatch) -> Iterator[Standing]:
    asked = leaves(enter.condition)
    ways = ways_to(enter.condition, True, asked, _look(asking, asked, None))
    if ways:
        yield asking.line("match does not hold"), _by_time(asking, asked, ways)
    elif timers.matching(asking.tx, asking.deployed.name, [asking.lead.id]):
        changes = (
            Change("the condition is false once, and then holds again", f"match: {{{phrase(enter.condition)}}}"),
        )
        yield asking.line("match held before"), one_way(*changes)


def _by_date(asking: Asking, enter: EnterDate) -> Iterator[Standing]:
    name = ".".join(enter.field)
    value: Any = asking.lead.facts.attributes
    for part in enter.field:
        value = value.get(part) if isinstance(value, dict) else None
    after = asking.now if enter.catch_up is None else shift(asking.now, enter.catch_up.negated(), asking.lead.zone)
    found = next_date(enter, value, asking.lead.zone, after - timedelta(microseconds=1))
    rule = f"enter: {{date: lead.{name}}}"
    if value is None:
        yield asking.line("no date"), one_way(Change(f"{name} holds a date", rule))
    elif found is None:
        yield asking.line("date passed"), one_way(Change(f"{name} is a date still to come", rule, str(value)))
    elif found.at > asking.now:
        yield asking.line("its time is to come"), one_way(Change("its day comes", rule, at=found.at))


# --- what an entry would be asked


def _history(asking: Asking, event: Arrival | None) -> Iterator[Standing]:
    enter = asking.plan.enter
    key = (asking.row(event).key or "") if isinstance(enter, EnterEvent) and enter.key else ""
    if any(e.open and e.key == key for e in asking.entries):
        yield asking.line("already in it"), would_need(asking.plan, asking.line("already in it"), asking.known)
        return
    starts = [e.entered_at for e in asking.entries]
    used = any(e.key == key for e in asking.entries)
    no = refuse_again(asking.plan.again, starts, used, bool(key), asking.now, asking.lead.zone)
    if no is not None:
        yield asking.line(no), one_way(to_enter_again(asking.plan, starts, asking.now, asking.lead.zone))


def _conditions(asking: Asking, event: Arrival | None) -> Iterator[Standing]:
    for reason in ("exit already true", "goal already true", "condition false"):
        asked = asked_of(asking.plan, "would_not_enter", reason, None, None)
        if reason == "condition false":  # the event's own tests were told already
            asked = tuple(
                one._replace(condition=asking.plan.only_if) for one in asked if asking.plan.only_if is not None
            )
        for one in asked:
            mine = all_leaves([one])
            sights = _look(asking, mine, event)
            ways = ways_to(one.condition, one.otherwise, mine, sights)
            if ways:
                yield asking.line(reason, **{SAW: sights}), _by_time(asking, mine, ways)


def _look(asking: Asking, asked: tuple[Condition, ...], event: Arrival | None) -> list[list[Any]]:
    return [list(sight) for sight in asking.asker.look(asking.tx, asked, [asking.row(event)])[0]]


def _by_time(asking: Asking, asked: tuple[Condition, ...], ways: Ways) -> Ways:
    """With the instants at which time alone brings a change."""
    moving = {phrase(leaf): leaf for leaf in asked if "time" in facets(leaf, asking.project)}
    turns: dict[str, datetime | None] = {}
    for rule in dict.fromkeys(change.rule for way in ways for change in way if change.rule in moving):
        turns[rule] = _turns_at(asking, moving[rule])
    return tuple(tuple(replace(change, at=turns.get(change.rule)) for change in way) for way in ways)


def _turns_at(asking: Asking, leaf: Condition) -> datetime | None:
    """When the leaf answers otherwise if nothing but time goes by; None where it does not, or not soon to be seen."""
    row = asking.row(None)
    ((before, *_), edge) = asking.asker.ask_edges(asking.tx, [leaf], [row])[0]
    for _ in range(_HOPS):
        if edge is None:
            return None
        ((answer, *_), later) = asking.asker.ask_edges(asking.tx, [leaf], [row._replace(as_of=edge)])[0]
        if answer is not before:
            return edge
        edge = later
    return None
