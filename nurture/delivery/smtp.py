"""SMTP: connections that are opened carefully, kept, shared between runs, and closed politely.

aiosmtplib connects, negotiates TLS and signs in, one step at a time so that a failure has its phase; then its socket is
handed to a `Dialogue`, which writes the mails. TLS is never weakened and a password never leaves in clear (E21).
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, cast

import aiosmtplib
import structlog

from nurture.clock import Stopwatch
from nurture.delivery.dialogue import Dialogue, Timeouts
from nurture.delivery.feed import GATE_AGE, Feed
from nurture.delivery.loopback import is_local
from nurture.delivery.replies import Features, RawReply
from nurture.delivery.transport import Mail, Reply, Wire
from nurture.errors import NurtureError, UserError

log = structlog.get_logger()

BARREN = 3  # connections in a row that ended without one answered mail: the server is ill, not the mails
CROWDED_FOR = 60.0  # seconds not to ask for more connections than the server last allowed


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    """Where mails go. Raises UserError for a combination that would send mails or a password in clear by accident."""

    host: str
    port: int
    tls: Literal["required", "implicit", "none"] = "required"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    allow_insecure: bool = False
    ca_file: str | None = None  # a private authority, beside none of the public ones
    local_hostname: str = "localhost"  # what EHLO says
    connections: int = 10
    mails_per_connection: int = 500
    idle: float = 30.0  # seconds a connection is kept for the next batch; servers hang up after about a minute
    timeouts: Timeouts = field(default_factory=Timeouts)

    def __post_init__(self) -> None:
        if self.tls != "none" or self.allow_insecure:
            return
        hint = "use tls: required (the default) or implicit; allow_insecure: true accepts the risk"
        if self.username is not None or self.password is not None:
            raise UserError("smtp.tls is 'none', and the password would travel in clear", hint=hint)
        if not is_local(self.host):
            raise UserError(f"smtp.tls is 'none' and the server '{self.host}' is not on this machine", hint=hint)


@dataclass(frozen=True, slots=True)
class Greeted:
    """What a connection showed: `tls` is the version spoken, `until` when the certificate ends; None without TLS."""

    tls: str | None
    until: datetime | None


class Unreachable(NurtureError):
    """No mail can be handed over now; `reply` says at which phase and why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"the mail server cannot be used ({reply.phase}): {reply.text}")
        self.reply = reply


class SmtpTransport:
    """A pool of connections to one server. Belongs to one event loop."""

    def __init__(self, options: SmtpOptions, *, gate_age: float = GATE_AGE) -> None:
        self._options = options
        self._gate_age = gate_age
        self._watch = Stopwatch()
        self._slots = asyncio.Semaphore(options.connections)
        self._idle: list[tuple[Dialogue, asyncio.TimerHandle]] = []
        self._busy: set[Dialogue] = set()
        self._feeds: set[Feed] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = 0  # connections being opened, used or kept
        self._ceiling = options.connections  # how many the server lately allowed
        self._crowded_until = 0.0
        self._numbers = 0
        self._closing = False
        self._tls: ssl.SSLContext | None = None
        self._greeted = Greeted(None, None)

    async def send(self, batch: Sequence[Mail], wire: Wire, *, connections: int | None = None) -> None:
        """See `Transport.send`. Raises what the gate or a report raised, after the running dialogues have ended."""
        feed = Feed(batch, wire, self._watch, gate_age=self._gate_age)
        if self._closing:
            feed.close()
            return
        feed.workers = max(0, min(connections or self._options.connections, self._options.connections, len(batch)))
        self._feeds.add(feed)
        workers = [self._spawn(self._work(feed)) for _ in range(feed.workers)]
        everything = asyncio.gather(*workers)
        try:
            await asyncio.shield(everything)
        except asyncio.CancelledError:
            feed.close()
            await asyncio.shield(everything)  # between DATA and its answer nothing is cancelled (R8)
            raise
        finally:
            self._feeds.discard(feed)
        if feed.error is not None:
            raise feed.error

    async def check(self) -> Greeted:
        """Connect, sign in and say goodbye. Raises Unreachable with the phase that failed."""
        dialogue = await self._connect()
        await dialogue.bye()
        return self._greeted

    async def aclose(self) -> None:
        """Give back what waits, let running dialogues finish (up to their time-outs), then QUIT."""
        self._closing = True
        for feed in self._feeds:
            feed.close()
        while self._tasks:
            await asyncio.wait(self._tasks)
        idle, self._idle = self._idle, []
        for _, timer in idle:
            timer.cancel()
        await asyncio.gather(*(dialogue.bye() for dialogue, _ in idle))

    def abort(self) -> None:
        """Hang up everywhere at once: messages behind their dot become unknown, the others are dropped or returned."""
        self._closing = True
        for feed in self._feeds:
            feed.close()
        for dialogue in [*self._busy, *(dialogue for dialogue, _ in self._idle)]:
            dialogue.abort()

    # Connections for a run

    async def _work(self, feed: Feed) -> None:
        """Serve a run over one connection after another until it is empty or none can be had."""
        barren, left = 0, False
        try:
            async with self._slots:
                while not feed.empty and not left:
                    try:
                        dialogue = await self._acquire(feed)
                    except Unreachable as failure:
                        left = self._leave(feed, failure.reply)
                        continue
                    if dialogue is None:
                        left = self._leave(feed, None)
                        continue
                    before = dialogue.answered
                    await self._serve(dialogue, feed)
                    barren = 0 if dialogue.answered > before else barren + 1
                    if barren >= BARREN:
                        text = "the server ends every connection before it answers a mail"
                        left = self._leave(feed, Reply("connect", None, None, text))
        except Exception as error:
            feed.fail(error)  # a bug or a setting; the run ends with it, no mail is forgotten
        finally:
            if not left:
                feed.workers -= 1

    def _leave(self, feed: Feed, failure: Reply | None) -> bool:
        """This worker cannot serve the run. The others go on; the last one ends it with the reason."""
        feed.workers -= 1
        if failure is not None:
            if feed.workers == 0:
                log.warning("smtp.unreachable", phase=failure.phase, smtp=failure.code, connections=len(self._busy))
                feed.refuse_rest(failure)
            else:
                self._ceiling = max(1, self._ceiling - 1)
                self._crowded_until = self._watch.seconds() + CROWDED_FOR
        return True

    async def _acquire(self, feed: Feed) -> Dialogue | None:
        """A kept connection or a new one; None where the server lately had enough of us and others serve this run."""
        while self._idle:
            dialogue, timer = self._idle.pop()
            timer.cancel()
            if dialogue.usable:
                return dialogue
            self._forget(dialogue)
        if self._watch.seconds() >= self._crowded_until:
            self._ceiling = self._options.connections
        if self._open >= self._ceiling and feed.workers > 1:
            return None
        self._open += 1
        try:
            return await self._connect()
        except BaseException:
            self._open -= 1
            raise

    async def _serve(self, dialogue: Dialogue, feed: Feed) -> None:
        self._busy.add(dialogue)
        try:
            again = await dialogue.serve(feed, self._options.mails_per_connection)
        finally:
            self._busy.discard(dialogue)
        if again and not self._closing:
            timer = asyncio.get_running_loop().call_later(self._options.idle, self._expire, dialogue)
            self._idle.append((dialogue, timer))
        else:
            self._forget(dialogue)

    def _expire(self, dialogue: Dialogue) -> None:
        self._idle = [kept for kept in self._idle if kept[0] is not dialogue]
        self._forget(dialogue)

    def _forget(self, dialogue: Dialogue) -> None:
        self._open -= 1
        self._spawn(dialogue.bye())

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Opening one

    async def _connect(self) -> Dialogue:
        """A greeted connection, encrypted and signed in as configured. Raises Unreachable."""
        options, began = self._options, self._watch.seconds()
        if options.tls != "none" and self._tls is None:
            self._tls = await asyncio.to_thread(_tls_context, options.ca_file)
        client = aiosmtplib.SMTP(
            hostname=options.host,
            port=options.port,
            local_hostname=options.local_hostname,
            use_tls=options.tls == "implicit",
            start_tls=False,  # done below: aiosmtplib's own default signs in without TLS when STARTTLS was stripped
            tls_context=self._tls,
            timeout=options.timeouts.command,
        )
        try:
            await self._step("connect", client.connect(timeout=options.timeouts.connect))
            await self._step("ehlo", client.ehlo())
            if options.tls == "required":
                if not client.supports_extension("starttls"):
                    # Nothing more is said: whoever took STARTTLS away is listening.
                    text = "the server does not offer STARTTLS, which tls: required asks for"
                    raise Unreachable(Reply("starttls", None, None, text, True))
                await self._step("starttls", client.starttls())
                await self._step("ehlo", client.ehlo())
            if options.username is not None:
                await self._step("auth", client.login(options.username, options.password or ""))
            return self._hand_over(client, began)
        except BaseException:
            client.close()
            raise

    async def _step(self, phase: str, step: Awaitable[object]) -> None:
        """One step of opening; whatever goes wrong becomes Unreachable with its phase, free of secrets."""
        try:
            await step
        except aiosmtplib.SMTPResponseException as error:
            phase = "greeting" if phase == "connect" else phase
            if error.code < 200:  # aiosmtplib's mark for what it could not read
                raise Unreachable(Reply(phase, None, None, "not an SMTP reply")) from None
            text = error.message if phase != "auth" else self._without_secrets(error.message)
            reply = RawReply(error.code, text.encode("utf-8", "replace").split(b"\n")).told_at(phase)
            raise Unreachable(reply) from None
        except (aiosmtplib.SMTPException, OSError, ssl.CertificateError) as error:
            # `from None` at AUTH: a traceback's frames would carry the password.
            told = Reply(_phase_of(error, phase), None, None, self._without_secrets(_told(error)))
            raise Unreachable(told) from (None if phase == "auth" else error)

    def _hand_over(self, client: aiosmtplib.SMTP, began: float) -> Dialogue:
        options, transport = self._options, client.transport
        if transport is None or transport.is_closing():
            raise Unreachable(Reply("ehlo", None, None, "the server closed the connection"))
        size = client.esmtp_extensions.get("size")
        features = Features(
            pipelining=client.supports_extension("pipelining"),
            eightbit=client.supports_extension("8bitmime"),
            smtputf8=client.supports_extension("smtputf8"),
            size=None if size is None else int(size) if size.isdigit() else 0,
        )
        self._greeted = _greeted(transport.get_extra_info("ssl_object"))
        # From here on the client object knows nothing of the socket, so nothing it does later can touch it.
        client.transport = None
        client.protocol = None
        self._numbers += 1
        number = self._numbers
        took = round(self._watch.seconds() - began, 3)
        log.debug("smtp.connected", connection=number, tls=options.tls, pipelining=features.pipelining, took_s=took)
        return Dialogue(cast(asyncio.Transport, transport), features, options.timeouts, number, self._watch)

    def _without_secrets(self, text: str) -> str:
        """A server may echo what it was sent; the password, in any form AUTH writes it, is cut out."""
        user, password = self._options.username or "", self._options.password or ""
        if not password:
            return text
        forms = [password, _base64(password), _base64(f"\0{user}\0{password}"), _base64(f"{user}\0{user}\0{password}")]
        for form in forms:
            text = text.replace(form, "…")
        return text


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Certificates verified, host name checked, TLS 1.2 at least."""
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca_file)
    except OSError as error:
        raise UserError(f"smtp.ca_file '{ca_file}' cannot be read as certificates: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _greeted(encrypted: ssl.SSLObject | None) -> Greeted:
    if encrypted is None:
        return Greeted(None, None)
    ends = (encrypted.getpeercert() or {}).get("notAfter")
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if isinstance(ends, str) else None
    return Greeted(encrypted.version(), until)


def _phase_of(error: BaseException, phase: str) -> str:
    """aiosmtplib's `connect` ends with the greeting; what failed there is told by what lies beneath."""
    if phase != "connect":
        return phase
    if isinstance(error.__cause__, aiosmtplib.SMTPServerDisconnected | aiosmtplib.SMTPReadTimeoutError):
        return "greeting"
    beneath: BaseException | None = error
    while beneath is not None:
        if isinstance(beneath, ssl.SSLError):
            return "starttls"  # implicit TLS: the same failure of the same promise
        beneath = beneath.__cause__
    return phase


def _told(error: BaseException) -> str:
    beneath: BaseException | None = error
    while beneath is not None:
        if isinstance(beneath, ssl.SSLCertVerificationError):
            return f"the server's certificate is not accepted: {beneath.verify_message}"
        beneath = beneath.__cause__
    return str(error) or type(error).__name__
