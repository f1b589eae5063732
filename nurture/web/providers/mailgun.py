"""Mailgun: HMAC-SHA256 over timestamp and token with the HTTP webhook signing key; each token counts once.

The signature does not cover the rest of the body (documentation.mailgun.com, "Securing Webhooks"): what is believed of
it rests on our own mark, as with every notice. Setting: the signing key; several while one is being changed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from nurture.mail.report import Kind, Notice
from nurture.web.providers.posted import Posted, Unverified, answer, instant, mapping, marks, words

_KINDS = {
    "accepted": Kind.QUEUED,
    "rejected": Kind.REJECTED,
    "delivered": Kind.DELIVERED,
    "opened": Kind.OPENED,
    "clicked": Kind.CLICKED,
    "unsubscribed": Kind.UNSUBSCRIBED,
    "complained": Kind.COMPLAINED,
}


def read(posted: Posted) -> Sequence[Notice]:
    """The one notice of the request. Raises Unverified and Unreadable."""
    body = mapping(posted.json())
    token = _verify(posted, mapping(body.get("signature")))
    event = mapping(body.get("event-data"))
    headers = mapping(mapping(event.get("message")).get("headers"))
    status = mapping(event.get("delivery-status"))
    code, enhanced, text = answer(status.get("message"), status.get("description"))
    given = status.get("code")
    return [
        Notice(
            kind=_kind(event),
            marks=marks(mapping(event.get("envelope")).get("sender"), headers.get("message-id")),
            recipient=words(event.get("recipient")),
            code=given if isinstance(given, int) and 200 <= given < 600 else code,
            status=words(status.get("enhanced-code")) or enhanced,
            text=text,
            at=instant(event.get("timestamp")),
            id=token,
            raw=words(event.get("event")),
        )
    ]


def _verify(posted: Posted, signature: Mapping[str, Any]) -> str:
    at, token, given = (words(signature.get(name)) for name in ("timestamp", "token", "signature"))
    if not (at and token and given):
        raise Unverified("the signature is missing")
    made = [hmac.new(key.encode(), f"{at}{token}".encode(), hashlib.sha256).hexdigest() for key in posted.settings]
    if not any(hmac.compare_digest(one.encode(), given.encode()) for one in made):
        raise Unverified("the signature does not fit")
    posted.require_fresh(instant(at))
    return token


def _kind(event: Mapping[str, Any]) -> Kind:
    name = words(event.get("event"))
    if name != "failed":
        return _KINDS.get(name, Kind.UNKNOWN)
    if event.get("severity") == "temporary":
        return Kind.DEFERRED
    # "suppress-bounce", "suppress-complaint"…: on the provider's own list, it was not tried.
    return Kind.REJECTED if words(event.get("reason")).startswith("suppress") else Kind.BOUNCED
