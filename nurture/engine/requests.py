"""Requests of people about their data: what is open, and by when it must be done (trust C30).

The log is `privacy_actions`: a request is a row `asked …`, and it is done by a later action for the same person. The
dates the law gives are data here: GDPR Art. 12(3), a month; CCPA regulations §§ 7021 and 7026, to acknowledge in 10
business days and to answer in 45 days, to opt out in 15 business days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from nurture.campaign.duration import Duration
from nurture.engine.consent import ConsentRules, change
from nurture.engine.privacy import LINK_HOLDS, SALE_SHARE_OPTOUT, checked, opt_out_of_sale
from nurture.errors import UserError
from nurture.journey.timing import shift
from nurture.lead.consent import ALL_MARKETING, SALE_SHARE, Declaration, Proof
from nurture.lead.lead import LeadId
from nurture.store import rights
from nurture.store.database import Transaction

Law = Literal["gdpr", "ccpa"]
State = Literal["open", "overdue", "done", "lapsed"]
ASKED, OBJECTED = "asked ", "objected"
LOGGED = Duration(months=24)  # how long the log is kept at least (CCPA regulations § 7101)
# What may be asked, and the action that answers it.
ANSWERS: Mapping[str, str] = {
    "data": "export",
    "erase": "erase",
    "rectify": "rectify",
    "restrict": "restrict",
    "object": OBJECTED,
    "opt-out": "sale_share_optout",
}
_WITHIN: Mapping[Law, Duration] = {"gdpr": Duration(months=1), "ccpa": Duration(days=45)}
_OPT_OUT_WITHIN: Mapping[Law, Duration] = {"gdpr": Duration(months=1), "ccpa": Duration(workdays=15)}
_ACKNOWLEDGE_WITHIN: Mapping[Law, Duration] = {"ccpa": Duration(workdays=10)}
_LANDS: Mapping[str, Law] = {"US": "ccpa"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `lapsed`: the link that was mailed for it was not used while it held."""

    id: int
    lead: LeadId
    what: str
    law: Law
    at: datetime
    acknowledge_by: datetime | None
    due: datetime
    done_at: datetime | None
    state: State


def law_of(country: str | None, written: str | None = None) -> Law:
    """Whose dates hold for somebody from there; the GDPR's where it is not known. `written` takes its place. Raises
    UserError where that is none."""
    match written:
        case None:
            return _LANDS.get((country or "").strip().upper(), "gdpr")
        case "gdpr" | "ccpa":
            return written
    raise UserError(f"'{written}' is not a law known here", hint="gdpr or ccpa")


def receive(
    tx: Transaction,
    lead: LeadId,
    what: str,
    law: Law,
    actor: str,
    at: datetime,
    reason: str | None,
    rules: ConsentRules,
    now: datetime,
) -> None:
    """Keep that somebody asked for this then, by letter or telephone. Who objects to marketing, or opts out of sale and
    sharing, has done so with it."""
    rights.note(tx, ASKED + what, actor, at, lead=lead, reason=checked(reason), detail={"law": law})
    if what == "object":
        objects = Declaration(lead, ALL_MARKETING, "object", "operator", actor, at, Proof(method="request"))
        change(tx, [objects], rules, now)
        rights.note(tx, OBJECTED, actor, now, lead=lead)
    if what == "opt-out":
        said = Declaration(lead, SALE_SHARE, "object", "operator", actor, at, Proof(method="request"))
        if not opt_out_of_sale(tx, said, rules, now):  # opted out before: this request is done too
            rights.note(tx, SALE_SHARE_OPTOUT, actor, now, lead=lead, detail={"by": "request"})


def requests(tx: Transaction, zone: str, now: datetime) -> list[Request]:
    """Every request of the last 24 months, the oldest first. `zone` is the project's, whose days are counted."""
    rows = rights.actions(tx, shift(now, LOGGED.negated(), zone))
    by_lead: dict[int | None, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_lead.setdefault(row["lead_id"], []).append(row)
    asked = [row for row in rows if row["what"].startswith(ASKED) and row["what"].removeprefix(ASKED) in ANSWERS]
    return [_request(row, by_lead[row["lead_id"]], zone, now) for row in asked]


def _request(row: Mapping[str, Any], of_lead: Sequence[Mapping[str, Any]], zone: str, now: datetime) -> Request:
    what, at = row["what"].removeprefix(ASKED), row["at"]
    law: Law = row["detail"].get("law", "gdpr")
    answers = [r["at"] for r in of_lead if r["what"] == ANSWERS[what] and r["at"] >= at and r["id"] != row["id"]]
    due = shift(at, (_OPT_OUT_WITHIN if what == "opt-out" else _WITHIN)[law], zone)
    told = _ACKNOWLEDGE_WITHIN.get(law)
    # On a page the answer is a link mailed at once: the request is the person's to go on with.
    lapsed = row.get("actor") == "person" and now > at + LINK_HOLDS
    state: State = "done" if answers else "lapsed" if lapsed else "overdue" if now > due else "open"
    acknowledge = shift(at, told, zone) if told is not None else None
    return Request(row["id"], row["lead_id"], what, law, at, acknowledge, due, min(answers, default=None), state)
