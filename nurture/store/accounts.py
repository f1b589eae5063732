"""Companies, as Segment's `group` names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select, update

from nurture.store.database import Transaction, upserting
from nurture.store.tables import accounts


@dataclass(frozen=True, slots=True)
class Account:
    """`changed` names the attributes that this call changed."""

    id: int
    changed: tuple[str, ...] = ()


def upsert_accounts(tx: Transaction, traits: Mapping[str, Mapping[str, Any]]) -> dict[str, Account]:
    """Have these companies, by their external id, with these attributes added; a None takes one away."""
    if not traits:
        return {}
    c = accounts.c
    insert = upserting(tx, accounts)
    names = sorted(traits)
    tx.execute(insert.on_conflict_do_nothing(), [{"external_id": name, "attributes": {}} for name in names])
    query = select(c.id, c.external_id, c.attributes).where(c.external_id.in_(names)).order_by(c.id)
    found, rows = {}, []
    for id_, name, attributes in tx.execute(query.with_for_update()):
        changed = tuple(n for n, v in traits[name].items() if attributes.get(n) != v)
        found[name] = Account(id_, changed)
        if changed:
            merged = {n: v for n, v in {**attributes, **traits[name]}.items() if v is not None}
            rows.append({"b_id": id_, "attributes": merged})
    if rows:
        tx.execute(update(accounts).where(c.id == bindparam("b_id")).values(attributes=bindparam("attributes")), rows)
    return found
