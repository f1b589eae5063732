"""Where leads stand in their funnels, and how they came there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from nurture.store.database import Transaction, insert_rows, upserting
from nurture.store.tables import lead_stages, stage_moves


def save_moves(tx: Transaction, moves: Sequence[dict[str, Any]]) -> None:
    """Write history rows and the state they lead to; of several moves of one lead in one funnel the last one stands."""
    insert_rows(tx, stage_moves, moves)
    standing = {
        (m["lead_id"], m["funnel"]): {
            "lead_id": m["lead_id"],
            "funnel": m["funnel"],
            "stage": m["to_stage"],
            "since": m["at"],
        }
        for m in moves
    }
    insert = upserting(tx, lead_stages)
    changed = {"stage": insert.excluded.stage, "since": insert.excluded.since}
    upsert = insert.on_conflict_do_update(index_elements=["lead_id", "funnel"], set_=changed)
    tx.execute(upsert, list(standing.values()))


def standing_in(tx: Transaction, stage: str, lead_ids: Sequence[int]) -> list[int]:
    """Those of these leads that stand in this stage now, by id."""
    c = lead_stages.c
    query = select(c.lead_id).where(c.stage == stage, c.lead_id.in_(lead_ids)).order_by(c.lead_id)
    return [row[0] for row in tx.execute(query)]
