"""Part of a project's database, in a throw-away one: some leads with all that campaigns look at, under their own ids.

What one may read of a person beyond that stays where it is: bodies of mails, clicks, the consent ledger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, select, union, update

from nurture.store.among import among
from nurture.store.database import Database, Transaction, insert_rows, open_database
from nurture.store.tables import (
    accounts,
    campaigns,
    consents,
    deals,
    decisions,
    deployment,
    enrollments,
    events,
    identities,
    lead_scores,
    lead_stages,
    lead_tags,
    leads,
    matches,
    messages,
    metadata,
    shards,
    suppressions,
    sweeps,
    team_turns,
    templates,
    timers,
    versions,
)

_PAGE = 1_000  # leads
_ROWS = 10_000
_OPEN = ("waiting", "parked")
_BESIDE = (deployment, campaigns, versions, shards, sweeps, team_turns)
_OF_A_LEAD = (
    identities,
    lead_tags,
    lead_scores,
    lead_stages,
    events,
    consents,
    enrollments,
    timers,
    matches,
    messages,
    deals,
)


def inside(tx: Transaction, names: Collection[str]) -> list[int]:
    """Leads with whom these campaigns have begun: open enrollments, quiet that runs, dates to come, mails about to
    leave. In the order of their ids."""
    e, t, m = enrollments.c, timers.c, messages.c
    found = union(
        select(e.lead_id).where(e.campaign.in_(names), e.state.in_(_OPEN)),
        select(t.lead_id).where(t.owner.in_(names), t.due.is_not(None)),
        select(m.lead_id).where(m.campaign.in_(names), m.state == "pending", m.lead_id.is_not(None)),
    )
    return sorted(tx.execute(found).scalars())


def everybody(tx: Transaction) -> list[int]:
    """All leads by id."""
    return list(tx.execute(select(leads.c.id).order_by(leads.c.id)).scalars())


def with_colleagues(tx: Transaction, lead_ids: Sequence[int]) -> list[int]:
    """These leads and everyone of their companies: conditions may ask about them."""
    found = set(lead_ids)
    for page in _pages(lead_ids):
        known = select(leads.c.account_id).where(among(leads.c.id, page), leads.c.account_id.is_not(None))
        found.update(tx.execute(select(leads.c.id).where(leads.c.account_id.in_(known))).scalars())
    return sorted(found)


def copy(source: Database, lead_ids: Sequence[int], now: datetime) -> Database:
    """A database in memory with what is live, and these leads as they are; mails on their way are about to leave. The
    caller closes it."""
    made = open_database("sqlite://", durable=False)
    metadata.create_all(made.engine)
    companies: set[int] = set()
    with made.write() as tx:
        with source.read() as seen:
            for table in _BESIDE:
                _take(seen, tx, table)
            _take(seen, tx, templates, templates.c.live)
        for page in _pages(lead_ids):
            # A transaction a page: where SQLite has no WAL, a reader keeps the worker from committing.
            with source.read() as seen:
                companies |= _take_leads(seen, tx, page, companies)
        moving = messages.c.state.in_(("pending", "claimed", "sending"))
        tx.execute(update(messages).where(moving).values(state="pending", due=now))
    return made


def _take_leads(source: Transaction, target: Transaction, page: Sequence[int], companies: Collection[int]) -> set[int]:
    """Copy a page of leads; the companies that came with them and were not there yet."""
    people = _take(source, target, leads, among(leads.c.id, page))
    for table in _OF_A_LEAD:
        _take(source, target, table, among(table.c.lead_id, page))
    _take(source, target, decisions, among(decisions.c.enrollment_id, _open_of(target, page)))
    hashes = [one["address_hash"] for one in people if one["address_hash"]]
    _take(source, target, suppressions, suppressions.c.address_hash.in_(hashes))
    new = {one["account_id"] for one in people if one["account_id"]} - set(companies)
    _take(source, target, accounts, among(accounts.c.id, new))
    return new


def twin(database: Database) -> Database:
    """The same rows once more, in memory, to do something else with."""
    made = open_database("sqlite://", durable=False)
    pair = [one.engine.raw_connection() for one in (database, made)]
    try:
        source, target = (one.driver_connection for one in pair)
        assert isinstance(source, sqlite3.Connection)
        assert isinstance(target, sqlite3.Connection)
        source.backup(target)
    finally:
        for one in pair:
            one.close()
    return made


def stop(tx: Transaction, names: Collection[str]) -> None:
    """Nobody in these campaigns goes on, and nothing of theirs leaves."""
    tx.execute(update(enrollments).where(enrollments.c.campaign.in_(names)).values(wake=None))
    waits = messages.c.campaign.in_(names) & (messages.c.state == "pending")
    tx.execute(update(messages).where(waits).values(state="cancelled", reason="pause"))


def sent_since(tx: Transaction, since: datetime) -> list[tuple[int, str, datetime]]:
    """(lead, campaign, instant) of every mail that left at or after an instant."""
    m = messages.c
    query = select(m.lead_id, m.campaign, m.sent_at).where(
        m.state == "sent", m.kind.in_(("mail", "confirm")), m.sent_at >= since, m.lead_id.is_not(None), m.campaign != ""
    )
    return [(row[0], row[1], row[2]) for row in tx.execute(query.order_by(m.id))]


def _open_of(tx: Transaction, lead_ids: Sequence[int]) -> list[int]:
    e = enrollments.c
    return list(tx.execute(select(e.id).where(among(e.lead_id, lead_ids), e.state.in_(_OPEN))).scalars())


def _pages(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[n : n + _PAGE] for n in range(0, len(ids), _PAGE))


def _take(
    source: Transaction, target: Transaction, table: Table, which: ColumnElement[bool] | None = None
) -> list[dict[str, Any]]:
    """Copy rows of a table; those of the last page, which is all of them for a page of leads that is small."""
    wanted = [column for column in table.c if column.name != "body"]
    query = select(*wanted) if which is None else select(*wanted).where(which)
    taken: list[dict[str, Any]] = []
    for rows in source.execute(query).mappings().partitions(_ROWS):
        taken = [dict(row) for row in rows]
        insert_rows(target, table, taken)
    return taken
