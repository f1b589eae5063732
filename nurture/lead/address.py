"""E-mail addresses: what may be written to, and what counts as the same mailbox.

Two forms are kept apart. The *address* is what we send to: the local part as the person wrote it, the domain as its
A-label. The *canonical* address only compares: it decides whether a suppression meets a lead (trust C27).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

import idna
import msgspec
from email_validator import EmailNotValidError, validate_email

LONGEST = 254  # octets in a path without its angle brackets (RFC 5321 §4.5.3.1.3)

# Domains that RFC 2606 and RFC 6761 keep for tests and examples: they reach nobody, and every example is written with
# them; email-validator refuses some even as a test environment.
_RESERVED = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*(?:test|example|invalid|localhost|local|example\.(?:com|net|org))",
    re.IGNORECASE,
)
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
# Mail software drops or splits on these without a word (trust finding 6): refused before any parser sees them.
_HOSTILE = re.compile(
    '[\x00-\x20\x7f-\xa0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u2069\ufeff\ud800-\udfff,;:<>()\\[\\]\\\\"]'
)


class AddressRefused(msgspec.Struct, frozen=True):
    """Not an address we would write to; `reason` is for a person and does not repeat the address."""

    reason: str


def check_address(text: str, *, test: bool = True) -> str | AddressRefused:
    """The address to send to, domain lower-case and as A-label, or why not (RFC 5321 §4.1.2, trust E22).

    A non-ASCII local part is kept; delivery needs SMTPUTF8 for it. `test` admits the reserved domains (`.test`,
    `localhost`, `.example`), which reach nobody.
    """
    text = text.strip()
    if not text:
        return AddressRefused("the address is empty")
    if _HOSTILE.search(text):
        return AddressRefused("the address holds a space, a comma or another character mail servers misread")
    if "=?" in text:
        return AddressRefused("the address holds an encoded word")
    local, at, domain = text.rpartition("@")
    if test and at and _RESERVED.fullmatch(domain):
        return _reserved(local, domain)
    try:
        valid = validate_email(text, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        return AddressRefused(_without_address(str(error), text))
    return f"{valid.ascii_local_part or valid.local_part}@{valid.ascii_domain}"


def canonical_address(text: str) -> str:
    """The form in which addresses compare: trimmed, NFKC, lower-case, domain as A-label; `+tag` and dots stay.

    Never fails: what is no address still compares with itself, so that a suppression of it holds.
    """
    text = unicodedata.normalize("NFKC", text.strip()).strip().lower()
    text = unicodedata.normalize("NFKC", text)
    local, at, domain = text.rpartition("@")
    if not at or domain.isascii():
        return text
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        return text


def is_among(address: str, names: Collection[str]) -> bool:
    """Whether the address, or its domain, is one of these lower-case names."""
    address = canonical_address(address)
    return address in names or address.rpartition("@")[2] in names


def _reserved(local: str, domain: str) -> str | AddressRefused:
    if not _LOCAL.fullmatch(local) or len(local) > 64:
        return AddressRefused("the part before the @ is not valid")
    if len(local) + 1 + len(domain) > LONGEST:
        return AddressRefused(f"the address is longer than {LONGEST} characters")
    return f"{local}@{domain.lower()}"


def _without_address(message: str, text: str) -> str:
    """email-validator may quote the address; reasons are logged, addresses are not."""
    local, _, domain = text.rpartition("@")
    if any(len(part) > 2 and part in message for part in (text, local, domain)):
        return "the address is not valid"
    return message[:1].lower() + message[1:].rstrip(".")
