"""API keys: random, shown once, stored as a hash, with scopes, revocable at once (trust X11)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from nurture.errors import UserError
from nurture.store.database import Transaction, insert_returning_ids, insert_rows
from nurture.store.tables import api_keys, kept_keys

# ingest: events and traits · read: leads · consent: declarations · leads: moves · erase: erasure · admin: all of it
SCOPES = ("ingest", "read", "consent", "leads", "erase", "admin")
_PREFIX = 8  # characters after "nk_" by which a key is found


@dataclass(frozen=True, slots=True)
class Key:
    id: int
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes

    def valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


_COLUMNS = [
    api_keys.c[n] for n in ("id", "name", "prefix", "scopes", "created_at", "expires_at", "revoked_at", "used_at")
]


def create_key(
    tx: Transaction,
    scopes: Sequence[str],
    now: datetime,
    *,
    name: str = "",
    expires_at: datetime | None = None,
    random: Callable[[int], str] = secrets.token_urlsafe,
) -> str:
    """A new key with these scopes; the text is nowhere but in the answer. Raises UserError for an unknown scope."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise UserError(f"'{', '.join(unknown) or 'nothing'}' is not a scope", hint=f"one of: {', '.join(SCOPES)}")
    key = f"nk_{random(32)}"
    row = {
        "name": name,
        "prefix": key[3 : 3 + _PREFIX],
        "hash": _digest(key),
        "scopes": list(scopes),
        "created_at": now,
        "expires_at": expires_at,
    }
    insert_returning_ids(tx, api_keys, [row])
    return key


def find_key(tx: Transaction, text: str) -> Key | None:
    """The stored key of this text, revoked and expired ones too; None for any other text."""
    if not text.startswith("nk_"):
        return None
    query = select(*_COLUMNS, api_keys.c.hash).where(api_keys.c.prefix == text[3 : 3 + _PREFIX])
    digest = _digest(text)
    for row in tx.execute(query):
        if hmac.compare_digest(row[-1], digest):
            return _key(row[:-1])
    return None


def list_keys(tx: Transaction) -> list[Key]:
    """All keys, oldest first; none of them can be shown again."""
    return [_key(row) for row in tx.execute(select(*_COLUMNS).order_by(api_keys.c.id))]


def revoke_key(tx: Transaction, key: int, now: datetime) -> bool:
    """End a key at once. False where there is no such key or it was ended before."""
    statement = update(api_keys).where(api_keys.c.id == key, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
    return tx.execute(statement).rowcount == 1


def touch_key(tx: Transaction, key: int, now: datetime) -> None:
    """Remember when the key was last used."""
    tx.execute(update(api_keys).where(api_keys.c.id == key).values(used_at=now))


def _key(row: Sequence[object]) -> Key:
    id_, name, prefix, scopes, *times = row
    return Key(id_, name, prefix, tuple(scopes), *times)  # type: ignore[arg-type]


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


def keep_link_keys(tx: Transaction, wanted: Sequence[str]) -> list[str]:
    """Have these kept for ever; all that are kept, sorted."""
    kept = {row[0] for row in tx.execute(select(kept_keys.c.key))}
    insert_rows(tx, kept_keys, [{"key": key} for key in wanted if key not in kept])
    return sorted(kept | set(wanted))


def kept_link_keys(tx: Transaction) -> list[str]:
    """All keys that are kept, sorted."""
    return sorted(row[0] for row in tx.execute(select(kept_keys.c.key)))
