"""The one place where a deal is opened, moved, won or lost: open → won | lost.

Every change writes the engine's event (`deal.opened`, `deal.moved`, `deal.won`, `deal.lost`), so that campaigns hear of
it. A lost deal's lead is looked at again when the pipeline's `recycle` time has passed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nurture.campaign.project import Pipeline
from nurture.engine import stages
from nurture.engine.turn import Turn
from nurture.errors import LostRace
from nurture.funnel.pipeline import LOST, OPEN, WON, DealMoved, DealRefused, first_stage, judge_deal_move
from nurture.funnel.stages import Allowed, MoveRefused
from nurture.journey import timing
from nurture.store import deals, timers
from nurture.store.deals import Deal, DealMove
from nurture.store.timers import Timer

RECYCLE = "recycle"


def open_deal(
    turn: Turn,
    lead: int,
    pipeline: str,
    *,
    at: datetime,
    amount: float | None = None,
    owner: str | None = None,
) -> Deal | DealRefused:
    """Open a deal in the pipeline's first stage, in the project's currency; one open deal a lead and pipeline, so that
    a campaign that runs twice does not hand the same lead over twice."""
    known = turn.live.project.pipelines.get(pipeline)
    if known is None:
        return DealRefused("unknown pipeline", f"there is no pipeline '{pipeline}'")
    if newest_open(turn, lead, pipeline) is not None:
        return DealRefused("already open", f"the lead has an open deal in '{pipeline}'")
    stage = first_stage(known)
    new = Deal(
        lead=lead,
        pipeline=pipeline,
        stage=stage,
        amount=amount,
        currency=turn.live.project.currency if amount is not None else None,
        owner=owner,
        opened_at=at,
    )
    (number,) = deals.add_deals(turn.tx, [new])
    if stage is not None:
        deals.add_moves(turn.tx, [DealMove(number, None, stage, at)])
    turn.touch(lead, "deal")
    opened = deals.get_deal(turn.tx, number)
    assert opened is not None
    turn.emit(lead, "deal.opened", at, _properties(opened))
    return opened


def newest_open(turn: Turn, lead: int, pipeline: str | None = None, stage: str | None = None) -> Deal | None:
    """The lead's newest open deal; of that pipeline, or of one that has that stage, where they are named."""
    pipelines = turn.live.project.pipelines

    def fits(deal: Deal) -> bool:
        known = pipelines.get(deal.pipeline)
        if deal.outcome != OPEN or known is None or (pipeline is not None and deal.pipeline != pipeline):
            return False
        return stage in (None, WON, LOST) or any(s.name == stage for s in known.stages)

    return next((deal for deal in reversed(deals.deals_of(turn.tx, [lead])) if fits(deal)), None)


def move_deal(
    turn: Turn, deal: Deal, to: str, *, at: datetime, reason: str | None = None
) -> DealMoved | DealRefused | LostRace:
    """Move an open deal to a stage, or close it as `won` or `lost`. A refusal changes nothing; LostRace: somebody else
    moved it since `deal` was read."""
    pipeline = turn.live.project.pipelines.get(deal.pipeline)
    if pipeline is None:
        return DealRefused("unknown pipeline", f"there is no pipeline '{deal.pipeline}'")
    verdict = judge_deal_move(pipeline, deal.outcome, deal.stage, to, reason)
    if isinstance(verdict, DealRefused):
        return verdict
    if verdict.stage is not None:
        won_race = deals.move_open(turn.tx, DealMove(deal.id, deal.stage, verdict.stage, at))
    else:
        won_race = deals.close_open(turn.tx, deal.id, verdict.outcome, verdict.reason, at)
    if not won_race:
        return LostRace(f"deal {deal.id} was moved by somebody else")
    turn.touch(deal.lead, "deal")
    name = "deal.moved" if verdict.stage is not None else f"deal.{verdict.outcome}"
    turn.emit(deal.lead, name, at, _properties(deal) | _without_none({"stage": verdict.stage, "reason": reason}))
    if verdict.outcome == LOST:
        _arm_recycling(turn, pipeline, deal, at)
    return verdict


def recycle(turn: Turn, timer: Timer, *, at: datetime) -> Allowed | MoveRefused | None:
    """The time after a lost deal has passed: the lead goes back to marketing, unless sales has opened another deal.

    None where nothing was to be done. The timer's owner is the pipeline.
    """
    pipeline = turn.live.project.pipelines.get(timer.owner)
    if pipeline is None or pipeline.recycle is None or newest_open(turn, timer.lead) is not None:
        return None
    return stages.move(
        turn, timer.lead, pipeline.recycle.to, at=at, cause="rule", reason=f"recycled from {pipeline.name}"
    )


def _arm_recycling(turn: Turn, pipeline: Pipeline, deal: Deal, at: datetime) -> None:
    if pipeline.recycle is None:
        return
    due = timing.shift(at, pipeline.recycle.after, turn.zone(deal.lead))
    shard = turn.leads[deal.lead].shard
    timers.put(turn.tx, [Timer(deal.lead, shard, RECYCLE, pipeline.name, str(deal.id), due)])


def _properties(deal: Deal) -> dict[str, Any]:
    """Of every deal event; what is not known is left out."""
    return _without_none(
        {
            "deal_id": deal.external_id or str(deal.id),
            "pipeline": deal.pipeline,
            "stage": deal.stage,
            "amount": deal.amount,
            "currency": deal.currency,
        }
    )


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
