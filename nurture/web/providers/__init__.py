"""Mail providers that report by webhook: a module each, from a verified request to `Notice`s in common words (E28)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nurture.mail.report import Notice
from nurture.web.providers import brevo, mailgun, postmark, resend, sendgrid, ses
from nurture.web.providers.posted import Posted

READERS: Mapping[str, Callable[[Posted], Sequence[Notice]]] = {
    "brevo": brevo.read,
    "mailgun": mailgun.read,
    "postmark": postmark.read,
    "resend": resend.read,
    "sendgrid": sendgrid.read,
    "ses": ses.read,
}

__all__ = ["READERS", "Posted"]
