"""The proof of one person's consent, to be read by a person or kept by a program (trust C1, C5).

The JSON uses the words of ISO/IEC TS 27560:2023 for a consent record: the principal, what the processing is for, who
the parties are, and each event in order. What the ledger has beyond them stands beside each event. `engine.dpv` says
the same in a vocabulary that other programs know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from nurture.campaign.project import Project
from nurture.engine.exporting import Processing
from nurture.lead.consent import ALL_MARKETING, EXPLICIT
from nurture.lead.keyring import Keyring
from nurture.lead.lead import LeadId
from nurture.store import ledger, ledger_check
from nurture.store.consents import people
from nurture.store.database import Transaction

_STATES: Mapping[str, str] = {
    "requested": "consent requested",
    "granted": "consent given",
    "confirmed": "consent given",
    "renewed": "consent reaffirmed",
    "imported": "consent given",
    "refused": "consent refused",
    "withdrawn": "consent withdrawn",
    "objection": "consent withdrawn",
    "expired": "consent expired",
    "erased": "consent invalidated",
}
_CHECKPOINT = "consent ledger checkpoint"


def dossier(
    tx: Transaction, lead: LeadId, project: Project, processing: Processing, keyring: Keyring, now: datetime
) -> dict[str, Any] | None:
    """Everything that proves what this person agreed to; None where there is no such lead. Instants are ISO 8601."""
    person = people(tx, [lead]).get(lead)
    if person is None:
        return None
    entries = ledger.entries_of(tx, lead)
    subjects = sorted({row["subject"] for row in entries})
    tampered = [finding for finding in ledger_check.verify(tx, keyring) if finding.subject in subjects]
    controller = processing.controller_of(project)
    made = {
        "schema_version": "ISO/IEC TS 27560:2023",
        "record_id": hashlib.sha256("|".join(row["hash"] for row in entries).encode()).hexdigest(),
        "pii_principal_id": subjects,
        "made_at": now,
        "address": person.email,
        "party_identification": [
            {
                "party_role": "PII controller",
                "party_name": controller,
                "party_address": project.sender.postal_address,
                "party_email": processing.contact_of(project),
            }
        ],
        "pii_processing": [_purpose(project, processing, topic) for topic in _topics(entries)],
        "state": {topic: {"state": row.state, "since": row.since} for topic, row in sorted(person.consents.items())},
        "suppressed": dict(person.scopes),
        "events": [_event(row) for row in entries],
        "chain_is_whole": not tampered,
        "findings": [str(finding) for finding in tampered],
    }
    plain: dict[str, Any] = msgspec.to_builtins(made)
    return plain


def readable(said: Mapping[str, Any]) -> str:
    """The same as a page to print: no script, nothing from elsewhere."""
    pages = Environment(
        loader=PackageLoader("nurture.engine", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return pages.get_template("dossier.html").render(said=said)


def checkpoint(tx: Transaction, keyring: Keyring, now: datetime) -> dict[str, Any]:
    """The ends of all chains at this instant, bound by a MAC: kept elsewhere, it shows later that nothing was cut off
    or rewritten since (trust C4). It names nobody."""
    ends = ledger.ends(tx)
    text = _text(now.isoformat(), ends)
    return {"at": now.isoformat(), "chains": ends, "mac": keyring.mac(_CHECKPOINT, text)}


def against(tx: Transaction, keyring: Keyring, kept: Mapping[str, Any]) -> list[str]:
    """What is wrong with the ledger when held against a checkpoint: nothing, or sentences."""
    if not keyring.verify(_CHECKPOINT, _text(str(kept["at"]), kept["chains"]), str(kept["mac"])):
        return ["the checkpoint itself was changed, or made with other secrets"]
    wrong = []
    for subject, (entries, hash_) in sorted(kept["chains"].items()):
        found = ledger.hash_at(tx, subject, int(entries))
        if found is None:
            wrong.append(f"{subject}: entry {entries} is gone")
        elif found != hash_:
            wrong.append(f"{subject}: entry {entries} is another one")
    return wrong


def _text(at: str, ends: Mapping[str, Sequence[Any]]) -> str:
    return at + msgspec.json.encode({k: list(v) for k, v in ends.items()}, order="sorted").decode()


def _topics(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted({row["topic"] or ALL_MARKETING for row in entries if row["event"] not in ("merged", "erased")})


def _purpose(project: Project, processing: Processing, name: str) -> dict[str, Any]:
    topic = project.topics.get(name)
    title = next(iter(topic.title.values()), name) if topic else name
    return {
        "purpose": "all marketing" if name == ALL_MARKETING else title,
        "purpose_id": name,
        "lawful_basis": topic.basis if topic else "consent",
        "privacy_notice": processing.notice_url,
        "collection_method": "see each event",
        "recipient_third_parties": list(processing.recipients),
        "withdrawal_method": "the unsubscribe link of every mail, one click",
        "retention_period": processing.retention.get("leads", "until withdrawn"),
    }


def _event(row: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in row.items() if value is not None and name not in ("id", "lead_id")}
    return {
        "event_time": row["occurred_at"],
        "event_type": "explicit" if row["method"] in EXPLICIT else row["method"],
        "event_state": _STATES.get(row["event"], row["event"]),
        "entity_id": row["actor"],
        "purpose_id": row["topic"] or ALL_MARKETING,
        "proof": known,
    }
