"""What one batch of an import writes, in the caller's transaction. Nothing here starts, wakes or moves anything.

A batch may be written again: leads are found by their ids, events by theirs, deals by theirs, stages by their dates,
and consent that is there already leaves no trace. Who withdrew, objected or is suppressed stays so (trust C13).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from nurture.campaign.project import Project
from nurture.engine.consent import Changed, ConsentRules, change
from nurture.engine.drafts import ConsentDraft, DealDraft, LeadDraft, WhoIs
from nurture.engine.recording import settle_people
from nurture.engine.spool import Spooled
from nurture.funnel.pipeline import OPEN
from nurture.lead.address import canonical_address
from nurture.lead.consent import ConsentRefused, Declaration, Proof
from nurture.lead.event import LEAD_CHANGED, LEAD_CREATED, Happening
from nurture.lead.lead import LeadId
from nurture.store import deals, imports
from nurture.store.database import Transaction
from nurture.store.deals import Deal, DealMove
from nurture.store.events import EventKey, accept_keys, store_events
from nurture.store.imports import PastStage
from nurture.store.leads import LeadCall, Resolved, upsert_leads

SOURCE = "import"
ENROLL_REQUESTED = "enroll.requested"
UNKNOWN_LEAD = "its lead is not known; import leads first"


@dataclass(frozen=True)
class Ground:
    """What every batch of an import stands on. `trigger`: rows may start campaigns; `enroll`: the campaign that the
    leads of all rows are to enter."""

    rules: ConsentRules
    now: datetime
    file: str
    trigger: bool = False
    enroll: str | None = None

    @property
    def project(self) -> Project:
        return self.rules.project


@dataclass
class Written:
    """`rejects` are (line, reason); `notes` too, of rows that were taken all the same. `leads` are all that were named,
    `odd` names who was won before the first contact."""

    new: int = 0
    changed: int = 0
    same: int = 0
    rejects: list[tuple[int, str]] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    leads: list[LeadId] = field(default_factory=list)

    def count(self, *, new: bool, changed: bool) -> None:
        self.new += new
        self.changed += changed and not new
        self.same += not new and not changed


def write_leads(tx: Transaction, ground: Ground, batch: Sequence[tuple[int, LeadDraft]]) -> Written:
    """Leads, their stages at their dates, and what they agreed to, as `engine.consent` judges it."""
    written = Written()
    resolved = _resolve(tx, ground, [_call(draft) for _, draft in batch])
    past = [
        PastStage(r.lead, d.stage.funnel, d.stage.stage, d.stage.since, d.stage.reason)
        for (_, d), r in zip(batch, resolved, strict=True)
        if d.stage is not None
    ]
    moved = imports.add_past_stages(tx, past)
    consented = _agree(tx, ground, batch, resolved, written)
    other = moved | consented
    created = {r.lead: d.created_at for (_, d), r in zip(batch, resolved, strict=True) if d.created_at is not None}
    imports.set_created(tx, created)
    for (line, _), r in zip(batch, resolved, strict=True):
        written.count(new=r.created, changed=bool(r.changed) or r.lead in other)
        other.discard(r.lead)  # one row of it made the change
        written.leads.append(r.lead)
        if "email" in r.refused:
            written.notes.append((line, f"taken without its address: {r.refused['email']}"))
    _tell(tx, ground, past, moved, resolved)
    return written


def _resolve(tx: Transaction, ground: Ground, calls: Sequence[LeadCall]) -> list[Resolved]:
    resolved = upsert_leads(tx, calls, project=ground.project, keyring=ground.rules.keyring, now=ground.now)
    settle_people(tx, resolved, ground.rules, ground.now)
    return resolved


def _call(draft: LeadDraft) -> LeadCall:
    columns = dict(draft.columns)
    if draft.who.email is not None:
        columns["email"] = draft.who.email
    return LeadCall(external=draft.who.external, columns=columns, attributes=draft.attributes)


def _agree(
    tx: Transaction,
    ground: Ground,
    batch: Sequence[tuple[int, LeadDraft]],
    resolved: Sequence[Resolved],
    written: Written,
) -> set[LeadId]:
    """Have consent judge what the rows say; the leads whose consent is another now. A no is a note beside the row."""
    said = [
        (line, _declaration(r.lead, draft.consent, ground, line))
        for (line, draft), r in zip(batch, resolved, strict=True)
        if draft.consent is not None
    ]
    answers = change(tx, [declaration for _, declaration in said], ground.rules, ground.now) if said else []
    changed = set()
    for (line, declaration), answer in zip(said, answers, strict=True):
        match answer:
            case ConsentRefused(reason=reason):
                written.notes.append((line, f"taken without its consent: {reason}"))
            case Changed(lacks=lacks):
                if lacks is not None:
                    written.notes.append((line, f"taken, and no mail goes on it: {lacks}"))
                changed.add(declaration.lead)
    return changed


def _declaration(lead: LeadId, said: ConsentDraft, ground: Ground, line: int) -> Declaration:
    evidence = {"file": ground.file, "line": line} | ({"given": said.evidence} if said.evidence else {}) | said.sale
    return Declaration(
        lead=lead,
        topic=said.topic,
        action="withdraw" if said.state == "withdrawn" else "grant",
        by="import",
        actor="import",
        occurred_at=said.at,
        proof=Proof(method="import", wording=said.wording, locale=said.locale, source=said.source, evidence=evidence),
        basis=said.basis,
    )


def _tell(
    tx: Transaction, ground: Ground, past: Iterable[PastStage], moved: set[LeadId], resolved: Iterable[Resolved]
) -> None:
    """Let the reaction pass know what changed: as facts, so that dates are armed and what holds now is known to hold,
    and nothing starts; with `trigger` as changes made now."""
    told: list[Happening] = []
    created: set[LeadId] = set()
    for r in resolved:
        if r.created:
            created.add(r.lead)
            told.append(_happening(ground, r.lead, LEAD_CREATED, {}))
        elif r.changed:
            told.append(_happening(ground, r.lead, LEAD_CHANGED, r.changed))
    cause = "person" if ground.trigger else SOURCE
    told += [
        _happening(ground, p.lead, "stage.entered", {"stage": p.stage, "funnel": p.funnel, "cause": cause})
        for p in {p.lead: p for p in past if p.lead in moved}.values()
        # Who is new has been told of as a whole; only a trigger wants the stage apart.
        if ground.trigger or p.lead not in created
    ]
    if ground.enroll is not None:
        told += [_enrolling(ground, lead) for lead in dict.fromkeys(r.lead for r in resolved)]
    store_events(tx, told)


def _happening(ground: Ground, lead: LeadId, name: str, properties: Mapping[str, Any]) -> Happening:
    return Happening(lead, name, ground.now, ground.now, properties, fact=not ground.trigger, source=SOURCE)


def _enrolling(ground: Ground, lead: LeadId) -> Happening:
    return Happening(lead, ENROLL_REQUESTED, ground.now, ground.now, {"campaign": ground.enroll}, source=SOURCE)


def write_events(tx: Transaction, ground: Ground, batch: Sequence[Spooled]) -> Written:
    """Events in the order given, each once; leads not known yet are made."""
    written = Written()
    keys = [EventKey(SOURCE, s.message_id, _body(s)) for s in batch]
    accepted = accept_keys(tx, keys, ground.now)
    fresh = [s for s, answer in zip(batch, accepted, strict=True) if answer == "new"]
    resolved = _resolve(tx, ground, [_named(s.draft.who) for s in fresh])
    # Without a trigger they are facts (S2): they count and end enrollments; the reaction pass gives them their order.
    happenings = [
        Happening(
            lead=r.lead,
            name=s.draft.name,
            at=s.at,
            accepted_at=ground.now,
            properties=s.draft.properties,
            fact=not ground.trigger,
            source=SOURCE,
        )
        for s, r in zip(fresh, resolved, strict=True)
    ]
    _tell(tx, ground, [], set(), resolved)
    store_events(tx, happenings)
    written.leads = list(dict.fromkeys(r.lead for r in resolved))
    for s, answer in zip(batch, accepted, strict=True):
        if answer == "clash":
            written.rejects.append((s.line, "its id is that of another event"))
        else:
            written.count(new=answer == "new", changed=False)
    return written


def _named(who: WhoIs) -> LeadCall:
    columns: dict[str, str | None] = {} if who.email is None else {"email": who.email}
    return LeadCall(external=who.external, columns=columns)


def _body(spooled: Spooled) -> str:
    draft = spooled.draft
    body = [draft.who.text, draft.name, draft.at, draft.properties]
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()


def of_unknown_leads(tx: Transaction, batch: Sequence[tuple[int, DealDraft]]) -> list[int]:
    """The lines of deals whose lead nobody knows."""
    known = _find(tx, [draft.who for _, draft in batch])
    return [line for line, draft in batch if draft.who not in known]


def write_deals(tx: Transaction, ground: Ground, batch: Sequence[tuple[int, DealDraft, str]]) -> Written:
    """Deals of known leads as history, each under its external id, given or made. A closed deal stays closed."""
    written = Written()
    known = _find(tx, [draft.who for _, draft, _ in batch])
    there = deals.find_deals(tx, sorted({external for _, _, external in batch}))
    new: dict[str, Deal] = {}
    changed: dict[str, Deal] = {}
    for line, draft, external in batch:
        lead = known.get(draft.who)
        if lead is None:
            written.rejects.append((line, UNKNOWN_LEAD))
            continue
        before = new.get(external) or changed.get(external) or there.get(external)
        if before is not None and before.lead != lead:
            written.rejects.append((line, "its id is that of another lead's deal"))
            continue
        written.leads.append(lead)
        after = _merged(before, lead, external, draft, ground.project)
        written.count(new=before is None, changed=before is not None and after != before)
        if before is None or external in new:
            new[external] = after
        elif after != before:
            changed[external] = after
    _write(tx, list(new.values()), list(changed.values()), there, ground.now)
    if ground.enroll is not None:
        store_events(tx, [_enrolling(ground, lead) for lead in dict.fromkeys(written.leads)])
    written.odd = _odd(tx, list({**there, **changed, **new}.values()))
    return written


def _find(tx: Transaction, whos: Iterable[WhoIs]) -> dict[WhoIs, LeadId]:
    whos = set(whos)
    found = imports.find_leads(
        tx,
        sorted(w.external for w in whos if w.external is not None),
        sorted(canonical_address(w.email) for w in whos if w.email is not None),
    )
    pairs = {w: found.get(("external", w.external) if w.external else ("email", w.text)) for w in whos}
    return {who: lead for who, lead in pairs.items() if lead is not None}


def _merged(before: Deal | None, lead: LeadId, external: str, draft: DealDraft, project: Project) -> Deal:
    """What the row says over what is known; an empty field says nothing, and a closed deal is not opened again."""
    currency = draft.currency or (project.currency if draft.amount is not None else None)
    if before is None:
        before = Deal(lead, draft.pipeline, external_id=external)
    closed = before.outcome != OPEN and draft.outcome == OPEN
    return Deal(
        lead=lead,
        pipeline=draft.pipeline,
        stage=before.stage if closed else draft.stage or before.stage,
        external_id=external,
        amount=draft.amount if draft.amount is not None else before.amount,
        currency=currency or before.currency,
        owner=draft.owner or before.owner,
        opened_at=draft.opened_at or before.opened_at,
        closed_at=before.closed_at if closed else draft.closed_at or before.closed_at,
        outcome=before.outcome if closed else draft.outcome,
        reason=draft.reason or before.reason,
        id=before.id,
    )


def _write(
    tx: Transaction, new: Sequence[Deal], changed: Sequence[Deal], there: dict[str, Deal], now: datetime
) -> None:
    numbers = deals.add_deals(tx, new)
    moves = [
        DealMove(number, None, deal.stage, deal.opened_at)
        for number, deal in zip(numbers, new, strict=True)
        if deal.stage is not None and deal.opened_at is not None
    ]
    deals.rewrite(tx, changed)
    for deal in changed:
        before = there[deal.external_id or ""]
        if deal.stage is not None and deal.stage != before.stage:
            # The row does not say when; by its close at the latest, else by now.
            moves.append(DealMove(deal.id, before.stage, deal.stage, deal.closed_at or now))
    deals.add_moves(tx, moves)


def _odd(tx: Transaction, imported: Sequence[Deal]) -> list[str]:
    won = [deal for deal in imported if deal.outcome == "won" and deal.closed_at is not None]
    first = imports.first_contacts(tx, sorted({deal.lead for deal in won}))
    return list(
        dict.fromkeys(
            first[deal.lead][0]
            for deal in won
            if deal.lead in first and deal.closed_at is not None and deal.closed_at < first[deal.lead][1]
        )
    )
