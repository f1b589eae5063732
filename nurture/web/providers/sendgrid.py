"""SendGrid: ECDSA P-256 over timestamp and raw body (docs.sendgrid.com, "Event Webhook Security Features"). Setting:
the verification key as the account shows it; several while one is being changed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from nurture.mail.report import Kind, Notice
from nurture.web.providers.posted import Posted, Unreadable, Unverified, answer, instant, items, marks, words

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
_KINDS = {
    "processed": Kind.QUEUED,
    "dropped": Kind.REJECTED,
    "deferred": Kind.DEFERRED,
    "delivered": Kind.DELIVERED,
    "bounce": Kind.BOUNCED,
    "open": Kind.OPENED,
    "click": Kind.CLICKED,
    "spamreport": Kind.COMPLAINED,
    "unsubscribe": Kind.UNSUBSCRIBED,
    "group_unsubscribe": Kind.UNSUBSCRIBED,
}


def read(posted: Posted) -> Sequence[Notice]:
    """All notices of the request. Raises Unverified and Unreadable."""
    _verify(posted)
    events = posted.json()
    if not isinstance(events, list):
        raise Unreadable("the body is not a list of events")
    return [_notice(event) for event in items(events)]


def _verify(posted: Posted) -> None:
    at = posted.header(TIMESTAMP)
    try:
        signature = base64.b64decode(posted.header(SIGNATURE), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unverified("the signature is not base64") from error
    if not any(_fits(key, signature, at.encode() + posted.body) for key in posted.settings):
        raise Unverified("the signature does not fit")
    posted.require_fresh(instant(at))


def _fits(key: str, signature: bytes, signed: bytes) -> bool:
    try:
        public = load_der_public_key(base64.b64decode(key, validate=True))
        if not isinstance(public, EllipticCurvePublicKey):
            return False
        public.verify(signature, signed, ECDSA(SHA256()))
    except (InvalidSignature, UnsupportedAlgorithm, binascii.Error, ValueError):
        return False
    return True


def _notice(event: Mapping[str, Any]) -> Notice:
    name = words(event.get("event"))
    code, status, text = answer(event.get("reason"), event.get("response"))
    return Notice(
        kind=_KINDS.get(name, Kind.UNKNOWN),
        marks=marks(event.get("smtp-id")),
        recipient=words(event.get("email")),
        code=code,
        status=words(event.get("status")) or status,
        text=text,
        hard=event.get("type") != "blocked" if name == "bounce" else None,
        at=instant(event.get("timestamp")),
        id=words(event.get("sg_event_id")),
        raw=name,
    )
