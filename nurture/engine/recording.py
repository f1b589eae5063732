"""What a batch of calls writes, in one transaction: leads, companies, events, and the events about the leads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from nurture.campaign.project import Project
from nurture.engine import consent
from nurture.engine.consent import ConsentRules
from nurture.engine.segment import Said
from nurture.journey.timing import read_moment, shift
from nurture.lead.consent import Declaration, Proof
from nurture.lead.event import LEAD_CHANGED, LEAD_CREATED, Happening
from nurture.lead.lead import split_traits, typed, typed_fields
from nurture.store import ledger
from nurture.store.accounts import Account, upsert_accounts
from nurture.store.database import Transaction
from nurture.store.events import EventKey, accept_keys, store_events
from nurture.store.leads import LeadCall, Resolved, upsert_leads

ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of one call. `clash`: its message id was used for something else. `notes`: what was not taken of it."""

    outcome: Literal["stored", "replay", "clash"]
    lead: int | None = None
    notes: tuple[str, ...] = ()


def record(
    tx: Transaction, said: Sequence[tuple[Said, str]], rules: ConsentRules, now: datetime, counts: Counter[str]
) -> list[Receipt]:
    """Store these (call, source) pairs, each once, in order. `counts` is raised by what happened."""
    receipts: list[Receipt | None] = _replays(tx, said, now)
    fresh = [n for n, receipt in enumerate(receipts) if receipt is None]
    calls = [said[n][0] for n in fresh]
    accounts = _accounts(tx, calls, rules.project)
    leads = [_lead_call(one, accounts, rules.project) for one in calls]
    resolved = upsert_leads(tx, leads, project=rules.project, keyring=rules.keyring, now=now)
    settle_people(tx, resolved, rules, now)
    happenings: list[Happening] = []
    for n, one, who in zip(fresh, calls, resolved, strict=True):
        if one.group is not None and "account" in who.changed:
            who.changed["account"] = one.group
        happenings += about(who, now) + _company(one, who, accounts, now)
        event = _event(one, who, said[n][1], rules.project, now, counts)
        if event is not None:
            happenings.append(event)
        receipts[n] = Receipt("stored", who.lead, tuple(f"{name}: {why}" for name, why in who.refused.items()))
    store_events(tx, happenings)
    counts["refused_fields"] += sum(len(who.refused) for who in resolved)
    done = [receipt for receipt in receipts if receipt is not None]
    counts.update(receipt.outcome for receipt in done)
    return done


def settle_people(tx: Transaction, resolved: Sequence[Resolved], rules: ConsentRules, now: datetime) -> None:
    """What follows for consent where leads were joined or got another address (S27, S29)."""
    for who in resolved:
        for dropped in who.merged:
            said = Declaration(who.lead, "", "request", "engine", ENGINE, now, Proof(method="merge"))
            ledger.adopt(tx, who.lead, dropped, said, rules.keyring, now)
        store_events(tx, consent.ended_in(who.lead, who.ended, rules, now))
        if who.old_address is not None:
            consent.address_changed(tx, who.lead, who.old_address, rules, now)
    moved = {who.lead for who in resolved if who.merged or ("email" in who.changed and not who.created)}
    if moved:
        consent.carry(tx, sorted(moved), rules, now)


def about(who: Resolved, now: datetime) -> list[Happening]:
    """The engine's events about the lead itself: it is new, it changed. They happen now, however late the call."""
    found = []
    if who.created:
        found.append(Happening(who.lead, LEAD_CREATED, now, now, {}, source=ENGINE))
    if who.changed:
        found.append(Happening(who.lead, LEAD_CHANGED, now, now, who.changed, source=ENGINE))
    return found


def is_late(at: datetime, project: Project, now: datetime) -> bool:
    """Whether an event that happened then comes too late to open, settle or wake anything (S2)."""
    allowed = project.late_events
    if allowed.exact:
        return now - at > timedelta(seconds=allowed.seconds)
    return shift(at, allowed, project.zone) < now


def _replays(tx: Transaction, said: Sequence[tuple[Said, str]], now: datetime) -> list[Receipt | None]:
    keyed = [(n, EventKey(source, one.message_id, one.body)) for n, (one, source) in enumerate(said) if one.message_id]
    receipts: list[Receipt | None] = [None] * len(said)
    for (n, _), answer in zip(keyed, accept_keys(tx, [key for _, key in keyed], now), strict=True):
        if answer != "new":
            receipts[n] = Receipt(answer)
    return receipts


def _accounts(tx: Transaction, calls: Sequence[Said], project: Project) -> dict[str, Account]:
    traits: dict[str, dict[str, Any]] = {}
    for one in calls:
        if one.group is not None and one.kind == "group":
            given = typed_fields(project.account_attributes, one.traits or {}, _moment(project))
            traits.setdefault(one.group, {}).update(given)
    return upsert_accounts(tx, traits)


def _lead_call(one: Said, accounts: Mapping[str, Account], project: Project) -> LeadCall:
    columns, attributes = read_traits(one.traits or {}, project) if one.kind == "identify" else ({}, {})
    return LeadCall(
        external=one.external,
        anonymous=one.anonymous,
        previous=one.previous if one.kind == "alias" else None,
        columns=columns,
        attributes=attributes,
        account=accounts[one.group].id if one.kind == "group" and one.group else None,
    )


def read_traits(traits: Mapping[str, Any], project: Project) -> tuple[dict[str, str | None], dict[str, Any]]:
    """What is said of a lead as (built-in columns, attributes in their declared types)."""
    columns, given = split_traits(traits)
    return columns, typed_fields(project.attributes, given, _moment(project))


def _company(one: Said, who: Resolved, accounts: Mapping[str, Account], now: datetime) -> list[Happening]:
    """The lead's company changed, or is another one; where the lead itself did not change besides."""
    if one.kind != "group" or one.group is None or "account" in who.changed or not accounts[one.group].changed:
        return []
    return [Happening(who.lead, LEAD_CHANGED, now, now, {"account": one.group}, source=ENGINE)]


def _event(
    one: Said, who: Resolved, source: str, project: Project, now: datetime, counts: Counter[str]
) -> Happening | None:
    if one.event is None:
        return None
    at = min(one.at or now, now)
    given = one.properties or {}
    shapes = project.events.get(one.event)
    counts["events"] += 1
    if shapes is None:
        counts["undeclared_events"] += 1
        properties: Mapping[str, Any] = given
    else:
        counts["undeclared_properties"] += len(given.keys() - shapes.keys())
        moment = _moment(project)
        properties = {n: typed(shapes[n], v, moment) if n in shapes else v for n, v in given.items()}
    return Happening(who.lead, one.event, at, now, properties, is_late(at, project, now), source)


def _moment(project: Project) -> Any:
    return lambda text: read_moment(text, project.zone)
