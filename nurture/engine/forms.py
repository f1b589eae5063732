"""A hosted form submitted: the lead, the event `form.submitted` and the ticked topics, in one transaction.

What was not ticked is not given (trust C9).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from nurture.campaign.project import Form
from nurture.engine.consent import Answer, ConsentRules, change
from nurture.engine.privacy import gpc, opt_out_of_sale
from nurture.engine.recording import about, settle_people
from nurture.journey.timing import read_moment
from nurture.lead.consent import SALE_SHARE, Declaration, Proof
from nurture.lead.event import FORM_SUBMITTED, Happening
from nurture.lead.lead import BUILT_IN, LeadId, split_traits, typed_fields
from nurture.store.database import Transaction
from nurture.store.events import store_events
from nurture.store.leads import LeadCall, Resolved, upsert_leads

SOURCE = "form"


@dataclass(frozen=True, slots=True)
class Submission:
    """What came in. `lead` is known where the form was opened by a link in a mail; else `email` says who it is, and
    what is known of that person already is not overwritten by somebody who only typed the address. `wording` is the
    exact text beside each ticked topic."""

    form: Form
    lead: LeadId | None
    email: str | None
    fields: Mapping[str, Any]
    topics: Sequence[str]
    wording: Mapping[str, str]
    proof: Proof
    opts_out: bool = False  # of sale and sharing: the browser said `Sec-GPC: 1`


def submit(tx: Transaction, it: Submission, rules: ConsentRules, now: datetime) -> list[Answer]:
    """Store it; what came of each ticked topic."""
    project = rules.project
    zone = project.zone
    fields = typed_fields(it.form.fields, it.fields, lambda text: read_moment(text, zone))
    columns, given = split_traits({n: v for n, v in fields.items() if n in BUILT_IN or n in project.attributes})
    columns.pop("email", None)
    if it.lead is None:
        columns["email"] = it.email
        columns.setdefault("locale", it.proof.locale)  # who read the form in French gets mails in French
    attributes = typed_fields(project.attributes, given, lambda text: read_moment(text, zone))
    call = LeadCall(columns=columns, attributes=attributes, fill_only=it.lead is None, lead=it.lead)
    [who] = upsert_leads(tx, [call], project=project, keyring=rules.keyring, now=now)
    settle_people(tx, [who], rules, now)
    properties = {"form": it.form.name, **fields}
    event = Happening(who.lead, FORM_SUBMITTED, now, now, properties, source=SOURCE)
    store_events(tx, [*about(who, now), event])
    if it.opts_out:
        said = Declaration(who.lead, SALE_SHARE, "object", "person", "person", now, gpc(it.proof))
        opt_out_of_sale(tx, said, rules, now)
    return change(tx, [_declaration(who, topic, it, now) for topic in it.topics], rules, now)


def _declaration(who: Resolved, topic: str, it: Submission, now: datetime) -> Declaration:
    # A link from a mail shows that the address is theirs; without one the method is `form`, and a no stands until the
    # mailbox's owner confirms.
    method = "form" if it.lead is None else "form_from_mail"
    proof = msgspec.structs.replace(it.proof, method=method, wording=it.wording.get(topic), source=it.form.name)
    return Declaration(who.lead, topic, "grant", "person", "person", now, proof)
