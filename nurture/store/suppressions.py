"""Addresses we must not write to, by keyed hash, so that the list outlives erasure and gives nobody away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from nurture.errors import UserError
from nurture.lead.keyring import Keyring
from nurture.store.database import Transaction, insert_rows
from nurture.store.tables import suppressions

_GUARD_SCOPE = "key"
_GUARD_ADDRESS = "guard@nurture.invalid"
_PAGE = 500


def guard(tx: Transaction, keyring: Keyring, now: datetime) -> None:
    """Have one row of the list under the key that all others are under, and check it.

    Raises UserError where the key is another one: every suppression would silently miss, and people who left would be
    written to.
    """
    mine = keyring.address_hash(_GUARD_ADDRESS)
    there = {r[0] for r in tx.execute(select(suppressions.c.address_hash).where(suppressions.c.scope == _GUARD_SCOPE))}
    if not there:
        row = {"address_hash": mine, "scope": _GUARD_SCOPE, "reason": "marks the key of this list", "at": now}
        insert_rows(tx, suppressions, [row])
    elif mine not in there:
        raise UserError(
            "the oldest secret is not the one the suppression list was made with",
            hint="put it back as the last of `secrets` in config.yaml; new secrets go in front",
        )


def suppress(tx: Transaction, rows: Iterable[tuple[str, str, str]], now: datetime) -> None:
    """Add (address hash, scope, reason); one that is there keeps its reason and date."""
    values = [
        {"address_hash": h, "scope": s, "reason": r, "at": now} for (h, s), r in {(h, s): r for h, s, r in rows}.items()
    ]
    if values:
        insert = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(suppressions)
        tx.execute(insert.on_conflict_do_nothing(), values)


def lift(tx: Transaction, rows: Collection[tuple[str, str]]) -> None:
    """Take (address hash, scope) away: the person agreed again."""
    if rows:
        key = tuple_(suppressions.c.address_hash, suppressions.c.scope)
        tx.execute(delete(suppressions).where(key.in_(list(rows))))


def scopes(tx: Transaction, hashes: Sequence[str]) -> dict[str, dict[str, str]]:
    """Scope → reason of every suppression of these addresses."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    c = suppressions.c
    for start in range(0, len(hashes), _PAGE):
        query = select(c.address_hash, c.scope, c.reason).where(c.address_hash.in_(hashes[start : start + _PAGE]))
        for address_hash, scope, reason in tx.execute(query):
            found[address_hash][scope] = reason
    return found
