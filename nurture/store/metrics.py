"""What reports are made of, read out of the tables as journeys and counts; the arithmetic is `funnel.metrics`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from sqlalchemy import select

from nurture.funnel.metrics import Journey, Visit
from nurture.store.database import Transaction
from nurture.store.tables import deal_moves, deals, lead_stages, leads, stage_moves

_PAGE = 10_000  # rows taken from the database at a time; a report shall not hold a million of them twice


def funnel_journeys(tx: Transaction, funnel: str, stages: Sequence[str]) -> Iterator[Journey]:
    """The way of every lead that ever stood in a stage of this funnel, by lead. A stage no longer in the project is
    left out."""
    place = {name: i for i, name in enumerate(stages)}
    won = _won_by_lead(tx)
    standing = select(lead_stages.c.lead_id, lead_stages.c.stage).where(lead_stages.c.funnel == funnel)
    here: dict[int, str] = {row[0]: row[1] for row in tx.execute(standing)}
    m = stage_moves.c
    query = (
        select(m.lead_id, m.to_stage, m.at, leads.c.source, leads.c.external_id)
        .join(leads, leads.c.id == m.lead_id)
        .where(m.funnel == funnel, m.to_stage.in_(stages))
        .order_by(m.lead_id, m.at, m.id)
    )
    rows = tx.execute(query.execution_options(yield_per=_PAGE))
    for lead, moves in groupby(rows, key=lambda row: row.lead_id):
        visits = list(moves)
        yield Journey(
            name=visits[0].external_id or str(lead),
            visits=tuple(Visit(place[v.to_stage], v.at) for v in visits),
            source=visits[0].source or "",
            won=tuple(won.get(lead, ())),
            here=place.get(here.get(lead, "")),
        )


def _won_by_lead(tx: Transaction) -> dict[int, list[datetime]]:
    won: dict[int, list[datetime]] = defaultdict(list)
    query = select(deals.c.lead_id, deals.c.closed_at).where(deals.c.outcome == "won", deals.c.closed_at.is_not(None))
    for lead, at in tx.execute(query):
        won[lead].append(at)
    return won


def pipeline_journeys(tx: Transaction, pipeline: str, stages: Sequence[str]) -> Iterator[Journey]:
    """The way of every deal of this pipeline. `opened_at` is when it came into the first stage known of it."""
    place = {name: i for i, name in enumerate(stages)}
    moves = _moves_by_deal(tx, pipeline, place)
    d = deals.c
    query = (
        select(d.id, d.external_id, d.stage, d.opened_at, d.closed_at, d.outcome, leads.c.source)
        .join(leads, leads.c.id == d.lead_id)
        .where(d.pipeline == pipeline)
        .order_by(d.id)
    )
    for deal in tx.execute(query.execution_options(yield_per=_PAGE)):
        visits = moves.get(deal.id, [])
        stands = place.get(deal.stage or "")
        if deal.opened_at is not None and not visits and stands is not None:
            visits = [Visit(stands, deal.opened_at)]
        yield Journey(
            name=deal.external_id or str(deal.id),
            visits=tuple(visits),
            source=deal.source or "",
            won=(deal.closed_at,) if deal.outcome == "won" and deal.closed_at else (),
            lost_at=deal.closed_at if deal.outcome == "lost" else None,
            here=stands if deal.outcome == "open" else None,
            untimed=() if stands is None else (stands,),
            began=deal.opened_at,
        )


def _moves_by_deal(tx: Transaction, pipeline: str, place: dict[str, int]) -> dict[int, list[Visit]]:
    found: dict[int, list[Visit]] = defaultdict(list)
    m = deal_moves.c
    query = (
        select(m.deal_id, m.to_stage, m.at)
        .join(deals, deals.c.id == m.deal_id)
        .where(deals.c.pipeline == pipeline, m.to_stage.in_(list(place)))
        .order_by(m.deal_id, m.at, m.id)
    )
    for deal, stage, at in tx.execute(query):
        found[deal].append(Visit(place[stage], at))
    return found
