"""Small plans, leads and enrollments for the tests of this folder, and a pass that answers its own questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from nurture.campaign.condition import Condition, Did, InStage, Tagged
from nurture.campaign.duration import Duration, read_duration
from nurture.campaign.plan import AnyStep, EnterManual, Exit, Goal, Plan, Send, Trigger
from nurture.campaign.project import Funnel, Project, Stage
from nurture.campaign.window import ClockTime, Window
from nurture.journey.decide import decide
from nurture.journey.effects import AnyEffect, Decision, Record
from nurture.journey.enrollment import Enrollment
from nurture.journey.facts import Facts, LeadFacts

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)  # 10:00 in Zurich
ZURICH = "Europe/Zurich"

FUNNEL = Funnel(
    "shop",
    (Stage("lead"), Stage("mql"), Stage("customer", moves=("mql",)), Stage("loyal")),
)
PROJECT = Project(zone=ZURICH, funnels={"shop": FUNNEL})
OFFICE = Window(days=(0, 1, 2, 3, 4), opens=ClockTime(540), closes=ClockTime(1200))
TAGGED = Tagged("vip")
CUSTOMER = InStage(names=("customer",))
CLICKED = Did("link_clicked")


def d(text: str) -> Duration:
    found = read_duration(text)
    assert found is not None
    return found


def at(text: str) -> datetime:
    """An instant in UTC: `03-02 09:00` of 2026."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def plan(*steps: AnyStep, conditions: tuple[Condition, ...] = (), linked: bool = True, **more: Any) -> Plan:
    """A plan whose steps follow each other, unless they are `linked` already."""
    follow = [*range(1, len(steps)), -1]
    if linked:
        steps = tuple(msgspec.structs.replace(step, next=n) for step, n in zip(steps, follow, strict=True))
    more = {"topic": "offers", "enter": EnterManual(), **more}
    return Plan(campaign="c", steps=steps, conditions=conditions, **more)


def mail(name: str, **more: Any) -> Send:
    return Send(id=name, variants=((name, 100.0),), **more)


def goal(condition: int, **more: Any) -> Goal:
    return Goal(Trigger(match=condition), **more)


def exit_if(condition: int, reason: str = "match") -> Exit:
    return Exit(Trigger(match=condition), reason)


def enrolled(of: Plan, now: datetime = MONDAY, **more: Any) -> Enrollment:
    first = {"step": of.steps[0].id, "due": now, "reached": now, "wake": now, "entered_at": now, **more}
    return Enrollment(id=1, lead=7, campaign=of.campaign, version="v1", **first)


def facts(answers: Mapping[int, bool] | None = None, *, project: Project = PROJECT, **more: Any) -> Facts:
    lead = LeadFacts(
        **{
            "draw": "lead-7",
            **{n: more.pop(n) for n in ("zone", "owner", "stages", "attributes", "created_at") if n in more},
        }
    )
    more = {"permission": {"offers": "ok"}, **more}
    return Facts(lead=lead, project=project, answers=answers or {}, **more)


def names(decision: Decision) -> list[str]:
    """The records' words, with what they concern."""
    return [said(record) for record in decision.records]


def said(record: Record) -> str:
    return " ".join(part for part in (record.what, record.detail, record.reason) if part)


def kinds(decision: Decision) -> list[str]:
    return [type(effect).__name__ for effect in decision.effects]


def play(
    of: Plan,
    until: datetime,
    *,
    start: datetime = MONDAY,
    told: Callable[[datetime, list[AnyEffect]], Facts] | None = None,
    who: Enrollment | None = None,
) -> tuple[list[tuple[datetime, str]], Enrollment]:
    """Every line of `why` from `start` to `until`, with its instant. Mails leave at once; facts are asked at each pass
    with all effects so far."""
    line: list[tuple[datetime, str]] = []
    done: list[AnyEffect] = []
    who = who or enrolled(of, start)
    now, walked = start, 0
    for _ in range(1000):
        known = told(now, done) if told is not None else facts()
        decision = decide(of, who, known, now, walked)
        line += [(now, said(record)) for record in decision.records]
        done += decision.effects
        who, walked = decision.after, decision.walked
        if decision.end is not None or who.wake is None:
            break
        if decision.again:
            continue
        # In a rehearsal a mail leaves at once, so what waits for it is asked again at the same instant (S35).
        if who.held == "earlier mail":
            continue
        if who.wake > until:
            break
        now = max(now, who.wake)
    return line, who


def sent(line: list[tuple[datetime, str]]) -> list[tuple[str, datetime]]:
    return [(text.split()[1], when) for when, text in line if text.startswith("released ")]
