"""Opening enrollments: the questions of S9, asked of a whole batch at once, each no recorded with its reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nurture.campaign.condition import Condition
from nurture.campaign.plan import Plan
from nurture.engine.asked_of import SAW, asked_of, look
from nurture.engine.turn import Turn
from nurture.journey.enrollment import key_text
from nurture.journey.entry import refuse_again
from nurture.store import enrollments
from nurture.store.conditions import Row
from nurture.store.enrollments import Entry, NewEnrollment

PINNED = "$templates"  # in an enrollment's data: the template hashes of its entry, where the campaign pins them


@dataclass(frozen=True, slots=True)
class Candidate:
    """A lead that may enter. `now` is the instant of asking, `due` that of the first step (earlier where it is late).

    `key` None is one that could not be read (S8); "" is a campaign without key.
    """

    campaign: str
    lead: int
    now: datetime
    due: datetime
    key: str | None = ""
    event: int | None = None
    entry: dict[str, Any] = field(default_factory=dict)
    entry_at: datetime | None = None


def key_of(properties: dict[str, Any], name: str | None) -> str | None:
    """The event's key; "" where the campaign has none, None where it cannot be read (S8)."""
    return "" if name is None else key_text(properties.get(name))


def enter(turn: Turn, candidates: Iterable[Candidate]) -> int:
    """Open an enrollment for each candidate that may have one; how many were opened.

    Asked in this order, the first no is the reason: state live, key, already in it, again, exit or goal already true,
    only_if (S9). A later candidate of the same lead, campaign and key in the batch finds the earlier one open.
    """
    opened = 0
    by_campaign: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_campaign[candidate.campaign].append(candidate)
    for campaign in sorted(by_campaign):
        turn.flush()
        opened += _enter_one(turn, campaign, by_campaign[campaign])
    return opened


def _enter_one(turn: Turn, campaign: str, candidates: list[Candidate]) -> int:
    deployed = turn.live.campaigns.get(campaign)
    if deployed is None or not deployed.enters or turn.live.paused:
        for c in candidates:
            refuse(turn, c, "not live")
        return 0
    plan = turn.live.plan(campaign)
    turn.load(c.lead for c in candidates)
    before = enrollments.entries(turn.tx, campaign, [c.lead for c in candidates])
    allowed = []
    for c in candidates:
        history = before.setdefault(c.lead, [])
        reason = _history_refusal(plan, c, history, turn.zone(c.lead))
        if reason:
            refuse(turn, c, reason)
        else:
            allowed.append(c)
            history.append(Entry(c.key or "", c.now, True))
    return _open(turn, plan, deployed.version, _ask(turn, plan, allowed))


def _history_refusal(plan: Plan, c: Candidate, history: Sequence[Entry], zone: str) -> str | None:
    if c.key is None:
        return "no key"
    if any(e.open and e.key == c.key for e in history):
        return "already in it"
    used = any(e.key == c.key for e in history)
    return refuse_again(plan.again, [e.entered_at for e in history], used, bool(c.key), c.now, zone)


def _ask(turn: Turn, plan: Plan, candidates: list[Candidate]) -> list[Candidate]:
    """Those for whom no exit and no goal holds already, and `only_if` does."""
    questions: list[tuple[str, bool, Condition]] = []  # (reason of the no, the answer that is a no, condition)
    exits = [item.trigger.match for item in plan.exits if item.trigger.match is not None]
    questions += [("exit already true", True, plan.conditions[number]) for number in exits]
    if plan.goal and plan.goal.trigger.match is not None:
        questions.append(("goal already true", True, plan.conditions[plan.goal.trigger.match]))
    if plan.only_if is not None:
        questions.append(("condition false", False, plan.only_if))
    if not questions or not candidates:
        return candidates
    rows = [Row(lead=c.lead, as_of=c.now, zone=turn.zone(c.lead), event=c.event, key=c.key) for c in candidates]
    allowed, refused = [], []
    for c, answers in zip(candidates, turn.live.asker.ask(turn.tx, [q[2] for q in questions], rows), strict=True):
        no = next((reason for (reason, bad, _), answer in zip(questions, answers, strict=True) if answer is bad), None)
        if no:
            refused.append((c, no))
        else:
            allowed.append(c)
    refuse_by_conditions(turn, plan, refused)
    return allowed


def _open(turn: Turn, plan: Plan, version: str, candidates: list[Candidate]) -> int:
    if not candidates:
        return 0
    first = plan.steps[0].id if plan.steps else None
    live = turn.live.templates
    pinned = {PINNED: {n: live[n] for n in sorted(plan.templates()) if n in live}} if plan.pin_templates else {}
    rows = [
        NewEnrollment(
            lead=c.lead,
            shard=turn.leads[c.lead].shard,
            campaign=c.campaign,
            version=version,
            key=c.key or "",
            step=first,
            due=c.due,
            now=c.now,
            entry_event=c.event,
            entry=c.entry,
            entry_at=c.entry_at or c.now,
            data=pinned,
        )
        for c in candidates
    ]
    for c, enrollment in zip(candidates, enrollments.insert(turn.tx, rows), strict=True):
        turn.enrollment_changed(c.lead, c.campaign, c.now, "entered")
        turn.record(
            c.lead,
            c.campaign,
            c.now,
            "entered",
            enrollment=enrollment,
            version=version,
            inputs={"key": c.key} if c.key else None,
        )
    return len(rows)


def refuse_by_conditions(turn: Turn, plan: Plan, refused: Sequence[tuple[Candidate, str]]) -> None:
    """Keep that these did not enter, each with its reason, and what the conditions behind it saw."""
    if not refused:
        return
    asked = {no: asked_of(plan, "not_entered", no, None, None) for _, no in refused}
    rows = [Row(lead=c.lead, as_of=c.now, zone=turn.zone(c.lead), event=c.event, key=c.key) for c, _ in refused]
    saw = look(turn, [(no, asked[no], row) for (_, no), row in zip(refused, rows, strict=True)])
    for (c, no), seen in zip(refused, saw, strict=True):
        refuse(turn, c, no, **{SAW: seen})


def refuse(turn: Turn, c: Candidate, reason: str, **inputs: Any) -> None:
    """Keep that the lead did not enter, and why: an answer for good (S9)."""
    deployed = turn.live.campaigns.get(c.campaign)
    key = {"key": c.key} if c.key else {}
    version = deployed.version if deployed is not None else None
    turn.record(c.lead, c.campaign, c.now, "not_entered", reason, version=version, inputs={**key, **inputs} or None)
