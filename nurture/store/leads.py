"""Leads: finding them, and making what callers say about people into leads, a whole batch at once.

Callers name one person in up to three ways: their own id (`external`), a browser's (`anonymous`), the address. The
batch is resolved in the order given, in memory, over what two or three queries loaded, and written with one statement a
table; so a batch means what its calls would have meant one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError

from nurture.campaign.project import Project
from nurture.errors import LostRace
from nurture.lead.address import AddressRefused, canonical_address, check_address
from nurture.lead.keyring import Keyring
from nurture.lead.lead import LeadId, field_name, shard_of
from nurture.store.database import Transaction, insert_returning_ids, insert_rows
from nurture.store.identities import Key, leads_of
from nurture.store.merging import merge_rows
from nurture.store.tables import identities, leads

_COLUMNS = ("first_name", "last_name", "name", "phone", "country", "locale", "zone", "source", "owner")
_LOADED = [
    leads.c[name]
    for name in ("id", "external_id", "email", "canonical", "address_hash", *_COLUMNS, "account_id", "attributes")
]


@dataclass(frozen=True, slots=True)
class LeadCall:
    """One thing said about one person. `previous` is an id that meant the same person (alias). `columns` and
    `attributes` are traits, typed; a None takes a value away. `fill_only` sets only what is not known yet: said by
    somebody who has not shown to be that person."""

    external: str | None = None
    anonymous: str | None = None
    previous: str | None = None
    columns: Mapping[str, str | None] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    account: int | None = None
    fill_only: bool = False
    lead: LeadId | None = None  # said of this lead, which is there; then no other name is needed

    @property
    def silent(self) -> bool:
        """Says who, and nothing about them."""
        return not (self.columns or self.attributes or self.previous or self.account)


@dataclass(slots=True)
class Resolved:
    """Whom a call meant. `changed` has each field it changed with the new value; `refused` why a field was not taken;
    `old_address` is set where a known address was replaced (S29); `merged` are the leads that ceased to be."""

    lead: LeadId
    created: bool = False
    changed: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    old_address: str | None = None
    merged: tuple[LeadId, ...] = ()
    ended: tuple[str, ...] = ()  # campaigns in which a merge ended one of two enrollments


@dataclass(eq=False, slots=True)
class _Person:
    """A lead as the batch sees it; `id` is None until it is written."""

    id: int | None
    row: dict[str, Any]
    dirty: set[str] = field(default_factory=set)
    into: _Person | None = None

    def root(self) -> _Person:
        person = self
        while person.into is not None:
            person = person.into
        return person

    @property
    def anonymous(self) -> bool:
        """Nobody has said yet who this is."""
        return self.row["external_id"] is None and self.row["canonical"] is None

    def set(self, column: str, value: Any) -> None:
        if self.row[column] != value:
            self.row[column] = value
            self.dirty.add(column)


def upsert_leads(
    tx: Transaction, calls: Sequence[LeadCall], *, project: Project, keyring: Keyring, now: datetime
) -> list[Resolved]:
    """Make these calls true, in order, and say for each whom it meant. Raises LostRace where another transaction wrote
    one of these people first: nothing is to be kept then, the whole transaction is to be tried again."""
    known = _known_at_once(tx, calls)
    rest = [call for call, lead in zip(calls, known, strict=True) if lead is None]
    if not rest:
        return [Resolved(lead) for lead in known if lead is not None]
    batch = _Batch(tx, rest, keyring)
    answers = [batch.take(call) for call in rest]
    batch.write(project, now)
    resolved = iter(answer(batch) for answer in answers)
    return [Resolved(lead) if lead is not None else next(resolved) for lead in known]


def _known_at_once(tx: Transaction, calls: Sequence[LeadCall]) -> list[LeadId | None]:
    """The leads of a batch in which every call only names one id, as most batches of events do: one or two queries, no
    rows of leads. Nothing in such a batch can join two leads, so what is known stays what it is."""
    if not all(call.silent and call.lead is None and bool(call.external) != bool(call.anonymous) for call in calls):
        return [None] * len(calls)
    keys = [("external", call.external) if call.external else ("anonymous", call.anonymous or "") for call in calls]
    found = leads_of(tx, set(keys))
    return [found.get(key) for key in keys]


class _Batch:
    def __init__(self, tx: Transaction, calls: Sequence[LeadCall], keyring: Keyring) -> None:
        self._tx = tx
        self._keyring = keyring
        self._people: dict[Key, _Person] = {}
        self._by_mail: dict[str, _Person] = {}
        self._new: list[_Person] = []
        self._joined: list[tuple[_Person, _Person]] = []
        self._identities: dict[Key, _Person] = {}
        self._repointed: dict[Key, _Person] = {}
        self._ended: dict[LeadId, list[str]] = {}  # by the lead that ceased to be
        self._load(calls)

    # --- reading ---

    def _load(self, calls: Sequence[LeadCall]) -> None:
        keys = {key for call in calls for key in _keys(call)}
        mails = {canonical_address(mail) for call in calls if (mail := call.columns.get("email"))}
        found = leads_of(self._tx, keys)
        ids = {call.lead for call in calls if call.lead is not None}
        people = self._load_rows(set(found.values()) | ids, mails, locked=not all(call.silent for call in calls))
        self._people = {key: people[lead] for key, lead in found.items() if lead in people}
        self._people |= {("lead", str(lead)): people[lead] for lead in ids if lead in people}
        self._by_mail = {p.row["canonical"]: p for p in people.values() if p.row["canonical"]}

    def _load_rows(self, ids: set[int], mails: set[str], *, locked: bool) -> dict[int, _Person]:
        """By id, in id order and locked where they will be written: two endpoints wait, none overwrites the other."""
        if not ids and not mails:
            return {}
        if mails:
            ids = ids | {r[0] for r in self._tx.execute(select(leads.c.id).where(leads.c.canonical.in_(mails)))}
        query = select(*_LOADED).where(leads.c.id.in_(sorted(ids))).order_by(leads.c.id)
        rows = self._tx.execute(query.with_for_update() if locked else query).mappings()
        return {row["id"]: _Person(row["id"], dict(row)) for row in rows}

    # --- resolving ---

    def take(self, call: LeadCall) -> Any:
        """Whom the call means; returns what makes its answer once ids are known."""
        before = len(self._joined)
        email = call.columns.get("email")
        address = check_address(email) if email else None
        refused = {}
        if isinstance(address, AddressRefused):
            refused["email"] = address.reason
            address = None
        canonical = canonical_address(address) if address else None
        created = len(self._new)
        person = self._who(call, canonical)
        columns = {name: value for name, value in call.columns.items() if name != "email" or value is None}
        old = None
        changed: dict[str, Any] = {}
        if address and canonical:
            holder = self._holder(canonical)
            if holder is not None and holder is not person:
                refused["email"] = "the address belongs to another lead"
            elif not (call.fill_only and person.row["canonical"]):
                old = person.row["canonical"] if person.row["canonical"] != canonical else None
                self._readdress(person, address, canonical, changed)
        self._apply(person, call, columns, changed)
        merged = tuple(drop.id for _, drop in self._joined[before:] if drop.id is not None)
        if merged:
            changed["merged"] = len(merged)
        was_created = len(self._new) > created
        return lambda batch: Resolved(
            batch.id_of(person), was_created, changed, refused, old, merged, batch.ended_by(merged)
        )

    def _holder(self, canonical: str) -> _Person | None:
        person = self._by_mail.get(canonical)
        return person.root() if person else None

    def _known(self, kind: str, value: str | None) -> _Person | None:
        person = self._people.get((kind, value)) if value else None
        return person.root() if person else None

    def _who(self, call: LeadCall, canonical: str | None) -> _Person:
        if call.lead is not None and (known := self._known("lead", str(call.lead))) is not None:
            return known
        mailed = self._holder(canonical) if canonical else None
        browser = self._known("anonymous", call.anonymous)
        if call.external:
            person = self._by_external(call, browser, mailed)
        elif browser is None:
            person = mailed or self._create()
        elif mailed is not None and browser is not mailed:
            # A browser that names an address known here: what it did while unnamed was done by that person.
            person = self._join(mailed, browser) if browser.anonymous else mailed
        else:
            person = browser
        if call.external:
            self._name(person, "external", call.external)
        if call.anonymous:
            self._name(person, "anonymous", call.anonymous)
        return person

    def _by_external(self, call: LeadCall, browser: _Person | None, mailed: _Person | None) -> _Person:
        person = self._known("external", call.external)
        previous = self._known("external", call.previous) or self._known("anonymous", call.previous)
        if person is None:
            adoptable = [p for p in (previous, browser, mailed) if p and (p is previous or not p.row["external_id"])]
            person = adoptable[0] if adoptable else self._create()
        if previous is not None and previous is not person:
            person = self._join(person, previous)
        if call.previous and previous is None:
            self._name(person, "anonymous", call.previous)
        if browser is not None and browser.root() is not person and browser.root().anonymous:
            person = self._join(person, browser.root())
        if mailed is not None and mailed.root() is not person and not mailed.root().row["external_id"]:
            person = self._join(person, mailed.root())
        return person

    def _create(self) -> _Person:
        person = _Person(None, {column.name: None for column in _LOADED} | {"attributes": {}})
        self._new.append(person)
        return person

    def _name(self, person: _Person, kind: str, value: str) -> None:
        """This id means this person from now on. A browser handed to somebody else follows its last user."""
        known = self._people.get((kind, value))
        if known is None:
            self._identities[kind, value] = person
        elif known.root() is not person:
            target = self._identities if (kind, value) in self._identities else self._repointed
            target[kind, value] = person
        self._people[kind, value] = person
        if kind == "external" and person.row["external_id"] is None:
            person.set("external_id", value)

    def _join(self, keep: _Person, drop: _Person) -> _Person:
        """Two leads are one person; what the kept one lacks it takes from the other (S27)."""
        if keep.id is None and drop.id is not None:
            # A row already there keeps its place; what was said in this batch still goes first.
            for column, value in keep.row.items():
                if column not in ("id", "attributes") and value is not None:
                    drop.set(column, value)
            drop.set("attributes", {**drop.row["attributes"], **keep.row["attributes"]})
            keep, drop = drop, keep
        else:
            for column in ("external_id", "email", "canonical", "address_hash", *_COLUMNS, "account_id"):
                if keep.row[column] is None:
                    keep.set(column, drop.row[column])
            keep.set("attributes", {**drop.row["attributes"], **keep.row["attributes"]})
        drop.into = keep
        if drop in self._new:
            self._new.remove(drop)
        else:
            self._joined.append((keep, drop))
        if keep.row["canonical"]:
            self._by_mail[keep.row["canonical"]] = keep
        return keep

    # --- saying ---

    def _readdress(self, person: _Person, address: str, canonical: str, changed: dict[str, Any]) -> None:
        if person.row["email"] == address:
            return
        if person.row["canonical"]:
            self._by_mail.pop(person.row["canonical"], None)
        person.set("email", address)
        person.set("canonical", canonical)
        person.set("address_hash", self._keyring.address_hash(address))
        self._by_mail[canonical] = person
        changed["email"] = address

    def _apply(
        self, person: _Person, call: LeadCall, columns: Mapping[str, str | None], changed: dict[str, Any]
    ) -> None:
        for column, value in columns.items():
            if column == "email" or (call.fill_only and person.row[column] is not None):
                continue  # an address is replaced, never taken away by a caller
            if person.row[column] != value:
                person.set(column, value)
                changed[field_name(column)] = value
        was = person.row["attributes"]
        said = {n: v for n, v in call.attributes.items() if was.get(n) != v and not (call.fill_only and n in was)}
        if said:
            person.set("attributes", {n: v for n, v in {**was, **said}.items() if v is not None})
            changed.update(said)
        if call.account is not None and person.row["account_id"] != call.account:
            person.set("account_id", call.account)
            changed["account"] = call.account

    # --- writing ---

    def id_of(self, person: _Person) -> LeadId:
        found = person.root().id
        assert found is not None, "ids are known once the batch is written"
        return found

    def write(self, project: Project, now: datetime) -> None:
        try:
            for keep, drop in self._joined:
                gone = self.id_of_dropped(drop)
                self._ended[gone] = merge_rows(self._tx, self.id_of(keep), gone, project, now)
            self._insert(now)
            self._update(now)
            self._write_identities()
        except IntegrityError as error:
            raise LostRace("somebody else wrote one of these leads first") from error

    def ended_by(self, merged: Sequence[LeadId]) -> tuple[str, ...]:
        """Campaigns in which joining these ended an enrollment."""
        return tuple(campaign for gone in merged for campaign in self._ended.get(gone, ()))

    def id_of_dropped(self, person: _Person) -> LeadId:
        assert person.id is not None
        return person.id

    def _insert(self, now: datetime) -> None:
        rows = [
            {k: v for k, v in p.row.items() if k != "id"} | {"shard": 0, "created_at": now, "changed_at": now}
            for p in self._new
        ]
        for row in rows:
            row["restricted"] = False
        ids = insert_returning_ids(self._tx, leads, rows)
        for person, lead in zip(self._new, ids, strict=True):
            person.id = lead
        if ids:
            # The shard follows from the id, which only the insert gives.
            self._tx.execute(
                update(leads).where(leads.c.id == bindparam("lead")).values(shard=bindparam("of")),
                [{"lead": lead, "of": shard_of(lead)} for lead in ids],
            )

    def _update(self, now: datetime) -> None:
        new = set(map(id, self._new))
        people = {id(p.root()): p.root() for p in [*self._people.values(), *self._by_mail.values()]}
        changed = [p for p in people.values() if p.dirty and id(p) not in new]
        by_columns: dict[tuple[str, ...], list[_Person]] = {}
        for person in changed:
            by_columns.setdefault(tuple(sorted(person.dirty)), []).append(person)
        for names, some in by_columns.items():
            statement = (
                update(leads)
                .where(leads.c.id == bindparam("lead"))
                .values(changed_at=now, **{name: bindparam(f"new_{name}") for name in names})
            )
            rows = [{"lead": p.id} | {f"new_{n}": p.row[n] for n in names} for p in some]
            self._tx.execute(statement, rows)

    def _write_identities(self) -> None:
        rows = [
            {"kind": kind, "value": value, "lead_id": self.id_of(p)} for (kind, value), p in self._identities.items()
        ]
        insert_rows(self._tx, identities, rows)
        for (kind, value), person in self._repointed.items():
            self._tx.execute(
                update(identities)
                .where(identities.c.kind == kind, identities.c.value == value)
                .values(lead_id=self.id_of(person))
            )


def _keys(call: LeadCall) -> list[Key]:
    keys: list[Key] = []
    if call.external:
        keys.append(("external", call.external))
    if call.anonymous:
        keys.append(("anonymous", call.anonymous))
    if call.previous:
        keys += [("external", call.previous), ("anonymous", call.previous)]
    return keys
