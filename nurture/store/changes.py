"""Bulk changes of leads by campaigns: fields, tags, whose turn it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, tuple_, update

from nurture.store.database import Transaction, upserting
from nurture.store.tables import lead_tags, leads, team_turns


def set_columns(tx: Transaction, changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Set built-in fields, lead by lead; one statement for each set of fields."""
    by_fields: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for lead, values in changes.items():
        if values:
            by_fields.setdefault(tuple(sorted(values)), []).append({"b_id": lead, **values})
    for names, rows in by_fields.items():
        statement = update(leads).where(leads.c.id == bindparam("b_id")).values({n: bindparam(n) for n in names})
        tx.execute(statement, rows)


def set_attributes(tx: Transaction, changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Set own attributes; a None takes one away, the others stay."""
    wanted = {lead: values for lead, values in changes.items() if values}
    if not wanted:
        return
    query = select(leads.c.id, leads.c.attributes).where(leads.c.id.in_(list(wanted)))
    rows = []
    for lead, attributes in tx.execute(query):
        merged = {**attributes, **wanted[lead]}
        rows.append({"b_id": lead, "attributes": {n: v for n, v in merged.items() if v is not None}})
    statement = update(leads).where(leads.c.id == bindparam("b_id")).values(attributes=bindparam("attributes"))
    tx.execute(statement, rows)


def tag(tx: Transaction, added: Sequence[tuple[int, str]], removed: Sequence[tuple[int, str]]) -> None:
    """Tag and untag (lead, tag); what is so already stays so."""
    if added:
        upsert = upserting(tx, lead_tags).on_conflict_do_nothing()
        tx.execute(upsert, [{"lead_id": lead, "tag": name} for lead, name in dict.fromkeys(added)])
    if removed:
        tx.execute(delete(lead_tags).where(tuple_(lead_tags.c.lead_id, lead_tags.c.tag).in_(list(removed))))


def take_turns(tx: Transaction, team: str, count: int) -> int:
    """Take the next `count` turns of a team; the number of the first, counted from 0 since the team began."""
    c = team_turns.c
    moved = update(team_turns).where(c.team == team).values(taken=c.taken + count).returning(c.taken)
    taken = tx.execute(moved).scalar()
    if taken is None:
        tx.execute(insert(team_turns).values(team=team, taken=count))
        return 0
    return int(taken) - count
