"""Two leads turn out to be one person (S27): what the one had goes to the other.

Each table says here how it is merged. Nothing is drawn, decided or reacted to again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, insert, select, update

from nurture.campaign.project import Project
from nurture.lead.consent import stricter
from nurture.lead.lead import LeadId, shard_of
from nurture.store import outbox
from nurture.store.database import Transaction
from nurture.store.scores import decayed
from nurture.store.shards import lock_shards
from nurture.store.tables import (
    consents,
    deals,
    decisions,
    enrollments,
    events,
    hits,
    identities,
    lead_scores,
    lead_stages,
    lead_tags,
    leads,
    matches,
    messages,
    privacy_actions,
    stage_moves,
    timers,
)

_OPEN = ("waiting", "parked")


def merge_rows(tx: Transaction, keep: LeadId, drop: LeadId, project: Project, now: datetime) -> list[str]:
    """Everything of `drop` belongs to `keep` and `drop` is gone; its id still finds `keep`. The campaigns in which one
    of two enrollments was ended. The ledger is not touched here: `store.ledger.adopt` writes the joining of two persons
    into it."""
    lock_shards(tx, sorted({shard_of(keep), shard_of(drop)}), wait=True)  # no pass works on either meanwhile
    ended = _enrollments(tx, keep, drop, now)
    _timers(tx, keep, drop)
    _unprinted(tx, drop)
    for table in (events, messages):
        _repoint(tx, table, keep, drop, shard=shard_of(keep))
    for table in (deals, decisions, stage_moves, identities, hits, privacy_actions):
        _repoint(tx, table, keep, drop)
    _stages(tx, keep, drop, project)
    _scores(tx, keep, drop, project)
    _consents(tx, keep, drop)
    _absent(tx, lead_tags, lead_tags.c.tag, keep, drop)
    _absent(tx, matches, matches.c.campaign, keep, drop)
    _rights(tx, keep, drop)
    tx.execute(insert(identities).values(kind="lead", value=str(drop), lead_id=keep))
    tx.execute(delete(leads).where(leads.c.id == drop))
    return ended


def _repoint(tx: Transaction, table: Table, keep: LeadId, drop: LeadId, **more: Any) -> None:
    tx.execute(update(table).where(table.c.lead_id == drop).values(lead_id=keep, **more))


def _absent(tx: Transaction, table: Table, by: Any, keep: LeadId, drop: LeadId) -> None:
    """A row of `drop` moves where `keep` has none of its own."""
    own = select(by).where(table.c.lead_id == keep)
    tx.execute(delete(table).where(table.c.lead_id == drop, by.in_(own)))
    _repoint(tx, table, keep, drop)


def _enrollments(tx: Transaction, keep: LeadId, drop: LeadId, now: datetime) -> list[str]:
    """Of two open ones with the same campaign and key the older stays; the other's mails that wait are cancelled. The
    campaigns of those that ended."""
    c = enrollments.c
    columns = (c.id, c.lead_id, c.campaign, c.key, c.version, c.step, c.entered_at)
    query = select(*columns).where(c.lead_id.in_((keep, drop)), c.state.in_(_OPEN)).order_by(c.entered_at, c.id)
    older: set[tuple[str, str]] = set()
    ended = []
    for row in tx.execute(query.with_for_update()).all():
        if (row.campaign, row.key) not in older:
            older.add((row.campaign, row.key))
            continue
        ended.append(row.campaign)
        tx.execute(
            update(enrollments)
            .where(c.id == row.id)
            .values(state="exited", reason="merged", ended_at=now, wake=None, revision=c.revision + 1)
        )
        m = messages.c
        tx.execute(
            update(messages)
            .where(m.enrollment_id == row.id, m.state.in_(("pending", "claimed")))
            .values(state="cancelled", reason="merged", fence=m.fence + 1, lease_until=None)
        )
        tx.execute(delete(timers).where(timers.c.owner == f"enrollment:{row.id}"))
        tx.execute(
            insert(decisions).values(
                lead_id=keep,
                enrollment_id=row.id,
                campaign=row.campaign,
                version=row.version,
                step=row.step,
                at=now,
                what="ended",
                reason="exit(merged)",
            )
        )
    _repoint(tx, enrollments, keep, drop, shard=shard_of(keep))
    return ended


def _unprinted(tx: Transaction, drop: LeadId) -> None:
    """What was printed for `drop` is printed anew for the person they prove to be, at the address that they have."""
    c = messages.c
    mine = update(messages).where(c.lead_id == drop, c.kind.in_((outbox.MAIL, outbox.CONFIRM, outbox.RIGHT)))
    tx.execute(
        mine.where(c.state == "claimed").values(state="pending", reason="merged", fence=c.fence + 1, lease_until=None)
    )
    tx.execute(mine.where(c.state.in_(("pending", "sending", "unknown")), c.body.is_not(None)).values(body=None))


def _timers(tx: Transaction, keep: LeadId, drop: LeadId) -> None:
    """A running settle timer runs on; of two for one key the one with the later event, and a key closed for good stays
    closed (S7). Of two others the earlier look is enough."""
    c = timers.c
    rows = tx.execute(select(c.id, c.lead_id, c.kind, c.owner, c.key, c.due, c.at).where(c.lead_id.in_((keep, drop))))
    by_name: dict[tuple[str, str, str], list[Any]] = {}
    for row in rows:
        by_name.setdefault((row.kind, row.owner, row.key), []).append(row)
    lost = [min(pair, key=_timer_worth).id for pair in by_name.values() if len(pair) == 2]
    if lost:
        tx.execute(delete(timers).where(c.id.in_(lost)))
    _repoint(tx, timers, keep, drop, shard=shard_of(keep))


def _timer_worth(row: Any) -> tuple[bool, float, float]:
    at = row.at.timestamp() if row.at is not None and row.kind == "settle" else 0.0
    return (row.due is None, at, -row.due.timestamp() if row.due is not None else 0.0)


def _stages(tx: Transaction, keep: LeadId, drop: LeadId, project: Project) -> None:
    """The further stage in each funnel; a stage no funnel knows any more is the least far."""
    c = lead_stages.c
    rows = tx.execute(select(c.lead_id, c.funnel, c.stage, c.since).where(c.lead_id.in_((keep, drop)))).all()
    for funnel in {row.funnel for row in rows}:
        names = project.funnels[funnel].names() if funnel in project.funnels else ()
        pair = [row for row in rows if row.funnel == funnel]
        best = max(pair, key=lambda r: (names.index(r.stage) if r.stage in names else -1, r.lead_id == keep))
        tx.execute(delete(lead_stages).where(c.lead_id.in_((keep, drop)), c.funnel == funnel))
        tx.execute(insert(lead_stages).values(lead_id=keep, funnel=funnel, stage=best.stage, since=best.since))


def _scores(tx: Transaction, keep: LeadId, drop: LeadId, project: Project) -> None:
    """Points add up, the older sum decayed to the instant of the younger; thresholds stood above are of both."""
    c = lead_scores.c
    rows = tx.execute(select(c.lead_id, c.score, c.value, c.at, c.above).where(c.lead_id.in_((keep, drop)))).all()
    for name in {row.score for row in rows}:
        pair = sorted((row for row in rows if row.score == name), key=lambda r: r.at)
        spec = project.scores.get(name)
        latest = pair[-1].at
        total = sum(decayed(row.value, latest - row.at, spec.half_life_s if spec else 0.0) for row in pair)
        if spec is not None and spec.at_most is not None:
            total = min(total, spec.at_most)
        above = sorted({threshold for row in pair for threshold in row.above})
        tx.execute(delete(lead_scores).where(c.lead_id.in_((keep, drop)), c.score == name))
        tx.execute(insert(lead_scores).values(lead_id=keep, score=name, value=total, at=latest, above=above))


def _consents(tx: Transaction, keep: LeadId, drop: LeadId) -> None:
    """The stricter answer per topic."""
    rows = tx.execute(select(consents).where(consents.c.lead_id.in_((keep, drop)))).mappings().all()
    for topic in {row["topic"] for row in rows}:
        pair = sorted((dict(r) for r in rows if r["topic"] == topic), key=lambda r: r["lead_id"] != keep)
        best = pair[0]
        if len(pair) == 2 and stricter(pair[0]["state"], pair[1]["state"]) != pair[0]["state"]:
            best = pair[1]
        tx.execute(delete(consents).where(consents.c.lead_id.in_((keep, drop)), consents.c.topic == topic))
        tx.execute(insert(consents).values(**{**best, "lead_id": keep}))


def _rights(tx: Transaction, keep: LeadId, drop: LeadId) -> None:
    """What either asked for holds for both: restriction, no profiling, the longer pause."""
    c = leads.c
    pair = tx.execute(select(c.restricted, c.unprofiled, c.paused_until).where(c.id.in_((keep, drop)))).all()
    values = {
        "restricted": any(row.restricted for row in pair),
        "unprofiled": any(row.unprofiled for row in pair),
        "paused_until": max((row.paused_until for row in pair if row.paused_until is not None), default=None),
    }
    tx.execute(update(leads).where(c.id == keep).values(**values))
