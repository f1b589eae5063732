"""One round of a pass: what it loaded, what it touched, what it will write at its end.

A round holds each lead at most once. Writes that others of the same round do not read are gathered here and written
with one bulk statement a table by `flush`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nurture.engine.live import Live
from nurture.journey.enrollment import Enrollment
from nurture.lead.event import Happening
from nurture.store import outbox
from nurture.store.database import Transaction
from nurture.store.decisions import save_decisions
from nurture.store.events import store_events
from nurture.store.facts import KnownLead, load_leads
from nurture.store.outbox import Claimed
from nurture.store.stages import save_moves


@dataclass
class Turn:
    """`touched` holds, per lead, what this round changed, in the words of `journey.reads` ("stage", "event:NAME"…)."""

    tx: Transaction
    live: Live
    leads: dict[int, KnownLead] = field(default_factory=dict)
    touched: dict[int, set[str]] = field(default_factory=dict)
    silent: set[int] = field(default_factory=set)  # what follows from a fact is a fact too (S2)
    spoken: set[int] = field(default_factory=set)  # leads of whom an event of the engine was written
    sweeping: Mapping[tuple[str, int], int] = field(default_factory=dict)  # see store.timers.sweeping
    _decisions: list[dict[str, Any]] = field(default_factory=list)
    _events: list[Happening] = field(default_factory=list)
    _moves: list[dict[str, Any]] = field(default_factory=list)

    def load(self, lead_ids: Iterable[int]) -> None:
        """Have the facts of these leads at hand."""
        missing = [lead for lead in dict.fromkeys(lead_ids) if lead not in self.leads]
        if missing:
            self.leads.update(load_leads(self.tx, self.live.project, missing))

    def owners(self, claimed: Iterable[Claimed]) -> dict[int, int]:
        """Whose these messages are, message → lead, with the facts at hand: a lead that was merged meanwhile is another
        one by now (S27), one that was erased is nobody."""
        theirs = {m.id: m.lead for m in claimed if m.lead is not None}
        self.load(theirs.values())
        gone = [message for message, lead in theirs.items() if lead not in self.leads]
        if gone:
            found = outbox.leads_of(self.tx, gone)
            self.load(found.values())
            theirs |= found
        return {message: lead for message, lead in theirs.items() if lead in self.leads}

    def touch(self, lead: int, *what: str) -> None:
        self.touched.setdefault(lead, set()).update(what)

    def swept(self, campaign: str, lead: int) -> bool:
        """Whether the campaign's baseline of this lead has been taken: a deploy's sweep has passed it (S12)."""
        come_to = self.sweeping.get((campaign, self.leads[lead].shard))
        return come_to is None or lead <= come_to

    def zone(self, lead: int) -> str:
        return self.leads[lead].zone

    def record(
        self,
        lead: int,
        campaign: str,
        at: datetime,
        what: str,
        reason: str | None = None,
        *,
        enrollment: int | None = None,
        version: str | None = None,
        step: str | None = None,
        inputs: dict[str, Any] | None = None,
    ) -> None:
        """Keep a decision with its reason and what it saw."""
        self._decisions.append(
            {
                "lead_id": lead,
                "enrollment_id": enrollment,
                "campaign": campaign,
                "version": version,
                "step": step,
                "at": at,
                "what": what,
                "reason": reason,
                "inputs": inputs,
            }
        )

    def refuse(self, e: Enrollment, at: datetime, what: str, reason: str, step: str) -> None:
        """Keep that an effect of a step was refused when it was to be made true."""
        self.record(e.lead, e.campaign, at, what, reason, enrollment=e.id, version=e.version, step=step)

    def emit(self, lead: int, name: str, at: datetime, properties: dict[str, Any]) -> None:
        """Write an engine event; the next round or pass reacts to it (S30)."""
        self.spoken.add(lead)
        self._events.append(Happening(lead, name, at, at, properties, fact=lead in self.silent, source="engine"))

    def enrollment_changed(self, lead: int, campaign: str, at: datetime, what: str) -> None:
        """Somebody entered or ended; said as an event where a condition listens for it (`in_campaign`, `finished`)."""
        self.touch(lead, "enrollment")
        if self.live.asks_enrollments:
            self.emit(lead, f"enrollment.{what}", at, {"campaign": campaign})

    def move(self, row: dict[str, Any]) -> None:
        """Gather a stage move that `engine.stages` has judged."""
        self._moves.append(row)

    def flush(self) -> None:
        """Write what was gathered. Called where a question is asked that reads it, and at the end of the round."""
        if self._moves:
            save_moves(self.tx, self._moves)
        self._moves = []
        save_decisions(self.tx, self._decisions)
        store_events(self.tx, self._events)
        self._decisions = []
        self._events = []
