"""Consent as a state per lead and topic, and what may change it.

    none → requested → granted → withdrawn        expired        objected

`requested` waits for the person to confirm (double opt-in). `withdrawn` and `objected` are left only by the person
(trust C13, C17): no import, campaign or operator brings them back. A declaration that changes no state leaves no trace
in the ledger, so a repeated click is one withdrawal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

State = Literal["none", "requested", "granted", "withdrawn", "expired", "objected"]
# confirm: the link of a confirmation mail was pressed · renew: the same link in any other mail (`links.confirm`)
Action = Literal["request", "grant", "confirm", "renew", "withdraw", "object", "expire"]
By = Literal["person", "api", "import", "campaign", "operator", "engine"]
Basis = Literal["consent", "soft_opt_in", "legitimate_interest", "service"]

EXPLICIT = ("double_opt_in", "page", "form", "form_from_mail", "preferences")  # methods: a button pressed for just this
LEFT: tuple[State, ...] = ("withdrawn", "objected")
ALL_MARKETING = "*"  # in place of a topic: everything that is marketing
TRACKING = ("tracking_opens", "tracking_clicks")  # purposes of their own, never part of "all marketing" (trust C20)

PROFILING = "profiling"  # scores; nobody is asked for it, everybody may object (GDPR 21)
OPEN_DATE = "open_date"  # the day of the last opening (tracking: hygiene_only); nobody is asked, everybody may object
SALE_SHARE = "sale_share"  # selling or sharing data (CCPA); nobody is asked, everybody may opt out
PURPOSES = (*TRACKING, PROFILING, OPEN_DATE, SALE_SHARE)  # not topics of mails

# Who merges two leads keeps the stricter answer; having said nothing is no answer (S27).
_STRICTNESS: Mapping[str, int] = {"none": 0, "granted": 1, "requested": 2, "expired": 3, "withdrawn": 4, "objected": 5}


class Proof(msgspec.Struct, frozen=True, omit_defaults=True):
    """What shows how a declaration was made (trust C1). `wording` is the exact text that stood beside the box."""

    method: str  # checkbox, double_opt_in, one_click, page, form, api, import, campaign, oral…
    wording: str | None = None
    wording_version: str | None = None
    locale: str | None = None
    notice: str | None = None
    page: str | None = None
    source: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    jurisdiction: str | None = None
    evidence: Mapping[str, Any] | None = None


class Declaration(msgspec.Struct, frozen=True):
    """Somebody says something about one lead's consent. `topic` may be ALL_MARKETING for withdraw and object."""

    lead: int
    topic: str
    action: Action
    by: By
    actor: str  # person, the key's name, the campaign's name, the operator
    occurred_at: datetime
    proof: Proof
    basis: Basis | None = None  # None: the topic's own


class Next(msgspec.Struct, frozen=True):
    """The state changes to `state`; `entry` is the word of the ledger for it."""

    state: State
    entry: str


class Same(msgspec.Struct, frozen=True):
    """Nothing changes, and nothing is wrong with that."""

    state: State


class ConsentRefused(msgspec.Struct, frozen=True):
    """This declaration may not be made; `reason` is for a person."""

    reason: str


def judge(state: State, action: Action, by: By) -> Next | Same | ConsentRefused:
    """What a declaration does to a state."""
    left = state in LEFT
    match action:
        case "withdraw":
            if left:
                return Same(state)
            return Next("withdrawn", "refused" if state in ("none", "requested") else "withdrawn")
        case "object":
            return Same(state) if state == "objected" else Next("objected", "objection")
        case "expire":
            return Next("expired", "expired") if state in ("granted", "requested") else Same(state)
        case "request":
            return _request(state, by, left)
        case "confirm":
            if state == "requested":
                return Next("granted", "confirmed")
            return Same(state) if state == "granted" else ConsentRefused("nothing was waiting to be confirmed")
        case "renew":
            if left:
                return ConsentRefused("they left after this mail was sent; a form asks anew")
            return Next("granted", "confirmed" if state == "requested" else "renewed")
        case _:
            return _grant(state, by, left)


def _request(state: State, by: By, left: bool) -> Next | Same | ConsentRefused:
    if state in ("granted", "requested"):
        return Same(state)
    if left and by != "person":
        return ConsentRefused("they left; only the person can ask again")
    return Next("requested", "requested")


def _grant(state: State, by: By, left: bool) -> Next | Same | ConsentRefused:
    if state == "granted":
        return Same(state)
    if left and by != "person":
        return ConsentRefused("they left; only the person can agree again")
    if by == "campaign":
        return ConsentRefused("a campaign cannot grant consent, only ask for it")
    if by == "import":
        if state == "requested":
            return ConsentRefused("the person has not confirmed yet; an import cannot do it for them")
        return Next("granted", "imported")
    return Next("granted", "renewed" if state == "expired" else "granted")


def stricter(one: str, other: str) -> str:
    """The stricter of two states."""
    return max(one, other, key=lambda state: _STRICTNESS[state])


def wording_digest(wording: str) -> str:
    """SHA-256 of the exact text; its first 12 digits are the version where none is given, so that a changed text is a
    new version by itself (trust C2)."""
    return hashlib.sha256(wording.encode()).hexdigest()
