"""A mail as the bytes that go over the wire, made once by our own rules.

The standard library's policies fold a long `List-Unsubscribe` into encoded words and send 8-bit bodies (trust E1),
and cost a millisecond a mail. So headers are folded here and bodies are encoded with `binascii`: structured headers
stand on one line, texts are folded at 78 columns, nothing is 8-bit unless the server offered it, lines end in CRLF.

Equal input gives equal bytes: the boundary is derived from the Message-ID.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from datetime import UTC, datetime

import msgspec

from nurture.errors import Bug
from nurture.mail.header import (
    HeaderRefused,
    Mailbox,
    check_name,
    identifier_line,
    list_id_line,
    mailbox_line,
    text_line,
    url_line,
)

LONGEST_LINE = 998  # octets without CRLF (RFC 5322 §2.1.1)

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NOT_7BIT = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_FEEDBACK = re.compile(r"(?!.*@)[A-Za-z0-9._-]{1,60}(:[A-Za-z0-9._-]{1,60}){0,2}:[A-Za-z0-9._-]{5,15}")
_OURS = re.compile(
    r"from|to|cc|bcc|sender|subject|date|message-id|reply-to|return-path|received|list-id|list-unsubscribe(-post)?"
    r"|feedback-id|precedence|auto-submitted|x-auto-response-suppress|mime-version|content-.*|dkim-signature",
    re.IGNORECASE,
)


class Letterhead(msgspec.Struct, frozen=True, kw_only=True):
    """What every mail of one template version and sender has in common.

    `list_id` is `topic.campaign.example.com` (RFC 2919), `feedback_id` is `a:b:c:SenderId` (trust E8), `extra` are
    further headers as (name, text). Marketing is mail on a topic; the rest is service mail, answers to something asked.
    """

    sender: Mailbox
    marketing: bool
    reply_to: Mailbox | None = None
    list_id: str = ""
    list_name: str = ""
    feedback_id: str = ""
    extra: tuple[tuple[str, str], ...] = ()


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What is this mail's own. `message_id` is without angle brackets; `date` is aware, of the first rendering (E6).

    `unsubscribe` is the one-click https address; marketing mail must have it (E2). `unsubscribe_mailto` is optional and
    left out where both would not fit on a line.
    """

    letterhead: Letterhead
    to: Mailbox
    subject: str
    message_id: str
    date: datetime
    unsubscribe: str = ""
    unsubscribe_mailto: str = ""


class Skeleton:
    """The headers of one letterhead, encoded once; `fill` adds what is one lead's own.

    Keep one per template version and sender; it holds nothing of a lead.
    """

    def __init__(self, letterhead: Letterhead, *, smtputf8: bool = False) -> None:
        self.letterhead = letterhead
        self._smtputf8 = smtputf8
        self._top = mailbox_line("From", letterhead.sender, smtputf8=smtputf8)
        self._rest = b"".join(_constant_lines(letterhead, smtputf8)) + b"MIME-Version: 1.0\r\n"

    def fill(self, head: Head, text: str, html: str = "", *, eightbit: bool = False) -> bytes:
        """The whole mail. Raises HeaderRefused for a header that could become two, or that receivers would misread."""
        if head.letterhead is not self.letterhead and head.letterhead != self.letterhead:
            raise Bug("a head was filled into the skeleton of another letterhead")
        if self.letterhead.marketing and not head.unsubscribe:
            raise HeaderRefused("List-Unsubscribe", "a marketing mail needs its one-click unsubscribe address")
        return b"".join(
            (
                self._top,
                mailbox_line("To", head.to, smtputf8=self._smtputf8),
                text_line("Subject", head.subject),
                date_line(head.date),
                identifier_line("Message-ID", head.message_id),
                url_line(head.unsubscribe, head.unsubscribe_mailto) if head.unsubscribe else b"",
                self._rest,
                _body(text, html, head.message_id, eightbit),
            )
        )


def build(head: Head, text: str, html: str = "", *, eightbit: bool = False, smtputf8: bool = False) -> bytes:
    """One mail as bytes, the same as a kept `Skeleton` would give."""
    return Skeleton(head.letterhead, smtputf8=smtputf8).fill(head, text, html, eightbit=eightbit)


def digest(data: bytes) -> str:
    """SHA-256 of the bytes as hex: what was signed, stored and sent is one and the same."""
    return hashlib.sha256(data).hexdigest()


def date_line(date: datetime) -> bytes:
    """`Date:` in UTC with English names whatever the machine's language (RFC 5322 §3.3)."""
    if date.tzinfo is None:
        raise Bug("a Date header needs an aware instant")
    d = date.astimezone(UTC)
    day = f"{_DAYS[d.weekday()]}, {d.day:02d} {_MONTHS[d.month - 1]} {d.year:04d}"
    return f"Date: {day} {d.hour:02d}:{d.minute:02d}:{d.second:02d} +0000\r\n".encode("ascii")


def _constant_lines(letterhead: Letterhead, smtputf8: bool) -> list[bytes]:
    lines = []
    if letterhead.reply_to is not None:
        lines.append(mailbox_line("Reply-To", letterhead.reply_to, smtputf8=smtputf8))
    if letterhead.list_id:
        lines.append(list_id_line(letterhead.list_name, letterhead.list_id))
    if letterhead.feedback_id:
        if not _FEEDBACK.fullmatch(letterhead.feedback_id):
            raise HeaderRefused(
                "Feedback-ID", "write up to four fields as a:b:c:SenderId, the last of 5 to 15 characters"
            )
        lines.append(f"Feedback-ID: {letterhead.feedback_id}\r\n".encode("ascii"))
    if letterhead.marketing:
        lines.append(b"Precedence: bulk\r\nX-Auto-Response-Suppress: OOF, AutoReply\r\n")
    else:
        lines.append(b"Auto-Submitted: auto-generated\r\n")
    for name, value in letterhead.extra:
        check_name(name)
        if _OURS.fullmatch(name):
            raise HeaderRefused(name, "this header is written by nurture itself")
        lines.append(text_line(name, value))
    return lines


# ── bodies ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _body(text: str, html: str, message_id: str, eightbit: bool) -> bytes:
    boundary = b"=_" + hashlib.sha256(message_id.encode("utf-8")).hexdigest()[:32].encode("ascii")
    plain_encoding, plain = _encoded(text, boundary, eightbit)
    if not html:
        end = b"" if plain.endswith(b"\r\n") else b"\r\n"
        return b"".join((_PLAIN_HEAD, plain_encoding, b"\r\n\r\n", plain, end))
    html_encoding, rich = _encoded(html, boundary, eightbit)
    return b"".join(
        (
            b'Content-Type: multipart/alternative;\r\n boundary="' + boundary + b'"\r\n\r\n--' + boundary + b"\r\n",
            _PLAIN_HEAD + plain_encoding + b"\r\n\r\n",
            plain,
            b"\r\n--" + boundary + b"\r\n" + _HTML_HEAD + html_encoding + b"\r\n\r\n",
            rich,
            b"\r\n--" + boundary + b"--\r\n",
        )
    )


_PLAIN_HEAD = b'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: '
_HTML_HEAD = b'Content-Type: text/html; charset="utf-8"\r\nContent-Transfer-Encoding: '


def _encoded(text: str, boundary: bytes, eightbit: bool) -> tuple[bytes, bytes]:
    """(transfer encoding, body) with CRLF line ends; bare CR and LF are line ends too, so none is left bare (X5)."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    raw = text.encode("utf-8", "replace")
    if eightbit or len(raw) == len(text):
        short = len(raw) <= LONGEST_LINE or max(map(len, raw.split(b"\n"))) <= LONGEST_LINE
        # A lead who could foresee the boundary could end the part; encoded, "=_" cannot occur.
        if short and boundary not in raw and not _NOT_7BIT.search(raw):
            return (b"7bit" if len(raw) == len(text) else b"8bit"), raw.replace(b"\n", b"\r\n")
    # Quoted-printable adds two octets for each not in ASCII, base64 a third of all: equal at one in six. Letters beyond
    # ASCII are mostly of two octets here, so their number is twice what UTF-8 adds to the length.
    if (len(raw) - len(text)) * 12 > len(raw):
        return b"base64", _base64(raw.replace(b"\n", b"\r\n"))
    return b"quoted-printable", binascii.b2a_qp(raw, istext=True).replace(b"\n", b"\r\n")


def _base64(raw: bytes) -> bytes:
    flat = binascii.b2a_base64(raw, newline=False)
    return b"\r\n".join([flat[i : i + 76] for i in range(0, len(flat), 76)])


# ── start-up test ───────────────────────────────────────────────────────────────────────────────────────────────────

_ATTACKS = (
    "=?utf-8?q?x=0ABcc:_evil@e.vil?=",
    "=?utf-8?b?eA0KQmNjOiBldmlsQGUudmls?=",
    "x\r\nBcc: evil@e.vil",
    "x\nBcc: evil@e.vil",
    "x\u2028Bcc: evil@e.vil",
    "=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=0ABcc:_evil@e.vil=3F=3D?=",
)


def self_test() -> None:
    """Build known header injections (CVE-2024-6923, CVE-2026-1299) and raise Bug if a header line appears.

    Called when a worker starts: it is behaviour that counts, not the version of Python.
    """
    letterhead = Letterhead(sender=Mailbox("news@example.com", "News"), marketing=False)
    harmless = _header_names(build(_attack_head(letterhead, "Anna"), "hello", "<p>hello</p>"))
    for attack in _ATTACKS:
        for head in (_attack_head(letterhead, attack), _attack_head(letterhead, "Anna", subject=attack)):
            try:
                data = build(head, "hello", "<p>hello</p>")
            except HeaderRefused:
                continue
            if _header_names(data) != harmless:
                raise Bug("the header self-test failed: a name or a subject became a header line of its own")


def _attack_head(letterhead: Letterhead, name: str, subject: str = "Hello") -> Head:
    to = Mailbox("anna@example.com", name)
    date = datetime(2026, 3, 2, tzinfo=UTC)
    return Head(letterhead=letterhead, to=to, subject=subject, message_id="self-test@example.com", date=date)


def _header_names(data: bytes) -> list[bytes]:
    head = data.split(b"\r\n\r\n", 1)[0]
    return [line.split(b":", 1)[0].lower() for line in re.split(rb"\r\n|\r|\n", head) if line[:1] not in (b" ", b"\t")]
