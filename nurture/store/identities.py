"""How callers name a lead: an address, their own id, a browser's id, or our number; and the lead that is meant."""

from __future__ import annotations

from sqlalchemy import func, select

from nurture.lead.address import canonical_address
from nurture.lead.lead import LeadId
from nurture.store.database import Transaction
from nurture.store.tables import identities, leads

Key = tuple[str, str]  # kind and value of an identity
_PAGE = 2_000  # values a query


def find_lead(tx: Transaction, ref: str) -> LeadId | None:
    """The lead meant by an address, an external id or an id, asked in this order; the id of a merged lead finds the one
    it went into."""
    if "@" in ref:
        found = tx.execute(select(leads.c.id).where(leads.c.canonical == canonical_address(ref))).scalar()
        if found is not None:
            return int(found)
    query = select(identities.c.lead_id).where(identities.c.kind == "external", identities.c.value == ref)
    found = tx.execute(query).scalar()
    if found is not None:
        return int(found)
    return present_lead(tx, int(ref)) if ref.isascii() and ref.isdigit() and len(ref) < 16 else None


def present_lead(tx: Transaction, lead: LeadId) -> LeadId | None:
    """The lead with this id, or the one it was merged into; None where it was erased or never was. Links in old mails
    hold the id of then (trust C16)."""
    # One statement whatever is found, so that the time it takes does not tell (trust X7).
    itself = select(leads.c.id).where(leads.c.id == lead).scalar_subquery()
    c = identities.c
    became = select(c.lead_id).where(c.kind == "lead", c.value == str(lead)).scalar_subquery()
    found = tx.execute(select(func.coalesce(itself, became))).scalar()
    return None if found is None else int(found)


def leads_of(tx: Transaction, keys: set[Key]) -> dict[Key, LeadId]:
    """The leads that these external and anonymous ids name; those unknown are not in the answer."""
    c = identities.c
    found: dict[Key, LeadId] = {}
    for kind in ("external", "anonymous"):
        values = [value for k, value in keys if k == kind]
        for start in range(0, len(values), _PAGE):
            query = select(c.value, c.lead_id).where(c.kind == kind, c.value.in_(values[start : start + _PAGE]))
            found.update(((kind, row[0]), row[1]) for row in tx.execute(query))
    return found
