"""The shop's and its customers' side of HTTP: what they say to a running `nurture`, through its public doors only."""

from __future__ import annotations

import base64
import http.client
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from nurture.errors import Bug

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_AGENT = "demo"
TIMEOUT = 30.0  # seconds


class Door:
    """One connection to the endpoint, opened when first used. Not for two threads at once."""

    def __init__(self, base_url: str, key: str) -> None:
        parts = urlsplit(base_url)
        self._base = parts.path.rstrip("/")
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=TIMEOUT)
        self._key = "Basic " + base64.b64encode(f"{key}:".encode()).decode()

    def close(self) -> None:
        self._connection.close()

    # --- the shop's own programs ---

    def batch(self, calls: Iterable[Mapping[str, Any]]) -> None:
        """Report what leads did, as Segment's libraries do."""
        self._json("/v1/batch", {"batch": list(calls)})

    def consent(self, said: Mapping[str, Any]) -> None:
        """Report what somebody agreed to."""
        self._json("/v1/consents", said)

    def move(self, lead: str, stage: str, reason: str) -> bool:
        """Move a lead for a salesperson; False where the funnel's rules refuse it."""
        return self._json(f"/v1/leads/{lead}/move", {"stage": stage, "reason": reason}, refusable=True)

    # --- people ---

    def submit(self, form: str, fields: Mapping[str, Any], visitor: str) -> None:
        """Send a form of the shop's site, which is built on the hosted one. `visitor` is a network address."""
        self._post(f"/f/{form}", json.dumps(fields).encode(), "application/json", visitor)

    def press(self, path: str, fields: Mapping[str, Any], visitor: str) -> None:
        """Open a page that a mail links to, fill in its form and press the button. A list is a field several times."""
        page = self._ask("GET", f"/{path}", None, {"X-Forwarded-For": visitor})
        known = dict(_HIDDEN.findall(page.decode("utf-8")))
        self._post(f"/{path}", urlencode({**known, **fields}, doseq=True).encode(), _FORM, visitor)

    def one_click(self, path: str, visitor: str) -> None:
        """The unsubscribe button that mailbox providers show above a mail (RFC 8058)."""
        self._post(f"/{path}", b"List-Unsubscribe=One-Click", _FORM, visitor)

    # --- the wire ---

    def _post(self, path: str, body: bytes, kind: str, visitor: str) -> None:
        self._ask("POST", path, body, {"Content-Type": kind, "X-Forwarded-For": visitor})

    def _json(self, path: str, said: Mapping[str, Any], *, refusable: bool = False) -> bool:
        headers = {"Content-Type": "application/json", "Authorization": self._key}
        answer = json.loads(self._ask("POST", path, json.dumps(said).encode(), headers, refusable=refusable))
        return bool(answer.get("success"))

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], *, refusable: bool = False
    ) -> bytes:
        headers = {"User-Agent": _AGENT, **headers}
        try:
            self._connection.request(method, self._base + path, body, headers)
            answer = self._connection.getresponse()
        except (ConnectionError, http.client.HTTPException):  # the server closed what was idle: ask once more
            self._connection.close()
            self._connection.request(method, self._base + path, body, headers)
            answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200 and not (refusable and answer.status == 409):
            route = "/".join(path.split("/")[:3])
            raise Bug(f"{method} {route} answered {answer.status}: {text[:300].decode('utf-8', 'replace')}")
        return text


_FORM = "application/x-www-form-urlencoded"
