"""How far an import has come, and the writes that only an import makes: history that moves nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, insert, select, update

from nurture.store.database import Transaction, insert_rows, upserting
from nurture.store.tables import identities, imports, lead_stages, leads, stage_moves

CAUSE = "import"


class Progress(msgspec.Struct, frozen=True):
    """`rows` are records done, in the order the import takes them; `ended_at` is None while it is under way, or when
    it was broken off."""

    id: int
    rows: int
    accepted: int
    rejected: int
    ended_at: datetime | None


def find_progress(tx: Transaction, fingerprint: str) -> Progress | None:
    """What is known of an import of this file with this mapping."""
    c = imports.c
    query = select(c.id, c.rows, c.accepted, c.rejected, c.ended_at).where(c.fingerprint == fingerprint)
    row = tx.execute(query).first()
    return Progress(*row) if row else None


def begin(tx: Transaction, kind: str, fingerprint: str, file: str, now: datetime) -> Progress:
    """Start an import or take up one that was broken off; one that had ended starts again from its first row."""
    known = find_progress(tx, fingerprint)
    if known is None:
        row = {"kind": kind, "fingerprint": fingerprint, "file": file, "started_at": now}
        tx.execute(insert(imports).values(**row))
    elif known.ended_at is not None:
        again = {"rows": 0, "accepted": 0, "rejected": 0, "started_at": now, "ended_at": None, "file": file}
        tx.execute(update(imports).where(imports.c.id == known.id).values(**again))
    found = find_progress(tx, fingerprint)
    assert found is not None
    return found


def advance(
    tx: Transaction, import_id: int, rows: int, accepted: int, rejected: int, ended_at: datetime | None = None
) -> None:
    """Record how far it is; in the transaction that wrote the rows, so that both hold or neither."""
    values = {"rows": rows, "accepted": accepted, "rejected": rejected, "ended_at": ended_at}
    tx.execute(update(imports).where(imports.c.id == import_id).values(**values))


def find_leads(tx: Transaction, external_ids: Sequence[str], canonicals: Sequence[str]) -> dict[tuple[str, str], int]:
    """("external", id) and ("email", canonical address) → lead, for those there are."""
    found: dict[tuple[str, str], int] = {}
    if external_ids:
        c = identities.c
        known = select(c.value, c.lead_id).where(c.kind == "external", c.value.in_(external_ids))
        found.update({("external", value): lead for value, lead in tx.execute(known)})
    if canonicals:
        query = select(leads.c.canonical, leads.c.id).where(leads.c.canonical.in_(canonicals))
        found.update({("email", value): lead for value, lead in tx.execute(query)})
    return found


def set_created(tx: Transaction, created: Mapping[int, datetime]) -> None:
    """A lead is as old as the earliest row says."""
    if created:
        rows = [{"lead": lead, "at": at} for lead, at in created.items()]
        older = (leads.c.id == bindparam("lead")) & (
            leads.c.created_at > bindparam("at", type_=leads.c.created_at.type)
        )
        at = bindparam("at", type_=leads.c.created_at.type)
        tx.execute(update(leads).where(older).values(created_at=at), rows)


class PastStage(msgspec.Struct, frozen=True):
    """Since when a lead stood in a stage, as the row says."""

    lead: int
    funnel: str
    stage: str
    since: datetime
    reason: str | None = None


def add_past_stages(tx: Transaction, past: Sequence[PastStage]) -> set[int]:
    """Enter stages into the history at their own dates, silently (S32); the leads for whom that was new.

    A lead stands where its latest date says, a later row winning between equal ones; a date before where it stands
    now is history only. What is known already changes nothing.
    """
    ids = sorted({p.lead for p in past})
    if not ids:
        return set()
    c = stage_moves.c
    columns = select(c.lead_id, c.funnel, c.to_stage, c.at)
    known = {tuple(row) for row in tx.execute(columns.where(c.lead_id.in_(ids)).order_by(c.id))}
    s = lead_stages.c
    standing = {
        (row.lead_id, row.funnel): (row.stage, row.since)
        for row in tx.execute(select(s.lead_id, s.funnel, s.stage, s.since).where(s.lead_id.in_(ids)))
    }
    histories: dict[tuple[int, str], list[tuple[datetime, str]]] = defaultdict(list)
    for lead, funnel, stage, at in sorted(known, key=lambda m: (m[0], m[1], m[3])):
        histories[lead, funnel].append((at, stage))
    moves: list[dict[str, Any]] = []
    moved: dict[tuple[int, str], tuple[str, datetime]] = {}
    changed: set[int] = set()
    for p in sorted(past, key=lambda p: p.since):
        if (p.lead, p.funnel, p.stage, p.since) in known:
            continue
        known.add((p.lead, p.funnel, p.stage, p.since))
        history = histories[p.lead, p.funnel]
        before = [stage for at, stage in history if at <= p.since]
        history.append((p.since, p.stage))
        changed.add(p.lead)
        moves.append(
            {
                "lead_id": p.lead,
                "funnel": p.funnel,
                "from_stage": before[-1] if before else None,
                "to_stage": p.stage,
                "at": p.since,
                "cause": CAUSE,
                "reason": p.reason,
                "enrollment_id": None,
            }
        )
        here = standing.get((p.lead, p.funnel))
        if here is None or p.since >= here[1]:
            standing[p.lead, p.funnel] = moved[p.lead, p.funnel] = (p.stage, p.since)
    insert_rows(tx, stage_moves, moves)
    _stand(tx, moved)
    return changed


def _stand(tx: Transaction, moved: dict[tuple[int, str], tuple[str, datetime]]) -> None:
    rows = [{"lead_id": lead, "funnel": f, "stage": stage, "since": at} for (lead, f), (stage, at) in moved.items()]
    if not rows:
        return
    statement = upserting(tx, lead_stages)
    changed = {"stage": statement.excluded.stage, "since": statement.excluded.since}
    tx.execute(statement.on_conflict_do_update(index_elements=["lead_id", "funnel"], set_=changed), rows)


def first_contacts(tx: Transaction, lead_ids: Sequence[int]) -> dict[int, tuple[str, datetime]]:
    """Lead → (what to call it, its first known stage's date), for those that have one."""
    if not lead_ids:
        return {}
    first = (
        select(stage_moves.c.lead_id, func.min(stage_moves.c.at).label("at"))
        .where(stage_moves.c.lead_id.in_(lead_ids))
        .group_by(stage_moves.c.lead_id)
        .subquery()
    )
    query = select(leads.c.id, leads.c.external_id, first.c.at).join(first, first.c.lead_id == leads.c.id)
    return {row.id: (row.external_id or str(row.id), row.at) for row in tx.execute(query)}
