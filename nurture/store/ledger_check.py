"""Reading the whole ledger for tampering: edited, deleted, inserted, reordered, cut off (trust C4)."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Text, exists, select, type_coerce

from nurture.lead.keyring import Keyring
from nurture.store.database import Transaction
from nurture.store.ledger import GENESIS, GUARD, HEAD_USE, fold_heads, guard_of, head_digest, head_text, row_hash
from nurture.store.tables import consent_ledger, consent_ledger_heads, consents

_PAGE = 2_000  # rows held at a time
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tampering:
    """`entry` is the ledger row's id, None where it is not there to be named; `ordinal` its place in the chain."""

    subject: str
    ordinal: int | None
    entry: int | None
    lead: int | None
    what: str

    def __str__(self) -> str:
        where = f"entry {self.entry} " if self.entry is not None else ""
        place = f"(number {self.ordinal} of {self.subject})" if self.ordinal else f"({self.subject})"
        return f"{where}{place}: {self.what}"


def verify(tx: Transaction, keyring: Keyring) -> list[Tampering]:
    """Everything that is not as it was written; an empty list is an untouched ledger."""
    read = (_whole_head(dict(row)) for row in tx.execute(select(consent_ledger_heads)).mappings())
    heads: dict[str, Row] = {row["subject"]: row for row in read}
    found: list[Tampering] = []
    seen: set[str] = set()
    c = consent_ledger.c
    columns = [type_coerce(column, Text).label(column.name) if _is_text(tx, column) else column for column in c]
    rows = tx.execute(select(*columns).order_by(c.subject, c.ordinal).execution_options(yield_per=_PAGE)).mappings()
    for subject, entries in groupby((_as_written(dict(row)) for row in rows), key=lambda row: str(row["subject"])):
        seen.add(subject)
        found += _chain(subject, entries, heads.get(subject), keyring)
    for subject, head in heads.items():
        if not subject.startswith(GUARD) and subject not in seen and head["entries"]:
            found.append(Tampering(subject, None, None, head["lead_id"], "every entry of this chain was deleted"))
    return [*found, *_guards(heads, keyring), *_without_proof(tx)]


def _is_text(tx: Transaction, column: Any) -> bool:
    """Columns that SQLite keeps as text and would not read back once somebody wrote nonsense into them."""
    return tx.dialect.name == "sqlite" and column.name in ("evidence", "occurred_at", "recorded_at")


def _as_written(row: Row) -> Row:
    """Evidence that is no JSON any more stays text: its hash is another one, and the entry is named."""
    if isinstance(row["evidence"], str):
        with suppress(ValueError):
            row["evidence"] = json.loads(row["evidence"])
    return row


def _whole_head(head: Row) -> Row:
    """SQLite keeps any value in any column: what is no number counts as one that no chain has."""
    entries = head["entries"] if isinstance(head["entries"], int) else -1
    return head | {"entries": entries, "subject": str(head["subject"]), "mac": str(head["mac"])}


def _chain(subject: str, entries: Iterable[Row], head: Row | None, keyring: Keyring) -> Iterator[Tampering]:
    expected, last, lead = 1, GENESIS, None
    for row in entries:
        lead = row["lead_id"]

        def about(what: str, row: Row = row) -> Tampering:
            return Tampering(subject, row["ordinal"], row["id"], row["lead_id"], what)

        if not isinstance(row["ordinal"], int):
            yield about("its number was edited")
            continue
        if row["ordinal"] != expected:
            missing = f"{expected}" if row["ordinal"] == expected + 1 else f"{expected} to {row['ordinal'] - 1}"
            yield about(f"number {missing} before it was deleted")
        elif row["prev"] != last:
            yield about("does not follow the entry before it: one of the two was inserted, replaced or moved")
        if not hmac.compare_digest(row_hash(row, keyring), str(row["hash"])):
            yield about("was edited")
        expected, last = row["ordinal"] + 1, row["hash"]
    if head is None:
        yield Tampering(subject, None, None, lead, "the guarded end of this chain was deleted")
        return
    if head["entries"] >= expected:
        what = f"cut off: {expected - 1} of {head['entries']} entries are there"
        yield Tampering(subject, expected, None, lead, what)
    elif head["entries"] < expected - 1:
        yield Tampering(subject, expected - 1, None, lead, "entries were added behind the guarded end")
    elif head["hash"] != last:
        yield Tampering(subject, expected - 1, None, lead, "the last entry is not the one the end was guarded with")
    yield from _head(head, keyring)


def _head(head: Row, keyring: Keyring) -> Iterator[Tampering]:
    text = head_text(head["subject"], head["lead_id"], head["entries"], head["hash"])
    if not keyring.verify(HEAD_USE, text, head["mac"]):
        what = "the guarded end was changed, or its secret is no longer in `secrets`"
        yield Tampering(head["subject"], None, None, head["lead_id"], what)


def _guards(heads: Mapping[str, Row], keyring: Keyring) -> Iterator[Tampering]:
    """A chain that vanished whole, or was made up whole, is missed or met here."""
    members: dict[str, list[Row]] = {}
    for subject, head in heads.items():
        if not subject.startswith(GUARD):
            members.setdefault(guard_of(subject), []).append(head)
    guards = {subject: head for subject, head in heads.items() if subject.startswith(GUARD)}
    for name in sorted(members.keys() | guards.keys()):
        guard = guards.get(name)
        if guard is None:
            yield Tampering(name, None, None, None, "the guard of these chains was deleted")
            continue
        yield from _head(guard, keyring)
        mine = members.get(name, [])
        folded = fold_heads(head_digest(h["subject"], h["lead_id"], h["entries"], h["hash"]) for h in mine)
        if guard["entries"] > len(mine):
            yield Tampering(name, None, None, None, f"{guard['entries'] - len(mine)} whole chain(s) were deleted")
        elif guard["entries"] < len(mine):
            yield Tampering(name, None, None, None, f"{len(mine) - guard['entries']} whole chain(s) were added")
        elif guard["hash"] != folded:
            yield Tampering(name, None, None, None, "the end of one of these chains was changed or replaced")


def _without_proof(tx: Transaction) -> Iterator[Tampering]:
    """Consent that no chain speaks of: its proof was deleted, or it was written past the ledger."""
    known = exists().where(consent_ledger_heads.c.lead_id == consents.c.lead_id)
    query = select(consents.c.lead_id).where(consents.c.state != "none", ~known).distinct().order_by(consents.c.lead_id)
    for (lead,) in tx.execute(query):
        yield Tampering("", None, None, lead, f"lead {lead} has a consent state and no entry that proves it")
