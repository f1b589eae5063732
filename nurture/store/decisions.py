"""Why everything happened: a row for each decision about a lead, written by the transaction that made it true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nurture.store.database import Transaction, insert_rows
from nurture.store.tables import decisions


def save_decisions(tx: Transaction, rows: Sequence[dict[str, Any]]) -> None:
    """Keep these, in order. They are never changed afterwards, only forgotten when their retention ends."""
    insert_rows(tx, decisions, rows)
