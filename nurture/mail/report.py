"""What comes back: delivery reports, complaints, auto-replies and people's answers, each told as `Notice`s.

Delivery reports are RFC 3464, complaints RFC 5965, automatic answers RFC 3834. Nothing here believes anything: a notice
carries `marks`, texts that may name a mail of ours, and only `engine.feedback` acts, where a mark bears our own MAC.
Reading never fails; what cannot be understood is a notice of kind `unknown`.
"""

from __future__ import annotations

import email
import email.message
import email.utils
import html
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from email.errors import HeaderParseError, MessageError
from email.header import decode_header, make_header
from enum import StrEnum

import msgspec

from nurture.mail.leaving import token_in, wants_out
from nurture.mail.outcome import enhanced_code

Part = email.message.Message


class Kind(StrEnum):
    """What happened to a mail, in the words of django-anymail's `EventType`, so that all providers say the same (E28);
    `replied` is ours."""

    QUEUED = "queued"
    SENT = "sent"
    REJECTED = "rejected"  # the provider would not try
    FAILED = "failed"
    BOUNCED = "bounced"
    DEFERRED = "deferred"  # it is still being tried: no bounce
    DELIVERED = "delivered"
    AUTORESPONDED = "autoresponded"
    OPENED = "opened"
    CLICKED = "clicked"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    REPLIED = "replied"
    UNKNOWN = "unknown"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One happening to one mail. `marks`: local parts and Message-IDs (without domain) that may name it, most telling
    first. `code` and `status` (RFC 3463) are what the last server said, `text` its words. `standard` False: read
    out of prose, never more than a soft bounce (trust E23). `hard`: what a provider says where there are no codes."""

    kind: Kind
    marks: tuple[str, ...] = ()
    recipient: str = ""
    original: str = ""  # the recipient before it was forwarded, where the report tells (RFC 3464 §2.3.1)
    action: str = ""
    status: str = ""
    code: int | None = None
    text: str = ""
    standard: bool = True
    hard: bool | None = None
    at: datetime | None = None  # when it happened, as the sender of the notice says
    id: str = ""  # the provider's own name of the happening
    token: str = ""  # of an unsubscribe link, mailed to us (trust C19)
    wants_out: bool = False  # an answer that says no more than that its writer wants no more mail
    raw: str = ""  # the word used for it: an action, a feedback type, a provider's event


_ACTIONS = {
    "failed": Kind.BOUNCED,
    "delayed": Kind.DEFERRED,
    "delivered": Kind.DELIVERED,
    "relayed": Kind.SENT,  # handed on to a server that reports no more: not yet delivered
    "expanded": Kind.DELIVERED,
}
# RFC 5965 §7.3, and those added since. "not-spam" says the opposite; "auth-failure" (RFC 6591) is about somebody else.
_COMPLAINTS = ("abuse", "fraud", "opt-out", "opt-out-list", "other")
_ORIGINALS = (
    *("message/rfc822", "message/global", "message/rfc822-headers", "message/global-headers"),
    "text/rfc822-headers",
)
_LONGEST_TEXT = 1000
_CODE = re.compile(r"\s*([245]\d\d)(?=[ \-]|$)[ -]?")
_STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})")
_AGAIN = re.compile(r"\s*\r?\n\s*(?:[245]\d\d[- ])?(?:[245]\.\d{1,3}\.\d{1,3}\s+)?")
_PHRASES = re.compile(
    r"(?:said|error from remote mail server.*?|response was|answered)\s*:?\s*([245]\d\d[ -].*)", re.I | re.S
)
_IDS = re.compile(r"<([^<>\s]+)>")
_PROSE = re.compile(
    r"this is the qmail-send program|delivery status notification \(failure\)|mail delivery failed|undeliver(?:ed|able)"
    r"|delivery (?:has )?failed|returned mail|could not be delivered|failure notice|unzustellbar|non remis",
    re.I,
)
_ANGLED = re.compile(r"^\s*<?([^\s<>@]+@[^\s<>@:]+?)>?:?\s*$", re.M)
_CODE_LINE = re.compile(r"(?:^|[\s:#(])([45]\d\d)[ -](?:#?([45]\.\d{1,3}\.\d{1,3})\s)?([^\r\n]*)")
_TAG = re.compile(r"<[/!]?([A-Za-z]*)[^<>]*>")
_MACHINES = re.compile(r"(?:mailer-daemon|postmaster|mail-daemon|mdaemon)(?:@|$)", re.I)


def read_report(data: bytes) -> list[Notice]:
    """What this mail tells; at least one notice. Never raises."""
    try:
        mail = email.message_from_bytes(data)
        return _read(mail) or [Notice(kind=Kind.UNKNOWN, marks=_recipients(mail), raw="nothing in it")]
    except (MessageError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
        return [Notice(kind=Kind.UNKNOWN, raw="unreadable")]


def _read(mail: Part) -> list[Notice]:
    parts = [part for part in mail.walk() if part is not mail or not mail.is_multipart()]
    if token := token_in(_subject(mail)):  # mail programs send these by themselves, and say so: no auto-reply
        return [Notice(kind=Kind.UNSUBSCRIBED, token=token, raw="mailto")]
    if status := _first(parts, "message/delivery-status", "message/global-delivery-status"):
        return _delivery(mail, status, parts)
    if feedback := _first(parts, "message/feedback-report"):
        return [_complaint(mail, feedback, parts)]
    if _first(parts, "message/disposition-notification", "message/global-disposition-notification"):
        return [Notice(kind=Kind.AUTORESPONDED, marks=_recipients(mail), raw="disposition")]
    if bounce := _prose(mail, parts):
        return [bounce]
    if reason := _automatic(mail):
        return [Notice(kind=Kind.AUTORESPONDED, marks=_recipients(mail), raw=reason)]
    answered = _ids(mail, "In-Reply-To") + tuple(reversed(_ids(mail, "References")))
    marks = tuple(dict.fromkeys((*answered, *_recipients(mail))))
    kind = Kind.REPLIED if marks else Kind.UNKNOWN
    return [Notice(kind=kind, marks=marks, wants_out=wants_out(_words_of(parts)), raw="mail")]


# ── Delivery reports ────────────────────────────────────────────────────────────────────────────────────────────────


def _delivery(mail: Part, status: Part, parts: Sequence[Part]) -> list[Notice]:
    blocks = _blocks(status)
    whole = next(iter(blocks), None)
    envelope = _text(whole, "Original-Envelope-Id") if whole is not None else ""
    marks = (*_recipients(mail), *([_local(envelope)] if envelope else []), *_of_original(parts))
    found = []
    for block in blocks:
        action = _word(block, "Action")
        recipient = _typed(block, "Final-Recipient") or _typed(block, "Original-Recipient")
        if not action and not recipient:
            continue
        code, code_status, text = _diagnostic(block)
        stated = _STATUS.match(_text(block, "Status"))
        own = stated[1] if stated else ""
        # "5.0.0" says no more than "5" (Exim's reports always do); the server's own words know better.
        exact = code_status if code_status and (not own or own.endswith(".0.0")) else own
        found.append(
            Notice(
                kind=_ACTIONS.get(action, Kind.UNKNOWN),
                marks=tuple(dict.fromkeys(marks)),
                recipient=recipient,
                original=_typed(block, "Original-Recipient"),
                action=action,
                status=exact,
                code=code if code is not None else _code_of(exact),
                text=text,
                raw=action,
            )
        )
    return found


def _blocks(status: Part) -> list[Part]:
    """The groups of fields of a report: of the message, then of each recipient."""
    body = status.get_payload()
    if isinstance(body, list):
        blocks = [block for block in body if isinstance(block, Part)]
        if len(blocks) != 1:
            return blocks
        # Types the parser does not know as reports are one message to it: first group fields, the rest a body.
        text = blocks[0].as_bytes().decode("utf-8", "replace")
    else:
        raw = status.get_payload(decode=True)
        text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(body)
    return [email.message_from_string(group) for group in re.split(r"(?:\r?\n){2,}", text.strip())]


def _diagnostic(block: Part) -> tuple[int | None, str, str]:
    """(code, enhanced code, text) of what the remote server said."""
    kind, semicolon, said = _text(block, "Diagnostic-Code").partition(";")
    if not semicolon:
        kind, said = "smtp", kind
    said = said.strip()
    # Some put their own words before the server's: "host mx.example said: 550 5.1.1 …".
    if not _CODE.match(said) and (inner := _PHRASES.search(said)):
        said = inner[1]
    found = _CODE.match(said)
    if found is None:
        return None, enhanced_code(said) or "", said[:_LONGEST_TEXT]
    rest = said[found.end() :]
    status = enhanced_code(rest, int(found[1])) or ""
    return int(found[1]), status, rest.strip().removeprefix(status).strip()[:_LONGEST_TEXT]


def _code_of(status: str) -> int | None:
    """A basic code that says no more than the enhanced one."""
    return {"2": 250, "4": 450, "5": 550}.get(status[:1])


# ── Complaints ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _complaint(mail: Part, feedback: Part, parts: Sequence[Part]) -> Notice:
    fields = next(iter(_blocks(feedback)), feedback)
    kind = _word(fields, "Feedback-Type")
    sender = [_local(a) for a in _addresses([_text(fields, "Original-Mail-From")])]
    marks = (*sender, *_of_original(parts), *_recipients(mail))
    recipient = next(iter(_addresses([_text(fields, "Original-Rcpt-To"), _text(fields, "Removal-Recipient")])), "")
    return Notice(
        kind=Kind.COMPLAINED if kind in _COMPLAINTS else Kind.UNKNOWN,
        marks=tuple(dict.fromkeys(marks)),
        recipient=recipient,
        raw=kind or "feedback",
    )


# ── Reports in prose ────────────────────────────────────────────────────────────────────────────────────────────────


def _prose(mail: Part, parts: Sequence[Part]) -> Notice | None:
    """qmail's reports (QSBMF), Exim's of old and their kin. Only from a machine: a person may quote one."""
    failed = _addresses(mail.get_all("X-Failed-Recipients", []))
    sender = "".join(_addresses([_text(mail, "From")]) or [_text(mail, "From")])
    machine = _text(mail, "Return-Path") == "<>" or _MACHINES.match(sender) is not None
    text = next((_content(part) for part in parts if part.get_content_type() == "text/plain"), "")
    if not failed and not (machine and (_PROSE.search(_text(mail, "Subject")) or _PROSE.search(text[:2000]))):
        return None
    told, _, quoted = _cut(text)
    recipient = failed[0] if failed else next(iter(_ANGLED.findall(told)), "")
    said = _CODE_LINE.search(told)
    ids = tuple(_local(i) for line in re.findall(r"^Message-I[dD]:(.*)$", quoted, re.M) for i in _IDS.findall(line))
    return Notice(
        kind=Kind.BOUNCED,
        marks=tuple(dict.fromkeys((*_recipients(mail), *_of_original(parts), *ids))),
        recipient=recipient,
        action="failed",
        status=(said[2] or "") if said else "",
        code=int(said[1]) if said else None,
        text=(said[3] if said else told.strip())[:_LONGEST_TEXT],
        standard=False,
        raw="prose",
    )


def _cut(text: str) -> tuple[str, str, str]:
    found = re.search(r"^-{2,}.*(?:copy of|original|returned).*$", text, re.I | re.M)
    return (text, "", "") if found is None else (text[: found.start()], found[0], text[found.end() :])


# ── Automatic answers ───────────────────────────────────────────────────────────────────────────────────────────────


def _automatic(mail: Part) -> str:
    """Why this is a machine's answer, empty for a person's (RFC 3834 §2, §5; trust E9)."""
    if _word(mail, "Auto-Submitted") not in ("", "no"):
        return "auto-submitted"
    if _word(mail, "Precedence") in ("auto_reply", "bulk", "junk", "list"):
        return "precedence"
    for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress", "X-Autoresponder", "List-Id"):
        if name in mail:
            return name.lower()
    if _text(mail, "Return-Path") == "<>":
        return "null sender"
    if any(_MACHINES.match(address) for address in _addresses([_text(mail, "From")])):
        return "from a machine"
    return ""


# ── Fields ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _first(parts: Iterable[Part], *types: str) -> Part | None:
    return next((part for part in parts if part.get_content_type() in types), None)


def _recipients(mail: Part) -> tuple[str, ...]:
    """Local parts of whom this mail came to: the envelope's recipient as servers note it, then `To`."""
    names = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To")
    lines = [str(line) for name in names for line in mail.get_all(name, [])]
    return tuple(dict.fromkeys(_local(a) for a in _addresses(lines)))


def _of_original(parts: Sequence[Part]) -> tuple[str, ...]:
    """What the returned mail, or what is left of it, says of itself."""
    for part in parts:
        kind = part.get_content_type()
        if kind.startswith("message/") and kind in _ORIGINALS and isinstance(part.get_payload(), list):
            inner = part.get_payload(0)
        elif kind in _ORIGINALS:
            inner = email.message_from_string(_content(part).lstrip())
        else:
            continue
        if isinstance(inner, Part):
            sender = tuple(_local(a) for a in _addresses([_text(inner, "Return-Path")]))
            return (*_ids(inner, "Message-ID"), *sender)
    return ()


def _ids(mail: Part, name: str) -> tuple[str, ...]:
    found: Iterator[str] = (i for line in mail.get_all(name, []) for i in _IDS.findall(str(line)))
    return tuple(_local(i) for i in list(found)[-20:])


def _local(address: str) -> str:
    return address.strip(" <>").rpartition("@")[0] or address.strip(" <>")


def _addresses(lines: Sequence[str]) -> list[str]:
    return [address for _, address in email.utils.getaddresses([str(line) for line in lines]) if "@" in address]


def _content(part: Part) -> str:
    body = part.get_payload(decode=True)
    if not isinstance(body, bytes):
        return ""
    try:
        return body.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _subject(mail: Part) -> str:
    """The subject, also where it came in encoded words."""
    try:
        return str(make_header(decode_header(str(mail.get("Subject", "")))))
    except (HeaderParseError, ValueError, LookupError):
        return ""


def _words_of(parts: Sequence[Part]) -> str:
    """What a mail says: its text, else its HTML without the marks."""
    if (text := _first(parts, "text/plain")) is not None:
        return _content(text)
    page = _first(parts, "text/html")
    return "" if page is None else html.unescape(_TAG.sub(_between, _content(page)))


def _between(tag: re.Match[str]) -> str:
    return "\n> " if tag[1].lower() == "blockquote" else "\n" if tag[1].lower() in ("p", "div", "br") else " "


def _text(part: Part, name: str) -> str:
    """A field on one line; continued answers of a server (`550-5.1.1 …`) lose their repeated codes."""
    return _AGAIN.sub(" ", str(part.get(name, ""))).strip()


def _word(part: Part, name: str) -> str:
    return re.split(r"[\s;(]", _text(part, name), maxsplit=1)[0].lower()


def _typed(block: Part, name: str) -> str:
    """The address of `rfc822; a@b.example`, without angle brackets."""
    kind, semicolon, address = _text(block, name).partition(";")
    return (address if semicolon else kind).strip(" <>\t")
