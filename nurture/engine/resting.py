"""What a declaration rests on: its legal basis, and of a soft opt-in the sale (trust C10)."""

from __future__ import annotations

from datetime import datetime

from nurture.campaign.project import Topic
from nurture.journey.timing import read_moment
from nurture.lead.consent import Basis, Declaration
from nurture.lead.soft_opt_in import NO_GROUNDS, Grounds, lacking, stated
from nurture.store.consents import Consent

_YES = ("grant", "confirm", "renew", "request")


def basis_of(said: Declaration, topic: Topic | None) -> Basis:
    """The basis stated, else the topic's own. Who presses the link of a confirmation agrees; so does who ticks a box
    for themselves where no sale is shown: that is consent, whatever the topic's mails rest on otherwise."""
    if said.basis is not None:
        return said.basis
    if said.action == "confirm":
        return "consent"
    basis = topic.basis if topic is not None else "consent"
    ticked = said.by == "person" and said.action in _YES
    if basis == "soft_opt_in" and ticked and stated(said.proof.evidence, lambda _: None).kind is None:
        return "consent"
    return basis


def grounds_of(said: Declaration, zone: str, now: datetime) -> Grounds:
    """The sale that the declaration tells of; nothing of it unless its basis is a soft opt-in. A sale in the future has
    no date yet."""
    if said.basis != "soft_opt_in":
        return NO_GROUNDS

    def moment(text: str) -> datetime | None:
        at = read_moment(text, zone)
        return at if at is not None and at <= now else None

    return stated(said.proof.evidence, moment)


def incomplete(said: Declaration, grounds: Grounds) -> bool:
    """Whether it declares a soft opt-in and not all that one takes."""
    return said.basis == "soft_opt_in" and lacking(grounds) is not None


def hollow(row: Consent) -> bool:
    """Whether it is a soft opt-in that lacks something of its sale, so that it allows nothing."""
    return row.state == "granted" and row.basis == "soft_opt_in" and lacking(row.grounds) is not None


def sold_again(row: Consent, grounds: Grounds) -> bool:
    """Whether this is a later sale than the one that the soft opt-in rests on: where it ends, it ends later."""
    if row.basis != "soft_opt_in" or lacking(grounds) is not None or grounds.sold_at is None:
        return False
    return row.grounds.sold_at is None or grounds.sold_at > row.grounds.sold_at
