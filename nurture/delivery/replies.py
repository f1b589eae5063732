"""SMTP replies and envelopes as bytes: read what a server says, write what it is told, refuse what could be misread."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from nurture.delivery.transport import Mail, Reply

LONGEST_LINE = 8192  # RFC 5321 §4.5.3.1.5 says 512; some servers are chatty
MOST_LINES = 128  # in one reply

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)")
# A mailbox as it stands between the angle brackets: no space, comma, bracket or control can begin another argument.
_ASCII_MAILBOX = re.compile(r"[!-+\--;=?-~]+@[!-+\--;=?A-~]+")
_LONGEST_MAILBOX = 254  # RFC 5321 §4.5.3.1.3, without the brackets
_BARE_NEWLINE = re.compile(rb"\r\n|\r|\n")


class Garbage(Exception):
    """What the server sent is not an SMTP reply."""


class RawReply:
    """One reply as received; text is decoded only where somebody will read it."""

    __slots__ = ("code", "lines")

    def __init__(self, code: int, lines: list[bytes]) -> None:
        self.code = code
        self.lines = lines

    def told_at(self, phase: str) -> Reply:
        """The reply as a fact of its phase, with the enhanced code (RFC 2034) its first line may begin with."""
        text = b"\n".join(self.lines).decode("utf-8", "replace")
        found = _ENHANCED.match(text)
        return Reply(phase, self.code, found.group() if found else None, text)


class ReplyReader:
    """Cuts the server's bytes into replies (RFC 5321 §4.2), however they were split on the way."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._code = 0

    def feed(self, data: bytes) -> list[RawReply | Garbage]:
        """The replies now complete. A `Garbage` is the last one ever: nothing behind it can be trusted."""
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        replies: list[RawReply | Garbage] = []
        try:
            for line in lines:
                if (reply := self._line(line)) is not None:
                    replies.append(reply)  # noqa: PERF401 — what came before the garbage is kept
            if len(self._rest) > LONGEST_LINE:
                raise Garbage("a reply line has no end")
        except Garbage as garbage:
            replies.append(garbage)
        return replies

    def _line(self, line: bytes) -> RawReply | None:
        digits, mark = line[:3], line[3:4]
        if not (len(digits) == 3 and digits.isdigit() and b"2" <= digits[:1] <= b"5" and mark in b" -\r"):
            raise Garbage("not an SMTP reply")
        code = int(digits)
        if self._lines and code != self._code:
            raise Garbage("a reply changes its code half-way")
        if len(self._lines) >= MOST_LINES:
            raise Garbage("a reply has no end")
        self._code = code
        self._lines.append(line[4:].rstrip())
        if mark == b"-":
            return None
        reply, self._lines = RawReply(code, self._lines), []
        return reply


@dataclass(frozen=True, slots=True)
class Features:
    """What the server offered in its last EHLO and this program makes use of."""

    pipelining: bool = False
    eightbit: bool = False
    smtputf8: bool = False
    size: int | None = None  # bytes, where it announced a limit; 0 = SIZE without a limit


def envelope(mail: Mail, features: Features) -> tuple[bytes, bytes] | Reply:
    """The MAIL and RCPT commands with the addresses exactly as given (E22), or why this server cannot be asked."""
    if mail.sender and not _is_mailbox(mail.sender):
        return Reply("mail", 553, "5.1.7", "the sender's address cannot be written on an SMTP line", True)
    if not _is_mailbox(mail.recipient):
        return Reply("rcpt", 553, "5.1.3", "the address cannot be written on an SMTP line", True)
    parameters = ""
    if features.size is not None:
        if 0 < features.size < len(mail.data):
            text = f"the message has {len(mail.data)} bytes, the server takes {features.size}"
            return Reply("mail", 552, "5.3.4", text, True)
        parameters = f" SIZE={len(mail.data)}"
    utf8 = mail.smtputf8 or not (mail.sender.isascii() and mail.recipient.isascii())
    if utf8 and not features.smtputf8:
        return Reply("rcpt", 553, "5.6.7", "the address needs SMTPUTF8, which the server does not offer", True)
    if not mail.data.isascii():
        if not features.eightbit:
            return Reply("mail", 554, "5.6.3", "the message needs 8BITMIME, which the server does not offer", True)
        parameters += " BODY=8BITMIME"
    if utf8:
        parameters += " SMTPUTF8"
    return f"MAIL FROM:<{mail.sender}>{parameters}\r\n".encode(), f"RCPT TO:<{mail.recipient}>\r\n".encode()


def _is_mailbox(address: str) -> bool:
    if len(address.encode()) > _LONGEST_MAILBOX:
        return False
    if _ASCII_MAILBOX.fullmatch(address):
        return True
    if address.isascii() or address.count("@") < 1:
        return False
    # Unicode: the same line, without what is invisible (Cc, Cf: zero width, bidi) or a kind of space (Z*).
    return not any(sign in "<>," or unicodedata.category(sign)[0] in "CZ" for sign in address)


def stuffed(data: bytes) -> bytes:
    """A message ready for DATA, without its final dot: CRLF line ends only, leading dots doubled (RFC 5321 §4.5.2, X5).

    Bytes that are already clean come back as they are, so what was signed is what is sent.
    """
    pairs = data.count(b"\r\n")
    if pairs != data.count(b"\n") or pairs != data.count(b"\r"):
        data = _BARE_NEWLINE.sub(b"\r\n", data)
    if b"\n." in data:
        data = data.replace(b"\n.", b"\n..")
    if data.startswith(b"."):
        data = b"." + data
    return data if data.endswith(b"\r\n") else data + b"\r\n"
