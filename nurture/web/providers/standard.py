"""Standard Webhooks, which Svix signs by as well: HMAC-SHA256 over `id.timestamp.body` (standardwebhooks.com,
"Signature scheme"; docs.svix.com, "Verifying payloads manually"; trust X12). The secret is base64, mostly behind
`whsec_`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from nurture.web.providers.posted import Posted, Unverified, instant

_PREFIXES = ("webhook", "svix")  # the standard's own name of the headers, and the older one


def verify(posted: Posted) -> str:
    """The id of the request, which stays the same where it is sent again. Raises Unverified."""
    prefix = next((name for name in _PREFIXES if f"{name}-id" in posted.headers), _PREFIXES[0])
    name, at, given = (posted.header(f"{prefix}-{part}") for part in ("id", "timestamp", "signature"))
    signed = f"{name}.{at}.".encode() + posted.body
    made = [hmac.digest(key, signed, hashlib.sha256) for key in _keys(posted.settings)]
    if not any(hmac.compare_digest(one, other) for one in made for other in _signatures(given)):
        raise Unverified("the signature does not fit")
    posted.require_fresh(instant(at))
    return name


def _keys(settings: Sequence[str]) -> list[bytes]:
    return [key for word in settings if (key := _decoded(word.removeprefix("whsec_")))]


def _signatures(header: str) -> list[bytes]:
    """Several, divided by blanks, while a secret is being changed; `v1` is the version with HMAC."""
    parts = (part.partition(",") for part in header.split())
    return [_decoded(text) for version, _, text in parts if version == "v1"]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
