"""The host that unsubscribe links lead to, asked the way a mail program would (trust E3, E11)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException
from urllib.parse import SplitResult, urlsplit

from nurture.cli.doctor.finding import Finding, broken, failed, look, ok
from nurture.cli.doctor.names import SILENT, Names, Silent
from nurture.cli.doctor.server import certificate
from nurture.mail.links import Links

_PATIENCE = 8  # seconds
_CLOCK = timedelta(seconds=10)  # a Date header has whole seconds and has travelled
_TOPIC = "host"
_NOBODYS = Links("https://links.invalid", ["a doctor's links open nothing"])
_ALIVE = b'{"alive":true}'


@dataclass(frozen=True)
class Answer:
    """What a request brought back."""

    status: int
    location: str
    date: str
    body: bytes


@dataclass(frozen=True)
class Visit:
    """A look at the host: `alive` to GET /healthz, `unsubscribed` to a one-click POST for nobody."""

    alive: Answer
    unsubscribed: Answer
    until: datetime | None  # of the certificate


def unsubscribe_host(base_url: str, names: Names, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """Whether it resolves, speaks HTTPS that is trusted, is nurture, and takes a one-click POST without redirect."""
    from nurture.delivery.loopback import is_local

    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme == "http" and is_local(host):
        text = f"links in mails lead to {base_url}, which only this machine can open"
        yield look(_TOPIC, text, "set 'base_url' in config.yaml to an https address of yours before people get mails")
        return
    try:
        addresses = names.addresses(host)
    except Silent as error:
        yield failed(_TOPIC, error, SILENT)
        return
    if not addresses:
        hint = f"publish an A or AAAA record at {host}, or mend 'base_url'; unsubscribe links lead there"
        yield broken(_TOPIC, f"{host} has no address", hint)
        return
    try:
        visit = _visit(parts, addresses)
    except ssl.SSLCertVerificationError as error:
        text = f"the certificate of {host} is not accepted: {error.verify_message}"
        yield broken(_TOPIC, text, "have one made for this name by a known authority, and serve its whole chain")
    except (OSError, HTTPException) as error:
        text = f"{base_url} cannot be reached: {str(error) or type(error).__name__}"
        yield broken(_TOPIC, text, "does 'nurture run' or 'nurture serve' run, and the proxy before it?")
    else:
        yield from judge_visit(base_url, visit, clock())


def judge_visit(base_url: str, visit: Visit, now: datetime) -> Iterator[Finding]:
    """What the answers say. Nothing is asked here."""
    hint = "have the proxy hand every path of base_url to nurture, without redirects"
    alive, post = visit.alive, visit.unsubscribed
    if alive.location:
        yield broken(
            _TOPIC, f"{base_url}/healthz is redirected to {alive.location}", "set 'base_url' to where it leads"
        )
    elif alive.status != 200 or alive.body.strip() != _ALIVE:
        yield broken(_TOPIC, f"{base_url}/healthz is not answered by nurture (status {alive.status})", hint)
    if post.location or 300 <= post.status < 400:
        text = f"a one-click unsubscribe is redirected to {post.location or 'elsewhere'}; mail programs stop there"
        yield broken(_TOPIC, text, hint)
    elif not 200 <= post.status < 300:
        text = f"a one-click unsubscribe is answered with {post.status}"
        yield broken(_TOPIC, text, "look at the log of nurture and of the proxy before it; " + hint)
    else:
        yield ok(_TOPIC, f"{base_url} takes a one-click unsubscribe, without redirect")
    yield certificate("tls", f"{base_url} speaks HTTPS", visit.until, now)
    yield from _clock(alive.date, base_url, now)


def _clock(date: str, base_url: str, now: datetime) -> Iterator[Finding]:
    with suppress(ValueError, TypeError):
        theirs = parsedate_to_datetime(date)
        theirs = theirs.replace(tzinfo=UTC) if theirs.tzinfo is None else theirs
        off = abs(theirs - now)
        if off > _CLOCK:
            text = f"this machine and {base_url} differ by {off.total_seconds():,.0f} s"
            yield look("clock", text, "run a time service (NTP) on both")
        else:
            yield ok("clock", f"this machine and {base_url} agree")


def _visit(parts: SplitResult, addresses: list[str]) -> Visit:
    """Both requests, each over its own connection. Raises OSError or HTTPException."""
    path = f"{parts.path}/u/{_NOBODYS.unsubscribe(0, '', 0).rpartition('/')[2]}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    alive, until = _request(parts, addresses, "GET", f"{parts.path}/healthz", None, {})
    unsubscribed, _ = _request(parts, addresses, "POST", path, b"List-Unsubscribe=One-Click", form)
    return Visit(alive, unsubscribed, until)


def _request(
    parts: SplitResult, addresses: list[str], method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> tuple[Answer, datetime | None]:
    host = parts.hostname or ""
    with closing(HTTPConnection(host, parts.port or 443, timeout=_PATIENCE)) as connection:
        plain = _connect(addresses, parts.port or 443)
        try:
            encrypted = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
        connection.sock = encrypted
        ends = (encrypted.getpeercert() or {}).get("notAfter")
        until = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if isinstance(ends, str) else None
        connection.request(method, path, body, {**headers, "User-Agent": "nurture-doctor", "Connection": "close"})
        answer = connection.getresponse()
        told = Answer(answer.status, answer.getheader("Location", ""), answer.getheader("Date", ""), answer.read(4096))
        return told, until


def _connect(addresses: list[str], port: int) -> socket.socket:
    """To the first that takes us. Raises OSError of the last."""
    last: OSError = OSError("no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=_PATIENCE)
        except OSError as error:
            last = error
    raise last
