"""Header lines: checked, encoded, folded.

Three kinds are kept apart. *Structured* values (Message-ID, List-Unsubscribe, an address) stand as they are on one
line and are never encoded or folded: receivers read them byte by byte (trust E1). *Texts* (Subject) and *names* may
hold any language and are folded at 78 columns, in encoded words where ASCII does not do (RFC 2047). Whatever could
become a second header line is refused, after decoding too (trust X4).
"""

from __future__ import annotations

import binascii
import email.errors
import email.header
import re

import msgspec

from nurture.errors import NurtureError

_LINE = 78
_WORD = 75  # longest encoded word (RFC 2047 §2)
_LONGEST = 998

# Every control, the two Unicode line ends, and halves of surrogate pairs, which no charset can write.
_BREAKING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Marks that turn the reading order: `moc.elgoog` shown as `google.com` (Unicode UAX #9).
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_OVERRIDE = re.compile("[\u202d\u202e]")
_PLAIN = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_UTF8_ADDRESS = re.compile(
    r"[^\s<>,;:\"()\[\]\\@\x00-\x20\x7f-\xa0]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
)
_IDENTIFIER = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,200}@[A-Za-z0-9.-]{1,255}")
_LIST_ID = re.compile(r"(?=.{3,255}$)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
_URL = re.compile(r"https?://[!#-;=?-\[\]_a-z~]+|mailto:[!#-;=?-\[\]_a-z~]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,60}")


class HeaderRefused(NurtureError):
    """A header value that must not be sent; `header` is its name. The value itself is not in the message."""

    def __init__(self, header: str, why: str) -> None:
        super().__init__(f"{header}: {why}")
        self.header = header
        self.why = why


class Mailbox(msgspec.Struct, frozen=True):
    """An address with the name shown beside it; the name may be empty."""

    address: str
    name: str = ""


def check_name(name: str) -> None:
    """Raises HeaderRefused unless `name` can be a header's name."""
    if not _NAME.fullmatch(name):
        raise HeaderRefused("extra header", "its name is written with letters, digits and '-'")


def check_value(header: str, value: str) -> None:
    """Raises HeaderRefused where the value, or what a reader decodes from it, holds a control or a line end."""
    if _BREAKING.search(value):
        raise HeaderRefused(header, "it holds a line break or another control character")
    decoded = value
    for _ in range(3):  # an encoded word may hide another; some readers decode twice
        if "=?" not in decoded:
            return
        decoded = _decoded(header, decoded)
        if _BREAKING.search(decoded):
            raise HeaderRefused(header, "it holds an encoded line break or control character")


def text_line(header: str, value: str) -> bytes:
    """A header of free text, such as Subject."""
    if not _PLAIN.fullmatch(value) or "=?" in value:
        check_value(header, value)
        if _OVERRIDE.search(value):
            raise HeaderRefused(header, "it holds a mark that turns the direction of reading")
        return _encoded_line(header, value)
    if len(header) + len(value) + 2 <= _LINE:
        return f"{header}: {value}\r\n".encode("ascii")
    return _folded_line(header, value)


def mailbox_line(header: str, mailbox: Mailbox, *, smtputf8: bool = False) -> bytes:
    """`From`, `To` or `Reply-To` with exactly one address, which is written as it is or refused."""
    address = mailbox.address
    allowed = _UTF8_ADDRESS if smtputf8 else _ADDRESS
    if not allowed.fullmatch(address) or "=?" in address:
        raise HeaderRefused(header, "its address cannot be written in a header")
    phrase = _phrase(header, mailbox.name) if mailbox.name else b""
    if not phrase:
        return f"{header}: <{address}>\r\n".encode()
    last = len(phrase) - phrase.rfind(b"\r\n") - 1 if b"\r\n" in phrase else len(header) + 2 + len(phrase)
    space = b" " if last + len(address) + 3 <= _LINE else b"\r\n "
    return header.encode("ascii") + b": " + phrase + space + b"<" + address.encode() + b">\r\n"


def identifier_line(header: str, identifier: str) -> bytes:
    """`Message-ID` and its like, without angle brackets in the argument."""
    if not _IDENTIFIER.fullmatch(identifier):
        raise HeaderRefused(header, "it must be written as local@domain in plain letters")
    return f"{header}: <{identifier}>\r\n".encode("ascii")


def list_id_line(name: str, identifier: str) -> bytes:
    """`List-Id: Name <topic.example.com>` (RFC 2919 §3; trust E7)."""
    if not _LIST_ID.fullmatch(identifier):
        raise HeaderRefused("List-Id", "it must look like a domain name of at most 255 characters")
    if not name:
        return f"List-Id: <{identifier}>\r\n".encode("ascii")
    phrase = _phrase("List-Id", name)
    last = len(phrase) - phrase.rfind(b"\r\n") - 1 if b"\r\n" in phrase else 9 + len(phrase)
    space = b" " if last + len(identifier) + 3 <= _LINE else b"\r\n "
    return b"List-Id: " + phrase + space + b"<" + identifier.encode("ascii") + b">\r\n"


def url_line(url: str, mailto: str = "") -> bytes:
    """`List-Unsubscribe`, https first, with its one-click companion (RFC 2369 §3.2, RFC 8058 §3.1)."""
    for part in (url, mailto):
        if part and not _URL.fullmatch(part):
            raise HeaderRefused("List-Unsubscribe", "its address must be plain ASCII, beginning with https or mailto")
    if url.startswith("mailto:"):
        raise HeaderRefused("List-Unsubscribe", "one-click needs an https address first")
    value = f"List-Unsubscribe: <{url}>"
    if len(value) > _LONGEST:
        raise HeaderRefused("List-Unsubscribe", f"its address is longer than a line of {_LONGEST} characters")
    if mailto and len(value) + len(mailto) + 4 <= _LONGEST:
        value += f", <{mailto}>"
    return f"{value}\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n".encode("ascii")


def _phrase(header: str, name: str) -> bytes:
    """A display name: as it is, quoted, or in encoded words; runs of spaces become one, as readers show them anyway."""
    if _ATOMS.fullmatch(name) and "=?" not in name and len(name) <= 60:
        return name.encode("ascii")
    check_value(header, name)
    if _BIDI.search(name):
        raise HeaderRefused(header, "the name holds a mark that turns the direction of reading")
    name = " ".join(name.split())
    if not name:
        return b""
    if _PLAIN.fullmatch(name) and "=?" not in name and len(name) <= 50:
        return b'"' + name.replace("\\", "\\\\").replace('"', '\\"').encode("ascii") + b'"'
    return _encoded_words(name, len(header) + 2)


def _folded_line(header: str, value: str) -> bytes:
    """ASCII folded before spaces; a word too long for a line makes the whole an encoded text."""
    lines, line = [], f"{header}:"
    for word in value.split(" "):
        if len(word) > _LINE - 2 or not word:
            return _encoded_line(header, value)
        if len(line) + 1 + len(word) > _LINE:
            lines.append(line)
            line = ""
        line += " " + word
    return "\r\n".join([*lines, line, ""]).encode("ascii")


def _encoded_line(header: str, value: str) -> bytes:
    return header.encode("ascii") + b": " + _encoded_words(value, len(header) + 2) + b"\r\n"


def _encoded_words(value: str, column: int) -> bytes:
    """Encoded words in base64, each of whole characters and at most 75 long, folded; the first starts at `column`."""
    words: list[bytes] = []
    chunk = b""
    room = (min(_WORD, _LINE - column) - 12) // 4 * 3
    for char in value:
        octets = char.encode("utf-8")
        if len(chunk) + len(octets) > room:
            words.append(chunk)
            chunk = b""
            room = (_WORD - 12) // 4 * 3
        chunk += octets
    words.append(chunk)
    return b"\r\n ".join(b"=?utf-8?b?" + binascii.b2a_base64(word, newline=False) + b"?=" for word in words if word)


def _decoded(header: str, value: str) -> str:
    try:
        parts = email.header.decode_header(value)
        return "".join(p if isinstance(p, str) else p.decode(charset or "latin-1", "replace") for p, charset in parts)
    except (email.errors.HeaderParseError, LookupError, ValueError) as error:
        raise HeaderRefused(header, "it holds a broken encoded word") from error
