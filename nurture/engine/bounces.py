"""Replies that prove an address dead: suppressed at once, or after so many within a time (trust E15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from nurture.engine.turn import Turn
from nurture.lead.keyring import Keyring
from nurture.lead.permission import ALL
from nurture.mail.outcome import Kind, Outcome
from nurture.store import bounced, closures, suppressions
from nurture.store.closures import domain_of
from nurture.store.outbox import Claimed, Result


def note(
    turn: Turn,
    refused: Sequence[tuple[Claimed, Outcome, Result]],
    recipients: Mapping[int, str],
    keyring: Keyring,
    now: datetime,
) -> None:
    """Mark these mails as bounced, tell campaigns, and suppress the addresses whose time has come. `recipients` has by
    message the address the server spoke of: the lead may have another one by now, or be gone (S29)."""
    mine = [(m, o, r) for m, o, r in refused if m.lead is not None and r.state == "failed"]
    if not mine:
        return
    owners = turn.owners(m for m, _, _ in mine)
    bounced.mark(turn.tx, {m.id: str(o.kind) for m, o, _ in mine}, now)
    closed = closures.standing(turn.tx) if any(o.kind is Kind.DOMAIN for _, o, _ in mine) else {}
    dead = []
    for m, o, _ in mine:
        address, lead = recipients[m.id], owners.get(m.id)
        mailbox = keyring.address_hash(address)
        if lead is not None:
            told = {"mail": m.template, "step": m.step, "message": m.id, "kind": o.kind}
            turn.emit(lead, "mail.bounced", now, told)
        enough = o.suppress_after <= 1
        if o.kind is Kind.DOMAIN:  # not this address, but everybody's at that domain (trust E15)
            enough = domain_of(address) in closed
        elif not enough and lead is not None:
            enough = bounced.count(turn.tx, lead, mailbox, str(o.kind), now - o.suppress_within) >= o.suppress_after
        if enough:
            dead.append((mailbox, ALL, f"bounce: {o.rule}"))
    suppressions.suppress(turn.tx, dead, now)
