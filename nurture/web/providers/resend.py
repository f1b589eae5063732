"""Resend: signed by Standard Webhooks, with Svix's names of the headers (resend.com/docs/webhooks). Setting: the
signing secret; several while one is being changed.

Its reports say a type and words, and the remote server's code only now and then. They repeat the mail's own headers,
where our mark is found: Resend may give a mail a Message-ID of its own, but keeps its List-Unsubscribe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from email.utils import parseaddr
from typing import Any

from nurture.mail.report import Kind, Notice
from nurture.web.providers import standard
from nurture.web.providers.posted import Posted, answer, instant, items, mapping, marks, words

_KINDS = {
    "email.scheduled": Kind.QUEUED,
    "email.sent": Kind.QUEUED,  # taken by Resend, not by the mailbox
    "email.delivered": Kind.DELIVERED,
    "email.delivery_delayed": Kind.DEFERRED,
    "email.bounced": Kind.BOUNCED,
    "email.suppressed": Kind.REJECTED,
    "email.complained": Kind.COMPLAINED,
    "email.failed": Kind.FAILED,
    "email.opened": Kind.OPENED,
    "email.clicked": Kind.CLICKED,
}
_LINK = re.compile(r"<https?://[^<>]*/([^/<>]+)>")


def read(posted: Posted) -> Sequence[Notice]:
    """The one notice of the request. Raises Unverified and Unreadable."""
    name = standard.verify(posted)
    event = mapping(posted.json())
    data = mapping(event.get("data"))
    kind, bounce = words(event.get("type")), mapping(data.get("bounce"))
    said = bounce.get("diagnosticCode")
    told = said if isinstance(said, list) else [said]
    code, status, text = answer(*told, bounce.get("message"), mapping(data.get("failed")).get("reason"))
    to = data.get("to")
    recipient = words(to[0]) if isinstance(to, list) and to else words(to)
    return [
        Notice(
            kind=_kind(kind, bounce),
            marks=_marks(data),
            recipient=parseaddr(recipient)[1],
            code=code,
            status=status,
            text=text,
            hard=words(bounce.get("type")).lower() == "permanent" if kind == "email.bounced" else None,
            at=instant(event.get("created_at")),
            id=name,
            raw=kind,
        )
    ]


def _kind(name: str, bounce: Mapping[str, Any]) -> Kind:
    if name == "email.bounced" and "suppress" in words(bounce.get("subType")).lower():
        return Kind.REJECTED  # on the provider's own list: it was not tried
    return _KINDS.get(name, Kind.UNKNOWN)


def _marks(data: Mapping[str, Any]) -> tuple[str, ...]:
    headers = {words(h.get("name")).lower(): words(h.get("value")) for h in items(data.get("headers"))}
    link = _LINK.search(headers.get("list-unsubscribe", ""))
    return marks(headers.get("message-id"), data.get("message_id"), link[1] if link else "")
