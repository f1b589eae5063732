"""What servers, providers and people say of a mail after it left: bounced, complained, replied, delivered.

A notice acts only where one of its marks bears our MAC, which nobody has but who got that mail, and at most once for
each mail and kind (trust E24). Whatever else it says of itself is not believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import structlog

from nurture.clock import machine_now
from nurture.engine import alerting, consent, ways
from nurture.engine.turn import Turn
from nurture.lead.consent import ALL_MARKETING, Declaration, Proof
from nurture.lead.keyring import Keyring
from nurture.lead.permission import ALL, MARKETING
from nurture.mail.links import Links
from nurture.mail.outcome import Kind as Class
from nurture.mail.outcome import Move, Outcome, Phase, Rules, classify
from nurture.mail.report import Kind, Notice
from nurture.store import bounced, closures, returned, suppressions, tallies
from nurture.store.closures import Strike, domain_of
from nurture.store.database import Transaction
from nurture.store.identities import present_lead
from nurture.store.outbox import CONFIRM, MAIL
from nurture.store.returned import SentMail

log = structlog.get_logger()

WANTS_OUT = "feedback/wants_out"
BOUNCES_WITHIN = timedelta(days=30)  # after the mail left; a bounce later than that tells of another mailbox

# done · ignored: nothing follows from it · repeated: it was known · forged: no mark of ours · late
# asked: a person wants no more mail, and a colleague was told
Taken = Literal[
    "bounced", "complained", "replied", "asked", "delivered", "unsubscribed", "ignored", "repeated", "forged", "late"
]


@dataclass(frozen=True)
class Feedback:
    """What notices are judged by. `source` names who told, as ledger and log have it: "maildir", "hooks:ses"."""

    links: Links
    keyring: Keyring
    rules: Rules
    source: str

    def take(self, turn: Turn, notices: Sequence[Notice], now: datetime) -> list[Taken]:
        """Make these true, in order; what came of each. The caller flushes the turn and commits."""
        return [self._one(turn, notice, now) for notice in notices]

    def _one(self, turn: Turn, notice: Notice, now: datetime) -> Taken:
        mail = self._mail(turn, notice)
        if notice.token:
            taken = self._by_mail(turn, notice.token, now)
        elif mail is None or mail.kind not in (MAIL, CONFIRM) or mail.lead is None:
            taken = "ignored" if mail is not None or notice.kind in _HARMLESS else "forged"
        else:
            turn.load([mail.lead])
            taken = self._act(turn, mail, mail.lead, notice, now) if mail.lead in turn.leads else "ignored"
        if taken in ("forged", "late"):
            refuse(turn.tx, self.source, taken)
        tell = log.warning if taken == "forged" else log.info
        tell(f"feedback.{taken}", source=self.source, kind=str(notice.kind), message=mail.id if mail else None)
        return taken

    def _mail(self, turn: Turn, notice: Notice) -> SentMail | None:
        """The mail that the first valid mark names."""
        for mark in notice.marks:
            number = self.links.read_verp(mark)
            if number is None and (link := self.links.read_unsubscribe(mark)) is not None:
                number = link[2] if isinstance(link[2], int) else None  # the link bears a MAC of ours as well
            if number is not None and (mail := returned.find(turn.tx, number)) is not None:
                return mail
        return None

    def _act(self, turn: Turn, mail: SentMail, lead: int, notice: Notice, now: datetime) -> Taken:
        match notice.kind:
            case Kind.BOUNCED | Kind.FAILED | Kind.REJECTED:
                return self.bounced(turn, mail, lead, notice, now)
            case Kind.COMPLAINED:
                return self.complained(turn, mail, lead, notice, now)
            case Kind.UNSUBSCRIBED:
                return self.unsubscribed(turn, lead, now)
            case Kind.REPLIED:
                return self.replied(turn, mail, lead, now, wants_out=notice.wants_out)
            case Kind.DELIVERED | Kind.SENT:
                return self.delivered(turn, mail)
            case _:  # deferred, autoresponded, opened…: a delay is no bounce, a machine's answer no reply (E9, E23)
                return "ignored"

    # --- one function per happening ---

    def bounced(self, turn: Turn, mail: SentMail, lead: int, notice: Notice, now: datetime) -> Taken:
        """The mail came back: told to campaigns; the address is closed where the reply proves it dead, or at the next
        such reply within the time its class says."""
        if mail.sent_at is not None and now - mail.sent_at > BOUNCES_WITHIN:
            return "late"
        outcome = self._class(notice)
        kind = outcome.kind
        if not returned.mark_once(turn.tx, mail.id, "bounced", now, bounce=str(kind)):
            return "repeated"
        returned.settle_unknown(turn.tx, mail.id)
        turn.emit(lead, "mail.bounced", now, {**_said(mail), "kind": str(kind)})
        mailbox = self._mailbox(turn, mail, lead)
        if mailbox and self._about(mailbox, notice) and self._enough(turn, lead, mailbox, outcome, notice, now):
            why = _plain(notice.status) or notice.code or kind
            suppressions.suppress(turn.tx, [(mailbox, ALL, f"bounce: {why}")], now)
        return "bounced"

    def complained(self, turn: Turn, mail: SentMail, lead: int, notice: Notice, now: datetime) -> Taken:
        """The person called it spam: no marketing on any topic any more, and no new tick in a form lifts that (E26)."""
        if not returned.mark_once(turn.tx, mail.id, "complained", now):
            return "repeated"
        returned.settle_unknown(turn.tx, mail.id)
        self._leave(turn, lead, ALL_MARKETING, "complaint", {"feedback": _plain(notice.raw), "message": mail.id}, now)
        email = turn.leads[lead].email
        if email is not None:
            why = f"complaint: {_plain(notice.raw) or 'abuse'}"
            suppressions.suppress(turn.tx, [(self.keyring.address_hash(email), MARKETING, why)], now)
        return "complained"

    def unsubscribed(self, turn: Turn, lead: int, now: datetime) -> Taken:
        """The person left by a link of the provider's own, which knows no topics."""
        changed = self._leave(turn, lead, ALL_MARKETING, "provider", {}, now)
        return "unsubscribed" if changed else "repeated"

    def _by_mail(self, turn: Turn, token: str, now: datetime) -> Taken:
        """The person mailed the token of their unsubscribe link: the same as pressing it (trust C19)."""
        link = self.links.read_unsubscribe(token)
        if link is None:
            return "forged"
        lead = present_lead(turn.tx, link[0])
        if lead is None:
            return "repeated"  # erased since: nothing goes there any more
        changed = self._leave(turn, lead, link[1] or ALL_MARKETING, "mailto", {"message": link[2]}, now)
        return "unsubscribed" if changed else "repeated"

    def replied(self, turn: Turn, mail: SentMail, lead: int, now: datetime, *, wants_out: bool = False) -> Taken:
        """A person answered the mail. Where they want no more of it, that is no answer campaigns wait for, but a task
        for a colleague (trust C19)."""
        if not returned.mark_once(turn.tx, mail.id, "replied", now):
            return "repeated"
        returned.settle_unknown(turn.tx, mail.id)
        if wants_out:
            self._tell(turn, lead, now)
            return "asked"
        turn.emit(lead, "mail.replied", now, _said(mail))
        return "replied"

    def delivered(self, turn: Turn, mail: SentMail) -> Taken:
        """The mail arrived: one whose outcome nobody knew was sent (trust E18)."""
        return "delivered" if returned.settle_unknown(turn.tx, mail.id) else "ignored"

    # --- judging ---

    def _mailbox(self, turn: Turn, mail: SentMail, lead: int) -> str | None:
        """The keyed hash of the address this mail went to: the lead may have another one by now (S29)."""
        email = turn.leads[lead].email
        return mail.mailed_to or (self.keyring.address_hash(email) if email else None)

    def _about(self, mailbox: str, notice: Notice) -> bool:
        """Whether the report is about that address, and not about one it forwards to."""
        named = [address for address in (notice.original, notice.recipient) if address]
        return not named or mailbox in map(self.keyring.address_hash, named)

    def _enough(self, turn: Turn, lead: int, mailbox: str, o: Outcome, notice: Notice, now: datetime) -> bool:
        """Whether mail to this address ends: after so many such reports about it or, where its domain cannot be
        reached, about everybody there."""
        if o.kind is Class.DOMAIN:
            known = [a for a in (notice.original, notice.recipient, turn.leads[lead].email) if a]
            address = next((a for a in known if self.keyring.address_hash(a) == mailbox), None)
            if address is None:
                return False  # nobody says any more which domain it was
            strike = Strike(domain_of(address), o.rule, _plain(notice.status), o.pause_after, o.pause_within, o.pause)
            ways.close(turn, [strike], now, machine_now())
            return strike.way in closures.standing(turn.tx)
        count, since = o.suppress_after, now - o.suppress_within
        return count == 1 or (count > 1 and bounced.count(turn.tx, lead, mailbox, str(o.kind), since) >= count)

    def _class(self, notice: Notice) -> Outcome:
        """What the report means. Codes count more than a provider's word, and prose is never more than soft (trust E15,
        E23)."""
        soft = Outcome(kind=Class.SOFT, rule="", message=Move.FAIL)
        if not notice.standard or notice.kind is Kind.REJECTED:
            return soft
        telling = bool(notice.status) and not notice.status.endswith(".0.0")
        code = notice.code or ({"4": 450, "5": 550}.get(notice.status[:1]) if telling else None)
        if code is None or code < 400:
            return Outcome(kind=Class.HARD, rule="", message=Move.FAIL, suppress_after=1) if notice.hard else soft
        return classify(Phase.RCPT, code, notice.status if telling else None, notice.text, self.rules)

    def _tell(self, turn: Turn, lead: int, now: datetime) -> None:
        """A mail to the lead's owner, else to whom the project names for alerts."""
        to = turn.leads[lead].facts.owner or turn.live.project.alerts.fallback
        if to is None:
            log.warning("feedback.nobody_to_tell", lead=lead)
            return
        alerting.notify(turn.tx, to, WANTS_OUT, now, lead=lead, shard=turn.leads[lead].shard)

    def _leave(
        self, turn: Turn, lead: int, topic: str, method: str, evidence: dict[str, object], now: datetime
    ) -> bool:
        said = Declaration(
            lead=lead,
            topic=topic,
            action="withdraw",
            by="person",
            actor=self.source,
            occurred_at=now,
            proof=Proof(method=method, source=self.source, evidence=evidence or None),
        )
        [answer] = consent.change(turn.tx, [said], turn.live.consent_rules, now)
        return isinstance(answer, consent.Changed)


def refuse(tx: Transaction, source: str, why: str) -> None:
    """Count a report that was not believed, for whoever watches (`nurture_reports_refused_total`)."""
    tallies.add(tx, tallies.REPORTS, {f"{source} {why}": 1}, tallies.EVER)


_HARMLESS = (Kind.AUTORESPONDED, Kind.DEFERRED, Kind.UNKNOWN, Kind.QUEUED, Kind.OPENED, Kind.CLICKED)


def _said(mail: SentMail) -> dict[str, object]:
    return {"mail": mail.template, "step": mail.step, "campaign": mail.campaign, "message": mail.id}


def _plain(text: str) -> str:
    """Words of others as they may be stored: short, and no control characters (PostgreSQL takes no NUL)."""
    return "".join(ch for ch in text if ch.isprintable())[:60]
