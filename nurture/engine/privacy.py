"""A person's rights: to rest, to object to profiling, to be told, to be kept but not used, to be forgotten.

Everything here leaves a row that says who did it and when, and names nobody (trust C31).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
import structlog

from nurture.campaign.duration import Duration
from nurture.engine import erasure_calls
from nurture.engine.confirming import mark_of, request_of
from nurture.engine.consent import Changed, ConsentRules, change
from nurture.engine.recording import about, read_traits, settle_people
from nurture.engine.turn import Turn
from nurture.engine.writing import leave
from nurture.errors import UserError
from nurture.journey.timing import shift, zone_name
from nurture.lead.consent import ALL_MARKETING, OPEN_DATE, PROFILING, SALE_SHARE, Declaration, Proof
from nurture.lead.lead import BUILT_IN, LeadId, shard_of
from nurture.lead.permission import ALL, MARKETING
from nurture.store import enrollments, erasing, ledger, outbox, rights, suppressions, tracking
from nurture.store.consents import Person
from nurture.store.database import Transaction
from nurture.store.events import store_events
from nurture.store.leads import LeadCall, upsert_leads

log = structlog.get_logger()

ERASED = "erased"
SALE_SHARE_OPTOUT = "sale_share_optout"
Asked = Literal["data", "erase"]
LINK_HOLDS = timedelta(days=3)
_ONE_MAIL_IN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure came to: counts, nothing of the person."""

    enrollments: int
    messages: int
    address: bool


def erase(
    turn: Turn, lead: int, actor: str, now: datetime, reason: str | None = None, *, suppress: bool = True
) -> Erased:
    """Take a lead out. Pending messages are cancelled, enrollments end, everything that names the person is removed;
    the address stays suppressed by its keyed hash, so that no import brings the person back (unless not
    `suppress`: who never agreed has said no to nothing). A mail on the wire goes
    out, and its outcome is kept without the person."""
    turn.load([lead])
    address_hash = erasing.address_of(turn.tx, lead)
    standing = enrollments.open_of(turn.tx, [lead])
    leave(turn, [(e, ERASED, now) for e in standing])
    cancelled = outbox.cancel_lead(turn.tx, lead, ERASED)
    turn.flush()
    if address_hash is not None and suppress:
        suppressions.suppress(turn.tx, [(address_hash, MARKETING, ERASED)], now)
    suppressions.note_erased(turn.tx, lead, address_hash, erasing.created_at(turn.tx, lead), now)
    erasure_calls.tell(turn.tx, turn.live.project, turn.live.keyring, lead, erasing.known_by(turn.tx, lead), now)
    said = Declaration(lead, ALL_MARKETING, "withdraw", "operator", actor, now, Proof(method="erasure"))
    ledger.forget(turn.tx, lead, said, turn.live.keyring, now)
    erasing.erase(turn.tx, lead)
    done = Erased(len(standing), cancelled, address_hash is not None)
    detail = {"enrollments": done.enrollments, "messages": done.messages}
    rights.note(turn.tx, "erase", actor, now, lead=lead, reason=checked(reason), detail=detail)
    log.info("lead.erased", lead=lead)
    return done


def pause(tx: Transaction, person: Person, months: int, rules: ConsentRules, actor: str, now: datetime) -> None:
    """No marketing for so many months from now, at the lead's local time; 0 ends a pause."""
    zone = zone_name(person.zone, rules.project.zone)
    until = shift(now, Duration(months=months), zone) if months else None
    rights.set_pause(tx, person.id, until)
    rights.note(tx, "pause" if months else "unpause", actor, now, lead=person.id, detail={"months": months})


def object_to_profiling(tx: Transaction, said: Declaration, rules: ConsentRules, now: datetime) -> None:
    """No score of this person from now on (GDPR 21(1), trust C28), or one again. `said` is about PROFILING."""
    assert said.topic == PROFILING, "this is about profiling only"
    change(tx, [said], rules, now)
    rights.note(tx, "profiling", said.actor, now, lead=said.lead, detail={"objected": said.action == "object"})


def object_to_open_date(tx: Transaction, said: Declaration, rules: ConsentRules, now: datetime) -> None:
    """The day of this person's last opening is forgotten and kept no more, or may be kept again (trust C20). `said` is
    about OPEN_DATE."""
    assert said.topic == OPEN_DATE, "this is about the day of the last opening only"
    change(tx, [said], rules, now)
    objected = said.action == "object"
    if objected:
        tracking.forget_open_date(tx, said.lead)
    rights.note(tx, "open date", said.actor, now, lead=said.lead, detail={"objected": objected})


def gpc(proof: Proof) -> Proof:
    """The visit as proof that the browser said it (Global Privacy Control)."""
    evidence = {"request": SALE_SHARE_OPTOUT, "signal": "Sec-GPC: 1"}
    return msgspec.structs.replace(proof, method="gpc", evidence=evidence, wording=None, wording_version=None)


def opt_out_of_sale(tx: Transaction, said: Declaration, rules: ConsentRules, now: datetime) -> bool:
    """This person's data is neither sold nor shared (CCPA; trust C30). Kept in the ledger for whoever passes data on;
    nobody may ask again, only the person can agree by themselves. Whether it is new. `said` is about SALE_SHARE."""
    assert said.topic == SALE_SHARE, "this is about selling and sharing only"
    [answer] = change(tx, [said], rules, now)
    new = isinstance(answer, Changed)
    if new:
        rights.note(tx, SALE_SHARE_OPTOUT, said.actor, now, lead=said.lead, detail={"by": said.proof.method})
    return new


def rectify(
    tx: Transaction,
    lead: LeadId,
    traits: Mapping[str, Any],
    rules: ConsentRules,
    actor: str,
    now: datetime,
    reason: str | None,
) -> list[str]:
    """Correct what is known of a lead (GDPR 16): the names of the fields that are other ones now. None takes a value
    away. What the person agreed to stays proven; for a new address it is asked for anew where it had to be (S29).
    Raises UserError for an unknown field and for an address that cannot be, or is another lead's; nothing may be
    committed then."""
    if "email" in traits and not traits["email"]:
        raise UserError("an address is replaced, not taken away", hint="'nurture privacy restrict' or 'erase' do that")
    known = {*BUILT_IN, *rules.project.attributes, *rights.attributes_of(tx, lead)}
    for name in traits.keys() - known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean '{near[0]}'?" if near else "fields are declared under 'attributes' in config.yaml"
        raise UserError(f"a lead has no field '{name}'", hint=hint)
    columns, attributes = read_traits(traits, rules.project)
    call = LeadCall(lead=lead, columns=columns, attributes=attributes)
    [who] = upsert_leads(tx, [call], project=rules.project, keyring=rules.keyring, now=now)
    for name, why in who.refused.items():
        raise UserError(f"{name}: {why}", hint="nothing was changed")
    settle_people(tx, [who], rules, now)
    store_events(tx, about(who, now))
    changed = sorted(who.changed)
    rights.note(tx, "rectify", actor, now, lead=lead, reason=checked(reason), detail={"fields": changed})
    return changed


def restrict(tx: Transaction, lead: LeadId, restricted: bool, actor: str, now: datetime, reason: str | None) -> bool:
    """Keep the lead's data and use it for nothing: no mail, no score (GDPR 18). Whether anything changed."""
    changed = rights.set_restricted(tx, lead, restricted)
    rights.note(tx, "restrict" if restricted else "unrestrict", actor, now, lead=lead, reason=checked(reason))
    return changed


def ask(tx: Transaction, person: Person, asked: Asked, rules: ConsentRules, now: datetime) -> bool:
    """Mail a fresh link for the data, or for erasing them, to the person's own address: whoever was forwarded a mail
    must not get either (trust X8). At most one of each a day; whether one is on its way."""
    template = f"privacy/{asked}"
    if person.email is None or person.address_hash is None or ALL in person.scopes:
        return False
    if rights.asked_since(tx, person.id, template, now - _ONE_MAIL_IN):
        return False
    row = {
        "lead_id": person.id,
        "shard": shard_of(person.id),
        "kind": outbox.RIGHT,
        "template": template,
        "service": True,
        "options": {"requests": {"$asked": request_of(now), "$address": mark_of(person.address_hash)}},
        "lane": rules.lane_of(person.email),
        "due": now,
        "released_at": now,
        "expires_at": now + LINK_HOLDS,
    }
    outbox.insert(tx, [row])
    rights.note(tx, f"asked {asked}", "person", now, lead=person.id)
    return True


def may_use(person: Person | None, request: int, mark: str, now: datetime) -> bool:
    """Whether a mailed link still opens: fresh, and mailed to the address the person has now."""
    if person is None or person.address_hash is None or mark_of(person.address_hash) != mark:
        return False
    return 0 <= now.timestamp() + 1 - request <= LINK_HOLDS.total_seconds()


def checked(reason: str | None) -> str | None:
    """A reason for the record. Raises UserError where it names an address: the record outlives erasure (trust C31)."""
    if reason is not None and "@" in reason:
        raise UserError(
            "the reason must not hold an address", hint="it is kept after an erasure; write a ticket's number"
        )
    return reason
