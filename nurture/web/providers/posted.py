"""What a provider posted, and what all of them need to judge and read it."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from nurture.mail.outcome import enhanced_code

FRESH = timedelta(minutes=5)  # how far a signed time may be from ours, either way (trust X12)
_CODE = re.compile(r"(?:^|[\s;:])([245]\d\d)(?=[ \-])[ -]?")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_ID = re.compile(r"^Message-I[dD]:\s*<?([^<>\s]+)", re.M)


class Unverified(Exception):
    """It does not come from the provider, or not now; nothing of it is believed. The reason holds no secret."""


class NoLogin(Unverified):
    """The password is missing or wrong."""


class Unavailable(Exception):
    """What it is verified with cannot be had now; the provider is to try again."""


class Unreadable(Exception):
    """It is from the provider and cannot be understood."""


@dataclass(frozen=True)
class Posted:
    """A request. `headers` are lower-case; `settings` are the words configured for this provider; `address` is where it
    came from; `fetch` gets a document of the provider's over https."""

    headers: Mapping[str, str]
    body: bytes
    address: str | None
    now: datetime
    settings: tuple[str, ...]
    fetch: Callable[[str], bytes]

    def header(self, name: str) -> str:
        """Raises Unverified where it is missing."""
        value = self.headers.get(name)
        if not value:
            raise Unverified(f"the header {name} is missing")
        return value

    def json(self) -> Any:
        """Raises Unreadable for what is not JSON."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable("the body is not JSON") from error

    def require_fresh(self, at: datetime | None, within: timedelta = FRESH) -> None:
        """Raises Unverified for a signed time too far away."""
        if at is None or abs(self.now - at) > within:
            raise Unverified("its time is too far from ours")

    def require_login(self) -> None:
        """Where nothing is signed: a password (`user:password`, or alone for any user, or as a Bearer token), and
        the networks they post from, where those are configured beside it. Raises NoLogin and Unverified."""
        secrets = [word for word in self.settings if _network(word) is None]
        networks = [network for word in self.settings if (network := _network(word)) is not None]
        scheme, _, rest = self.headers.get("authorization", "").partition(" ")
        given = _login(scheme.lower(), rest.strip())
        if not any(_same(given, secret) for secret in secrets):
            raise NoLogin("the password is missing or another one")
        if networks and not _within(self.address, networks):
            raise Unverified("it comes from another network than the provider's")


def mapping(value: Any) -> Mapping[str, Any]:
    """The object itself, an empty one for anything else: providers leave out what they like."""
    return value if isinstance(value, dict) else {}


def words(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def items(value: Any) -> list[Mapping[str, Any]]:
    return [mapping(item) for item in value] if isinstance(value, list) else []


def marks(*values: Any) -> tuple[str, ...]:
    """Local parts of addresses and Message-IDs that may name our mail, in the order given."""
    found = (words(value).strip().strip("<>").partition("@")[0] for value in values)
    return tuple(dict.fromkeys(mark for mark in found if mark))


def message_id_in(text: Any) -> str:
    """The last Message-ID in a returned mail that was put into a report as text: the original's."""
    found = _ID.findall(words(text)[:100_000])
    return found[-1] if found else ""


def answer(*texts: Any) -> tuple[int | None, str, str]:
    """(code, enhanced code, words) of a server's answer that stands somewhere in these, the first that has one."""
    plain = [" ".join(words(text).split())[:1000] for text in texts if text]
    for text in plain:
        code, status = _CODE.search(text), _STATUS.search(text)
        if code or status:
            rest = text[code.end() :] if code else text
            number = int(code[1]) if code else None
            return number, enhanced_code(rest, number) or (status[1] if status else ""), rest
    return None, "", plain[0] if plain else ""


def instant(value: Any) -> datetime | None:
    """Seconds or milliseconds since 1970, or RFC 3339; None for anything else."""
    try:
        if isinstance(value, str) and not re.fullmatch(r"\d+(\.\d+)?", value):
            at = datetime.fromisoformat(value.replace("Z", "+00:00"))
            return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        seconds = float(value)
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _login(scheme: str, text: str) -> str:
    if scheme == "bearer":
        return text
    try:
        return base64.b64decode(text, validate=True).decode("utf-8") if scheme == "basic" else ""
    except (binascii.Error, ValueError):
        return ""


def _same(given: str, secret: str) -> bool:
    """Constant time. A secret without a colon is the password of any user."""
    if ":" not in secret and ":" in given:
        given = given.partition(":")[2]
    return bool(given) and hmac.compare_digest(given.encode("utf-8"), secret.encode("utf-8"))


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(word: str) -> _Network | None:
    try:
        return ipaddress.ip_network(word, strict=False)
    except ValueError:
        return None


def _within(address: str | None, networks: Iterable[_Network]) -> bool:
    try:
        own = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    return any(own.version == network.version and own in network for network in networks)
