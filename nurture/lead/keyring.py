"""The project's secrets as keys, one for each use: hashing addresses, guarding the ledger, signing form tokens.

Two rules meet here. The first secret signs and all verify, so that a key may be changed at any time. An address hash
cannot be verified by trying keys one by one, because it is looked up in an index: it always uses the *last* secret of
the list, the oldest. So a new secret is put in front, and the oldest stays for as long as a suppression must hold;
`store.suppressions.guard` refuses to start where it was taken away, instead of writing to people who left.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from nurture.errors import UserError
from nurture.lead.address import canonical_address


class Keyring:
    """Keys derived from `secrets`; the first signs, all verify, the last hashes addresses."""

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets or not all(secrets):
            raise UserError("no secret to sign with", hint="set `secrets` in config.yaml")
        self._secrets = [secret.encode() for secret in secrets]
        self._pepper = _derived(self._secrets[-1], "address")
        self._private = _derived(self._secrets[-1], "ledger personal data")

    def address_hash(self, address: str) -> str:
        """HMAC-SHA256 of the canonical address, 64 hex digits; a plain hash of an address can be guessed (C23)."""
        return _hmac(self._pepper, canonical_address(address)).hexdigest()

    def commitment(self, subject: str, text: str) -> str:
        """What stands for a personal value in a ledger hash, so that erasing the value breaks no chain (trust C4)."""
        return "hmac-sha256:" + _hmac(self._private, f"{subject}\x1f{text}").hexdigest()

    def webhook_secret(self, name: str) -> bytes:
        """What calls of this webhook are signed with; its receiver knows it, and nothing else can be told from it."""
        return _derived(self._secrets[0], f"webhook {name}")

    def webhook_pseudonym(self, name: str, address: str) -> str:
        """The address as this webhook's receiver may know it again: HMAC-SHA256 of the canonical address under the
        webhook's secret, 64 hex digits. Nobody else can try addresses against it."""
        return _hmac(self.webhook_secret(name), canonical_address(address)).hexdigest()

    def mac(self, use: str, text: str) -> str:
        """A MAC over `text` for this use only, by the first secret; 64 hex digits."""
        return _mac(self._secrets[0], use, text)

    def verify(self, use: str, text: str, mac: str, *, length: int | None = None) -> bool:
        """Whether any secret of the list made `mac`, or the first `length` digits of it; constant time."""
        given = mac.encode()
        return any(hmac.compare_digest(_mac(s, use, text)[:length].encode(), given) for s in self._secrets)


def _hmac(key: bytes, text: str) -> hmac.HMAC:
    return hmac.new(key, text.encode(), hashlib.sha256)


def _derived(secret: bytes, use: str) -> bytes:
    return _hmac(secret, f"nurture/key/{use}").digest()


def _mac(secret: bytes, use: str, text: str) -> str:
    return _hmac(_derived(secret, use), text).hexdigest()
