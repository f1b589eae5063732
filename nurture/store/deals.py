"""Deals of the sales pipelines. An open one may be moved and closed; a closed one stays as it is (`engine.deals`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, select, update

from nurture.store.database import Transaction, insert_returning_ids, insert_rows
from nurture.store.tables import deal_moves, deals

_OPEN = "open"


class Deal(msgspec.Struct, frozen=True):
    """`external_id` is the id of the system it came from; our own deals have none. Instants are UTC."""

    lead: int
    pipeline: str
    stage: str | None = None
    external_id: str | None = None
    amount: float | None = None
    currency: str | None = None
    owner: str | None = None
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    outcome: str = _OPEN
    reason: str | None = None
    id: int = 0


class DealMove(msgspec.Struct, frozen=True):
    deal: int
    source: str | None
    to: str
    at: datetime


_C = deals.c
_COLUMNS = [
    _C.lead_id,
    _C.pipeline,
    _C.stage,
    _C.external_id,
    _C.amount,
    _C.currency,
    _C.owner,
    _C.opened_at,
    _C.closed_at,
    _C.outcome,
    _C.reason,
    _C.id,
]


def _row(deal: Deal) -> dict[str, Any]:
    values = msgspec.structs.asdict(deal)
    values["lead_id"] = values.pop("lead")
    values.pop("id")
    return values


def find_deals(tx: Transaction, external_ids: Sequence[str]) -> dict[str, Deal]:
    """External id → deal, for those there are."""
    if not external_ids:
        return {}
    rows = tx.execute(select(*_COLUMNS).where(_C.external_id.in_(external_ids)))
    return {row.external_id: Deal(*row) for row in rows}


def get_deal(tx: Transaction, deal_id: int) -> Deal | None:
    row = tx.execute(select(*_COLUMNS).where(_C.id == deal_id)).first()
    return Deal(*row) if row else None


def deals_of(tx: Transaction, lead_ids: Sequence[int]) -> list[Deal]:
    """All deals of these leads, oldest first."""
    if not lead_ids:
        return []
    return [Deal(*row) for row in tx.execute(select(*_COLUMNS).where(_C.lead_id.in_(lead_ids)).order_by(_C.id))]


def open_deals_in(tx: Transaction, pipeline: str) -> list[Deal]:
    """All that stand open in a pipeline; uses ix_deals_pipeline."""
    query = select(*_COLUMNS).where(_C.pipeline == pipeline, _C.outcome == _OPEN).order_by(_C.id)
    return [Deal(*row) for row in tx.execute(query)]


def add_deals(tx: Transaction, new: Sequence[Deal]) -> list[int]:
    """Insert deals and return their ids in the order given."""
    return insert_returning_ids(tx, deals, [_row(deal) for deal in new])


def add_moves(tx: Transaction, moves: Sequence[DealMove]) -> None:
    insert_rows(
        tx,
        deal_moves,
        [{"deal_id": m.deal, "from_stage": m.source, "to_stage": m.to, "at": m.at} for m in moves],
    )


def move_open(tx: Transaction, move: DealMove) -> bool:
    """Move an open deal from the stage the mover saw; False where somebody else was faster."""
    seen = _C.stage.is_(None) if move.source is None else _C.stage == move.source
    moved = tx.execute(update(deals).where(_C.id == move.deal, _C.outcome == _OPEN, seen).values(stage=move.to))
    if moved.rowcount != 1:
        return False
    add_moves(tx, [move])
    return True


def close_open(tx: Transaction, deal_id: int, outcome: str, reason: str | None, at: datetime) -> bool:
    """Close an open deal; False where it was closed already."""
    values = {"outcome": outcome, "reason": reason, "closed_at": at}
    return tx.execute(update(deals).where(_C.id == deal_id, _C.outcome == _OPEN).values(**values)).rowcount == 1


def rewrite(tx: Transaction, changed: Sequence[Deal]) -> None:
    """Set every field of these deals; only an import corrects history like this."""
    if not changed:
        return
    rows = [{**_row(deal), "b_id": deal.id} for deal in changed]
    tx.execute(update(deals).where(_C.id == bindparam("b_id")), rows)
