"""A mail as whoever gets it can read it: what it is, what it is about, and what its links say."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from nurture.delivery.transport import Mail

_CONFIRM = re.compile(r"https?://\S+/c/([A-Za-z0-9_.\-]+)")
_PREFERENCES = re.compile(r"https?://\S+(/p/[A-Za-z0-9_.\-]+)")


@dataclass(frozen=True, slots=True)
class Letter:
    """`kind` is marketing, service or confirm. `step` is unlike for every step of every enrollment."""

    number: int
    recipient: str
    kind: str
    campaign: str
    topic: str
    step: str
    message_id: str
    unsubscribe: str | None  # the path of the one-click address in its header
    preferences: str | None
    confirm: str | None  # the token of its confirmation link


def read(mail: Mail) -> Letter:
    """Out of the bytes alone; the templates of this world write `|class|campaign|topic|step|` as their subject."""
    found = email.message_from_bytes(mail.data, policy=email.policy.default)
    part = found.get_body(("plain",))
    text = part.get_content() if part is not None else ""
    confirm, preferences = _CONFIRM.search(text), _PREFERENCES.search(text)
    header = found.get("List-Unsubscribe")
    subject = str(found["Subject"]).split("|")
    kind, campaign, topic, step = subject[1:5] if len(subject) > 4 else ("confirm", "", "", "")
    return Letter(
        number=mail.id,
        recipient=mail.recipient,
        kind=kind,
        campaign=campaign,
        topic=topic,
        step=step,
        message_id=str(found["Message-ID"]),
        unsubscribe=None if header is None else urlsplit(str(header).partition(">")[0].lstrip("< ")).path,
        preferences=preferences[1] if preferences else None,
        confirm=confirm[1] if confirm else None,
    )
