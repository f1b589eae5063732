"""Postmark: nothing is signed, so a password and the networks it posts from (postmarkapp.com/support, "IPs for
webhooks"). Setting: `user:password` and the networks after it.

Its reports name a mail by a number of their own. Ours is found in `Metadata` or, where "include message content" is
ticked, in the returned mail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nurture.mail.report import Kind, Notice
from nurture.web.providers.posted import Posted, answer, instant, mapping, marks, message_id_in, words

_RECORDS = {
    "Delivery": Kind.DELIVERED,
    "Open": Kind.OPENED,
    "Click": Kind.CLICKED,
    "SpamComplaint": Kind.COMPLAINED,
}
# https://postmarkapp.com/developer/api/bounce-api#bounce-types
_BOUNCES = {
    "HardBounce": Kind.BOUNCED,
    "SoftBounce": Kind.BOUNCED,
    "Transient": Kind.DEFERRED,
    "DnsError": Kind.DEFERRED,
    "Unsubscribe": Kind.UNSUBSCRIBED,
    "Subscribe": Kind.UNKNOWN,
    "AutoResponder": Kind.AUTORESPONDED,
    "AddressChange": Kind.AUTORESPONDED,
    "SpamNotification": Kind.BOUNCED,
    "SpamComplaint": Kind.COMPLAINED,
    "BadEmailAddress": Kind.BOUNCED,
    "ManuallyDeactivated": Kind.REJECTED,
    "Blocked": Kind.BOUNCED,
    "DMARCPolicy": Kind.REJECTED,
    "InboundError": Kind.UNKNOWN,
    "VirusNotification": Kind.BOUNCED,
    "ChallengeVerification": Kind.AUTORESPONDED,
}
_HARD = ("HardBounce", "BadEmailAddress")


def read(posted: Posted) -> Sequence[Notice]:
    """The one notice of the request. Raises Unverified and Unreadable."""
    posted.require_login()
    event = mapping(posted.json())
    record, kind = words(event.get("RecordType")), words(event.get("Type"))
    code, status, text = answer(event.get("Details"), event.get("Description"))
    own = words(mapping(event.get("Metadata")).get("nurture"))
    when = next((event[n] for n in ("BouncedAt", "DeliveredAt", "ReceivedAt", "ChangedAt") if event.get(n)), None)
    return [
        Notice(
            kind=_kind(event, record, kind),
            marks=marks(own, message_id_in(event.get("Content"))),
            recipient=words(event.get("Email") or event.get("Recipient")),
            code=code,
            status=status,
            text=text,
            hard=kind in _HARD if record == "Bounce" else None,
            at=instant(when),
            id=":".join((record, words(event.get("ID") or event.get("MessageID")), words(when))),
            raw=f"{record}.{kind}" if kind else record,
        )
    ]


def _kind(event: Mapping[str, Any], record: str, kind: str) -> Kind:
    match record:
        case "Bounce":
            return _BOUNCES.get(kind, Kind.UNKNOWN)
        case "SubscriptionChange":
            left = event.get("SuppressSending") is True and event.get("SuppressionReason") == "ManualSuppression"
            return Kind.UNSUBSCRIBED if left and event.get("Origin") == "Recipient" else Kind.UNKNOWN
        case _:
            return _RECORDS.get(record, Kind.UNKNOWN)
