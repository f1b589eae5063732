"""The consent ledger: append-only proof, one chain of entries per person, that shows when somebody tampered with it.

An entry's hash is SHA-256 over the hash before it and the canonical JSON (sorted keys, no spaces, instants as fixed
UTC text; after RFC 8785) of all its columns. Personal columns enter as a keyed commitment, so that erasing a person
leaves the chain whole (trust C4). Each chain's end is a head row with its length, its last hash and a MAC by the
secret; 64 guard rows bind the heads together, so that no chain vanishes with its head. `ledger_check` reads it all.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, update

from nurture.lead.consent import ALL_MARKETING, Declaration, wording_digest
from nurture.lead.keyring import Keyring
from nurture.lead.lead import LeadId
from nurture.store.database import Transaction, insert_rows, reserve_ids, upserting
from nurture.store.tables import consent_ledger, consent_ledger_heads
from nurture.store.types import instant_text

GENESIS = "0" * 64
HEAD_USE = "consent ledger head"
GUARD = "guard:"
_GUARDS = 64
_COMMITTED = "hmac-sha256:"
PERSONAL = ("ip", "user_agent", "page", "source", "evidence")  # source is free text: "told Anna on the phone"
_BOUND = tuple(c.name for c in consent_ledger.columns if c.name != "hash")
_heads = consent_ledger_heads


@dataclass(frozen=True, slots=True)
class Entry:
    """One line to append for `lead`. `topic` ALL_MARKETING is everything on the channel."""

    lead: LeadId | None
    event: str
    topic: str | None
    said: Declaration
    recorded_at: datetime
    controller: str | None = None


@dataclass(slots=True)
class Head:
    subject: str
    lead: LeadId | None
    entries: int = 0
    hash: str = GENESIS


def append(
    tx: Transaction,
    entries: Sequence[Entry],
    keyring: Keyring,
    *,
    pseudonym: Callable[[], str] = lambda: secrets.token_hex(16),
) -> list[str]:
    """Add these entries in order, each to its person's chain; their hashes."""
    if not entries:
        return []
    heads = _heads_of(tx, {e.lead for e in entries if e.lead is not None})
    before = {head.subject: _digest(head) for head in heads.values()}
    rows = []
    ids = iter(reserve_ids(tx, consent_ledger, len(entries)))
    for entry in entries:
        assert entry.lead is not None  # a new entry is about somebody
        head = heads.get(entry.lead)
        if head is None:
            head = heads[entry.lead] = Head(pseudonym(), entry.lead)
        rows.append(_next_row(next(ids), head, entry, keyring))
    insert_rows(tx, consent_ledger, rows)
    _write_heads(tx, list(heads.values()), before, keyring)
    return [row["hash"] for row in rows]


def adopt(tx: Transaction, keep: LeadId, drop: LeadId, said: Declaration, keyring: Keyring, now: datetime) -> None:
    """The chains of `drop` belong to `keep` from now on; each says so itself."""
    _continue(tx, drop, Entry(keep, "merged", None, said, now), keep, keyring)


def forget(tx: Transaction, lead: LeadId, said: Declaration, keyring: Keyring, now: datetime) -> None:
    """Erasure: personal columns become commitments, the chains name nobody and say that they were erased."""
    c = consent_ledger.c
    subjects = [r[0] for r in tx.execute(select(_heads.c.subject).where(_heads.c.lead_id == lead))]
    query = select(c.id, c.subject, *(c[name] for name in PERSONAL)).where(c.subject.in_(subjects))
    for row in tx.execute(query).mappings().all():
        values: dict[str, Any] = {}
        for name in PERSONAL:
            if row[name] is not None:
                commitment = _committed(row["subject"], row[name], keyring)
                values[name] = {"erased": commitment} if name == "evidence" else commitment
        if values:
            tx.execute(update(consent_ledger).where(c.id == row["id"]).values(**values))
    _continue(tx, lead, Entry(None, "erased", None, said, now), None, keyring)


def _visits(before: datetime) -> ColumnElement[bool]:
    c = consent_ledger.c
    return and_(c.recorded_at < before, or_(*(column.not_like(_COMMITTED + "%") for column in (c.ip, c.user_agent))))


def count_visits(tx: Transaction, before: datetime, but: Sequence[Any] = ()) -> int:
    """Entries older than that which hold a network address or a browser's name; not of those leads."""
    c = consent_ledger.c
    others = [or_(c.lead_id.is_(None), c.lead_id.not_in(people)) for people in but]
    return int(
        tx.execute(select(func.count()).select_from(consent_ledger).where(_visits(before), *others)).scalar_one()
    )


def forget_visits(tx: Transaction, before: datetime, keyring: Keyring, limit: int = 1_000) -> int:
    """Network addresses and browsers' names of a page of such entries become commitments, with them the evidence that
    repeats them; the chains stay whole. How many entries."""
    c = consent_ledger.c
    query = select(c.id, c.subject, c.ip, c.user_agent, c.evidence).where(_visits(before)).order_by(c.id).limit(limit)
    rows = tx.execute(query).mappings().all()
    for row in rows:
        values: dict[str, Any] = {
            name: _committed(row["subject"], row[name], keyring) for name in ("ip", "user_agent") if row[name]
        }
        if isinstance(row["evidence"], Mapping) and "requested" in row["evidence"]:
            values["evidence"] = {"erased": _committed(row["subject"], row["evidence"], keyring)}
        tx.execute(update(consent_ledger).where(c.id == row["id"]).values(**values))
    return len(rows)


def _continue(tx: Transaction, lead: LeadId, entry: Entry, owner: LeadId | None, keyring: Keyring) -> None:
    query = select(_heads).where(_heads.c.lead_id == lead).order_by(_heads.c.subject).with_for_update()
    heads = [Head(r["subject"], r["lead_id"], r["entries"], r["hash"]) for r in tx.execute(query).mappings()]
    if not heads:
        return  # nothing was ever said by or about this person
    before = {head.subject: _digest(head) for head in heads}
    ids = iter(reserve_ids(tx, consent_ledger, len(heads)))
    rows = [_next_row(next(ids), head, entry, keyring) for head in heads]
    insert_rows(tx, consent_ledger, rows)
    for head in heads:
        head.lead = owner
    _write_heads(tx, heads, before, keyring)


def entries_of(tx: Transaction, lead: LeadId) -> list[dict[str, Any]]:
    """Every entry about this lead, oldest first, with the wording as it was shown (trust C1, C2)."""
    subjects = select(_heads.c.subject).where(_heads.c.lead_id == lead)
    c = consent_ledger.c
    query = select(consent_ledger).where(c.subject.in_(subjects)).order_by(c.recorded_at, c.subject, c.ordinal)
    return [dict(row) for row in tx.execute(query).mappings()]


def ends(tx: Transaction) -> dict[str, tuple[int, str]]:
    """By subject, how many entries and the last hash; without the guards."""
    query = select(_heads.c.subject, _heads.c.entries, _heads.c.hash).order_by(_heads.c.subject)
    return {row[0]: (row[1], row[2]) for row in tx.execute(query) if not row[0].startswith(GUARD)}


def hash_at(tx: Transaction, subject: str, ordinal: int) -> str | None:
    """The hash of one entry; None where it is not there."""
    c = consent_ledger.c
    found: str | None = tx.execute(select(c.hash).where(c.subject == subject, c.ordinal == ordinal)).scalar()
    return found


def last_entry(tx: Transaction, lead: LeadId, topic: str, event: str) -> dict[str, Any] | None:
    """The latest entry of this kind, as evidence for a later one."""
    found = [row for row in entries_of(tx, lead) if row["topic"] == topic and row["event"] == event]
    return found[-1] if found else None


# --- hashing ----------------------------------------------------------------------------------------------------


def row_hash(row: Mapping[str, Any], keyring: Keyring) -> str:
    """SHA-256 over the previous hash and the canonical JSON of every bound column of `row`."""
    body: dict[str, Any] = {}
    for name in _BOUND:
        value = row[name]
        if value is None:
            body[name] = None
        elif name in PERSONAL:
            body[name] = _committed(row["subject"], value, keyring)
        else:
            body[name] = instant_text(value) if isinstance(value, datetime) else value
    text = msgspec.json.encode(body, order="sorted")
    return hashlib.sha256(str(row["prev"]).encode() + text).hexdigest()


def _committed(subject: str, value: Any, keyring: Keyring) -> str:
    if isinstance(value, Mapping):
        if set(value) == {"erased"}:
            return str(value["erased"])
        value = msgspec.json.encode(value, order="sorted").decode()
    elif str(value).startswith(_COMMITTED):
        return str(value)
    return keyring.commitment(subject, str(value))


def plain(value: Any) -> Any:
    """Evidence as both databases give it back: texts, whole numbers, truth values, lists and mappings of them."""
    match value:
        case None | bool() | int():
            return value
        case datetime():
            return instant_text(value)
        case Mapping():
            return {str(k): plain(v) for k, v in value.items()}
        case list() | tuple():
            return [plain(v) for v in value]
        case _:
            return str(value).replace("\x00", "")


def _next_row(id_: int, head: Head, entry: Entry, keyring: Keyring) -> dict[str, Any]:
    proof = entry.said.proof
    digest = wording_digest(proof.wording) if proof.wording else None
    row: dict[str, Any] = {
        "id": id_,
        "subject": head.subject,
        "ordinal": head.entries + 1,
        "lead_id": entry.lead,
        "event": entry.event,
        "topic": None if entry.topic == ALL_MARKETING else entry.topic,
        "channel": "email",
        "basis": entry.said.basis,
        "jurisdiction": proof.jurisdiction,
        "wording": proof.wording,
        "wording_hash": digest,
        "wording_version": proof.wording_version or (digest[:12] if digest else None),
        "locale": proof.locale,
        "notice": proof.notice,
        "page": proof.page,
        "method": proof.method,
        "actor": entry.said.actor,
        "source": proof.source,
        "ip": proof.ip,
        "user_agent": proof.user_agent,
        "evidence": plain(proof.evidence) if proof.evidence else None,
        "controller": entry.controller,
        "occurred_at": entry.said.occurred_at,
        "recorded_at": entry.recorded_at,
        "prev": head.hash,
    }
    row["hash"] = row_hash(row, keyring)
    head.entries, head.hash = head.entries + 1, row["hash"]
    return row


# --- heads and guards -------------------------------------------------------------------------------------------


def guard_of(subject: str) -> str:
    """The guard row that a subject's head is bound into."""
    return f"{GUARD}{hashlib.sha256(subject.encode()).digest()[0] % _GUARDS:02}"


def head_text(subject: str, lead: LeadId | None, entries: int, hash_: str) -> str:
    """What a head's MAC is over."""
    return f"{subject}|{'' if lead is None else lead}|{entries}|{hash_}"


def _digest(head: Head) -> int:
    text = head_text(head.subject, head.lead, head.entries, head.hash)
    return int.from_bytes(hashlib.sha256(text.encode()).digest())


def fold_heads(digests: Iterable[int]) -> str:
    """The guard's hash: the exclusive or of its heads' digests, so that one head changes without reading the rest."""
    folded = 0
    for digest in digests:
        folded ^= digest
    return f"{folded:064x}"


def head_digest(subject: str, lead: LeadId | None, entries: int, hash_: str) -> int:
    """What one head adds to its guard."""
    return _digest(Head(subject, lead, entries, hash_))


def _heads_of(tx: Transaction, lead_ids: set[LeadId]) -> dict[LeadId, Head]:
    """The chain each lead's next entry goes to, locked; of several (a merged lead) the first by name."""
    query = select(_heads).where(_heads.c.lead_id.in_(sorted(lead_ids))).order_by(_heads.c.subject).with_for_update()
    found: dict[LeadId, Head] = {}
    for row in tx.execute(query).mappings():
        found.setdefault(row["lead_id"], Head(row["subject"], row["lead_id"], row["entries"], row["hash"]))
    return found


def _write_heads(tx: Transaction, heads: Sequence[Head], before: Mapping[str, int], keyring: Keyring) -> None:
    new = [h for h in heads if h.subject not in before]
    known = [h for h in heads if h.subject in before]
    insert_rows(tx, _heads, [_head_row(h, keyring) for h in new])
    if known:
        statement = (
            update(_heads)
            .where(_heads.c.subject == bindparam("of"))
            .values({name: bindparam(f"new_{name}") for name in ("lead_id", "entries", "hash", "mac")})
        )
        rows = [_head_row(h, keyring) for h in known]
        tx.execute(statement, [{"of": r.pop("subject")} | {f"new_{k}": v for k, v in r.items()} for r in rows])
    _move_guards(tx, heads, before, keyring)


def _head_row(head: Head, keyring: Keyring) -> dict[str, Any]:
    text = head_text(head.subject, head.lead, head.entries, head.hash)
    mac = keyring.mac(HEAD_USE, text)
    return {"subject": head.subject, "lead_id": head.lead, "entries": head.entries, "hash": head.hash, "mac": mac}


def _move_guards(tx: Transaction, heads: Sequence[Head], before: Mapping[str, int], keyring: Keyring) -> None:
    """Bind the changed heads. Guards are taken in name order: two transactions wait, none deadlocks."""
    change: dict[str, int] = defaultdict(int)
    more: dict[str, int] = defaultdict(int)
    for head in heads:
        guard = guard_of(head.subject)
        change[guard] ^= _digest(head) ^ before.get(head.subject, 0)
        more[guard] += head.subject not in before
    names = sorted(change)
    insert_new = upserting(tx, _heads)
    blank = [_head_row(Head(name, None), keyring) for name in names]
    tx.execute(insert_new.on_conflict_do_nothing(), blank)
    query = select(_heads).where(_heads.c.subject.in_(names)).order_by(_heads.c.subject).with_for_update()
    for row in tx.execute(query).mappings().all():
        name = row["subject"]
        hash_ = f"{int(row['hash'], 16) ^ change[name]:064x}"
        values = _head_row(Head(name, None, row["entries"] + more[name], hash_), keyring)
        tx.execute(update(_heads).where(_heads.c.subject == name).values(**values))
