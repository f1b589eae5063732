"""Writing to one's own customers without having asked them first: what it takes, and where what counts (trust C10).

The ePrivacy directive 2002/58/EC Art. 13(2) asks for five things: a sale from which the address comes, its date, mails
about similar products only, a chance to say no when the address was given, and one in every mail. The last stands in
every marketing mail of ours (trust C15); the others are judged here, and what cannot be shown is taken as missing. That
a topic is about similar products is the project's own word (docs/decisions/0019).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

import msgspec

# sale: something was paid for · contract: concluded, nothing paid yet (a trial, a booking) · account: opened, no more
# than that · inquiry: they asked about something
SaleKind = Literal["sale", "contract", "account", "inquiry"]
KINDS: tuple[SaleKind, ...] = get_args(SaleKind)

NO_SALE = "soft opt-in without a sale"
NO_DATE = "soft opt-in without the sale's date"
NO_CHANCE = "soft opt-in without a chance to object"
NO_SIMILAR = "soft opt-in without similar products"
JURISDICTION = "jurisdiction"
LACKS = (NO_SALE, NO_DATE, NO_CHANCE, NO_SIMILAR)

_Held = Mapping[SaleKind, timedelta | None]  # which kinds of sale count, and how long: None until somebody says no


class Grounds(msgspec.Struct, frozen=True):
    """The sale that a soft opt-in rests on, as far as it was stated. `reference` finds it again: an order's number."""

    kind: SaleKind | None = None
    reference: str | None = None
    sold_at: datetime | None = None
    objection_offered: bool = False  # they could say no when the address was taken down


NO_GROUNDS = Grounds()
# Art. 13(2) as most states have it. A free account can be a sale: CJEU C-654/23, Inteligo Media.
ELSEWHERE: _Held = {"sale": None, "contract": None, "account": None}
# Where the law says otherwise.
LAWS: Mapping[str, _Held] = {
    "": {"sale": None},  # a country nobody told us: the one kind that all of these laws take
    "CH": {"sale": None, "contract": None},  # UWG-CH Art. 3(1)(o): an online account alone is not enough (FDPIC)
    "DE": {"sale": None},  # UWG-DE § 7(3) no. 1: in connection with the sale of goods or a service
    # CASL s. 10(9), (10): no soft opt-in but implied consent, which ends (trust C12). Half a year is 181 days at least.
    "CA": {"sale": timedelta(days=730), "contract": timedelta(days=730), "inquiry": timedelta(days=181)},
}


def stated(evidence: Mapping[str, Any] | None, moment: Callable[[str], datetime | None]) -> Grounds:
    """What a declaration's evidence says of the sale: `sale`, `contract`, `account` or `inquiry` with its reference,
    `sold_at`, `objection_offered`. What cannot be read is not there. `moment` reads an instant, or None."""
    said = evidence or {}
    kind = next((kind for kind in KINDS if said.get(kind)), None)
    return Grounds(
        kind,
        str(said[kind]) if kind is not None else None,
        moment(str(said["sold_at"])) if said.get("sold_at") else None,
        said.get("objection_offered") is True,
    )


def lacking(grounds: Grounds) -> str | None:
    """What was not stated of the sale, or None; the same in every land."""
    if grounds.kind is None or not grounds.reference:
        return NO_SALE
    if grounds.sold_at is None:
        return NO_DATE
    return None if grounds.objection_offered else NO_CHANCE


def refusal(grounds: Grounds, similar: bool, country: str | None, now: datetime) -> str | None:
    """Why a soft opt-in carries no mail to this country now, or None where it does. `similar`: the topic is declared to
    be about products like those sold."""
    if (lacks := lacking(grounds)) is not None:
        return lacks
    if not similar:
        return NO_SIMILAR
    law = LAWS.get((country or "").strip().upper(), ELSEWHERE)
    if grounds.kind is None or grounds.sold_at is None or grounds.kind not in law:
        return JURISDICTION
    lasts = law[grounds.kind]
    return JURISDICTION if lasts is not None and grounds.sold_at + lasts <= now else None
