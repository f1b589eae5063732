"""Every row that is about one lead, for the lead (GDPR 15, 20; trust C22): whole columns, nothing left out but what
only the machine needs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, select

from nurture.lead.lead import LeadId
from nurture.store.database import Transaction
from nurture.store.tables import (
    accounts,
    attempts,
    consents,
    deal_moves,
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
    message_links,
    messages,
    privacy_actions,
    stage_moves,
    suppressions,
    templates,
    timers,
)

_MACHINERY = frozenset({"shard", "fence", "lease_until", "worker", "wake", "revision", "lead_id", "canonical"})
_OF_LEAD: dict[str, Table] = {
    "identities": identities,
    "stages": lead_stages,
    "stage_moves": stage_moves,
    "scores": lead_scores,
    "consents": consents,
    "events": events,
    "enrollments": enrollments,
    "timers": timers,
    "segments_entered": matches,
    "decisions": decisions,
    "messages": messages,
    "clicks_and_opens": hits,
    "deals": deals,
    "privacy_actions": privacy_actions,
}


def read_everything(tx: Transaction, lead: LeadId) -> dict[str, Any] | None:
    """By section, each row as a mapping, oldest first; None where there is no such lead. Instants are datetimes, bodies
    of mails octets."""
    row = tx.execute(select(leads).where(leads.c.id == lead)).mappings().first()
    if row is None:
        return None
    found: dict[str, Any] = {"lead": _plain(row)}
    found["tags"] = sorted(tx.execute(select(lead_tags.c.tag).where(lead_tags.c.lead_id == lead)).scalars())
    for name, table in _OF_LEAD.items():
        query = select(table).where(table.c.lead_id == lead).order_by(*table.primary_key.columns)
        found[name] = [_plain(r) for r in tx.execute(query).mappings()]
    found["account"] = _account(tx, row["account_id"])
    found["suppressions"] = _suppressions(tx, row["address_hash"])
    _under_messages(tx, found["messages"])
    _under_deals(tx, found["deals"])
    return found


def template_texts(tx: Transaction, name: str, digest: str) -> dict[str, str] | None:
    """The files of a template as they were, for the subject of a mail sent with them."""
    t = templates.c
    found: dict[str, str] | None = tx.execute(select(t.files).where(t.name == name, t.hash == digest)).scalar()
    return found


def _plain(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _MACHINERY and value is not None}


def _account(tx: Transaction, account: int | None) -> dict[str, Any] | None:
    if account is None:
        return None
    row = tx.execute(select(accounts).where(accounts.c.id == account)).mappings().first()
    return None if row is None else {"external_id": row["external_id"], "attributes": row["attributes"]}


def _suppressions(tx: Transaction, address_hash: str | None) -> list[dict[str, Any]]:
    s = suppressions.c
    query = select(s.scope, s.reason, s.at).where(s.address_hash == (address_hash or "")).order_by(s.scope)
    return [dict(r) for r in tx.execute(query).mappings()]


def _under_messages(tx: Transaction, mails: list[dict[str, Any]]) -> None:
    by_id = {m["id"]: m for m in mails}
    for m in mails:
        m["attempts"], m["links"] = [], []
    for table, part in ((attempts, "attempts"), (message_links, "links")):
        query = select(table).where(table.c.message_id.in_(list(by_id))).order_by(*table.primary_key.columns)
        for r in tx.execute(query).mappings():
            by_id[r["message_id"]][part].append(_plain(r))


def _under_deals(tx: Transaction, sales: list[dict[str, Any]]) -> None:
    for deal in sales:
        query = select(deal_moves).where(deal_moves.c.deal_id == deal["id"]).order_by(deal_moves.c.id)
        deal["moves"] = [_plain(r) for r in tx.execute(query).mappings()]
