"""Points earned by events and steps, folded into the decaying part of a score."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from nurture.campaign.project import Score
from nurture.engine.turn import Turn
from nurture.store import scores
from nurture.store.scores import Standing


def add_points(turn: Turn, earned: Iterable[tuple[int, str, float, datetime]]) -> None:
    """Add (lead, score, points, at) to the scores; conditions see them at once."""
    earned = list(earned)
    turn.load(e[0] for e in earned)
    silent = {n for n, lead in turn.leads.items() if lead.unprofiled or lead.restricted}  # trust C28
    earned = [e for e in earned if e[0] not in silent]
    if not earned:
        return
    standing = scores.load(turn.tx, sorted({e[0] for e in earned}))
    changed: dict[tuple[int, str], Standing] = {}
    for lead, name, points, at in earned:
        one = standing.setdefault((lead, name), Standing(lead, name, 0.0, at, []))
        spec = turn.live.project.scores.get(name, Score(name))
        one.add(points, at, spec.half_life_s)
        changed[lead, name] = one
        turn.touch(lead, "score")
    scores.save(turn.tx, changed.values())
