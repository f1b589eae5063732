"""Amazon SES over SNS: RSA over the message, with a certificate of Amazon's (docs.aws.amazon.com/sns, "Verifying the
signatures of Amazon SNS messages"). Setting: the ARNs of the topics whose messages are taken.

The certificate is fetched over https from SNS's own hosts and from nowhere else, whatever the message says.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from nurture.mail.report import Kind, Notice
from nurture.web.providers.posted import Posted, Unreadable, Unverified, answer, instant, items, mapping, marks, words

# SNS repeats a message with its first time on it, so five minutes would lose what came while we were away. Which
# messages were taken is remembered for longer than this.
FRESH = timedelta(hours=1)
_HOST = re.compile(r"sns\.[a-z0-9-]{3,40}\.amazonaws\.com(\.cn)?")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_KINDS = {
    "Send": Kind.QUEUED,
    "Reject": Kind.REJECTED,
    "Rendering Failure": Kind.FAILED,
    "Bounce": Kind.BOUNCED,
    "Complaint": Kind.COMPLAINED,
    "Delivery": Kind.DELIVERED,
    "DeliveryDelay": Kind.DEFERRED,
    "Open": Kind.OPENED,
    "Click": Kind.CLICKED,
    "Subscription": Kind.UNSUBSCRIBED,
}


def read(posted: Posted) -> Sequence[Notice]:
    """All notices of the message; none of one that confirms a subscription, which is answered here. Raises Unverified
    and Unreadable."""
    message = mapping(posted.json())
    kind = words(message.get("Type"))
    if words(message.get("TopicArn")) not in posted.settings:
        raise Unverified("the topic is not one of those configured")
    _verify(posted, message, kind)
    if kind == "SubscriptionConfirmation":
        posted.fetch(_amazon(words(message.get("SubscribeURL"))))
    if kind != "Notification":
        return []
    try:
        event = mapping(msgspec.json.decode(words(message.get("Message"))))
    except msgspec.DecodeError as error:
        raise Unreadable("the message is not JSON") from error
    return _notices(event, words(message.get("MessageId")))


def _verify(posted: Posted, message: Mapping[str, Any], kind: str) -> None:
    if kind not in _SIGNED:
        raise Unverified("this kind of message is not known")
    version = words(message.get("SignatureVersion"))
    if version not in ("1", "2"):
        raise Unverified("the signature's version is not known")
    url = _amazon(words(message.get("SigningCertURL")))
    if not urlsplit(url).path.endswith(".pem"):
        raise Unverified("the certificate is not at its place")
    signed = "".join(f"{name}\n{words(message[name])}\n" for name in _SIGNED[kind] if message.get(name) is not None)
    try:
        certificate = x509.load_pem_x509_certificate(posted.fetch(url))
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            raise Unverified("the certificate has no RSA key")
        if not certificate.not_valid_before_utc <= posted.now <= certificate.not_valid_after_utc:
            raise Unverified("the certificate is not valid now")
        given = base64.b64decode(words(message.get("Signature")), validate=True)
        algorithm = SHA1() if version == "1" else SHA256()  # noqa: S303 — SNS's version 1 is SHA-1
        key.verify(given, signed.encode("utf-8"), padding.PKCS1v15(), algorithm)
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise Unverified("the signature does not fit") from error
    posted.require_fresh(instant(words(message.get("Timestamp"))), FRESH)


def _amazon(url: str) -> str:
    """The address, where it is SNS's own. Raises Unverified."""
    try:
        parts = urlsplit(url)
        plain = parts.port is None and parts.username is None
    except ValueError:
        plain = False
    if not plain or parts.scheme != "https" or not _HOST.fullmatch(parts.hostname or ""):
        raise Unverified("its address is not Amazon's")
    return url


def _notices(event: Mapping[str, Any], sns_id: str) -> list[Notice]:
    name = words(event.get("eventType") or event.get("notificationType"))
    mail = mapping(event.get("mail"))
    ids = [h.get("value") for h in items(mail.get("headers")) if words(h.get("name")).lower() == "message-id"]
    named = marks(mail.get("source"), *ids, mapping(mail.get("commonHeaders")).get("messageId"))
    part = mapping(event.get(name[:1].lower() + name[1:]))
    recipients = [
        item
        for key in ("bouncedRecipients", "complainedRecipients", "delayedRecipients")
        for item in items(part.get(key))
    ] or [
        {"emailAddress": address} for address in _list(part.get("recipients")) or _list(mail.get("destination")) or [""]
    ]
    return [
        _notice(name, part, item, named, f"{sns_id}:{number}" if number else sns_id)
        for number, item in enumerate(recipients)
    ]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _notice(
    name: str, part: Mapping[str, Any], item: Mapping[str, Any], named: tuple[str, ...], event_id: str
) -> Notice:
    kind = _KINDS.get(name, Kind.UNKNOWN)
    complaint = words(part.get("complaintFeedbackType"))
    if complaint in ("not-spam", "virus", "auth-failure"):
        kind = Kind.UNKNOWN
    if part.get("bounceSubType") in ("Suppressed", "OnAccountSuppressionList"):
        kind = Kind.REJECTED  # it was not tried
    if name == "Subscription" and mapping(part.get("newTopicPreferences")).get("unsubscribeAll") is not True:
        kind = Kind.UNKNOWN
    code, status, text = answer(item.get("diagnosticCode"), part.get("smtpResponse"))
    return Notice(
        kind=kind,
        marks=named,
        recipient=words(item.get("emailAddress")),
        action=words(item.get("action")),
        code=code,
        status=words(item.get("status")) or status,
        text=text,
        hard=part.get("bounceType") == "Permanent" if name == "Bounce" else None,
        at=instant(part.get("timestamp")),
        id=event_id,
        raw=complaint or name,
    )
