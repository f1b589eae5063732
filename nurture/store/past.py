"""A live database as it was at an instant, laid out in a throw-away one.

Each table is read once, in bulk, and nothing of it is written. What a person or another system said keeps its instant:
when it was accepted, or, where an import told of it, when it happened. Leads' fields and tags have no history and are
today's; mails that went out, what came of them, and what campaigns and rules did are left where they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, case, func, select

from nurture.campaign.project import Project
from nurture.journey.timing import read_moment, zone_name
from nurture.lead.consent import ALL_MARKETING, LEFT, PROFILING, PURPOSES, State, stricter
from nurture.lead.permission import ALL, MARKETING, TOPIC_SCOPE, lasts
from nurture.lead.soft_opt_in import NO_GROUNDS, Grounds, stated
from nurture.store.casting import runs_out
from nurture.store.consents import sale_columns, sale_of
from nurture.store.database import Transaction, insert_rows
from nurture.store.tables import (
    accounts,
    consent_ledger,
    consents,
    deal_moves,
    deals,
    events,
    identities,
    lead_stages,
    lead_tags,
    leads,
    stage_moves,
    suppressions,
)

IMPORT = "import"
PAGE = 10_000
# What an entry of the ledger leaves a topic in. Others (merged, erased) change no state.
STATE_AFTER: Mapping[str, State] = {
    "requested": "requested",
    "granted": "granted",
    "confirmed": "granted",
    "renewed": "granted",
    "imported": "granted",
    "refused": "withdrawn",
    "withdrawn": "withdrawn",
    "objection": "objected",
    "expired": "expired",
}


@dataclass
class Past:
    """Who stands on the stage, by id, and what each is called. `born`: when we first heard of each."""

    since: datetime
    names: dict[int, str] = field(default_factory=dict)
    born: dict[int, datetime] = field(default_factory=dict)

    @property
    def newcomers(self) -> list[int]:
        """Those we only heard of after the instant, in the order of their ids."""
        return [lead for lead, at in self.born.items() if at >= self.since]


HEARD: ColumnElement[datetime] = case((events.c.source == IMPORT, events.c.at), else_=events.c.accepted_at)


def lay_out(live: Transaction, stage: Transaction, project: Project, since: datetime) -> Past:
    """Put everybody of the live database on the stage (an empty one) as they were at that instant, under their ids."""
    for table in (accounts, identities, lead_tags):
        _copy(live, stage, table)
    past = Past(since)
    agreed = _consents(live, project, since)
    _leads(live, stage, past, {who for (who, topic), one in agreed.items() if topic == PROFILING and one[0] in LEFT})
    _agree(live, stage, project, agreed, since)
    _copy(live, stage, lead_stages, _stages(live, since))
    _copy(live, stage, deals, _deals(live, since))
    _history(live, stage, since)
    return past


def _copy(live: Transaction, stage: Transaction, table: Table, rows: Iterable[dict[str, Any]] | None = None) -> None:
    found = rows if rows is not None else (dict(row) for row in live.execute(select(table)).mappings())
    for page in _pages(found):
        insert_rows(stage, table, page)


def _pages(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    page: list[dict[str, Any]] = []
    for row in rows:
        page.append(row)
        if len(page) == PAGE:
            yield page
            page = []
    yield page


def read(live: Transaction, query: Select[Any]) -> Any:
    """The rows, as they come: a history need not fit into memory twice."""
    return live.execute(query, execution_options={"yield_per": PAGE})


# --- who ---


def _leads(live: Transaction, stage: Transaction, past: Past, unprofiled: set[int]) -> None:
    """A lead is as old as the first thing that is known of it: an import of a year of events makes them all today."""
    happened = select(events.c.lead_id, func.min(HEARD)).group_by(events.c.lead_id)
    first: dict[int, datetime] = {row[0]: row[1] for row in live.execute(happened)}
    moved = select(stage_moves.c.lead_id, func.min(stage_moves.c.at)).group_by(stage_moves.c.lead_id)
    for lead, at in live.execute(moved):
        first[lead] = min(first.get(lead, at), at)
    rows = []
    for found in read(live, select(leads).order_by(leads.c.id)).mappings():
        row = dict(found)
        lead = row["id"]
        row["created_at"] = past.born[lead] = min(row["created_at"], first.get(lead, row["created_at"]))
        past.names[lead] = row["email"] or row["external_id"] or f"lead {lead}"
        # A pause or an objection of today says nothing of then.
        rows.append(row | {"paused_until": None, "unprofiled": lead in unprofiled})
    _copy(live, stage, leads, rows)


def _stages(live: Transaction, since: datetime) -> list[dict[str, Any]]:
    """Where everybody stood: the last move before the instant, in each funnel."""
    c = stage_moves.c
    stood: dict[tuple[int, str], dict[str, Any]] = {}
    moved: set[tuple[int, str]] = set()
    for lead, funnel, stage, at in read(live, select(c.lead_id, c.funnel, c.to_stage, c.at).order_by(c.at, c.id)):
        moved.add((lead, funnel))
        if at < since:
            stood[lead, funnel] = {"lead_id": lead, "funnel": funnel, "stage": stage, "since": at}
    for row in live.execute(select(lead_stages)).mappings():
        if (row["lead_id"], row["funnel"]) not in moved and row["since"] < since:
            stood[row["lead_id"], row["funnel"]] = dict(row)
    return list(stood.values())


def _deals(live: Transaction, since: datetime) -> list[dict[str, Any]]:
    """Deals that were open or closed by then, on the stage they stood on."""
    stood: dict[int, str] = {}
    c = deal_moves.c
    query = select(c.deal_id, c.to_stage).where(c.at < since).order_by(c.at, c.id)
    stood.update((row[0], row[1]) for row in live.execute(query))
    found = []
    for row in live.execute(select(deals).order_by(deals.c.id)).mappings():
        if row["opened_at"] is None or row["opened_at"] < since:
            one = dict(row) | {"stage": stood.get(row["id"], row["stage"])}
            if row["closed_at"] is not None and row["closed_at"] >= since:
                one |= {"closed_at": None, "outcome": "open", "reason": None}
            found.append(one)
    return found


# --- whether we might ---


def instant_of(entry: Any) -> datetime:
    """When an entry of the ledger counts: an import tells of what was before."""
    at: datetime = entry.occurred_at if entry.event == "imported" else entry.recorded_at
    return at


def ledger_entries(live: Transaction) -> Any:
    """All entries that are about a lead, each person's in order."""
    c = consent_ledger.c
    columns = (c.lead_id, c.subject, c.event, c.topic, c.basis, c.method, c.occurred_at, c.recorded_at, c.evidence)
    return read(live, select(*columns).where(c.lead_id.is_not(None)).order_by(c.id))


_Agreed = tuple[State, datetime, str | None, Grounds]  # state, since, basis, of a soft opt-in the sale


def _consents(live: Transaction, project: Project, since: datetime) -> dict[tuple[int, str], _Agreed]:
    """(lead, topic) → its state then, folded from the ledger. Of two persons who became one lead the stricter answer
    counts (S27). What the ledger does not tell of is as it stands."""
    folded: dict[tuple[str, int], dict[str, _Agreed]] = defaultdict(dict)
    told: set[tuple[int, str]] = set()
    for entry in ledger_entries(live):
        state = STATE_AFTER.get(entry.event)
        topic = entry.topic or ALL_MARKETING
        told.add((entry.lead_id, topic))
        if state is None or (at := instant_of(entry)) >= since:
            continue
        mine = folded[entry.subject, entry.lead_id]
        soft = state == "granted" and entry.basis == "soft_opt_in"
        sale = stated(entry.evidence, lambda text: read_moment(text, project.zone)) if soft else NO_GROUNDS
        for name in [topic] if topic != ALL_MARKETING else [*mine, ALL_MARKETING]:
            if name not in PURPOSES or name == topic or (state == "objected" and name == PROFILING):
                mine[name] = (state, at, entry.basis, sale)
        if topic == ALL_MARKETING and state == "objected":
            mine[PROFILING] = (state, at, entry.basis, sale)
        if state == "granted" and topic not in PURPOSES and ALL_MARKETING in mine:
            del mine[ALL_MARKETING]
    found: dict[tuple[int, str], _Agreed] = {}
    for (_, lead), mine in folded.items():
        for topic, one in mine.items():
            other = found.get((lead, topic))
            if other is None or stricter(one[0], other[0]) == one[0]:
                found[lead, topic] = one
    for row in live.execute(select(consents)).mappings():
        key = (row["lead_id"], row["topic"])
        if key not in told and row["since"] < since and (row["lead_id"], ALL_MARKETING) not in told:
            found[key] = (row["state"], row["since"], row["basis"], sale_of(dict(row)))
    return found


def _agree(
    live: Transaction,
    stage: Transaction,
    project: Project,
    agreed: Mapping[tuple[int, str], _Agreed],
    since: datetime,
) -> None:
    """The states, and with them the suppressions: those of a no as it was then, lasting ones from their own instant."""
    c = leads.c
    known = {row[0]: (row[1], row[2]) for row in stage.execute(select(c.id, c.address_hash, c.zone))}
    rows, shut = [], {}
    for (lead, topic), (state, at, basis, sale) in agreed.items():
        if lead not in known:
            continue
        address, zone = known[lead]
        granted = state == "granted"
        ends = runs_out(project, topic, at, zone_name(zone, project.zone)) if granted else None
        rows.append(_consent_row(lead, topic, state, at, basis) | {"expires_at": ends} | sale_columns(sale))
        if state in LEFT and address and topic not in PURPOSES:
            scope = MARKETING if topic == ALL_MARKETING else TOPIC_SCOPE + topic
            shut[address, scope] = (f"withdrew {topic}", at)
    for row in live.execute(select(suppressions).where(suppressions.c.at < since)).mappings():
        if row["scope"] == ALL or lasts(row["reason"]):
            shut[row["address_hash"], row["scope"]] = (row["reason"], row["at"])
    _copy(stage, stage, consents, rows)
    _copy(
        stage,
        stage,
        suppressions,
        [{"address_hash": who, "scope": scope, "reason": why, "at": at} for (who, scope), (why, at) in shut.items()],
    )


def _consent_row(lead: int, topic: str, state: str, at: datetime, basis: str | None) -> dict[str, Any]:
    return {
        "lead_id": lead,
        "topic": topic,
        "state": state,
        "since": at,
        "basis": basis,
        "requests": 0,
        "requested_at": at if state == "requested" else None,
    }


# --- what they had done ---


def _history(live: Transaction, stage: Transaction, since: datetime) -> None:
    """Everything of before counts and starts nothing."""
    c = events.c
    columns = [c.lead_id, c.shard, c.name, c.at, c.accepted_at, c.source, c.properties]
    query = select(*columns).where(since > HEARD).order_by(c.at, c.id)
    settled = {"seq": 0, "fact": True}
    _copy(live, stage, events, (dict(row) | settled for row in read(live, query).mappings()))
