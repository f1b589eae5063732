"""What a template may print, told to the check by whoever knows the project and the campaign."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from nurture.mail.walk import LINKS, Shape

ENROLLMENT_FIELDS: dict[str, Shape] = {"id": "text", "key": "text", "entered_at": "date", "data": None}
CAMPAIGN_FIELDS: dict[str, Shape] = {"name": "text", "title": "text", "topic": "text"}
SENDER_FIELDS: dict[str, Shape] = {"name": "text", "email": "text", "reply_to": "text", "postal_address": "text"}
CONSENT_FIELDS: dict[str, Shape] = {
    "topic": "text",
    "title": "text",
    "wording": "text",
    "requested_at": "date",
    "source": "text",
    "ip": "text",
}


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a template may print. A shape is a type's name, a mapping of shapes, or [mapping] for a list; a field that
    is None may hold anything. `entry` None: nothing is known of the entry event, so any property may be there."""

    lead: Mapping[str, Shape]
    account: Mapping[str, Shape] = {}
    entry: Mapping[str, Shape] | None = None
    enrollment: Mapping[str, Shape] = msgspec.field(default_factory=lambda: dict(ENROLLMENT_FIELDS))
    campaign: Mapping[str, Shape] = msgspec.field(default_factory=lambda: dict(CAMPAIGN_FIELDS))
    sender: Mapping[str, Shape] = msgspec.field(default_factory=lambda: dict(SENDER_FIELDS))
    topics: Collection[str] | None = None
    forms: Mapping[str, Collection[str]] = {}

    def names(self, *, confirmation: bool = False) -> dict[str, Shape]:
        """Every name a template begins with, and its shape."""
        names: dict[str, Shape] = {
            "lead": dict(self.lead),
            "account": dict(self.account),
            "entry": None if self.entry is None else dict(self.entry),
            "enrollment": dict(self.enrollment),
            "campaign": dict(self.campaign),
            "sender": dict(self.sender),
            "links": dict(LINKS),
            "now": "date",
            "subject": "text",
            "preheader": "text",
            "locale": "text",
        }
        return names | ({"consent": dict(CONSENT_FIELDS)} if confirmation else {})
