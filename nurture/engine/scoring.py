"""Scores, then stages by rule (S30): what an event adds up to, which thresholds it crosses, where it moves a lead."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta

from nurture.campaign.condition import Condition, ScoreIs, Test
from nurture.campaign.project import Threshold
from nurture.engine import stages
from nurture.engine.points import add_points
from nurture.engine.triggers import Happened
from nurture.engine.turn import Turn
from nurture.engine.writing import LOOK_EVERY, on_grid
from nurture.store import scores, timers
from nurture.store.conditions import Row
from nurture.store.scores import Standing
from nurture.store.timers import Timer

OWNER = "score:"  # of a look at a score that decays
LONGEST_S = 10 * 366 * 86_400.0  # seconds; nobody waits longer for a score to fall


def score_events(turn: Turn, happenings: Sequence[Happened], but: Set[tuple[int, str]] = frozenset()) -> None:
    """Points that the rules give for these events; none to the scores (lead, name) in `but`."""
    rules = [(score.name, rule) for score in turn.live.project.scores.values() for rule in score.rules if rule.event]
    heard = [h for h in happenings if h.name and any(rule.event in (h.name, "any") for _, rule in rules)]
    if not heard:
        return
    questions = tuple(rule.where for _, rule in rules if rule.where is not None)
    rows = [Row(lead=h.lead, as_of=h.now, zone=turn.zone(h.lead), event=h.event) for h in heard]
    answers = turn.live.asker.ask(turn.tx, questions, rows) if questions else [()] * len(rows)
    earned = []
    for h, answer in zip(heard, answers, strict=True):
        remaining = iter(answer)
        for name, rule in rules:
            holds = next(remaining) if rule.where is not None else True
            if (h.lead, name) in but:
                continue
            if holds and (rule.event == h.name or (rule.event == "any" and "." not in (h.name or ""))):
                earned.append((h.lead, name, rule.points, h.at or h.now))
    add_points(turn, earned)


def fallen(turn: Turn, fired: Sequence[Timer]) -> dict[int, datetime]:
    """Leads whose points may have decayed below a threshold by now, each with the instant to ask at."""
    found = {}
    for t in fired:
        if t.owner.startswith(OWNER) and t.due is not None:
            turn.touch(t.lead, "score")
            found[t.lead] = t.due
    return found


def cross(turn: Turn, at: Mapping[int, datetime]) -> None:
    """Emit `score.crossed` for thresholds passed upward, or fallen below with their hysteresis (S31)."""
    asked = [(score.name, threshold) for score in turn.live.project.scores.values() for threshold in score.thresholds]
    touching = {name: turn.live.reads(ScoreIs(name, ())) for name, _ in asked}
    lead_ids = [n for n in at if any(reads & turn.touched.get(n, set()) for reads in touching.values())]
    if not asked or not lead_ids:
        return
    turn.flush()
    questions: list[Condition] = []
    for score, threshold in asked:
        questions.append(ScoreIs(score, (Test("at_least", threshold.at),)))
        questions.append(ScoreIs(score, (Test("at_least", threshold.at - threshold.hysteresis),)))
    rows = [Row(lead=lead, as_of=at[lead], zone=turn.zone(lead)) for lead in lead_ids]
    standing = scores.load(turn.tx, lead_ids)
    changed = {}
    for lead, answer in zip(lead_ids, turn.live.asker.ask(turn.tx, questions, rows), strict=True):
        for n, (score, threshold) in enumerate(asked):
            if not touching[score] & turn.touched[lead]:
                continue
            one = standing.get((lead, score)) or Standing(lead, score, 0.0, at[lead], [])
            was = threshold.name in one.above
            now_above = answer[2 * n + 1] if was else answer[2 * n]
            if was != now_above:
                one.above = sorted({*one.above, threshold.name} if now_above else {*one.above} - {threshold.name})
                changed[lead, score] = standing[lead, score] = one
                _emit_crossed(turn, lead, score, threshold, at[lead], up=now_above)
    scores.save(turn.tx, changed.values())
    _arm_falls(turn, {lead: at[lead] for lead in lead_ids}, standing)


def stand(turn: Turn, at: Mapping[int, datetime], but: Set[tuple[int, str]] = frozenset()) -> None:
    """Take it as known which thresholds these leads stand above, and say nothing of it: where a rehearsal begins. What
    has fallen into a hysteresis by then counts as below. Not of the scores (lead, name) in `but`."""
    asked = [(score.name, t) for score in turn.live.project.scores.values() for t in score.thresholds]
    if not asked:
        return
    turn.load(at)
    questions = [ScoreIs(score, (Test("at_least", t.at),)) for score, t in asked]
    rows = [Row(lead=lead, as_of=now, zone=turn.zone(lead)) for lead, now in at.items()]
    standing = scores.load(turn.tx, list(at))
    for lead, answer in zip(at, turn.live.asker.ask(turn.tx, questions, rows), strict=True):
        for holds, (score, threshold) in zip(answer, asked, strict=True):
            if holds and (lead, score) not in but:
                one = standing.setdefault((lead, score), Standing(lead, score, 0.0, at[lead], []))
                one.above = sorted({*one.above, threshold.name})
    scores.save(turn.tx, standing.values())
    _arm_falls(turn, at, standing)


def _arm_falls(turn: Turn, at: Mapping[int, datetime], standing: Mapping[tuple[int, str], Standing]) -> None:
    """Look again when points alone will have decayed below a threshold; what conditions add makes that look an early
    one, and it is repeated daily."""
    wanted = []
    for (lead, name), one in standing.items():
        spec = turn.live.project.scores.get(name)
        half_life = spec.half_life_s if spec is not None else 0.0
        levels = [t.at - t.hysteresis for t in spec.thresholds if t.name in one.above] if spec is not None else []
        if lead not in at or not half_life or not levels or max(levels) <= 0:
            continue
        last = half_life * math.log2(one.value / max(levels)) if one.value > max(levels) else 0.0
        due = one.at + timedelta(seconds=min(last, LONGEST_S) + 1)
        if due <= at[lead]:
            due = at[lead] + timedelta(days=1)
        wanted.append(Timer(lead, turn.leads[lead].shard, "look", f"{OWNER}{name}", "", on_grid(due, LOOK_EVERY)))
    timers.put(turn.tx, wanted)


def _emit_crossed(turn: Turn, lead: int, score: str, threshold: Threshold, at: datetime, *, up: bool) -> None:
    turn.emit(
        lead,
        "score.crossed",
        at,
        {
            "score": score,
            "threshold": threshold.name,
            "value": threshold.at,
            "direction": "up" if up else "down",
        },
    )


def move_by_rules(turn: Turn, at: Mapping[int, datetime]) -> None:
    """Automatic stages: from the highest down, one move per funnel and pass, forward only. A rule is asked of a lead
    when something it reads has changed of that lead; one that time may turn, whenever anything has."""
    rules = [
        (funnel.name, funnel.names(), stage.name, stage.enter_if)
        for funnel in turn.live.project.funnels.values()
        for stage in reversed(funnel.stages)
        if stage.enter_if is not None
    ]
    reads = [turn.live.reads(rule[3]) for rule in rules]
    lead_ids = [n for n in at if any(_concerns(what, turn.touched.get(n, set())) for what in reads)]
    if not lead_ids:
        return
    turn.flush()
    rows = [Row(lead=lead, as_of=at[lead], zone=turn.zone(lead)) for lead in lead_ids]
    answers = turn.live.asker.ask(turn.tx, [rule[3] for rule in rules], rows)
    for lead, answer in zip(lead_ids, answers, strict=True):
        moved: set[str] = set()
        for holds, (funnel, order, stage, _), what in zip(answer, rules, reads, strict=True):
            here = turn.leads[lead].stages.get(funnel)
            ahead = here not in order or order.index(stage) > order.index(here)
            if holds and ahead and funnel not in moved and _concerns(what, turn.touched.get(lead, set())):
                moved.add(funnel)
                stages.move(turn, lead, stage, at=at[lead], cause="rule", reason="its rule holds")


def _concerns(reads: frozenset[str], touched: set[str]) -> bool:
    return bool(touched) and ("time" in reads or bool(reads & touched))
