"""An SMTP server that does what it is told, including the worst; it records everything.

    async with ScriptedServer({"RCPT": [Say("450 4.2.1 later")], "DOT": Drop("rst", accepted=True)}) as server:
        ...
        assert server.received[0].sha256 == …

A script maps a verb to an action: one action for every time, or a list whose items are used once each over the server's
whole life, first come first served; afterwards the server behaves. Verbs: GREETING EHLO STARTTLS AUTH MAIL RCPT DATA
BODY (content began to arrive) DOT (content is complete) RSET QUIT.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import ssl
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, cast


@dataclass(frozen=True)
class Say:
    """Answer this instead of the usual, after `after` seconds; `then` drops the connection afterwards."""

    line: str
    after: float = 0.0
    then: Literal["", "fin", "rst"] = ""


@dataclass(frozen=True)
class Wait:
    """Behave, but only after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Drop:
    """Say nothing and close (fin), reset (rst) or fall silent (hang). At DOT: `accepted` keeps the message first."""

    how: Literal["fin", "rst", "hang"]
    accepted: bool = False


@dataclass(frozen=True)
class Garbage:
    """Bytes that are no SMTP reply; the message at DOT was kept first if `accepted`."""

    data: bytes
    accepted: bool = False


Behave = None
Action = Say | Wait | Drop | Garbage | None
Script = Mapping[str, Action | Sequence[Action]]


@dataclass(frozen=True)
class Received:
    """A message the server took responsibility for, content without dot-stuffing."""

    connection: int
    sender: str
    recipients: tuple[str, ...]
    data: bytes
    at: float  # event loop's seconds

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass
class Behaviour:
    script: dict[str, Any] = field(default_factory=dict)

    def next(self, verb: str) -> Action:
        actions = self.script.get(verb)
        if isinstance(actions, list):
            return actions.pop(0) if actions else None
        return actions


class ScriptedServer:
    """Listens on a free loopback port while entered."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        offers: Sequence[str] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000"),
        tls: ssl.SSLContext | None = None,  # offers STARTTLS with it
        implicit_tls: bool = False,
        login: tuple[str, str] | None = None,
        delay: float = 0.0,  # seconds before every answer, as a distant server
        keep: bool = True,  # False: count only, for benchmarks
    ) -> None:
        self.behaviour = Behaviour({k: list(v) if isinstance(v, Sequence) else v for k, v in (script or {}).items()})
        self.offers, self.tls, self.implicit_tls, self.login = list(offers), tls, implicit_tls, login
        self.delay, self.keep = delay, keep
        self.received: list[Received] = []
        self.commands: list[tuple[int, str]] = []  # (connection, line as received)
        self.connections = 0
        self.open_now = 0
        self.most_open = 0
        self.count = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self.sessions: set[Session] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        context = self.tls if self.implicit_tls else None
        self._server = await loop.create_server(lambda: Session(self), "127.0.0.1", 0, ssl=context, backlog=500)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Close the port and every session."""
        assert self._server is not None
        self._server.close()
        for session in list(self.sessions):
            session.end("rst")
        await asyncio.sleep(0)
        await self._server.wait_closed()

    def lines(self, verb: str) -> list[str]:
        """Every line received that begins with the verb."""
        return [line for _, line in self.commands if line.upper().startswith(verb)]


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.number = 0
        self.transport: asyncio.Transport | None = None
        self.buffer = b""
        self.content: bytearray | None = None
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.busy = False  # an answer is being delayed; what arrives waits
        self.silent = False
        self.pending: list[bytes] = []
        self.secure = server.implicit_tls
        self.handles: list[asyncio.TimerHandle] = []

    # Connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        again, self.transport = (
            self.transport is not None,
            cast(asyncio.Transport, transport),
        )  # uvloop's is no subclass
        if again:  # after STARTTLS
            return
        self.server.sessions.add(self)
        self.server.connections += 1
        self.server.open_now += 1
        self.server.most_open = max(self.server.most_open, self.server.open_now)
        self.number = self.server.connections
        self.act("GREETING", "220 scripted.test ESMTP")
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self.server.sessions:
            self.server.sessions.discard(self)
            self.server.open_now -= 1
        self.silent = True
        for handle in self.handles:
            handle.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.work()

    def end(self, how: str) -> None:
        """Close the connection as told."""
        self.silent = True
        if how == "hang" or self.transport is None or self.transport.is_closing():
            return
        self.flush()
        if how == "rst":
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        else:
            self.transport.close()

    # Dialogue

    def work(self) -> None:
        """Go through what has arrived, as far as an answer can be given now."""
        while not (self.busy or self.silent):
            if self.content is not None:
                if not self.take_content():
                    break
            else:
                line, mark, rest = self.buffer.partition(b"\r\n")
                if not mark:
                    break
                self.buffer = rest
                self.command(line.decode("utf-8", "replace"))
        self.flush()

    def take_content(self) -> bool:
        assert self.content is not None
        if not self.content and self.buffer:
            action = self.server.behaviour.next("BODY")
            if action is not None:
                self.perform(action, "")
                return False
        self.content += self.buffer
        self.buffer = b""
        if self.content.startswith(b".\r\n"):
            end = 0
        elif (found := self.content.find(b"\r\n.\r\n")) >= 0:
            end = found + 2
        else:
            return False
        self.buffer = bytes(self.content[end + 3 :])
        data = bytes(self.content[:end])
        data = (data[1:] if data.startswith(b".") else data).replace(b"\r\n.", b"\r\n")
        self.content = None
        self.dot(data)
        return True

    def dot(self, data: bytes) -> None:
        action = self.server.behaviour.next("DOT")
        accepted = action is None or isinstance(action, Wait) or getattr(action, "accepted", False)
        accepted = accepted or (isinstance(action, Say) and action.line.startswith("250"))
        if accepted and self.recipients:
            self.server.count += 1
            if self.server.keep:
                now = asyncio.get_running_loop().time()
                recipients = tuple(self.recipients)
                self.server.received.append(Received(self.number, self.sender or "", recipients, data, now))
        usual = f"250 2.0.0 queued as {self.server.count}" if self.recipients else "554 5.5.1 no valid recipients"
        self.sender, self.recipients = None, []
        self.perform(action, usual)

    def command(self, line: str) -> None:
        if self.server.keep:
            self.server.commands.append((self.number, line))
        verb = line.split(" ", 1)[0].upper()
        handler = getattr(self, f"on_{verb.lower()}", None)
        if handler is None:
            self.say("500 5.5.2 what?")
        else:
            handler(line)

    def act(self, verb: str, usual: str) -> bool:
        """Perform the script's action for the verb; True when the usual answer was, or will be, given."""
        action = self.server.behaviour.next(verb)
        self.perform(action, usual)
        return action is None or isinstance(action, Wait) or (isinstance(action, Say) and action.line[:1] in "23")

    def perform(self, action: Action, usual: str) -> None:
        if isinstance(action, Say):
            self.say(action.line, action.after, action.then)
        elif isinstance(action, Drop):
            self.end(action.how)
        elif isinstance(action, Garbage):
            self.out(action.data)
        else:
            self.say(usual, action.seconds if isinstance(action, Wait) else 0.0)

    def say(self, line: str, after: float = 0.0, then: str = "") -> None:
        wait = after + self.server.delay
        if wait:
            self.busy = True
            self.handles.append(asyncio.get_running_loop().call_later(wait, self.say_late, line, then))
            return
        if line:
            self.out(line.replace("\n", "\r\n").encode() + b"\r\n")
        if then:
            self.end(then)

    def say_late(self, line: str, then: str) -> None:
        self.busy = False
        self.out(line.replace("\n", "\r\n").encode() + b"\r\n")
        if then:
            self.end(then)
        self.work()

    def out(self, data: bytes) -> None:
        self.pending.append(data)

    def flush(self) -> None:
        """Answers to one group of commands leave together, as servers do."""
        pending, self.pending = self.pending, []
        if pending and self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"".join(pending))

    # Verbs

    def on_ehlo(self, line: str) -> None:
        offers = list(self.server.offers)
        if self.server.tls is not None and not self.secure:
            offers.append("STARTTLS")
        if self.server.login is not None:
            offers.append("AUTH PLAIN LOGIN")
        lines = ["scripted.test", *offers]
        self.act("EHLO", "\n".join(f"250{'-' if n < len(lines) - 1 else ' '}{text}" for n, text in enumerate(lines)))

    on_helo = on_ehlo

    def on_starttls(self, line: str) -> None:
        if self.act("STARTTLS", "220 2.0.0 go ahead") and self.server.tls is not None:
            self.flush()
            self.busy = True
            self.upgrade = asyncio.ensure_future(self.start_tls())

    async def start_tls(self) -> None:
        assert self.transport is not None
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(self.transport, self, self.server.tls, server_side=True)  # type: ignore[arg-type]
        except (OSError, ssl.SSLError):
            self.end("rst")
            return
        self.transport = transport
        self.secure, self.busy = True, False
        self.work()

    def on_auth(self, line: str) -> None:
        action = self.server.behaviour.next("AUTH")
        if action is not None:
            self.perform(action, "")
        elif line.upper().startswith("AUTH PLAIN "):
            self.say("235 2.7.0 welcome" if self.knows(line[11:]) else "535 5.7.8 no")
        else:
            self.say("504 5.5.4 PLAIN only")

    def knows(self, token: str) -> bool:
        user, password = self.server.login or ("", "")
        return base64.b64decode(token).split(b"\0")[1:] == [user.encode(), password.encode()]

    def on_mail(self, line: str) -> None:
        if self.sender is not None:
            self.say("503 5.5.1 nested MAIL")
        elif self.act("MAIL", "250 2.1.0 ok"):
            self.sender = line[line.index("<") + 1 : line.index(">")]

    def on_rcpt(self, line: str) -> None:
        if self.sender is None:
            self.say("503 5.5.1 need MAIL")
        elif self.act("RCPT", "250 2.1.5 ok"):
            self.recipients.append(line[line.index("<") + 1 : line.index(">")])

    def on_data(self, line: str) -> None:
        if self.sender is None:
            self.say("503 5.5.1 need MAIL")
        elif not self.recipients and self.server.behaviour.script.get("DATA") is None:
            self.say("554 5.5.1 no valid recipients")
        elif self.act("DATA", "354 go on"):
            self.content = bytearray()

    def on_rset(self, line: str) -> None:
        self.sender, self.recipients = None, []
        self.act("RSET", "250 2.0.0 ok")

    def on_noop(self, line: str) -> None:
        self.say("250 2.0.0 ok")

    def on_quit(self, line: str) -> None:
        if self.act("QUIT", "221 2.0.0 bye"):
            self.flush()
            if not self.busy:
                self.end("fin")
