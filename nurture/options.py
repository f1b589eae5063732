"""The machine's sections of config.yaml: servers, secrets, places. What each may hold, and what it is read into."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from nurture.campaign.duration import Duration
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.kinds import Got, Key, Kind, ListOf, MapOf, Record, Schema, word
from nurture.campaign.reading.scalars import Choice, Flag, Number, Span, Text
from nurture.campaign.source import Node, Scalar

MAX_BASE_URL = 700


class Retry(msgspec.Struct, frozen=True):
    """When a mail that was put off is tried again, doubling from `first` to `longest`, until `give_up` after its
    first attempt (RFC 5321 §4.5.4.1)."""

    first: Duration = Duration(seconds=300)
    longest: Duration = Duration(seconds=4 * 3600)
    give_up: Duration = Duration(seconds=72 * 3600)


@dataclass(frozen=True)
class Smtp:
    """`rate` is mails a second over all connections, None for no limit."""

    host: str = "localhost"
    port: int = 587
    tls: Literal["required", "implicit", "none"] = "required"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    connections: int = 10
    allow_insecure: bool = False
    ca_file: str | None = None
    local_hostname: str | None = None
    rate: float | None = None
    retry: Retry = field(default_factory=Retry)


@dataclass(frozen=True)
class Dkim:
    """`key` is the private key as PEM text."""

    domain: str
    selector: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Imap:
    """A mailbox at a server; `port` None is the usual one."""

    host: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    port: int | None = None
    tls: Literal["implicit", "required", "none"] = "implicit"
    mailbox: str = "INBOX"
    ca_file: str | None = None


@dataclass(frozen=True)
class ReturnsOptions:
    """Where mail to our envelope senders arrives: one of the two. A relative path lies beside config.yaml."""

    maildir: str = ""
    imap: Imap | None = None


@dataclass(frozen=True)
class Limits:
    """What strangers may cause within an hour, over all processes (trust X18)."""

    forms: int = 2_000
    forms_per_network: int = 60
    confirmations: int = 1_000
    confirmations_per_domain: int = 50


@dataclass(frozen=True)
class Privacy:
    """Who answers for the data, and how long each kind of it is kept."""

    controller: str = ""
    contact: str = ""
    notice_url: str = ""
    retention: dict[str, Duration] = field(default_factory=dict)
    recipients: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Later:
    """A value in which a `${NAME}` may stand; until that is put in, nothing is said about it."""

    kind: Kind

    @property
    def noun(self) -> str:
        return self.kind.noun

    def read(self, node: Node, at: Context) -> Any:
        return None if isinstance(node, Scalar) and "${" in node.text else self.kind.read(node, at)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return self.kind.schema(defs)


@dataclass(frozen=True)
class _Nullable:
    """`null` is the same as not written."""

    kind: Kind

    @property
    def noun(self) -> str:
        return self.kind.noun

    def read(self, node: Node, at: Context) -> Any:
        return None if isinstance(node, Scalar) and node.empty else _Later(self.kind).read(node, at)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"anyOf": [self.kind.schema(defs), {"type": "null"}]}


class _BaseUrl:
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
        return {"type": "string"}


def _split(url: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(url)
        return (parts.scheme, parts.hostname) if parts.hostname else None
    except ValueError:
        return None


def is_local(host: str) -> bool:
    """Whether this names the machine itself (RFC 6761 §6.3 for `localhost`)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
        return {"type": "string"}


@dataclass(frozen=True)
class _Port:
    key: str
    noun: str = "a port"

    def read(self, node: Node, at: Context) -> int | None:
        value = Number(self.noun, whole=True).read(node, at)
        if value is not None and not 1 <= value <= 65535:
            at.add(node, "N501", f"'{self.key}' is {value}; a port is 1 to 65535")
            return None
        return value if isinstance(value, int) else None

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": "integer", "minimum": 1, "maximum": 65535}


class _Network:
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
        return {"type": "string"}


def _text_key(doc: str, *, required: bool = False) -> Key:
    return Key(_Nullable(Text()), doc, required)


def _retry(got: Got, at: Context) -> Retry:
    plain = Retry()
    first, longest = got.get("first", plain.first), got.get("longest", plain.longest)
    for key in ("first", "longest", "give_up"):
        if got[key] is not None and not got[key].exact:
            at.add(
                got.nodes[key], "N501", f"'smtp.retry.{key}' counts hours, not calendar days", "write '72h' for '3d'"
            )
            return plain
    if first.seconds > longest.seconds:
        at.findings.add(got.mark_of("first"), "N501", "'smtp.retry.first' is longer than 'longest'")
    return Retry(first, longest, got.get("give_up", plain.give_up))


_RETRY = Record(
    "'retry'",
    {
        "first": Key(_Later(Span()), "The first pause; 5m if not written."),
        "longest": Key(_Later(Span()), "The longest pause; 4h if not written."),
        "give_up": Key(_Later(Span()), "Given up after this time; 72h if not written."),
    },
    _retry,
)
_TLS = ("required", "implicit", "none")


def _smtp(got: Got, at: Context) -> Smtp:
    values = {key: value for key, value in got.values.items() if value is not None}
    smtp = Smtp(**values)
    if smtp.tls == "none" and not smtp.allow_insecure:
        hint = "use 'tls: required' (the default) or 'implicit'; 'allow_insecure: true' accepts the risk"
        host = got.nodes.get("host")
        if any(key in got and not _nothing(got.nodes[key]) for key in ("username", "password")):
            at.add(got.nodes["tls"], "N503", "without TLS the password would travel in clear", hint)
        elif host is not None and got["host"] is not None and not is_local(smtp.host):
            at.add(
                got.nodes["tls"], "N503", f"without TLS only this machine itself is mailed to, not {said(host)}", hint
            )
    return smtp


def _nothing(node: Node) -> bool:
    return isinstance(node, Scalar) and node.empty


_SMTP = Record(
    "'smtp'",
    {
        "host": _text_key("The server that takes the mails."),
        "port": Key(_Later(_Port("smtp.port")), "Its port; 587 if not written."),
        "tls": Key(_Later(Choice(_TLS)), "required (STARTTLS, verified), implicit or none."),
        "username": _text_key("Who signs in."),
        "password": _text_key("Better '${NAME}' or '${file:PATH}' than written out."),
        "connections": Key(_Later(Number("a count", 1, 200, whole=True)), "So many at once; 10 if not written."),
        "allow_insecure": Key(_Later(Flag()), "Accepts 'tls: none' where it is refused otherwise."),
        "ca_file": _text_key("A file with the server's own authority."),
        "local_hostname": _text_key("What this machine calls itself."),
        "rate": Key(_Later(Number("mails a second", 0.001)), "At most so many mails a second."),
        "retry": Key(_RETRY, "When a mail that was put off is tried again."),
    },
    _smtp,
)
_DKIM = Record(
    "'dkim'",
    {
        "domain": _text_key("The domain that signs; the sender's or one above it.", required=True),
        "selector": _text_key("SELECTOR._domainkey.DOMAIN holds the public key.", required=True),
        "key": _text_key("The private key, as '${file:PATH}'.", required=True),
    },
    lambda got, at: Dkim(got.get("domain", ""), got.get("selector", ""), got.get("key", "")),
)


def _imap(got: Got, at: Context) -> Imap:
    imap = Imap(**{key: value for key, value in got.values.items() if value is not None})
    if imap.tls == "none" and got["host"] is not None and not is_local(imap.host):
        hint = "use 'tls: implicit' (the default) or 'required'"
        at.add(got.nodes["tls"], "N503", "without TLS the password would travel in clear", hint)
    return imap


_IMAP = Record(
    "'imap'",
    {
        "host": _text_key("The server that keeps the mailbox.", required=True),
        "username": _text_key("Who signs in.", required=True),
        "password": _text_key("Better '${NAME}' or '${file:PATH}' than written out.", required=True),
        "port": Key(_Later(_Port("returns.imap.port")), "Its port; 993 if not written, 143 with 'tls: required'."),
        "tls": Key(_Later(Choice(("implicit", "required", "none"))), "implicit, required (STARTTLS); both verified."),
        "mailbox": _text_key("The folder that is read; INBOX if not written."),
        "ca_file": _text_key("A file with the server's own authority."),
    },
    _imap,
)
_RETURNS = Record(
    "'returns'",
    {
        "maildir": _text_key("The Maildir that bounces, complaints and replies are delivered to."),
        "imap": Key(_IMAP, "The mailbox they are delivered to, where that is at a server."),
    },
    lambda got, at: ReturnsOptions(**{key: value for key, value in got.values.items() if value is not None}),
    one_of=("maildir", "imap"),
)
_COUNT = Number("a count", 1, whole=True)
_LIMITS = Record(
    "'limits'",
    {
        "forms": Key(_COUNT, "Submitted hosted forms an hour; 2000 if not written."),
        "forms_per_network": Key(_COUNT, "… from one network; 60 if not written."),
        "confirmations": Key(_COUNT, "Confirmation mails an hour that people ask for; 1000 if not written."),
        "confirmations_per_domain": Key(
            _COUNT, "… to one domain that is no large mailbox provider's; 50 if not written."
        ),
    },
    lambda got, at: Limits(**{key: int(value) for key, value in got.values.items() if value is not None}),
)
PROVIDERS = ("brevo", "mailgun", "postmark", "resend", "sendgrid", "ses")
KEPT = ("events", "decisions", "messages", "attempts", "pending", "visits", "leads", "imports", "requests")
LOGGED_DAYS = 730  # how long the log of requests is kept at least: 24 months (CCPA regulations § 7101)


def _privacy(got: Got, at: Context) -> Privacy:
    kept = (got["retention"] or {}).get("requests")
    if kept is not None and kept.mean_seconds() < LOGGED_DAYS * 86_400:
        hint = "leave it out to keep the log for good; it names nobody"
        at.add(got.nodes["retention"], "N501", f"'requests: {kept}' is less than the 24 months the CCPA asks for", hint)
    return Privacy(**{key: value for key, value in got.values.items() if value is not None})


_PRIVACY = Record(
    "'privacy'",
    {
        "controller": _text_key("Who answers for the data, with address."),
        "contact": _text_key("Where people ask about their data."),
        "notice_url": _text_key("The privacy notice."),
        "recipients": Key(ListOf(Text(), bare=True), "Who else gets data of leads, each with its role."),
        "measures": Key(ListOf(Text(), bare=True), "How the data is protected, for the record of processing."),
        "retention": Key(MapOf(Span(long=True), "'retention'", Choice(KEPT)), "How long each kind is kept."),
    },
    _privacy,
)
MACHINE: dict[str, Key] = {
    "base_url": Key(_Later(_BaseUrl()), "Where unsubscribe links lead; https, or http for this machine itself."),
    "database": Key(_Later(DatabaseUrl()), "sqlite:///nurture.db if not written, or postgresql://user@host/name."),
    "secrets": Key(ListOf(Text("a secret"), "a list of secrets", bare=True), "The first signs, all verify."),
    "transport": Key(_Later(Choice(("smtp", "folder", "console"))), "smtp; or a folder or the console, for trying."),
    "mail_folder": _text_key("Where 'transport: folder' writes the mails."),
    "smtp": Key(_SMTP, "The server that takes the mails."),
    "dkim": Key(ListOf(_DKIM, bare=True), "Signatures of our own, where the server does not sign."),
    "returns": Key(_RETURNS, "Where bounces, complaints and replies arrive."),
    "providers": Key(
        MapOf(Text("a secret"), "'providers'", Choice(PROVIDERS)), "What POST /hooks/NAME is verified with."
    ),
    "trusted_proxies": Key(ListOf(_Network(), bare=True), "Whose X-Forwarded-For is believed."),
    "limits": Key(_LIMITS, "What strangers may cause within an hour: forms, confirmation mails."),
    "privacy": Key(_PRIVACY, "Who answers for the data, and how long it is kept."),
}
