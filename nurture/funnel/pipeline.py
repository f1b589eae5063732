"""A deal's walk through a sales pipeline, and what the open ones are worth.

Deal: open → won | lost, each for ever; a deal that comes back is a new deal.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from nurture.campaign.project import Pipeline

WON = "won"
LOST = "lost"
OPEN = "open"


class DealMoved(msgspec.Struct, frozen=True):
    """`stage` None: the deal stays where it stood and is closed. `outcome` is what the deal is afterwards."""

    stage: str | None
    outcome: str = OPEN
    reason: str | None = None


class DealRefused(msgspec.Struct, frozen=True):
    """`code` is stable, `text` is for a person."""

    code: str
    text: str


def judge_deal_move(
    pipeline: Pipeline, outcome: str, stage: str | None, to: str, reason: str | None
) -> DealMoved | DealRefused:
    """Whether a deal with that `outcome` in `stage` may go `to` a stage, or be `won` or `lost`.

    Any stage of the pipeline is allowed, back too: sales people correct themselves. Where the pipeline names reasons
    for an end, one of them must be given.
    """
    if outcome != OPEN:
        return DealRefused("closed", f"the deal is {outcome} already")
    if to in (WON, LOST):
        reasons = pipeline.won if to == WON else pipeline.lost
        if reasons and reason not in reasons:
            return DealRefused("reason", f"give one of the reasons for {to}: {', '.join(reasons)}")
        return DealMoved(None, to, reason)
    if to not in (s.name for s in pipeline.stages):
        return DealRefused("unknown stage", f"the pipeline '{pipeline.name}' has no stage '{to}'")
    if to == stage:
        return DealRefused("already there", f"the deal stands in '{to}' already")
    return DealMoved(to, OPEN, reason)


def first_stage(pipeline: Pipeline) -> str | None:
    return pipeline.stages[0].name if pipeline.stages else None


class OpenDeal(msgspec.Struct, frozen=True):
    stage: str | None
    amount: float | None
    currency: str | None


class Expected(msgspec.Struct, frozen=True):
    """What stands open in one currency: `total` as it is, `weighted` by each stage's probability. Deals without an
    amount, or in a stage without a probability, are counted and not added."""

    currency: str
    deals: int
    total: float
    weighted: float
    left_out: int


def forecast(pipeline: Pipeline, deals: Iterable[OpenDeal], currency: str) -> tuple[Expected, ...]:
    """Per currency, the project's `currency` where a deal names none; currencies are never added up."""
    chance = {s.name: s.probability for s in pipeline.stages}
    sums: dict[str, list[float]] = {}
    for deal in deals:
        row = sums.setdefault(deal.currency or currency, [0, 0.0, 0.0, 0])
        probability = chance.get(deal.stage or "")
        row[0] += 1
        row[1] += deal.amount or 0.0
        if deal.amount is None or probability is None:
            row[3] += 1
        else:
            row[2] += deal.amount * probability
    return tuple(
        Expected(c, int(n), total, weighted, int(out)) for c, (n, total, weighted, out) in sorted(sums.items())
    )
