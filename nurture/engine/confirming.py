"""Double opt-in: the confirmation mail, how often it may be sent, and what its link proves (trust C7, C8, X18)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from nurture.campaign.project import Project
from nurture.journey.timing import shift
from nurture.lead.consent import ConsentRefused, Declaration, Proof
from nurture.lead.lead import LeadId, shard_of
from nurture.lead.permission import shut_for_good
from nurture.store import outbox, tallies
from nurture.store.consents import Confirmed, Consent, Person
from nurture.store.database import Transaction

TEMPLATE = "consent/confirm"
_MARK = 12  # hex digits of an address's hash
ASKED = "confirm"  # the tally of confirmation mails that people asked for; with `:lane`, of those of one domain
REFUSED = "confirm refused"  # the tally of those that a bound of the hour kept back


@dataclass(slots=True)
class Mailing:
    """One confirmation mail; it names every topic that was asked for together."""

    lead: LeadId
    mailbox: str  # `mark_of` the address it is for
    lane: str
    topics: list[str] = field(default_factory=list)


@dataclass
class Room:
    """What the bounds of an hour leave, and what was taken of it."""

    left: dict[str, int]
    taken: Counter[str] = field(default_factory=Counter)

    def take(self, lane: str) -> bool:
        """Whether one more mail may go to this lane; it is noted either way."""
        names = [name for name in (ASKED, f"{ASKED}:{lane}") if name in self.left]
        if any(self.left[name] <= self.taken[name] for name in names):
            self.taken[REFUSED] += 1
            return False
        self.taken.update(names)
        return True


@dataclass(frozen=True)
class Confirming:
    """An address gets one confirmation mail in `every` and `most` of them until it agrees; a link serves `within`.

    In an hour strangers make at most `an_hour` of them go, and `a_domain` to one domain; a large provider's is none.
    The bounds hold over all processes.
    """

    every: timedelta = timedelta(hours=24)
    most: int = 3
    within: timedelta = timedelta(days=7)
    an_hour: int = 1_000
    a_domain: int = 50

    def may_ask(self, person: Person, confirmed: Confirmed | None, now: datetime) -> bool:
        """Whether one more mail may go to this person's address, over all topics. `confirmed` is what went there."""
        if not person.email or shut_for_good(person.scopes):
            return False
        if confirmed is not None and now - confirmed.latest < self.every:
            return False  # asked earlier and sent late: a day is counted from when it left
        asked = [c for c in person.consents.values() if c.requested_at is not None and c.requests]
        latest = max((c.requested_at for c in asked if c.requested_at), default=None)
        if latest is not None and now - latest < self.every:
            return False
        return max((c.requests for c in asked), default=0) < self.most

    def room(self, tx: Transaction, lanes: Iterable[str], now: datetime) -> Room:
        """What may still be sent in this hour to these lanes."""
        limits = {ASKED: self.an_hour} | {f"{ASKED}:{lane}": self.a_domain for lane in lanes if "." in lane}
        sent = tallies.held(tx, tallies.ASKED, [*limits, REFUSED], tallies.hour_of(now))
        return Room({name: limit - sent[name] for name, limit in limits.items()})

    def too_old(self, person: Person, said: Declaration, now: datetime) -> ConsentRefused | None:
        """Whether the pressed link no longer speaks for the request that stands: asked too long ago, or before the
        address changed. `evidence["request"]` is the link's."""
        row = person.consents.get(said.topic)
        if row is None or row.state != "requested":
            return None
        request = (said.proof.evidence or {}).get("request")
        if not isinstance(request, int):
            return ConsentRefused("the link belongs to no request")
        if request < int(row.since.timestamp()) or now.timestamp() - request > self.within.total_seconds():
            return ConsentRefused("the link is too old; ask again")
        return None

    def with_request(self, said: Declaration, request: dict[str, Any] | None) -> Declaration:
        """The confirmation holds proof of both steps: the text agreed to is the request's."""
        if request is None:
            return said
        names = ("recorded_at", "ip", "user_agent", "page", "method", "wording_version", "hash")
        evidence = {**(said.proof.evidence or {}), "requested": {name: request[name] for name in names}}
        proof = msgspec.structs.replace(
            said.proof,
            evidence=evidence,
            wording=said.proof.wording or request["wording"],
            wording_version=said.proof.wording_version or request["wording_version"],
            locale=said.proof.locale or request["locale"],
        )
        return msgspec.structs.replace(said, proof=proof)

    def new_address(self, lead: LeadId, topic: str, now: datetime) -> Declaration:
        """The declaration that a changed address makes (S29)."""
        return Declaration(lead, topic, "request", "engine", "engine", now, Proof(method="new address"), "consent")

    def send(self, tx: Transaction, mails: Sequence[Mailing], project: Project, now: datetime) -> None:
        """Put the mails into the outbox: service mails, on their topic, so that a no cancels them."""
        outbox.supersede(tx, [mail.lead for mail in mails], outbox.CONFIRM, "a newer one")
        expires = shift(now, project.expires_after, project.zone)
        outbox.insert(
            tx,
            [
                {
                    "lead_id": mail.lead,
                    "shard": shard_of(mail.lead),
                    "kind": outbox.CONFIRM,
                    "template": TEMPLATE,
                    "service": True,
                    "topic": mail.topics[0],
                    "options": {
                        "topics": mail.topics,
                        "requests": {t: request_of(now) for t in mail.topics},
                        "mailbox": mail.mailbox,
                    },
                    "lane": mail.lane,
                    "due": now,
                    "released_at": now,
                    "expires_at": expires,
                }
                for mail in mails
            ],
        )


def mark_of(address_hash: str) -> str:
    """A mailbox in short: enough to see that it is another one."""
    return address_hash[:_MARK]


def request_of(instant: datetime) -> int:
    """How a link names the request it confirms: the second it was made in."""
    return int(instant.timestamp())


def asked_with(person: Person, topic: str) -> list[Consent]:
    """The requests that one confirmation mail was about, `topic` among them."""
    mine = person.consents.get(topic)
    if mine is None or mine.state != "requested":
        return []
    return [c for c in person.consents.values() if c.state == "requested" and c.requested_at == mine.requested_at]
