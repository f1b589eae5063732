"""The one place that changes consent, whoever asks: the person on a page, a form, the API, an import, a campaign.

A change is one transaction of the caller: ledger entry, state, suppression, mails cancelled, enrollments ended, and the
engine's event for reactions. After its commit nothing is sent that the person said no to (trust E14).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from nurture.campaign.project import Project, Topic
from nurture.engine.confirming import Confirming, Mailing, Room, mark_of
from nurture.engine.resting import basis_of, grounds_of, hollow, incomplete, sold_again
from nurture.journey.timing import shift, zone_name
from nurture.lead.consent import (
    ALL_MARKETING,
    LEFT,
    PROFILING,
    PURPOSES,
    Action,
    ConsentRefused,
    Declaration,
    Next,
    Same,
    State,
    judge,
)
from nurture.lead.event import CONSENT_GRANTED, CONSENT_REQUESTED, CONSENT_WITHDRAWN, ENROLLMENT_ENDED, Happening
from nurture.lead.keyring import Keyring
from nurture.lead.lead import LeadId
from nurture.lead.permission import ALL, MARKETING, TOPIC_SCOPE, lasts, shut_for_good
from nurture.lead.soft_opt_in import lacking
from nurture.store import consents, ledger, outbox, rights, suppressions, tallies, withdrawing
from nurture.store.consents import Consent, Person
from nurture.store.database import Transaction
from nurture.store.events import store_events
from nurture.store.ledger import Entry

SOURCE = "consent"
_RENEWAL = timedelta(days=1)  # presses of one button within it are one renewal
_EVENTS: Mapping[State, str] = {
    "requested": CONSENT_REQUESTED,
    "granted": CONSENT_GRANTED,
    "withdrawn": CONSENT_WITHDRAWN,
    "objected": CONSENT_WITHDRAWN,
    "expired": "consent.expired",
}
# Who may be anybody at all: forms, and sites that pass on what was typed into theirs (trust X18).
_STRANGERS = ("person", "api")


@dataclass(frozen=True)
class ConsentRules:
    """What consent is judged by. `ends_on` maps (campaign, version) to the topic whose withdrawal ends it;
    `lane_of` gives the delivery lane of an address. `tells_ends`: some condition looks at other enrollments, so that
    the end of one is an event."""

    project: Project
    keyring: Keyring
    ends_on: Mapping[tuple[str, str], str] = field(default_factory=dict)
    lane_of: Callable[[str], str] = lambda _address: "other"
    confirming: Confirming = field(default_factory=Confirming)
    tells_ends: bool = False


class Changed(msgspec.Struct, frozen=True):
    """The state is another one now. `mailed`: a confirmation mail is on its way. `lacks`: what a soft opt-in was not
    told of its sale; until it is, no mail goes (trust C10)."""

    state: State
    mailed: bool = False
    lacks: str | None = None


class Unchanged(msgspec.Struct, frozen=True):
    """It was so already. `mailed`: a confirmation mail is on its way once more."""

    state: State
    mailed: bool = False


Answer = Changed | Unchanged | ConsentRefused


def change(tx: Transaction, said: Sequence[Declaration], rules: ConsentRules, now: datetime) -> list[Answer]:
    """Make these declarations true in order, with a constant number of statements for grants and requests; what came of
    each. The caller commits."""
    act = _Act(tx, rules, now, consents.people(tx, [d.lead for d in said], locked=True))
    answers = [act.take(d) for d in said]
    act.write()
    return answers


@dataclass
class _Act:
    tx: Transaction
    rules: ConsentRules
    now: datetime
    people: dict[int, Person]
    _saved: dict[tuple[int, str], Consent] = field(default_factory=dict)
    _entries: list[Entry] = field(default_factory=list)
    _events: list[Happening] = field(default_factory=list)
    _mails: list[Mailing] = field(default_factory=list)
    _suppress: list[tuple[str, str, str]] = field(default_factory=list)
    _lift: list[tuple[str, str]] = field(default_factory=list)
    _room: Room | None = None
    _confirmed: dict[tuple[LeadId, str], consents.Confirmed] | None = None

    def take(self, said: Declaration) -> Answer:
        person = self.people.get(said.lead)
        if person is None:
            return ConsentRefused("there is no such lead")
        if said.topic == ALL_MARKETING:
            return self._leave_all(person, said)
        spec = self.rules.project.topics.get(said.topic)
        if spec is None and said.topic not in PURPOSES and said.topic not in person.consents:
            return ConsentRefused(f"there is no topic '{said.topic}'")
        return self._one(person, said, spec)

    def _one(self, person: Person, said: Declaration, spec: Topic | None) -> Answer:
        said = msgspec.structs.replace(said, basis=basis_of(said, spec))
        grounds = grounds_of(said, self.rules.project.zone, self.now)
        state = self._state(person, said.topic)
        if (row := person.consents.get(said.topic)) is not None:
            if said.action == "expire":
                state = row.state  # it has run out and does not say so yet: that is what is declared here
            elif hollow(row) and said.action in ("grant", "request", "renew") and not incomplete(said, grounds):
                state = "none"  # what allowed nothing gives way to what may
        action = _needed(said, spec, state)
        if action in ("request", "grant", "confirm", "renew") and (no := _barred(person, said, action)):
            return no
        if action == "confirm" and (no := self.rules.confirming.too_old(person, said, self.now)):
            return no
        verdict = judge(state, action, said.by)
        if isinstance(verdict, Next) and action == "renew" and state == "granted" and self._fresh(person, said.topic):
            verdict = Same("granted")
        if isinstance(verdict, Same) and action == "grant" and sold_again(person.consents[said.topic], grounds):
            verdict = Next("granted", "renewed")
        if isinstance(verdict, ConsentRefused):
            return verdict
        mailed = (
            action == "request" and verdict.state == "requested" and self._ask_to_confirm(person, said.topic, said.by)
        )
        if isinstance(verdict, Same):
            return Unchanged(verdict.state, mailed)
        self._apply(person, said, spec, verdict)
        row = person.consents[said.topic]
        return Changed(verdict.state, mailed, lacking(row.grounds) if hollow(row) else None)

    def _state(self, person: Person, topic: str) -> State:
        row = person.consents.get(topic)
        if row is None:
            return "none"
        # Consent that has run out counts as none from its very instant, swept or not (trust C14).
        run_out = row.state == "granted" and row.expires_at is not None and row.expires_at <= self.now
        return "expired" if run_out else row.state

    def _fresh(self, person: Person, topic: str) -> bool:
        return self.now - person.consents[topic].since < _RENEWAL

    # --- what follows from a change ---

    def _apply(self, person: Person, said: Declaration, spec: Topic | None, verdict: Next) -> None:
        self._log(person, said, verdict)
        row = self._row(person, said.topic)
        row.state, row.expires_at = verdict.state, None
        row.since = said.occurred_at if said.by == "import" else self.now
        row.basis = basis_of(said, spec)
        row.grounds = grounds_of(said, self.rules.project.zone, self.now)
        if verdict.state == "requested":
            row.requested_at = row.requested_at or self.now
        if verdict.state == "granted":
            row.requests, row.requested_at = 0, None
            if spec is not None and spec.expires_after is not None:
                zone = zone_name(person.zone, self.rules.project.zone)
                row.expires_at = shift(row.since, spec.expires_after, zone)
            if said.by == "person":
                self._readmit(person, said.topic)
        elif verdict.state in LEFT:
            self._withdrawn(person, said)
        if said.topic == PROFILING:
            rights.set_unprofiled(self.tx, person.id, verdict.state in LEFT)
        self._emit(person, said, verdict.state)

    def _withdrawn(self, person: Person, said: Declaration) -> None:
        if said.topic in PURPOSES:
            return
        reason = f"withdrew {said.topic}"
        if person.address_hash:
            self._suppress.append((person.address_hash, TOPIC_SCOPE + said.topic, reason))
            person.scopes[TOPIC_SCOPE + said.topic] = reason
        self._stop(person, said.topic, reason)

    def _stop(self, person: Person, topic: str | None, reason: str) -> None:
        ended = withdrawing.stop(self.tx, person.id, topic, self.rules.ends_on, reason, self.now)
        self._events += ended_in(person.id, ended, self.rules, self.now)

    def _readmit(self, person: Person, topic: str) -> None:
        """The person agreed again: this topic is open; what `marketing` closed besides stays closed, topic by topic."""
        if topic in PURPOSES:
            return
        if self._state(person, ALL_MARKETING) in LEFT:
            everything = self._row(person, ALL_MARKETING)
            everything.state, everything.since = "none", self.now
        if person.address_hash is None:
            return
        self._open(person, person.address_hash, TOPIC_SCOPE + topic)
        if (reason := self._open(person, person.address_hash, MARKETING)) is not None:
            for other in self._topics(person):
                if other != topic:
                    self._suppress.append((person.address_hash, TOPIC_SCOPE + other, reason))
                    person.scopes[TOPIC_SCOPE + other] = reason

    def _open(self, person: Person, address_hash: str, scope: str) -> str | None:
        """Lift a suppression; why it was there, None where there was none."""
        reason = person.scopes.pop(scope, None)
        if reason is not None:
            opened = (address_hash, scope)
            self._lift.append(opened)
            # What was said just before, in the same batch, may have shut it.
            self._suppress = [row for row in self._suppress if row[:2] != opened]
        return reason

    def _topics(self, person: Person) -> list[str]:
        known = [*self.rules.project.topics, *person.consents]
        return [topic for topic in dict.fromkeys(known) if topic not in PURPOSES and topic != ALL_MARKETING]

    def _leave_all(self, person: Person, said: Declaration) -> Answer:
        """All marketing: one entry, every topic closed, those of today and those of later (the suppression)."""
        if said.action not in ("withdraw", "object"):
            return ConsentRefused("consent is given topic by topic")
        verdict = judge(self._state(person, ALL_MARKETING), said.action, said.by)
        if isinstance(verdict, ConsentRefused):
            return verdict
        open_still = MARKETING not in person.scopes and person.address_hash is not None
        if isinstance(verdict, Same) and not open_still:
            return Unchanged(verdict.state)
        state = verdict.state
        self._log(person, said, Next(state, "objection" if state == "objected" else "withdrawn"))
        for topic in [*self._topics(person), ALL_MARKETING]:
            before = self._state(person, topic)
            if before in LEFT and topic != ALL_MARKETING and state != "objected":
                continue
            row = self._row(person, topic)
            row.state, row.since, row.expires_at = state, self.now, None
            if topic != ALL_MARKETING and before not in LEFT:
                self._emit(person, msgspec.structs.replace(said, topic=topic), state)
        if state == "objected":  # which ends the profile that serves it too (GDPR 21(2), trust C28)
            rights.set_unprofiled(self.tx, person.id, True)
        reason = "objected to marketing" if state == "objected" else "withdrew marketing"
        if person.address_hash:
            self._suppress.append((person.address_hash, MARKETING, reason))
            person.scopes[MARKETING] = reason
        self._stop(person, None, reason)
        return Changed(state)

    # --- gathering ---

    def _ask_to_confirm(self, person: Person, topic: str, by: str) -> bool:
        """Have a confirmation mail go out, unless there were enough; whether one does."""
        same = next((m for m in self._mails if m.lead == person.id), None)
        if same is None:
            mark = mark_of(person.address_hash or "")
            if not self.rules.confirming.may_ask(person, self._confirmations().get((person.id, mark)), self.now):
                return False
            asked = person.consents.get(topic)
            # A campaign asks once, also to renew what ran out; then it is for the person to say (trust C14).
            if by == "campaign" and asked is not None and asked.requests:
                return False
            lane = self.rules.lane_of(person.email or "")
            if by in _STRANGERS and not self._room_left().take(lane):
                return False
            same = Mailing(person.id, mark, lane)
            self._mails.append(same)
        # One mail names all that waits: it takes the place of one that has not left yet.
        waiting = [t for t, c in person.consents.items() if c.state == "requested" and t != topic]
        for name in (topic, *waiting):
            if name not in same.topics:
                row = self._row(person, name)
                row.requests, row.requested_at = row.requests + 1, self.now
                same.topics.append(name)
        return True

    def _confirmations(self) -> dict[tuple[LeadId, str], consents.Confirmed]:
        if self._confirmed is None:
            self._confirmed = consents.confirmations(self.tx, self.people)
        return self._confirmed

    def _room_left(self) -> Room:
        if self._room is None:
            lanes = {self.rules.lane_of(person.email) for person in self.people.values() if person.email}
            self._room = self.rules.confirming.room(self.tx, lanes, self.now)
        return self._room

    def _row(self, person: Person, topic: str) -> Consent:
        row = person.consents.setdefault(topic, Consent(person.id, topic, "none", self.now))
        self._saved[person.id, topic] = row
        return row

    def _log(self, person: Person, said: Declaration, verdict: Next) -> None:
        if said.basis is None:
            said = msgspec.structs.replace(said, basis=basis_of(said, self.rules.project.topics.get(said.topic)))
        if verdict.entry == "confirmed":
            request = ledger.last_entry(self.tx, person.id, said.topic, "requested")
            said = self.rules.confirming.with_request(said, request)
        controller = self.rules.project.sender.name or self.rules.project.name
        self._entries.append(Entry(person.id, verdict.entry, said.topic, said, self.now, controller))

    def _emit(self, person: Person, said: Declaration, state: State) -> None:
        properties: dict[str, Any] = {"topic": said.topic, "by": said.by, "method": said.proof.method}
        at = min(said.occurred_at, self.now)
        fact = said.by == "import"
        self._events.append(Happening(person.id, _EVENTS[state], at, self.now, properties, fact, SOURCE))

    def write(self) -> None:
        ledger.append(self.tx, self._entries, self.rules.keyring)
        consents.save(self.tx, self._saved.values())
        suppressions.lift(self.tx, self._lift)
        suppressions.suppress(self.tx, self._suppress, self.now)
        self.rules.confirming.send(self.tx, self._mails, self.rules.project, self.now)
        if self._room is not None:
            tallies.add(self.tx, tallies.ASKED, self._room.taken, tallies.hour_of(self.now))
        store_events(self.tx, self._events)


def ended_in(lead: int, campaigns: Sequence[str], rules: ConsentRules, now: datetime) -> list[Happening]:
    """The events that say that the lead's enrollments in these campaigns have ended, where anybody listens (S30)."""
    told = campaigns if rules.tells_ends else ()
    return [Happening(lead, ENROLLMENT_ENDED, now, now, {"campaign": name}, source="engine") for name in told]


def _needed(said: Declaration, spec: Topic | None, state: State) -> Action:
    """A grant that must be confirmed by mail is a request for it (trust C7); so is one that comes after a no from
    somebody who has not shown that the address is theirs."""
    if said.action != "grant" or said.by == "import" or spec is None:
        return said.action
    confirmed = said.proof.method == "double_opt_in" and bool(said.proof.evidence)
    unproven = said.proof.method == "form" and state in LEFT
    return "request" if said.basis == "consent" and not confirmed and (spec.double_opt_in or unproven) else "grant"


def _barred(person: Person, said: Declaration, action: Action) -> ConsentRefused | None:
    """Addresses nothing may go to, and those closed for this by a suppression that outlived an erasure."""
    if shut_for_good(person.scopes):
        return ConsentRefused("the address is suppressed")
    closed = {MARKETING, TOPIC_SCOPE + said.topic} & person.scopes.keys()
    if closed and said.by != "person":
        return ConsentRefused("they left; only the person can agree again")
    if action == "request" and not person.email:
        return ConsentRefused("there is no address to ask for confirmation")
    return None


def carry(tx: Transaction, leads: Sequence[int], rules: ConsentRules, now: datetime) -> None:
    """What these people said no to is shut at the address they have now, their first one or that of a lead who proved
    to be the same person: a no stays with who said it (S27, S29, trust C17)."""
    shut = []
    for person in consents.people(tx, leads, locked=True).values():
        if person.address_hash is None or MARKETING in person.scopes:
            continue
        left = [topic for topic, row in person.consents.items() if row.state in LEFT and topic not in PURPOSES]
        scopes = [MARKETING if topic == ALL_MARKETING else TOPIC_SCOPE + topic for topic in left]
        shut += [(person.address_hash, scope, "withdrew before this address") for scope in scopes]
    suppressions.suppress(tx, shut, now)


def address_changed(tx: Transaction, lead: int, old: str, rules: ConsentRules, now: datetime) -> None:
    """The lead's address is another one (S29). Withdrawals and objections stay with the person, bounces with the old
    address; topics with double opt-in are asked for anew; mails that wait are decided again. `old` is canonical."""
    person = consents.people(tx, [lead], locked=True)[lead]
    kept = suppressions.scopes(tx, [old_hash := rules.keyring.address_hash(old)]).get(old_hash, {})
    mine = [
        (person.address_hash or "", scope, reason)
        for scope, reason in kept.items()
        if scope != ALL and not lasts(reason)
    ]
    suppressions.suppress(tx, mine, now)
    person.scopes.update({scope: reason for _, scope, reason in mine})
    outbox.supersede(tx, [lead], outbox.CONFIRM, "new address")  # their links are void there
    withdrawing.readdress(tx, lead, rules.lane_of(person.email or ""), now)
    act = _Act(tx, rules, now, {lead: person})
    # A mailbox that had its confirmations is not spared the bounds by an address changed to and fro (trust X18).
    had = consents.confirmations(tx, [lead]).get((lead, mark_of(person.address_hash or "")))
    for topic, row in list(person.consents.items()):
        spec = rules.project.topics.get(topic)
        doubled = spec is not None and spec.double_opt_in and row.basis == "consent"
        if doubled and act._state(person, topic) in ("granted", "requested"):
            said = rules.confirming.new_address(lead, topic, now)
            row.requests, row.requested_at = (had.count, had.latest) if had is not None else (0, None)
            act._apply(person, said, spec, Next("requested", "requested"))
            act._ask_to_confirm(person, topic, "engine")
    act.write()
