"""Whether a lead may move to a stage: the one judgement for campaigns, rules, people, the API (S32)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from nurture.campaign.project import Funnel, Project, Stage

RefusalCode = Literal["unknown stage", "already there", "not allowed", "no reason"]


class Allowed(msgspec.Struct, frozen=True):
    """The move may be made: in `funnel`, from `origin` (None: the lead stood in none of its stages)."""

    funnel: str
    origin: str | None


class MoveRefused(msgspec.Struct, frozen=True):
    """The move may not be made. `code` is stable, `text` is for people."""

    code: RefusalCode
    text: str


def _position(funnel: Funnel, stage: str | None) -> int:
    """Where the stage stands in its funnel; -1 for none, or one the live project no longer has."""
    return next((i for i, candidate in enumerate(funnel.stages) if candidate.name == stage), -1)


def judge_move(project: Project, stages: Mapping[str, str], to: str, reason: str | None) -> Allowed | MoveRefused:
    """Forward by one or more is allowed; anything else only where the present stage's `moves` name it, with a reason.

    `stages` is where the lead stands now, by funnel. A lead in no stage of the funnel may enter it anywhere.
    """
    funnel = project.funnel_of(to)
    if funnel is None:
        return MoveRefused("unknown stage", f"no funnel has a stage '{to}'")
    origin = stages.get(funnel.name)
    here, there = _position(funnel, origin), _position(funnel, to)
    if here == there:
        return MoveRefused("already there", f"stands in '{to}' already")
    if there > here:
        return Allowed(funnel.name, origin)
    present: Stage = funnel.stages[here]
    if to not in present.moves:
        return MoveRefused("not allowed", f"'{present.name}' may not move back to '{to}': its 'moves' do not name it")
    if not (reason and reason.strip()):
        return MoveRefused("no reason", f"moving back from '{present.name}' to '{to}' needs a reason")
    return Allowed(funnel.name, origin)


def further(project: Project, one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """Where a merged lead stands: the further stage of the two in each funnel (S27)."""
    merged: dict[str, str] = {}
    for name in {**one, **other}:
        funnel = project.funnels.get(name)
        candidates = [stages[name] for stages in (one, other) if name in stages]
        merged[name] = candidates[0] if funnel is None else max(candidates, key=lambda s: _position(funnel, s))
    return merged
