"""Signed links: unsubscribe, preferences, confirmation, forms, clicks, opens, and the envelope sender of a mail.

A token is `payload.signature`: a few numbers and short words, and 128 bits of HMAC-SHA256 bound to one purpose, so that
an unsubscribe token opens nothing else (trust X6). The payload can be read by anybody and therefore never holds an
address. The first secret signs, all verify. What unsubscribes also verifies with keys long gone (`kept`): a link in a
five-year-old mail works after any number of key changes (trust C16).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec
from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode
from itsdangerous.signer import HMACAlgorithm

from nurture.errors import UserError

Atom = int | str
Payload = tuple[Atom, ...]

LONGEST_TOKEN = 200
_SIGNATURE = 16  # octets of HMAC-SHA256 kept: 128 bits


class Purpose(StrEnum):
    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    CONFIRM = "confirm"
    FORM = "form"
    DATA = "data"
    ERASE = "erase"
    CLICK = "click"
    OPEN = "open"
    PAGE = "page"  # the form token of a public page (trust X9)


# Where a person takes something back, the link outlives its key.
_FOR_EVER = frozenset({Purpose.UNSUBSCRIBE, Purpose.PREFERENCES})


class TokenTooLong(UserError):
    """The fields of a link do not fit into a token of 200 characters."""


class _Hmac128(HMACAlgorithm):
    """HMAC-SHA256 cut to 128 bits; itsdangerous compares in constant time."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return super().get_signature(key, value)[:_SIGNATURE]


class Links:
    """Makes and reads the links of one project. `base_url` may have a path; `secrets[0]` signs, all verify. `mailto`:
    the address that unsubscribes by mail, where one is offered."""

    def __init__(self, base_url: str, secrets: Sequence[str], *, kept: Sequence[str] = (), mailto: str = "") -> None:
        if not secrets or not all(secrets):
            raise UserError("no secret to sign links with", hint="set `secrets` in config.yaml")
        self._base = base_url.rstrip("/")
        self._mailto = mailto
        self._secrets = [secret.encode("utf-8") for secret in secrets]
        self._kept = list(kept)
        self._signers = {purpose: self._signer(purpose) for purpose in Purpose}
        self._verp_keys = [_derived(secret, "verp") for secret in self._secrets]

    @property
    def base(self) -> str:
        """Where all our own pages lie."""
        return self._base

    def unsubscribe(self, lead: Atom, topic: str, message: Atom) -> str:
        """The one-click address, also shown in the mail; never expires (trust C16)."""
        return f"{self._base}/u/{self.token(Purpose.UNSUBSCRIBE, lead, topic, message)}"

    def unsubscribe_mailto(self, link: str) -> str:
        """The same as this link, by mail: its token is the subject (RFC 2369 §3.2, trust C19). Empty where that is not
        offered."""
        return f"mailto:{self._mailto}?subject={link.rpartition('/')[2]}" if self._mailto and link else ""

    def preferences(self, lead: Atom) -> str:
        """The preference centre of a lead; never expires."""
        return f"{self._base}/p/{self.token(Purpose.PREFERENCES, lead)}"

    def confirm(self, lead: Atom, topic: str, request: Atom) -> str:
        """The double opt-in page. `request` names the stored request, which knows when it expires (trust C7)."""
        return f"{self._base}/c/{self.token(Purpose.CONFIRM, lead, topic, request)}"

    def my_data(self, lead: Atom, request: Atom, address: Atom) -> str:
        """The page that hands out all data; `request` is the second it was asked in, `address` a mark of the mailbox
        the link was mailed to."""
        return f"{self._base}/d/{self.token(Purpose.DATA, lead, request, address)}"

    def erase_me(self, lead: Atom, request: Atom, address: Atom) -> str:
        """The page that erases the lead; fields as of `my_data`."""
        return f"{self._base}/e/{self.token(Purpose.ERASE, lead, request, address)}"

    def form(self, name: str, lead: Atom, fields: dict[str, Any] | None = None) -> str:
        """A hosted form that knows the lead and has `fields` filled in. Raises TokenTooLong."""
        flat = [part for field, value in (fields or {}).items() for part in (field, str(value))]
        return f"{self._base}/f/{name}/{self.token(Purpose.FORM, name, lead, *flat)}"

    def click(self, message: Atom, link: Atom) -> str:
        """A counted click on the `link`-th address of a mail; the target is stored, not in the address (X10)."""
        return f"{self._base}/r/{self.token(Purpose.CLICK, message, link)}"

    def open(self, message: Atom) -> str:
        """The picture that counts an opening; made only for who consented to it (trust C20)."""
        return f"{self._base}/o/{self.token(Purpose.OPEN, message)}"

    def token(self, purpose: Purpose, *payload: Atom) -> str:
        """A signed token of 16 to 200 URL-safe characters. Raises TokenTooLong."""
        if any(isinstance(atom, str) and "@" in atom for atom in payload):
            raise UserError("a link must not hold an address: everybody who sees the link can read it")
        signed: str = self._signers[purpose].sign(base64_encode(msgspec.msgpack.encode(payload))).decode("ascii")
        if len(signed) > LONGEST_TOKEN:
            raise TokenTooLong(f"the link's fields need {len(signed)} characters, {LONGEST_TOKEN} is the most")
        return signed

    def read(self, purpose: Purpose, token: str) -> Payload | None:
        """What `token` was given for this purpose, or None for anything else, however it was made."""
        if not 16 <= len(token) <= LONGEST_TOKEN or not token.isascii():
            return None
        try:
            value = self._signers[purpose].unsign(token)
            # Base64 spells one signature in several ways; only ours is accepted: a changed token is a forged one.
            signature = token.rpartition(".")[2].encode("ascii")
            if base64_encode(base64_decode(signature)) != signature:
                return None
            return msgspec.msgpack.decode(base64_decode(value), type=Payload)
        except (BadData, msgspec.MsgspecError, ValueError):
            return None

    def read_unsubscribe(self, token: str) -> tuple[int, str, Atom] | None:
        """(lead, topic, message) of an unsubscribe link's token, or None for anything else."""
        match self.read(Purpose.UNSUBSCRIBE, token):
            case (int(lead), str(topic), (int() | str()) as message):
                return lead, topic, message
        return None

    def verp(self, message: int) -> str:
        """The local part of the envelope sender, equal for every attempt of a message (trust E10).

        Letters are lower-case, because some servers change the case of a local part; 64 octets at most.
        """
        number = _base36(message)
        return f"b+{number}.{_verp_mac(self._verp_keys[0], number)}"

    def read_verp(self, local: str) -> int | None:
        """The message a returned mail is about, or None for a forged or foreign address (trust E24)."""
        number, _, mac = local.lower().removeprefix("b+").partition(".")
        if not number or not number.isascii() or not number.isalnum() or len(number) > 16:
            return None
        found = [hmac.compare_digest(_verp_mac(key, number).encode(), mac.encode("utf-8")) for key in self._verp_keys]
        return int(number, 36) if any(found) else None

    def keys_to_keep(self) -> list[str]:
        """Keys that must be stored for ever, so that `kept` can bring them back when their secrets are gone.

        They verify what takes consent back and nothing else, and do not give away the secrets.
        """
        pairs = ((purpose, _derived(secret, purpose)) for secret in self._secrets for purpose in _FOR_EVER)
        return sorted({f"{purpose}:{base64_encode(key).decode('ascii')}" for purpose, key in pairs} | set(self._kept))

    def _signer(self, purpose: Purpose) -> Signer:
        keys = [_derived(secret, purpose) for secret in reversed(self._secrets)]  # itsdangerous signs with the last
        if purpose in _FOR_EVER:
            old = [key.split(":", 1) for key in self._kept]
            keys = [*(base64_decode(key) for name, key in old if name == purpose), *keys]
        return Signer(keys, salt=purpose.value, key_derivation="none", algorithm=_Hmac128(hashlib.sha256))


class LeadLinks:
    """The `links` of one mail, as templates see them; each is made when it is first asked for."""

    def __init__(
        self, links: Links, *, lead: Atom, topic: str = "", message: Atom = 0, requests: dict[str, Atom] | None = None
    ) -> None:
        self._links = links
        self._lead = lead
        self._topic = topic
        self._message = message
        self._requests = requests or {}
        self._unsubscribe = ""

    @property
    def unsubscribe(self) -> str:
        if not self._unsubscribe:
            self._unsubscribe = self._links.unsubscribe(self._lead, self._topic, self._message)
        return self._unsubscribe

    @property
    def unsubscribe_mailto(self) -> str:
        return self._links.unsubscribe_mailto(self.unsubscribe)

    @property
    def preferences(self) -> str:
        return self._links.preferences(self._lead)

    def confirm(self, topic: str) -> str:
        """The confirmation page of `topic`; the request is the open one of that topic, else 0."""
        return self._links.confirm(self._lead, topic, self._requests.get(topic, 0))

    @property
    def my_data(self) -> str:
        """Only in the mail that answers the request for it."""
        return self._links.my_data(self._lead, *self._asked())

    @property
    def erase_me(self) -> str:
        return self._links.erase_me(self._lead, *self._asked())

    def _asked(self) -> tuple[Atom, Atom]:
        return self._requests.get("$asked", 0), self._requests.get("$address", "")

    def form(self, name: str, **fields: Any) -> str:
        return self._links.form(name, self._lead, fields)


def _derived(secret: bytes, purpose: str) -> bytes:
    return hmac.new(secret, b"nurture/link/" + purpose.encode("ascii"), hashlib.sha256).digest()


def _verp_mac(key: bytes, number: str) -> str:
    mac = hmac.digest(key, number.encode("ascii"), "sha256")[:_SIGNATURE]  # a third of what an object for it costs
    return base64.b32encode(mac).decode("ascii").rstrip("=").lower()


def _base36(number: int) -> str:
    if number < 0:
        raise ValueError("a message's number is not negative")
    digits = ""
    while True:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
        if not number:
            return digits
