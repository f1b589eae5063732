"""Systems that were given data of leads are told when one is erased (GDPR 19, trust C28).

A row of the outbox for each webhook with `erasures: true`, written in the erasure's own transaction and called like any
other webhook, but again and again until it is taken; then the row is deleted. It holds no more than the receiver needs
to find the person: its own ids, and the address under a key that only the receiver has, never the address.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from nurture.campaign.project import Project
from nurture.lead.keyring import Keyring
from nurture.lead.lead import LeadId, shard_of
from nurture.store import outbox
from nurture.store.database import Transaction
from nurture.store.erasing import Known

_TYPE = "lead.erased"


def tell(tx: Transaction, project: Project, keyring: Keyring, lead: LeadId, known: Known, now: datetime) -> None:
    """Have every such system told that this lead is erased. `known` is what they may know the person by."""
    rows = []
    for name in (hook.name for hook in project.webhooks.values() if hook.erasures):
        address = known.address and keyring.webhook_pseudonym(name, known.address)
        said = {"lead": lead, "external_ids": known.external_ids, "address_hmac": address}
        body = {"type": _TYPE, "timestamp": now, "data": said}
        rows.append(
            {
                "shard": shard_of(lead),
                "kind": outbox.ERASURE,
                "service": True,
                "options": {"webhook": name},
                "lane": f"webhook:{name}",
                "body": msgspec.json.encode(body),
                "due": now,
                "released_at": now,
            }
        )
    outbox.insert(tx, rows)
