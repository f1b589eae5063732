"""Addresses we must not write to, by keyed hash, so that the list outlives erasure and gives nobody away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, or_, select, tuple_

from nurture.errors import UserError
from nurture.lead.keyring import Keyring
from nurture.lead.permission import LASTING, lasts
from nurture.store.database import Transaction, insert_rows, tell, upserting
from nurture.store.suppression_journal import Erasure, Lifted, Suppressed
from nurture.store.tables import suppressions
from nurture.store.types import instant_text, read_instant

_GUARD_SCOPE = "key"
_GUARD_ADDRESS = "guard@nurture.invalid"
_PAGE = 1_000


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
    """Add (address hash, scope, reason); one that is there keeps its reason and date, unless the new reason is one
    that lasts and its own does not: who complains after leaving has complained."""
    known = [(h, s, r) for (h, s), r in {(h, s): r for h, s, r in rows}.items()]
    _add(tx, [(h, s, r, now) for h, s, r in known])
    tell(tx, [Suppressed(h, s, r, instant_text(now)) for h, s, r in known])


def _add(tx: Transaction, rows: Sequence[tuple[str, str, str, datetime]]) -> None:
    """Rows of (address hash, scope, reason, instant)."""
    insert = upserting(tx, suppressions)
    c = suppressions.c
    weaker = ~or_(*(c.reason.startswith(word) for word in LASTING))
    stronger = insert.on_conflict_do_update(
        index_elements=[c.address_hash, c.scope],
        set_={"reason": insert.excluded.reason, "at": insert.excluded.at},
        where=weaker,
    )
    for statement, kept in ((stronger, True), (insert.on_conflict_do_nothing(), False)):
        values = [
            {"address_hash": address_hash, "scope": scope, "reason": reason, "at": at}
            for address_hash, scope, reason, at in rows
            if lasts(reason) is kept
        ]
        if values:
            tx.execute(statement, values)


def lift(tx: Transaction, rows: Collection[tuple[str, str]]) -> None:
    """Take (address hash, scope) away: the person agreed again."""
    if rows:
        key = tuple_(suppressions.c.address_hash, suppressions.c.scope)
        tx.execute(delete(suppressions).where(key.in_(list(rows))))
        tell(tx, [Lifted(*row) for row in rows])


def note_erased(
    tx: Transaction, lead: int, address_hash: str | None, created_at: datetime | None, now: datetime
) -> None:
    """Have the journal remember an erasure, so that a restored backup is cleaned again (trust C25)."""
    if created_at is not None:
        tell(tx, [Erasure(lead, address_hash, instant_text(created_at), instant_text(now))])


def restore(tx: Transaction, lines: Sequence[Suppressed]) -> None:
    """Put back what a restored database has forgotten, with its own instants."""
    _add(tx, [(v.address_hash, v.scope, v.reason, read_instant(v.at)) for v in lines])


def all_rows(tx: Transaction) -> dict[tuple[str, str], Suppressed]:
    """Every suppression, by (address hash, scope); not the row that marks the key."""
    c = suppressions.c
    query = select(c.address_hash, c.scope, c.reason, c.at).where(c.scope != _GUARD_SCOPE)
    return {(row[0], row[1]): Suppressed(row[0], row[1], row[2], instant_text(row[3])) for row in tx.execute(query)}


def scopes(tx: Transaction, hashes: Sequence[str]) -> dict[str, dict[str, str]]:
    """Scope → reason of every suppression of these addresses."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    c = suppressions.c
    for start in range(0, len(hashes), _PAGE):
        query = select(c.address_hash, c.scope, c.reason).where(c.address_hash.in_(hashes[start : start + _PAGE]))
        for address_hash, scope, reason in tx.execute(query):
            found[address_hash][scope] = reason
    return found
