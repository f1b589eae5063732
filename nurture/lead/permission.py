"""Whether we may write to a lead: consent, then suppression, then jurisdiction; the first no is the reason.

Default deny (trust C6): a topic needs a granted row, whatever its basis, except topics whose basis is `service`, which
people are owed and may still refuse.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from nurture.lead import soft_opt_in
from nurture.lead.soft_opt_in import NO_GROUNDS, Grounds

OK = "ok"
NO_ADDRESS = "no address"
NO_CONSENT = "no consent"
SUPPRESSED = "suppressed"
JURISDICTION = soft_opt_in.JURISDICTION

# Scopes of a suppression; a topic's is TOPIC_SCOPE + its name.
ALL = "all"  # nothing at all: the mailbox is dead, or the law says so
MARKETING = "marketing"  # no marketing of any topic
TOPIC_SCOPE = "topic:"
# Reasons under which only the mailbox's owner's provider or the law lifts a suppression, not a new tick in a form.
LASTING = ("complaint", "bounce")

# Where e-mail marketing to consumers needs consent or an existing customer relation: the EU and EEA (ePrivacy directive
# 2002/58/EC Art. 13), the United Kingdom (PECR reg. 22), Switzerland (UWG Art. 3(1)(o)), Canada (CASL s. 6).
_CONSENT_LANDS = frozenset(
    {
        *("AT", "BE", "BG", "CA", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR", "HR", "HU"),
        *("IE", "IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"),
    }
)


class Standing(msgspec.Struct, frozen=True):
    """What is known of one lead for one topic."""

    has_address: bool
    restricted: bool
    state: str
    basis: str | None
    expires_at: datetime | None
    scopes: Collection[str]
    country: str | None
    countries: Collection[str] = ()  # of a legitimate interest: the only ones the project claims it in
    grounds: Grounds = NO_GROUNDS  # of a soft opt-in: the sale it rests on
    similar: bool = False  # of a soft opt-in: the topic is about products like those sold
    paused_until: datetime | None = None  # the person wants a rest: as a suppression of marketing that ends by itself


def judge_service(has_address: bool, restricted: bool, scopes: Collection[str]) -> str:
    """`ok` or why not, for mail that was asked for or is owed: only a blocked address refuses it (trust C17)."""
    if not has_address:
        return NO_ADDRESS
    return SUPPRESSED if restricted or ALL in scopes else OK


def lasts(reason: str) -> bool:
    """Whether a suppression for this reason is stronger than any other, and lifted by no new consent."""
    return reason.startswith(LASTING)


def shut_for_good(scopes: Mapping[str, str]) -> bool:
    """Whether these suppressions (scope → reason) let nobody even be asked whether they agree (trust X18)."""
    return ALL in scopes or (MARKETING in scopes and lasts(scopes[MARKETING]))


def judge_confirmation(has_address: bool, restricted: bool, scopes: Mapping[str, str], asked_for: bool) -> str:
    """`ok` or why not, for the mail that asks to confirm: only while somebody asked for it, and never where somebody
    complained (trust C8, X18)."""
    refusal = judge_service(has_address, restricted, scopes)
    if refusal != OK:
        return refusal
    if shut_for_good(scopes):
        return SUPPRESSED
    return OK if asked_for else NO_CONSENT


def judge_topic(topic: str, basis: str | None, standing: Standing, now: datetime) -> str:
    """`ok` or why not, for marketing on this topic. `basis` is the topic's own; None: nobody declares the
    topic any more."""
    if not standing.has_address:
        return NO_ADDRESS
    expired = standing.expires_at is not None and standing.expires_at <= now
    owed = basis == "service" and standing.state == "none"
    if not owed and (standing.state != "granted" or expired):
        return NO_CONSENT
    if standing.restricted or not {ALL, MARKETING, TOPIC_SCOPE + topic}.isdisjoint(standing.scopes):
        return SUPPRESSED
    if standing.paused_until is not None and standing.paused_until > now:
        return SUPPRESSED
    match standing.basis:
        case "legitimate_interest":
            return OK if _claimed(standing) else JURISDICTION
        case "soft_opt_in":
            return soft_opt_in.refusal(standing.grounds, standing.similar, standing.country, now) or OK
        case _:
            return OK


def _claimed(standing: Standing) -> bool:
    """Legitimate interest carries no e-mail where the law asks for consent, nor where we do not know the law (C11)."""
    if standing.country is None:
        return False
    land = standing.country.strip().upper()
    claimed = not standing.countries or land in standing.countries
    return len(land) == 2 and land not in _CONSENT_LANDS and claimed
