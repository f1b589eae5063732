"""The whole answer to "why": each decision with its rule, what it saw, its version, and what would have to be
different; where the lead stands; and for a campaign it is not in, what stands in the way.

One kind of row for all of it, so that whoever reads the JSON reads one shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nurture.campaign.phrasing import phrase
from nurture.campaign.plan import Plan
from nurture.campaign.project import Project
from nurture.engine.asked_of import SAW, all_leaves, asked_of
from nurture.engine.change import Ways
from nurture.engine.explain import Told, told
from nurture.engine.rule_of import rule_of
from nurture.engine.why_not import Asking, obstacles
from nurture.engine.would_need import Known, would_need
from nurture.errors import NotFound
from nurture.lead.lead import LeadId
from nurture.store import consents, versions
from nurture.store import why as store
from nurture.store.conditions import Asker
from nurture.store.database import Transaction
from nurture.store.enrollments import Entry
from nurture.store.facts import KnownLead, load_leads
from nurture.store.timeline import Line
from nurture.store.why import Decided, Mailed, Stands

_MAIL = ("released", "refused", "skipped")  # decisions with which a mail was considered to the end


@dataclass(frozen=True, slots=True)
class Seen:
    """A condition a decision rested on: what it answered, and the value it saw where there is one."""

    condition: str
    holds: bool
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision, or how things stand now. `rule` is the author's own text; `ways` what would have to be different."""

    line: Line
    version: str | None
    told: Told
    rule: str = ""
    saw: tuple[Seen, ...] = ()
    ways: Ways = ()
    message: Mailed | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What `why` is asked about a lead."""

    campaign: str | None = None
    mail: str | None = None  # a template or a step
    message: Mailed | None = None  # one mail alone
    since: datetime | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """The answers, oldest first, those about now last. `more`: there are older ones. `zone` is the lead's."""

    who: str
    answers: list[Answer]
    zone: str
    more: bool = False
    never: bool = False  # the mail asked about was never reached


@dataclass
class _Reading:
    """What one question has read; the plans of all versions it met among it."""

    tx: Transaction
    project: Project
    lead: LeadId
    now: datetime
    deployment: versions.Deployment | None
    live: Mapping[str, versions.Deployed]
    person: KnownLead
    entries: Mapping[str, list[Entry]]
    known: Known
    asker: Asker
    plans: dict[tuple[str, str], Plan] = field(default_factory=dict)

    def meet(self, pairs: Iterable[tuple[str, str | None]]) -> None:
        """Have the plans of these (campaign, version) at hand."""
        missing = {self._pair(*pair) for pair in pairs} - self.plans.keys()
        if missing:
            self.plans.update(versions.plans(self.tx, sorted(missing)))

    def _pair(self, campaign: str, version: str | None) -> tuple[str, str]:
        """That version, else the live one: older decisions do not say which kept somebody out."""
        live = self.live.get(campaign)
        return campaign, version or (live.version if live is not None else "")

    def plan(self, campaign: str, version: str | None) -> Plan | None:
        pair = self._pair(campaign, version)
        if pair not in self.plans:
            self.meet([pair])
        return self.plans.get(pair)

    def answer(
        self, line: Line, version: str | None, ways: Ways | None = None, message: Mailed | None = None
    ) -> Answer:
        plan = self.plan(line.campaign, version)
        return Answer(
            line,
            version,
            told(line, self.known.zone),
            rule_of(plan, line) if plan is not None else "",
            _seen(plan, line),
            would_need(plan, line, self.known) if ways is None else ways,
            message,
        )


def why(tx: Transaction, project: Project, lead: LeadId, now: datetime, asked: Asked) -> Story:
    """Of a lead that is there. Raises NotFound for a mail that no campaign sends."""
    reading = _read(tx, project, lead, now)
    made = _decisions(tx, lead, asked)
    more = asked.limit is not None and len(made) > asked.limit
    made = made[-asked.limit :] if asked.limit is not None else made
    reading.meet({(d.line.campaign, d.version) for d in made})
    sending = _sending(reading, made, asked.mail) if asked.mail is not None else set()
    if asked.mail is not None:
        made = _about(asked.mail, made, sending)
    sent = store.messages_to(tx, lead, made[0].line.at) if made else []
    answers = [reading.answer(d.line, d.version, message=_message(d, sent)) for d in made]
    if asked.message is None:
        over = {d.line.enrollment for d in made if asked.mail is not None and d.line.what in _MAIL}
        answers += _standing(reading, asked, sending, over)
        answers += _absent(reading, asked, sending)
    never = asked.mail is not None and not any(asked.mail in (d.line.step, d.line.detail) for d in made)
    person = reading.known.person
    who = (person.email if person else None) or f"lead {lead}"
    return Story(who, answers, reading.known.zone, more, never)


def _read(tx: Transaction, project: Project, lead: LeadId, now: datetime) -> _Reading:
    deployment = versions.current(tx)
    project = deployment.project if deployment is not None else project
    person = consents.people(tx, [lead]).get(lead)
    entries = store.entries_of(tx, lead)
    found = load_leads(tx, project, [lead])[lead]
    entered = {name: [e.entered_at for e in some] for name, some in entries.items()}
    known = Known(project, person, entered, found.zone, now)
    live = versions.deployed(tx)
    return _Reading(tx, project, lead, now, deployment, live, found, entries, known, Asker(project))


def _decisions(tx: Transaction, lead: LeadId, asked: Asked) -> list[Decided]:
    """One more than asked for, which tells that there are older ones. What is about one mail is found among all."""
    if asked.message is not None:
        found = store.decisions_about(tx, lead, enrollment=asked.message.enrollment or 0)
        return [d for d in found if d.line.what == "entered" or d.line.step == asked.message.step]
    limit = asked.limit + 1 if asked.limit is not None and asked.mail is None else None
    return store.decisions_about(tx, lead, asked.campaign, since=asked.since, limit=limit)


def _sending(reading: _Reading, made: Sequence[Decided], mail: str) -> set[str]:
    """Campaigns that have this mail, by template or step, in the live version or in one the lead walked."""
    pairs = {(d.line.campaign, d.version) for d in made} | {(n, d.version) for n, d in reading.live.items()}
    reading.meet(pairs)
    plans = [plan for pair in sorted(pairs, key=str) if (plan := reading.plan(*pair)) is not None]
    found = {plan.campaign for plan in plans if mail in plan.templates() or plan.index(mail) is not None}
    if not found:
        names = sorted({name for plan in plans for name in plan.templates()})
        raise NotFound(f"no campaign sends '{mail}'", hint=f"there are: {', '.join(names) or 'none'}")
    return found


def _about(mail: str, made: list[Decided], sending: set[str]) -> list[Decided]:
    """What was decided of this mail, and, where it never came so far, what ended or kept out the enrollment."""
    named = [d for d in made if mail in (d.line.step, d.line.detail)]
    if any(d.line.what in _MAIL for d in named):
        return named
    around = ("entered", "not_entered", "ended", "parked")
    return [d for d in made if d in named or (d.line.what in around and d.line.campaign in sending)]


def _message(one: Decided, sent: Iterable[Mailed]) -> Mailed | None:
    """The message that a release put into the outbox: of its step, the first not before it."""
    line = one.line
    if line.what != "released":
        return None
    mine = (m for m in sent if m.kind == "mail" and (m.enrollment, m.step) == (line.enrollment, line.step))
    return next((m for m in mine if m.released_at >= line.at), None)


def _seen(plan: Plan | None, line: Line) -> tuple[Seen, ...]:
    sights = line.inputs.get(SAW) or ()
    asked = asked_of(plan, line.what, line.reason, line.step, line.detail) if plan is not None else ()
    leaves = all_leaves(asked)
    if len(leaves) != len(sights):
        return ()
    return tuple(Seen(phrase(leaf), bool(one[0]), *one[1:]) for leaf, one in zip(leaves, sights, strict=True))


# --- now


def _standing(reading: _Reading, asked: Asked, sending: set[str], over: set[int | None]) -> Iterable[Answer]:
    """Where the lead stands; asked about a mail, where it is still to come. `over`: enrollments in which it is not."""
    for s in store.standing(reading.tx, reading.lead, asked.campaign):
        if asked.mail is None or (s.campaign in sending and s.id not in over):
            yield reading.answer(_stands(s, reading), s.version)


def _stands(s: Stands, reading: _Reading) -> Line:
    inputs: dict[str, Any] = {"key": s.key} if s.key else {}
    if s.wake is not None:
        inputs["until"] = s.wake.isoformat()
    what, reason = ("parked", s.error) if s.state == "parked" else ("stands", s.held)
    return Line(reading.now, reading.lead, what, reason, None, s.campaign, s.step, s.id, inputs)


def _absent(reading: _Reading, asked: Asked, sending: set[str]) -> Iterable[Answer]:
    """Of the campaigns that were asked about, those the lead is not in now."""
    wanted = {asked.campaign} if asked.campaign is not None else sending
    if asked.mail is not None and asked.campaign is None:
        wanted = {name for name in sending if name not in reading.known.entries}
    standing = {name for name, entered in reading.entries.items() if any(e.open for e in entered)}
    for name in sorted((wanted & reading.live.keys()) - standing):
        for line, ways in obstacles(_asking(reading, name)):
            yield reading.answer(line, reading.live[name].version, ways)


def _asking(reading: _Reading, name: str) -> Asking:
    plan = reading.plan(name, None)
    assert plan is not None, "a live version is stored"
    return Asking(
        reading.tx,
        reading.project,
        reading.live[name],
        plan,
        reading.deployment is not None and reading.deployment.paused,
        reading.person,
        reading.entries.get(name, []),
        reading.known,
        reading.asker,
    )
