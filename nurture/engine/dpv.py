"""Consents in the terms of the W3C community's Data Privacy Vocabulary, as JSON-LD for other programs (trust C5).

One `dpv:ConsentRecord` a topic, in the profile for ISO/IEC TS 27560:2023 and the GDPR; a `dpv:ConsentReceipt` hands the
same to the person. The fields are those of https://w3id.org/dpv/guides/consent-27560, the terms those of DPV 2.3.
Nothing is fetched to read it: the context is prefixes. Neither names an address, a network or a browser; the dossier
does.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from nurture.campaign.project import Project
from nurture.engine.exporting import Processing
from nurture.lead.consent import ALL_MARKETING, EXPLICIT, PURPOSES, TRACKING
from nurture.lead.lead import LeadId
from nurture.store import ledger
from nurture.store.consents import Consent, Person, people
from nurture.store.database import Transaction

_CONTEXT = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "legal-eu": "https://w3id.org/dpv/legal/eu#",
    "loc": "https://w3id.org/dpv/loc#",
    "pd": "https://w3id.org/dpv/pd#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_PROFILE = "https://w3id.org/dpv/schema/dpv-27560#"
# An entry of the ledger → a state of consent. `merged` and `erased` are about the record, not about the consent.
_STATES: Mapping[str, str] = {
    "requested": "dpv:ConsentRequested",
    "granted": "dpv:ConsentGiven",
    "confirmed": "dpv:ConsentGiven",
    "imported": "dpv:ConsentGiven",
    "renewed": "dpv:RenewedConsentGiven",
    "refused": "dpv:ConsentRefused",
    "withdrawn": "dpv:ConsentWithdrawn",
    "objection": "dpv:ConsentWithdrawn",
    "expired": "dpv:ConsentExpired",
}
_GIVEN = ("dpv:ConsentGiven", "dpv:RenewedConsentGiven")
_OBJECTED = set(PURPOSES) - set(TRACKING)  # nobody is asked for these, one may only object
_OURS = ("requested", "expired")  # the controller asks and lets expire; the rest is the person's
_CONTROLLER = "_:controller"
_WITHDRAWAL = "the unsubscribe link of every mail, one click"
_Node = dict[str, Any]


def records(tx: Transaction, lead: LeadId, project: Project, processing: Processing) -> _Node:
    """A record of each topic that the person was asked to agree to. What rests on another basis is no consent."""
    return {"@context": _CONTEXT, "@graph": _records(tx, people(tx, [lead])[lead], project, processing)}


def receipt(tx: Transaction, lead: LeadId, project: Project, processing: Processing, now: datetime) -> _Node | None:
    """What the person has agreed to and not taken back, as a receipt for them; None where there is nothing."""
    person = people(tx, [lead])[lead]
    agreed = [t for t, row in person.consents.items() if row.state == "granted" and row.basis == "consent"]
    found = _records(tx, person, project, processing, agreed)
    if not found:
        return None
    name = _uuid("receipt", *(record["dct:identifier"] for record in found), now.isoformat())
    return {
        "@context": _CONTEXT,
        "@id": f"urn:uuid:{name}",
        "@type": "dpv:ConsentReceipt",
        "dct:identifier": name,
        "dct:conformsTo": {"@id": _PROFILE + "receipt-eu-gdpr"},
        "dct:created": _instant(now),
        "dct:publisher": {"@id": _CONTROLLER},
        "dpv:hasRecordOfActivity": found,
    }


def _records(
    tx: Transaction, person: Person, project: Project, processing: Processing, only: Iterable[str] | None = None
) -> list[_Node]:
    rows = [row for row in ledger.entries_of(tx, person.id) if row["event"] in _STATES]
    asked = {row["topic"] for row in rows if row["basis"] == "consent"} - {None, *_OBJECTED}
    wanted = sorted(asked if only is None else asked & set(only))
    return [
        _record(topic, [r for r in rows if _speaks(r, topic)], person.consents.get(topic), project, processing)
        for topic in wanted
    ]


def _speaks(row: Mapping[str, Any], topic: str) -> bool:
    """Whether an entry is about this consent: a no to all marketing is, a yes on another basis is not."""
    if row["topic"] is None:
        return topic not in TRACKING
    return row["topic"] == topic and (row["basis"] == "consent" or _STATES[row["event"]] not in _GIVEN)


def _record(
    topic: str, rows: Sequence[Mapping[str, Any]], now: Consent | None, project: Project, processing: Processing
) -> _Node:
    name = _uuid("record", rows[0]["subject"], topic)
    made: _Node = {
        "@id": f"urn:uuid:{name}",
        "@type": "dpv:ConsentRecord",
        "dct:identifier": name,
        "dct:conformsTo": {"@id": _PROFILE + "record-eu-gdpr"},
        "dpv:hasDataSubject": {
            "@type": "dpv:DataSubject",
            "dct:identifier": sorted({row["subject"] for row in rows}),
        },
        "dpv:hasDataController": _controller(project, processing),
        "dpv:hasJurisdiction": [{"@id": f"loc:{land}"} for land in _lands(row["jurisdiction"] for row in rows)],
        "dpv:hasApplicableLaw": {"@id": "legal-eu:law-GDPR"},
        "dpv:hasLegalBasis": {"@id": "eu-gdpr:A6-1-a"},
        "dpv:hasProcess": _process(topic, project, processing),
        "dpv:hasConsentControl": {"@type": "dpv:WithdrawConsent", "dpv:isExercisedAt": _WITHDRAWAL},
        "dpv:hasRight": {
            "@type": ["dpv:DataSubjectRight", "eu-gdpr:A7-3"],
            "dct:title": "Right to withdraw consent",
            "dpv:isExercisedAt": _WITHDRAWAL,
        },
        "dpv:hasNotice": _notices(rows, processing),
        "dpv:hasConsentStatus": [_status(row) for row in rows],
    }
    given = [status for status in made["dpv:hasConsentStatus"] if status["@type"][0] in _GIVEN]
    if now is not None and now.state == "granted" and given:
        given[-1]["dpv:hasDuration"] = _until(now)
    return {key: value for key, value in made.items() if value}


def _controller(project: Project, processing: Processing) -> _Node:
    return {
        "@id": _CONTROLLER,
        "@type": ["dpv:LegalEntity", "dpv:DataController"],
        "dpv:hasName": processing.controller_of(project),
        "dpv:hasAddress": project.sender.postal_address or "",
        "dpv:hasContact": processing.contact_of(project) or "",
    }


def _process(topic: str, project: Project, processing: Processing) -> _Node:
    declared = project.topics.get(topic)
    title = next(iter(declared.title.values()), topic) if declared else topic
    kept = processing.retention.get("leads", "until withdrawn")
    storage: list[_Node] = [
        {"@type": "dpv:StorageDuration", "dpv:hasDuration": {"@type": "dpv:UntilEventDuration", "rdf:value": kept}}
    ]
    if lands := _lands(processing.stored_in):
        storage.append({"@type": "dpv:StorageLocation", "dpv:hasLocation": [{"@id": f"loc:{land}"} for land in lands]})
    made = {
        "@type": "dpv:Process",
        "dpv:hasPurpose": {
            "@type": "dpv:ServiceUsageAnalytics" if topic in TRACKING else "dpv:DirectMarketing",
            "dct:identifier": topic,
            "dct:title": title,
        },
        "dpv:hasPersonalData": {"@id": "pd:EmailAddress"},
        "dpv:hasRecipient": [{"@type": "dpv:Recipient", "dpv:hasName": name} for name in processing.recipients],
        "dpv:hasStorageCondition": storage,
    }
    return {key: value for key, value in made.items() if value}


def _notices(rows: Sequence[Mapping[str, Any]], processing: Processing) -> list[_Node]:
    """Each wording that was shown, once, with its language; and the privacy notice."""
    shown = {
        (row["wording_hash"], row["locale"]): {
            "@id": _notice(row),
            "@type": "dpv:ConsentNotice",
            "dct:identifier": row["wording_version"],
            "dct:description": {"@value": row["wording"], **({"@language": row["locale"]} if row["locale"] else {})},
            **({"dct:language": row["locale"]} if row["locale"] else {}),
        }
        for row in rows
        if row["wording"]
    }
    url = [{"@id": processing.notice_url, "@type": "dpv:PrivacyNotice"}] if processing.notice_url else []
    return [*shown.values(), *url]


def _status(row: Mapping[str, Any]) -> _Node:
    state = _STATES[row["event"]]
    how = "dpv:ExplicitlyExpressedConsent" if row["method"] in EXPLICIT else "dpv:ExpressedConsent"
    made: _Node = {
        "@type": [state, how] if state in _GIVEN else [state],
        "dpv:isIndicatedAtTime": _instant(row["occurred_at"]),
        "dpv:isIndicatedBy": {"@id": _CONTROLLER if row["event"] in _OURS else "dpv:DataSubject"},
        "dpv:hasIndicationMethod": row["method"],
    }
    if row["topic"] is None:
        made["dct:description"] = f"all marketing ({ALL_MARKETING})"
    if row["wording"]:
        made["dpv:hasNotice"] = {"@id": _notice(row)}
    return made


def _until(now: Consent) -> _Node:
    if now.expires_at is None:
        return {"@type": "dpv:UntilEventDuration", "rdf:value": "withdrawal"}
    return {"@type": "dpv:UntilTimeDuration", "rdf:value": _instant(now.expires_at)}


def _notice(row: Mapping[str, Any]) -> str:
    return f"urn:uuid:{_uuid('notice', row['wording_hash'] or '', row['locale'] or '')}"


def _lands(said: Iterable[str | None]) -> list[str]:
    return sorted({land.strip().upper() for land in said if land and len(land.strip()) == 2})


def _instant(at: datetime) -> _Node:
    return {"@type": "xsd:dateTime", "@value": at.isoformat()}


def _uuid(*parts: str) -> str:
    """The same for the same consent, so that two exports of it can be told to be about one thing."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "|".join(parts)))
