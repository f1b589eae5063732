"""Whatever a provider's verified request holds, it is read or refused, and never breaks the endpoint (trust X12)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nurture.mail.report import Notice
from nurture.web.providers import READERS, Posted
from nurture.web.providers.posted import Unreadable, Unverified
from nurture.web.providers.ses import _notices

NOW = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
KEYS = st.sampled_from(
    [
        *("event", "email", "reason", "message-id", "ts_event", "RecordType", "Type", "Details", "Metadata", "Content"),
        *("event-data", "message", "headers", "envelope", "sender", "delivery-status", "code", "timestamp", "severity"),
        *("mail", "bounce", "bouncedRecipients", "complaint", "delivery", "recipients", "eventType", "destination"),
        *("data", "to", "subType", "diagnosticCode", "failed", "created_at", "type"),
        *("newTopicPreferences", "subscription", "status", "name", "value"),
    ]
)
WORDS = st.sampled_from(
    ["Bounce", "Delivery", "Subscription", "failed", "hard_bounce", "HardBounce", "550 5.1.1", "9e99"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=20
)


def read(name: str, body: Any, **headers: str) -> None:
    data = json.dumps(body).encode()
    posted = Posted({"authorization": "Bearer token", **headers}, data, "192.0.2.1", NOW, ("token",), lambda _url: b"")
    with suppress(Unverified, Unreadable):
        assert all(isinstance(notice, Notice) for notice in READERS[name](posted))


@settings(max_examples=60)
@given(VALUES)
def test_x12_brevo_and_postmark(body: Any) -> None:
    read("brevo", body)
    read("postmark", body)


@settings(max_examples=60)
@given(VALUES)
def test_x12_mailgun(event: Any) -> None:
    stamp = str(int(NOW.timestamp()))
    signature = hmac.new(b"token", f"{stamp}t".encode(), hashlib.sha256).hexdigest()
    read("mailgun", {"signature": {"timestamp": stamp, "token": "t", "signature": signature}, "event-data": event})


@settings(max_examples=60)
@given(st.dictionaries(KEYS, VALUES, max_size=8), WORDS)
def test_x12_what_amazon_signed(event: dict[str, Any], kind: str) -> None:
    assert all(isinstance(notice, Notice) for notice in _notices({**event, "eventType": kind}, "id"))


@settings(max_examples=60)
@given(VALUES)
def test_x12_resend(body: Any) -> None:
    stamp, key = str(int(NOW.timestamp())), "dG9rZW4="
    data = json.dumps(body).encode()
    made = base64.b64encode(hmac.digest(b"token", f"m.{stamp}.".encode() + data, "sha256")).decode()
    headers = {"webhook-id": "m", "webhook-timestamp": stamp, "webhook-signature": f"v1,{made}"}
    notices = READERS["resend"](Posted(headers, data, None, NOW, (key,), lambda _url: b""))
    assert all(isinstance(notice, Notice) for notice in notices)


@settings(max_examples=30)
@given(VALUES, st.binary(max_size=80))
def test_x12_an_unsigned_body_is_never_read(body: Any, signature: bytes) -> None:
    stamp = str(int(NOW.timestamp()))
    made = base64.b64encode(signature).decode()
    for name in ("sendgrid", "ses", "mailgun", "resend"):
        data = json.dumps(body).encode()
        headers = {
            "x-twilio-email-event-webhook-signature": made,
            "x-twilio-email-event-webhook-timestamp": stamp,
            "webhook-id": "m",
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{made}",
        }
        posted = Posted(headers, data, None, NOW, (base64.b64encode(b"x" * 91).decode(),), lambda _url: b"")
        try:
            READERS[name](posted)
        except (Unverified, Unreadable):
            continue
        raise AssertionError(f"{name} believed an unsigned body")
