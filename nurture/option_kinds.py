"""What may stand at a key of the machine's sections: addresses, ports, networks, days."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.kinds import Key, Kind, word
from nurture.campaign.reading.scalars import Number, Text
from nurture.campaign.reading.schema import Schema, defined
from nurture.campaign.source import Node, Scalar
from nurture.delivery.loopback import is_local

MAX_BASE_URL = 700
_MAILBOX = r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+"


@dataclass(frozen=True)
class Later:
    """A value in which a `${NAME}` may stand; until that is put in, nothing is said about it."""

    kind: Kind

    @property
    def noun(self) -> str:
        return self.kind.noun

    def read(self, node: Node, at: Context) -> Any:
        return None if isinstance(node, Scalar) and "${" in node.text else self.kind.read(node, at)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        kind = self.kind.schema(defs)
        if kind.get("type") == "string" and "pattern" not in kind:
            return kind
        return {"anyOf": [kind, defined(defs, "reference", _REFERENCE)]}


_REFERENCE: Schema = {
    "type": "string",
    "pattern": r"\$\{",
    "patternErrorMessage": "This is neither what belongs here nor a reference such as ${NAME}.",
    "description": "an environment variable, ${NAME}, or the content of a file, ${file:PATH}",
    "examples": ["${NAME}"],
}


@dataclass(frozen=True)
class Nullable:
    """`null` is the same as not written."""

    kind: Kind

    @property
    def noun(self) -> str:
        return self.kind.noun

    def read(self, node: Node, at: Context) -> Any:
        return None if isinstance(node, Scalar) and node.empty else Later(self.kind).read(node, at)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"anyOf": [self.kind.schema(defs), {"type": "null"}]}


class BaseUrl:
    noun = "an address such as https://news.example.com"

    def read(self, node: Node, at: Context) -> str | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        text = found.text.rstrip("/")
        parts = _split(text)
        if parts is None or parts[0] not in ("http", "https") or "?" in text or "#" in text:
            at.add(node, "N501", f"{said(node)} is not an address of a web site", "write 'https://news.example.com'")
        elif len(text) > MAX_BASE_URL:
            at.add(node, "N501", f"'base_url' has more than {MAX_BASE_URL} characters")
        elif parts[0] == "http" and not is_local(parts[1]):
            at.add(node, "N502", "plain http is only for this machine itself", f"write 'https://{text[7:][:60]}'")
        else:
            return text
        return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {
            "type": "string",
            "pattern": r"^https?://[^?#]+$",
            "patternErrorMessage": "Write an address such as https://news.example.com.",
            "maxLength": MAX_BASE_URL + 1,
            "examples": ["https://news.example.com"],
        }


def _split(url: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(url)
        return (parts.scheme, parts.hostname) if parts.hostname else None
    except ValueError:
        return None


class DatabaseUrl:
    noun = "an address such as sqlite:///nurture.db"

    def read(self, node: Node, at: Context) -> str | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        if found.text.startswith("postgres://"):
            return found.text.replace("postgres://", "postgresql://", 1)
        if found.text.startswith(("sqlite:///", "postgresql://")) and len(found.text) > len("sqlite:///"):
            return found.text
        hint = "write 'sqlite:///nurture.db' or 'postgresql://user@host/name'"
        at.add(node, "N501", "'database' is neither SQLite nor PostgreSQL", hint)
        return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {
            "type": "string",
            "pattern": r"^(sqlite:///|postgres(ql)?://).",
            "patternErrorMessage": "Write sqlite:///nurture.db or postgresql://user@host/name.",
            "examples": ["postgresql://nurture@db.example.com/nurture"],
        }


@dataclass(frozen=True)
class Port:
    key: str
    noun: str = "a port"

    def read(self, node: Node, at: Context) -> int | None:
        value = Number(self.noun, whole=True).read(node, at)
        if value is not None and not 1 <= value <= 65535:
            at.add(node, "N501", f"'{self.key}' is {value}; a port is 1 to 65535")
            return None
        return value if isinstance(value, int) else None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "integer", "minimum": 1, "maximum": 65535, "examples": [587]}


class Day:
    noun = "a day such as 2026-11-23"

    def read(self, node: Node, at: Context) -> date | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        try:
            return date.fromisoformat(found.text)
        except ValueError:
            at.add(node, "N501", f"{said(node)} is not a day", "write '2026-11-23'")
            return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$", "examples": ["2026-11-23"]}


class Recipient:
    noun = "a domain such as example.com, or an address"

    def read(self, node: Node, at: Context) -> str | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        text = found.text.strip().lower()
        domain = text.rpartition("@")[2]
        if "." not in domain or text.startswith("@") or any(ch in text for ch in " */,<>"):
            at.add(node, "N501", f"{said(node)} is neither a domain nor an address", "write 'example.com'")
            return None
        return text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": r"^[^ */,<>]*\.[^ */,<>]*$", "examples": ["example.com"]}


class Mailbox:
    noun = "an address such as b+unsubscribe@example.com"

    def read(self, node: Node, at: Context) -> str | None:
        found = word(node, at, self.noun)
        # It stands in a header as it is, so it holds nothing that would have to be written otherwise there.
        if found is None or re.fullmatch(_MAILBOX, found.text):
            return found.text if found is not None else None
        at.add(node, "N501", f"{said(node)} is not {self.noun}")
        return None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": f"^{_MAILBOX}$", "examples": ["b+unsubscribe@example.com"]}


class Network:
    noun = "an address or a network such as 10.0.0.0/8"

    def read(self, node: Node, at: Context) -> str | None:
        found = word(node, at, self.noun)
        if found is None:
            return None
        try:
            ipaddress.ip_network(found.text, strict=False)
        except ValueError:
            at.add(node, "N501", f"{said(node)} is not {self.noun}")
            return None
        return found.text

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": r"^[0-9a-fA-F.:/]+$", "examples": ["10.0.0.0/8"]}


def text_key(doc: str, *, example: str, required: bool = False, default: str | None = None) -> Key:
    return Key(Nullable(Text()), doc, required, example, default)
