"""Scores, then stages by rule (S30): what an event adds up to, which thresholds it crosses, where it moves a lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from nurture.campaign.condition import Condition, ScoreIs, Test
from nurture.campaign.project import Threshold
from nurture.engine import stages
from nurture.engine.points import add_points
from nurture.engine.triggers import Happened
from nurture.engine.turn import Turn
from nurture.store import scores
from nurture.store.conditions import Row
from nurture.store.scores import Standing


def score_events(turn: Turn, happenings: Sequence[Happened]) -> None:
    """Points that the rules give for these events."""
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
            if holds and (rule.event == h.name or (rule.event == "any" and "." not in (h.name or ""))):
                earned.append((h.lead, name, rule.points, h.at or h.now))
    add_points(turn, earned)


def cross(turn: Turn, at: Mapping[int, datetime]) -> None:
    """Emit `score.crossed` for thresholds passed upward, or fallen below with their hysteresis (S31)."""
    asked = _thresholds_to_ask(turn, at)
    if not asked:
        return
    turn.flush()
    questions: list[Condition] = []
    for score, threshold in asked:
        questions.append(ScoreIs(score, (Test("at_least", threshold.at),)))
        questions.append(ScoreIs(score, (Test("at_least", threshold.at - threshold.hysteresis),)))
    lead_ids = list(at)
    rows = [Row(lead=lead, as_of=at[lead], zone=turn.zone(lead)) for lead in lead_ids]
    standing = scores.load(turn.tx, lead_ids)
    changed = {}
    for lead, answer in zip(lead_ids, turn.live.asker.ask(turn.tx, questions, rows), strict=True):
        for n, (score, threshold) in enumerate(asked):
            one = standing.get((lead, score)) or Standing(lead, score, 0.0, at[lead], [])
            was = threshold.name in one.above
            now_above = answer[2 * n + 1] if was else answer[2 * n]
            if was != now_above:
                one.above = sorted({*one.above, threshold.name} if now_above else {*one.above} - {threshold.name})
                changed[lead, score] = standing[lead, score] = one
                _emit_crossed(turn, lead, score, threshold, at[lead], up=now_above)
    scores.save(turn.tx, changed.values())


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


def _thresholds_to_ask(turn: Turn, at: Mapping[int, datetime]) -> list[tuple[str, Threshold]]:
    touched = set().union(*(turn.touched.get(lead, ()) for lead in at)) if at else set()
    found = []
    for score in turn.live.project.scores.values():
        if score.thresholds and turn.live.reads(ScoreIs(score.name, ())) & touched:
            found += [(score.name, threshold) for threshold in score.thresholds]
    return found


def move_by_rules(turn: Turn, at: Mapping[int, datetime]) -> None:
    """Automatic stages: from the highest down, one move per funnel and pass, forward only."""
    touched = set().union(*(turn.touched.get(lead, ()) for lead in at)) if at else set()
    rules = [
        (funnel.name, funnel.names(), stage.name, stage.enter_if)
        for funnel in turn.live.project.funnels.values()
        for stage in reversed(funnel.stages)
        if stage.enter_if is not None and turn.live.reads(stage.enter_if) & touched
    ]
    if not rules:
        return
    turn.flush()
    lead_ids = list(at)
    rows = [Row(lead=lead, as_of=at[lead], zone=turn.zone(lead)) for lead in lead_ids]
    answers = turn.live.asker.ask(turn.tx, [rule[3] for rule in rules], rows)
    for lead, answer in zip(lead_ids, answers, strict=True):
        moved: set[str] = set()
        for holds, (funnel, order, stage, _) in zip(answer, rules, strict=True):
            here = turn.leads[lead].stages.get(funnel)
            ahead = here is None or order.index(stage) > order.index(here)
            if holds and ahead and funnel not in moved:
                moved.add(funnel)
                stages.move(turn, lead, stage, at=at[lead], cause="rule", reason="its rule holds")
