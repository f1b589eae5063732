"""Importing a file: leads, events or deals out of somebody's table (project.md, campaigns.md S2, S13, S32).

Records are read as a stream and written in batches of about 1,000, each in one transaction together with how far the
import is. So an import that is broken off goes on where it was, and one that runs twice changes nothing. Events are
taken in the order of their instants, leads and deals in the file's. Rows that cannot be used are named in a rejects
file; they stop nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from nurture.campaign.mapping import Kind, RowMapping, RowRefused
from nurture.campaign.problems import ProjectProblems, errors
from nurture.campaign.project import Project
from nurture.engine import import_batches
from nurture.engine.consent import ConsentRules
from nurture.engine.drafts import DealDraft, Drafts, LeadDraft
from nurture.engine.import_batches import Ground, Written
from nurture.engine.rejects import Rejects
from nurture.engine.rows import Table, fingerprint, open_table
from nurture.engine.spool import Spool, Spooled
from nurture.errors import LostRace
from nurture.store import imports
from nurture.store.database import Database, Transaction

BATCH = 1_000
_TRIES = 5  # of a batch that lost a race against an endpoint
_NAMED = 50  # undeclared properties a summary names

Item = TypeVar("Item")


@dataclass(frozen=True)
class Order:
    """What to import. `trigger`: rows may start campaigns; `enroll`: the campaign that the leads of the rows are to
    enter. Both reach the engine as events that the reaction pass plays. `progress` hears the phase and how much of it
    is done, 0–1."""

    kind: Kind
    path: Path
    mapping: RowMapping
    rules: ConsentRules
    now: datetime
    dry_run: bool = False
    trigger: bool = False
    enroll: str | None = None
    progress: Callable[[str, float], None] = lambda phase, share: None

    @property
    def project(self) -> Project:
        return self.rules.project


class Summary(msgspec.Struct):
    """Counts of rows: `rows` = `new` + `changed` + `unchanged` + `rejected`; in a dry run `usable` ones are only read.

    `noted` rows were taken, but not all of them. `odd` names whose deals were won before their first contact.
    `undeclared` counts event properties that config.yaml does not declare.
    """

    kind: Kind
    file: str
    dry_run: bool = False
    rows: int = 0
    usable: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    noted: int = 0
    rejects_file: str | None = None
    resumed_at: int = 0
    odd: list[str] = []
    undeclared: dict[str, int] = {}

    @property
    def nothing_usable(self) -> bool:
        return self.rows > 0 and self.usable == 0


def run_import(database: Database, order: Order) -> Summary:
    """Import the file and say what became of its rows. Raises ProjectProblems where the mapping does not fit the file
    or the project; nothing was written then."""
    with ExitStack() as files:
        table = files.enter_context(open_table(order.path))
        found = errors(order.mapping.check(order.kind, order.project, table.header))
        if found:
            raise ProjectProblems(found)
        rejects = files.enter_context(Rejects(order.path, keep=not order.dry_run))
        return _Run(database, order, table, rejects, files).go()


def read_events(
    table: Table, drafts: Drafts, files: ExitStack, refuse: Callable[[int, str], None]
) -> Iterator[Spooled]:
    """The table's events by instant, equal instants in the file's order, each with an id: its own, or one made of lead,
    name, instant, properties and how often that came before."""
    spool = Spool(files)
    seen: Counter[bytes] = Counter()
    for line, draft in _read(table, drafts.event, refuse):
        if draft.id is not None:
            message_id = f"{draft.name}:{draft.id}"  # two tables may number their rows alike
        else:
            body = msgspec.json.encode([draft.who.text, draft.name, draft.at, draft.properties], order="sorted")
            digest = hashlib.blake2b(body, digest_size=16).digest()
            seen[digest] += 1
            message_id = f"made:{digest.hex()}:{seen[digest]}"
        spool.put(Spooled(draft.at, line, message_id, draft))
    yield from spool.ordered()


def _read(
    table: Table, draft: Callable[[dict[str, Any]], Item], refuse: Callable[[int, str], None]
) -> Iterator[tuple[int, Item]]:
    for record in table.records():
        if record.row is None:
            refuse(record.line, record.refused or "it cannot be read")
            continue
        try:
            yield record.line, draft(record.row)
        except RowRefused as why:
            refuse(record.line, str(why))


class _Run:
    def __init__(self, database: Database, order: Order, table: Table, rejects: Rejects, files: ExitStack) -> None:
        self._database = database
        self._order = order
        self._table = table
        self._rejects = rejects
        self._files = files
        self._drafts = Drafts(order.mapping, order.project, order.now)
        self._ground = Ground(order.rules, order.now, order.path.name, order.trigger, order.enroll)
        self._summary = Summary(order.kind, str(order.path), order.dry_run)
        self._usable = 0

    def go(self) -> Summary:
        order = self._order
        match order.kind:
            case "leads":
                self._walk(self._watched(_read(self._table, self._drafts.lead, self._refuse)), self._leads)
            case "deals":
                self._walk(self._watched(self._with_ids()), self._deals, resume=False)
            case "events":
                self._walk(read_events(self._table, self._drafts, self._files, self._refuse), self._events)
        order.progress("done", 1.0)
        s = self._summary
        s.rejected, s.noted = self._rejects.count, self._rejects.noted
        s.usable = self._usable - (s.rejected - self._refused_reading)
        s.rows = s.usable + s.rejected
        written = self._rejects.written
        s.rejects_file = str(written) if written else None
        s.odd = list(dict.fromkeys(s.odd))
        s.undeclared = dict(self._drafts.undeclared.most_common(_NAMED))
        return s

    _refused_reading = 0  # rows refused before they became items

    def _refuse(self, line: int, reason: str) -> None:
        self._refused_reading += 1
        self._rejects.add(line, reason)
        self._tick()

    def _tick(self) -> None:
        self._order.progress("reading", self._table.read_bytes() / max(1, self._table.size))

    def _watched(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            self._tick()
            yield item

    # --- batches ---

    def _walk(
        self, items: Iterator[Item], write: Callable[[Transaction, Sequence[Item]], Written], *, resume: bool = True
    ) -> None:
        """Write all items, from where an earlier run was broken off. Deals are few and depend on which leads are
        known, so they begin again."""
        if self._order.dry_run:
            self._rehearse(items)
            return
        mark = fingerprint(self._order.path, self._order.kind, self._order.mapping.text)
        with self._database.write() as tx:
            progress = imports.begin(tx, self._order.kind, mark, self._order.path.name, self._order.now)
        skip = progress.rows if resume else 0
        self._usable = self._summary.resumed_at = sum(1 for _ in islice(items, skip))
        self._summary.unchanged = self._usable
        while batch := list(islice(items, BATCH)):
            written = self._write(progress.id, batch, write)
            self._take(written)
        with self._database.write() as tx:
            self._mark(tx, progress.id, self._usable, ended_at=self._order.now)

    def _write(
        self, import_id: int, batch: Sequence[Item], write: Callable[[Transaction, Sequence[Item]], Written]
    ) -> Written:
        for attempt in range(_TRIES):
            try:
                with self._database.write() as tx:
                    written = write(tx, batch)
                    self._mark(tx, import_id, self._usable + len(batch))
            except LostRace:
                if attempt == _TRIES - 1:
                    raise
            else:
                self._usable += len(batch)
                return written
        raise AssertionError("unreachable")

    def _mark(self, tx: Transaction, import_id: int, rows: int, ended_at: datetime | None = None) -> None:
        imports.advance(tx, import_id, rows, rows, self._rejects.count, ended_at)

    def _take(self, written: Written) -> None:
        s = self._summary
        s.new += written.new
        s.changed += written.changed
        s.unchanged += written.same
        s.odd = [*s.odd, *written.odd]
        for line, reason in written.rejects:
            self._rejects.add(line, reason)
        for line, reason in written.notes:
            self._rejects.note(line, reason)

    def _rehearse(self, items: Iterator[Any]) -> None:
        """Read and judge everything, write nothing."""
        while batch := list(islice(items, BATCH)):
            self._usable += len(batch)
            if self._order.kind == "deals":
                with self._database.read() as tx:
                    for line in import_batches.of_unknown_leads(tx, [(line, draft) for line, draft, _ in batch]):
                        self._rejects.add(line, import_batches.UNKNOWN_LEAD)

    # --- kinds ---

    def _leads(self, tx: Transaction, batch: Sequence[tuple[int, LeadDraft]]) -> Written:
        return import_batches.write_leads(tx, self._ground, batch)

    def _events(self, tx: Transaction, batch: Sequence[Spooled]) -> Written:
        self._order.progress("storing", 0.0)
        return import_batches.write_events(tx, self._ground, batch)

    def _deals(self, tx: Transaction, batch: Sequence[tuple[int, DealDraft, str]]) -> Written:
        return import_batches.write_deals(tx, self._ground, batch)

    def _with_ids(self) -> Iterator[tuple[int, DealDraft, str]]:
        """A deal without an id gets one of what stays when it moves on: its lead, pipeline, opening and place."""
        seen: Counter[bytes] = Counter()
        for line, draft in _read(self._table, self._drafts.deal, self._refuse):
            if draft.id is not None:
                yield line, draft, draft.id
                continue
            body = msgspec.json.encode([draft.who.text, draft.pipeline, draft.opened_at])
            digest = hashlib.blake2b(body, digest_size=16).digest()
            seen[digest] += 1
            yield line, draft, f"made:{digest.hex()}:{seen[digest]}"
