"""A mail server of one's own: takes every mail, delivers none, keeps them in memory for the inbox page.

SMTP as far as a sender needs it (RFC 5321), with PIPELINING, 8BITMIME and SIZE. It listens on this machine only.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

Accept = Callable[[str, tuple[str, ...], bytes], None]

LARGEST = 10_000_000  # octets of a mail
_LINE = 2_000  # octets of a command
_OFFERS = ("PIPELINING", "8BITMIME", "SMTPUTF8", f"SIZE {LARGEST}", "ENHANCEDSTATUSCODES")


class Postbox:
    """Listens while started; `accept(envelope sender, recipients, content)` is called once for every mail taken."""

    def __init__(self, accept: Accept) -> None:
        self._accept = accept
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, port: int) -> None:
        """Listen; returns when mails are taken."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=LARGEST + _LINE)

    async def stop(self) -> None:
        """Take no more mails; what is open is closed."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        # A sender that hangs up in the middle has said nothing that counts.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await _Dialogue(reader, writer, self._accept).run()
        self._open.discard(writer)
        writer.close()


class _Dialogue:
    """One connection, from greeting to QUIT."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, accept: Accept) -> None:
        self._reader = reader
        self._writer = writer
        self._accept = accept
        self._sender: str | None = None
        self._recipients: list[str] = []

    async def run(self) -> None:
        self._say("220 localhost demo inbox ready")
        while True:
            await self._writer.drain()
            line = (await self._reader.readuntil(b"\n")).decode("utf-8", "replace").strip()
            verb, _, rest = line.partition(" ")
            match verb.upper():
                case "QUIT":
                    self._say("221 2.0.0 bye")
                    await self._writer.drain()
                    return
                case "DATA" if self._recipients:
                    await self._take()
                case other:
                    self._say(self._answer(other, rest))

    def _answer(self, verb: str, rest: str) -> str:
        match verb:
            case "EHLO":
                lines = ["localhost", *_OFFERS]
                self._forget()
                return "\r\n".join(f"250{' ' if line == lines[-1] else '-'}{line}" for line in lines)
            case "HELO" | "RSET":
                self._forget()
                return "250 2.0.0 fine"
            case "NOOP":
                return "250 2.0.0 fine"
            case "MAIL":
                self._forget()
                self._sender = _path(rest)
                return "250 2.1.0 go on"
            case "RCPT" if self._sender is not None:
                self._recipients.append(_path(rest))
                return "250 2.1.5 go on"
            case "RCPT" | "DATA":
                return "503 5.5.1 MAIL and RCPT come first"
        return "500 5.5.2 what was that?"

    async def _take(self) -> None:
        self._say("354 go on, end with a dot")
        await self._writer.drain()
        content = bytearray(b"\r\n")
        while not content.endswith(b"\r\n.\r\n"):
            content += await self._reader.readuntil(b".\r\n")
            if len(content) > LARGEST:
                self._say("552 5.3.4 too large")
                raise ConnectionError
        mail = bytes(content[:-3]).replace(b"\r\n..", b"\r\n.")[2:]  # dots are doubled on the way (RFC 5321 §4.5.2)
        self._accept(self._sender or "", tuple(self._recipients), mail)
        self._forget()
        self._say("250 2.0.0 in the inbox")

    def _forget(self) -> None:
        self._sender, self._recipients = None, []

    def _say(self, answer: str) -> None:
        self._writer.write(f"{answer}\r\n".encode())


def _path(rest: str) -> str:
    """The address of `FROM:<a@b> SIZE=…`."""
    return rest.partition("<")[2].partition(">")[0]
