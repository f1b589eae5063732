"""What an event or a change does to open enrollments: goals, then exits, then waits (S3), for a whole round at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nurture.campaign.condition import Condition
from nurture.campaign.plan import Plan, Trigger
from nurture.engine.live import Watch
from nurture.engine.turn import Turn
from nurture.engine.writing import Decided, arm_looks, write
from nurture.journey import happened
from nurture.journey.effects import Decision
from nurture.journey.enrollment import Enrollment, same_key
from nurture.store import enrollments
from nurture.store.conditions import Row


@dataclass(frozen=True, slots=True)
class Happened:
    """What a round holds for one lead: an event, or only a change or an instant to look at (`name` None)."""

    lead: int
    now: datetime
    event: int | None = None
    name: str | None = None
    at: datetime | None = None
    properties: Mapping[str, Any] | None = None
    only: int | None = None  # a look at this enrollment alone
    fact: bool = False  # ends enrollments but wakes nothing (S2)


def trigger(turn: Turn, happenings: Sequence[Happened]) -> None:
    """End or wake the open enrollments that listen to what happened to their leads."""
    by_lead = {h.lead: h for h in happenings}
    standing = enrollments.open_of(turn.tx, list(by_lead))
    groups: dict[tuple[str, str], list[Enrollment]] = defaultdict(list)
    for e in standing:
        groups[e.campaign, e.version].append(e)
    turn.live.ensure(turn.tx, groups)
    turn.flush()
    for pair in sorted(groups):
        _trigger_version(turn, pair, groups[pair], by_lead)


def _trigger_version(
    turn: Turn, pair: tuple[str, str], group: list[Enrollment], by_lead: Mapping[int, Happened]
) -> None:
    plan, watch = turn.live.plans[pair], turn.live.watch(*pair)
    asked = [(e, h) for e in group if _listens(turn, plan, watch, e, h := by_lead[e.lead])]
    if not asked:
        return
    questions, place_of = _questions(plan, watch)
    rows = [
        Row(lead=e.lead, as_of=h.now, zone=turn.zone(e.lead), enrollment=e.id, event=h.event, key=e.key)
        for e, h in asked
    ]
    answers = turn.live.asker.ask(turn.tx, questions, rows) if questions else [()] * len(rows)
    decided, standing = [], []
    for (e, h), answer in zip(asked, answers, strict=True):
        held = {place for place in place_of if _holds(place, place_of, answer, e, h)}
        decision = _decide(turn, plan, e, h, held)
        if decision is not None:
            decided.append(Decided(e, decision, h.now))
        else:
            # What was asked in vain has another instant at which time alone may turn it.
            standing.append((e, _watched(watch, e), h.now))
    write(turn, decided)
    arm_looks(turn, standing)


def _watched(watch: Watch, e: Enrollment) -> list[int]:
    """The conditions this enrollment listens to where it stands."""
    return [index for place, index in watch.matches if _here(place, e)]


def _decide(turn: Turn, plan: Plan, e: Enrollment, h: Happened, held: set[str]) -> Decision | None:
    """Goal before exit before wait: who bought and left has bought (S3)."""
    if "goal" in held:
        by_event = plan.goal is not None and plan.goal.trigger.event is not None
        return happened.goal_reached(
            plan,
            turn.live.project,
            e,
            turn.leads[e.lead].stages,
            properties=h.properties or {},
            happened=h.at or h.now,
            entry_happened=e.entry_at if by_event else None,
        )
    numbers = sorted(int(place[5:]) for place in held if place.startswith("exit:"))
    if numbers:
        return happened.exit_reached(e, plan.exits[numbers[0]])
    if f"wait:{e.step}" in held and not h.fact:
        return happened.came(plan, e, h.now) or happened.matched(plan, e, h.now)
    return None


def _listens(turn: Turn, plan: Plan, watch: Watch, e: Enrollment, h: Happened) -> bool:
    """Whether what happened may matter to this enrollment at all."""
    if h.only is not None:
        return h.only == e.id
    if h.name is not None and any(_here(place, e) for place, _ in watch.places(h.name)):
        return True
    touched = turn.touched.get(e.lead, set())
    return any(_here(place, e) and turn.live.reads(plan.conditions[index]) & touched for place, index in watch.matches)


def _here(place: str, e: Enrollment) -> bool:
    return not place.startswith("wait:") or place == f"wait:{e.step}"


Places = dict[str, list[tuple[Trigger | None, int | None]]]


def _questions(plan: Plan, watch: Watch) -> tuple[tuple[Condition, ...], Places]:
    """All conditions of the watch in one tuple, and per place (trigger, index of its answer or None)."""
    questions: list[Condition] = []
    places: Places = defaultdict(list)
    for place, t in watch.events:
        index = None
        if t.where is not None:
            index = len(questions)
            questions.append(t.where)
        places[place].append((t, index))
    for place, number in watch.matches:
        places[place].append((None, len(questions)))
        questions.append(plan.conditions[number])
    return tuple(questions), places


def _holds(place: str, places: Places, answer: tuple[bool, ...], e: Enrollment, h: Happened) -> bool:
    if not _here(place, e):
        return False
    for t, index in places[place]:
        if t is None:
            if index is not None and answer[index]:
                return True
        elif _event_fits(t, h, e) and (index is None or answer[index]):
            return True
    return False


def _event_fits(t: Trigger, h: Happened, e: Enrollment) -> bool:
    """The event has the trigger's name and, with `same`, the enrollment's key; the entry event never fits (S3)."""
    if h.name is None or h.event == e.entry_event:
        return False
    if t.event != h.name and not (t.event == "any" and "." not in h.name):
        return False
    return same_key(dict(h.properties or {}), t.same, e.key)
