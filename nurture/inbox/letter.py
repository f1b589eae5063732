"""A mail as it arrived, and what can be read off it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property

from nurture.store import outbox
from nurture.store.database import Transaction

_NEWEST = 5_000  # messages looked up for the names of their campaigns
_LANGUAGE = re.compile(r"<html[^>]*\slang=[\"']?([A-Za-z]{2})", re.IGNORECASE)
_ADDRESS = re.compile(r"<(https?://[^>]+)>")


@dataclass(frozen=True)
class Letter:
    """One mail. `at` is campaign time, when it arrived; `message` its number in the outbox, 0 where it is not known."""

    number: int
    at: datetime
    sender: str
    recipient: str
    raw: bytes
    message: int = 0
    campaign: str = ""
    template: str = ""
    name: str = ""  # of the person it was sent to

    @cached_property
    def parsed(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    def header(self, name: str) -> str:
        """The header's text on one line, empty where there is none."""
        return " ".join(str(self.parsed.get(name, "")).split())

    @property
    def subject(self) -> str:
        return self.header("Subject")

    @cached_property
    def html(self) -> str:
        return self._part("html")

    @cached_property
    def text(self) -> str:
        return self._part("plain")

    def _part(self, kind: str) -> str:
        body = self.parsed.get_body((kind,))
        return str(body.get_content()) if isinstance(body, EmailMessage) else ""

    @cached_property
    def language(self) -> str:
        """Two letters, as its HTML says; empty for mails without."""
        found = _LANGUAGE.search(self.html[:2_000])
        return found[1].lower() if found else ""

    @cached_property
    def one_click(self) -> str:
        """The address that unsubscribes by a bare POST (RFC 8058), empty where the mail offers none."""
        if self.header("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click":
            return ""
        found = _ADDRESS.search(self.header("List-Unsubscribe"))
        return found[1] if found else ""

    @property
    def marketing(self) -> bool:
        return bool(self.header("List-Unsubscribe"))

    def paths(self, base_url: str) -> list[str]:
        """The mail's links into the project's own pages, without `base_url`: `u/…`, `c/…`, `f/taste/…`; each once."""
        found = re.findall(re.escape(base_url) + r"/([a-z]/[^\s\"'<>)]+)", self.html or self.text)
        return list(dict.fromkeys(found))

    @cached_property
    def source(self) -> str:
        return self.raw.decode("utf-8", "replace")


def named(tx: Transaction, letters: Sequence[Letter]) -> list[Letter]:
    """The same letters with the names of their campaigns and templates, as far as the outbox knows them."""
    rows = {row["id"]: row for row in outbox.listed(tx, limit=_NEWEST)}
    known = [rows.get(letter.message, {}) for letter in letters]
    return [
        replace(letter, campaign=row.get("campaign") or "", template=row.get("template") or "")
        for letter, row in zip(letters, known, strict=True)
    ]
