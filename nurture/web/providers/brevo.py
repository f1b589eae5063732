"""Brevo: nothing is signed, so a password or token and the networks it posts from (developers.brevo.com, "Secure your
webhooks"). Setting: `user:password` or the token, and the networks after it.
"""

from __future__ import annotations

from collections.abc import Sequence

from nurture.mail.report import Kind, Notice
from nurture.web.providers.posted import Posted, answer, instant, items, mapping, marks, words

_KINDS = {
    "request": Kind.QUEUED,
    "sent": Kind.QUEUED,
    "delivered": Kind.DELIVERED,
    "hard_bounce": Kind.BOUNCED,
    "soft_bounce": Kind.BOUNCED,
    "invalid_email": Kind.BOUNCED,
    "blocked": Kind.REJECTED,
    "error": Kind.FAILED,
    "deferred": Kind.DEFERRED,
    "spam": Kind.COMPLAINED,
    "complaint": Kind.COMPLAINED,
    "unsubscribed": Kind.UNSUBSCRIBED,
    "opened": Kind.OPENED,
    "unique_opened": Kind.OPENED,
    "proxy_open": Kind.OPENED,
    "click": Kind.CLICKED,
}
_HARD = {"hard_bounce": True, "invalid_email": True, "soft_bounce": False, "error": False}


def read(posted: Posted) -> Sequence[Notice]:
    """All notices of the request; Brevo posts one, or a list where batches are switched on. Raises Unverified and
    Unreadable."""
    posted.require_login()
    body = posted.json()
    found = []
    for event in items(body) if isinstance(body, list) else [mapping(body)]:
        name = words(event.get("event"))
        code, status, text = answer(event.get("reason"))
        when = event.get("ts_epoch") or event.get("ts_event") or event.get("ts")
        found.append(
            Notice(
                kind=_KINDS.get(name, Kind.UNKNOWN),
                marks=marks(event.get("message-id")),
                recipient=words(event.get("email")),
                code=code,
                status=status,
                text=text,
                hard=_HARD.get(name),
                at=instant(when),
                id=":".join(
                    (name, words(event.get("message-id")), words(when))
                ),  # `id` is the webhook's, not the event's
                raw=name,
            )
        )
    return found
