"""The machine's sections of config.yaml: servers, secrets, places. What each may hold, and what it is read into."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from nurture.campaign.duration import Duration
from nurture.campaign.reading.context import Context, said
from nurture.campaign.reading.kinds import Got, Key, ListOf, MapOf, Record
from nurture.campaign.reading.scalars import Choice, Flag, Number, Span, Text
from nurture.campaign.reading.schema import Schema, document
from nurture.campaign.reading.sections import LANGUAGE
from nurture.campaign.source import Node, Scalar
from nurture.delivery.loopback import is_local
from nurture.mail.warming import WarmUp
from nurture.option_kinds import (
    BaseUrl,
    DatabaseUrl,
    Day,
    Later,
    Mailbox,
    Network,
    Port,
    Recipient,
    text_key,
)


class Retry(msgspec.Struct, frozen=True):
    """When a mail that was put off is tried again, doubling from `first` to `longest`, until `give_up` after its
    first attempt (RFC 5321 §4.5.4.1)."""

    first: Duration = Duration(seconds=300)
    longest: Duration = Duration(seconds=4 * 3600)
    give_up: Duration = Duration(seconds=72 * 3600)


@dataclass(frozen=True)
class Unknown:
    """What becomes of a mail whose server hung up after its last dot (trust E18): `hold` leaves it to a person,
    `resend` sends the same bytes again."""

    marketing: Literal["hold", "resend"] = "hold"
    service: Literal["hold", "resend"] = "resend"

    @property
    def resend(self) -> frozenset[str]:
        """The streams that go again."""
        streams = {"marketing": self.marketing, "service": self.service}
        return frozenset(name for name, policy in streams.items() if policy == "resend")


@dataclass(frozen=True)
class ProviderPace:
    """What one mailbox provider, or domain, is sent at most: `rate` in mails a second."""

    rate: float


@dataclass(frozen=True)
class Smtp:
    """`rate` is mails a second to one provider, None for no limit; `providers` have their own. `outcomes` is a file of
    own outcome rules, beside config.yaml. `resend` are the streams whose mails, where nobody knows what became of them,
    go again (trust E18)."""

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
    mails_per_connection: int = 500
    providers: dict[str, ProviderPace] = field(default_factory=dict)
    warm_up: WarmUp | None = None
    outcomes: str | None = None
    unknown: Unknown = field(default_factory=Unknown)


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
    unsubscribe: str = ""


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
    stored_in: tuple[str, ...] = ()  # countries, ISO 3166-1 alpha-2


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
        "first": Key(Later(Span()), "The first pause.", default="5m"),
        "longest": Key(Later(Span()), "The longest pause.", default="4h"),
        "give_up": Key(Later(Span()), "Given up after this time.", default="72h"),
    },
    _retry,
)
_POLICIES = ("hold", "resend")
_UNKNOWN = Record(
    "'unknown'",
    {
        "marketing": Key(Later(Choice(_POLICIES)), "hold: a person decides; resend: it goes again.", default="hold"),
        "service": Key(Later(Choice(_POLICIES)), "The same for service mails.", default="resend"),
    },
    lambda got, at: Unknown(got.get("marketing", "hold"), got.get("service", "resend")),
)
_PROVIDER = Record(
    "a provider's limits",
    {"rate": Key(Number("mails a second", 0.001), "At most so many mails a second.", required=True, example=5)},
    lambda got, at: ProviderPace(got["rate"]) if got.whole("rate") else None,
)


def _warm_up(got: Got, at: Context) -> WarmUp | None:
    if not got.whole("since"):
        return None
    plain = WarmUp(got["since"])
    warm = WarmUp(
        got["since"], got.get("first", plain.first), got.get("growth", plain.growth), got.get("most", plain.most)
    )
    if warm.most < warm.first:
        at.findings.add(got.mark_of("most"), "N501", "'smtp.warm_up.most' is less than 'first'")
    return warm


_WARM_UP = Record(
    "'warm_up'",
    {
        "since": Key(Day(), "The first day.", required=True),
        "first": Key(Number("a count", 1, whole=True), "Mails a provider gets on it.", default=50),
        "growth": Key(Number("a factor", 1, 10), "So many times more each day.", default=1.4),
        "most": Key(Number("a count", 1, whole=True), "The limit ends with so many a day.", default=50_000),
    },
    _warm_up,
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
        "host": text_key("The server that takes the mails.", default="localhost", example="smtp.example.com"),
        "port": Key(Later(Port("smtp.port")), "Its port.", default=587),
        "tls": Key(Later(Choice(_TLS)), "required (STARTTLS, verified), implicit or none.", default="required"),
        "username": text_key("Who signs in.", example="nurture"),
        "password": text_key("Better '${NAME}' or '${file:PATH}' than written out.", example="${SMTP_PASSWORD}"),
        "connections": Key(Later(Number("a count", 1, 200, whole=True)), "So many at once.", default=10),
        "allow_insecure": Key(Later(Flag()), "Accepts 'tls: none' where it is refused otherwise.", default=False),
        "ca_file": text_key("A file with the server's own authority.", example="ca.pem"),
        "local_hostname": text_key("What this machine calls itself.", example="mailer.example.com"),
        "mails_per_connection": Key(
            Later(Number("a count", 1, whole=True)), "So many mails go over one connection.", default=500
        ),
        "rate": Key(
            Later(Number("mails a second", 0.001)),
            "At most so many mails a second to one mailbox provider.",
            example=10,
        ),
        "providers": Key(
            MapOf(_PROVIDER, "'providers'", Text()),
            "Limits of one provider (google, yahoo…) or domain, by its name.",
            example={"google": {"rate": 5}},
        ),
        "warm_up": Key(_WARM_UP, "Few mails a day at first, for a sender that providers do not know yet."),
        "outcomes": text_key("A file with your own outcome rules; they come before ours.", example="outcomes.toml"),
        "unknown": Key(
            _UNKNOWN, "What becomes of a mail whose server hung up after its last dot.", example={"marketing": "resend"}
        ),
        "retry": Key(
            _RETRY,
            "When a mail that was put off is tried again.",
            example={"first": "5m", "longest": "4h", "give_up": "72h"},
        ),
    },
    _smtp,
)
_DKIM = Record(
    "'dkim'",
    {
        "domain": text_key(
            "The domain that signs; the sender's or one above it.", required=True, example="frunza.example"
        ),
        "selector": text_key("SELECTOR._domainkey.DOMAIN holds the public key.", required=True, example="n1"),
        "key": text_key("The private key, as '${file:PATH}'.", required=True, example="${file:dkim.pem}"),
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
        "host": text_key("The server that keeps the mailbox.", required=True, example="imap.example.com"),
        "username": text_key("Who signs in.", required=True, example="returns@example.com"),
        "password": text_key(
            "Better '${NAME}' or '${file:PATH}' than written out.", required=True, example="${IMAP_PASSWORD}"
        ),
        "port": Key(
            Later(Port("returns.imap.port")), "Its port; 993 if not written, 143 with 'tls: required'.", example=993
        ),
        "tls": Key(
            Later(Choice(("implicit", "required", "none"))),
            "implicit, required (STARTTLS), both verified; none only for this machine itself.",
            default="implicit",
        ),
        "mailbox": text_key("The folder that is read.", default="INBOX", example="INBOX"),
        "ca_file": text_key("A file with the server's own authority.", example="ca.pem"),
    },
    _imap,
)
_RETURNS = Record(
    "'returns'",
    {
        "maildir": text_key("The Maildir that bounces, complaints and replies are delivered to.", example="returns"),
        "imap": Key(_IMAP, "The mailbox they are delivered to, where that is at a server."),
        "unsubscribe": Key(Later(Mailbox()), "An address that ends there too, offered to unsubscribe by mail."),
    },
    lambda got, at: ReturnsOptions(**{key: value for key, value in got.values.items() if value is not None}),
    one_of=("maildir", "imap"),
)
_COUNT = Number("a count", 1, whole=True)
_LIMITS = Record(
    "'limits'",
    {
        "forms": Key(_COUNT, "Submitted hosted forms an hour.", default=2000),
        "forms_per_network": Key(_COUNT, "… from one network.", default=60),
        "confirmations": Key(_COUNT, "Confirmation mails an hour that people ask for.", default=1000),
        "confirmations_per_domain": Key(_COUNT, "… to one domain that is no large mailbox provider's.", default=50),
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
        "controller": text_key(
            "Who answers for the data, with address.", example="Maison Frunza, 12 rue du Samovar, 75011 Paris"
        ),
        "contact": text_key("Where people ask about their data.", example="privacy@frunza.example"),
        "notice_url": text_key("The privacy notice.", example="https://frunza.example/privacy"),
        "stored_in": Key(
            ListOf(Text("a country"), bare=True), "The countries the data is kept in.", example=["FR", "DE"]
        ),
        "recipients": Key(
            ListOf(Text(), bare=True),
            "Who else gets data of leads, each with its role.",
            example=["Post & Co, which prints labels"],
        ),
        "measures": Key(
            ListOf(Text(), bare=True),
            "How the data is protected, for the record of processing.",
            example=["disks are encrypted"],
        ),
        "retention": Key(
            MapOf(Span(long=True), "'retention'", Choice(KEPT)),
            "How long each kind is kept.",
            example={"events": "2y", "decisions": "1y"},
        ),
    },
    _privacy,
)
_SIGNED = [{"domain": "frunza.example", "selector": "n1", "key": "${file:dkim.pem}"}]
MACHINE: dict[str, Key] = {
    "base_url": Key(Later(BaseUrl()), "Where unsubscribe links lead; https, or http for this machine itself."),
    "database": Key(Later(DatabaseUrl()), "Where leads, events and mails are kept.", default="sqlite:///nurture.db"),
    "secrets": Key(
        ListOf(Text("a secret"), "a list of secrets", bare=True),
        "The first signs, all verify.",
        example=["${NURTURE_SECRET}"],
    ),
    "transport": Key(
        Later(Choice(("smtp", "folder", "console"))), "smtp; or a folder or the console, for trying.", default="smtp"
    ),
    "mail_folder": text_key("Where 'transport: folder' writes the mails.", default="mails", example="mails"),
    "smtp": Key(
        _SMTP,
        "The server that takes the mails.",
        example={"host": "smtp.example.com", "username": "nurture", "password": "${SMTP_PASSWORD}"},
    ),
    "allow_recipients": Key(
        ListOf(Recipient(), bare=True),
        "A staging guard: mails go to these domains and addresses, and to nobody else.",
        example=["example.com"],
    ),
    "dkim": Key(ListOf(_DKIM, bare=True), "Signatures of our own, where the server does not sign.", example=_SIGNED),
    "returns": Key(_RETURNS, "Where bounces, complaints and replies arrive.", example={"maildir": "returns"}),
    "providers": Key(
        MapOf(Text("a secret", "${POSTMARK_SECRET}"), "'providers'", Choice(PROVIDERS)),
        "What POST /hooks/NAME is verified with.",
        example={"postmark": "${POSTMARK_SECRET}"},
    ),
    "trusted_proxies": Key(ListOf(Network(), bare=True), "Whose X-Forwarded-For is believed.", example=["10.0.0.0/8"]),
    "limits": Key(
        _LIMITS, "What strangers may cause within an hour: forms, confirmation mails.", example={"forms": 5000}
    ),
    "privacy": Key(
        _PRIVACY, "Who answers for the data, and how long it is kept.", example={"controller": "Maison Frunza, Paris"}
    ),
}


def config_schema() -> Schema:
    """JSON Schema (2020-12) of config.yaml, the language's sections and the machine's."""
    defs: dict[str, Schema] = {}
    body = Record("config.yaml", {**LANGUAGE, **MACHINE}).schema(defs)
    return document("nurture config.yaml", "What campaigns may name, and the servers that mails go by.", body, defs)
