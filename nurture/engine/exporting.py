"""What a person may see of what is known about them: one JSON (GDPR 15, 20, 22; trust C22)."""

from __future__ import annotations

import base64
import csv
import email
import email.policy
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from nurture.campaign.project import Project, Score
from nurture.engine.cells import plain_cell
from nurture.journey.timing import zone_name
from nurture.lead.lead import LeadId
from nurture.mail.template import TemplateBroken, choose, front_matter, variants
from nurture.store import exporting, rights
from nurture.store.batch import Row
from nurture.store.conditions import score_values
from nurture.store.database import Transaction
from nurture.store.ledger import entries_of


@dataclass(frozen=True)
class Processing:
    """Who answers for the data, who gets some of it, how long each kind is kept; from config.yaml."""

    controller: str = ""
    contact: str = ""
    notice_url: str = ""
    recipients: tuple[str, ...] = ()
    stored_in: tuple[str, ...] = ()  # countries, ISO 3166-1 alpha-2
    retention: Mapping[str, str] = field(default_factory=dict)
    measures: tuple[str, ...] = ()
    purposes: Mapping[str, str] = field(default_factory=dict)  # topic → its legal basis

    def controller_of(self, project: Project) -> str:
        """Who is named as controller: what config.yaml says, else who sends the mails."""
        return self.controller or project.sender.name or project.name

    def contact_of(self, project: Project) -> str | None:
        """Where to write about it: what config.yaml says, else where an answer to a mail goes."""
        return self.contact or project.sender.reply_to or project.sender.email


def export(
    tx: Transaction, lead: LeadId, project: Project, processing: Processing, now: datetime, actor: str
) -> dict[str, Any] | None:
    """Everything of this lead with what explains it, instants as ISO 8601; the asking is kept (trust C31). None where
    there is no such lead."""
    found = exporting.read_everything(tx, lead)
    if found is None:
        return None
    ledger = [{k: v for k, v in row.items() if v is not None} for row in entries_of(tx, lead)]
    for message in found["messages"]:
        message["subject"] = _subject(tx, message, project)
        if "body" in message:
            message["body"] = _text(message["body"])
    zone = zone_name(found["lead"].get("zone"), project.zone)
    [scores] = score_values(tx, project, [Row(lead, now, zone)])
    found["scores"] = _scores(found["scores"], project, scores)
    made = {
        "about": {
            "made_at": now,
            "controller": processing.controller_of(project),
            "contact": processing.contact_of(project),
            "notice": processing.notice_url,
            "purposes": dict(processing.purposes),
            "recipients": list(processing.recipients),
            "retention": dict(processing.retention),
        },
        **found,
        "consent_ledger": ledger,
        "sources": _sources(found, ledger),
    }
    rights.note(tx, "export", actor, now, lead=lead, detail={name: len(found[name]) for name in ("events", "messages")})
    plain: dict[str, Any] = msgspec.to_builtins(made)
    return plain


def tables(said: Mapping[str, Any]) -> dict[str, str]:
    """The same as CSV, one text a section. A cell that a spreadsheet would take for a formula gets a `'` in front
    (ASVS 1.2.10; trust X15); the JSON stays as it is."""
    made = {}
    for name, section in said.items():
        rows = section if isinstance(section, list) else [section]
        rows = [row if isinstance(row, dict) else {name: row} for row in rows if row is not None]
        columns = list(dict.fromkeys(column for row in rows for column in row))
        if rows:
            text = io.StringIO(newline="")
            writer = csv.writer(text)
            writer.writerow(columns)
            writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
            made[name] = text.getvalue()
    return made


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return plain_cell(text)


def _scores(stored: Sequence[dict[str, Any]], project: Project, now: Mapping[str, float]) -> list[dict[str, Any]]:
    """What the events have given so far, what it comes to now, and by which rules (GDPR 15(1)(h))."""
    known = {score["score"]: score for score in stored}
    return [
        {
            **known.get(name, {"score": name, "value": 0.0}),
            "now": now.get(name, 0.0),
            "rules": _rules(project.scores.get(name)),
        }
        for name in sorted({*known, *project.scores})
    ]


def _rules(score: Score | None) -> Any:
    """The rules of a score as they are now: points for what, and how they decay (GDPR 22: the logic involved)."""
    return None if score is None else msgspec.json.decode(msgspec.json.encode(score))


def _sources(found: Mapping[str, Any], ledger: list[dict[str, Any]]) -> list[str]:
    """Where the data came from (GDPR 15(1)(g))."""
    said = [found["lead"].get("source"), *(e.get("source") for e in (*found["events"], *ledger))]
    return sorted({str(source) for source in said if source})


def _subject(tx: Transaction, message: Mapping[str, Any], project: Project) -> str:
    """The subject as it was sent where the mail is still kept, else as the template has it."""
    if "body" in message:
        return str(email.message_from_bytes(message["body"], policy=email.policy.default)["subject"] or "")
    written = message.get("options", {}).get("subject")
    if written or not message.get("template"):
        return str(written or "")
    files = exporting.template_texts(tx, message["template"], message.get("template_hash", ""))
    if files is None:
        return ""
    try:
        variant = choose(project.locale, variants(message["template"], files), project.locale)
        file = (variant.html or variant.text) if variant is not None else ""
        return str(front_matter(files[file], file)[0].values.get("subject", "")) if file else ""
    except TemplateBroken:
        return ""


def _text(body: bytes) -> str:
    """The mail as it went out."""
    try:
        return body.decode("ascii")
    except UnicodeDecodeError:
        return base64.b64encode(body).decode("ascii")
