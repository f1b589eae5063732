"""What leaves the building, and what is known about it afterwards.

A `Transport` takes mails that are ready-made bytes and ends each of them in exactly one `Result`. It reports facts,
never a judgement: what a reply means for a lead, a message or a route is `nurture.mail.outcome`'s to say.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mail:
    """A message ready for the wire. The addresses are the envelope's; an empty sender is the null return path."""

    id: int
    sender: str
    recipient: str
    data: bytes
    smtputf8: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """The four facts outcomes are told by (E15). `code` is None where no answer came that could be read."""

    phase: str  # connect, greeting, ehlo, starttls, auth, mail, rcpt, data, body, dot
    code: int | None
    enhanced: str | None  # RFC 3463, "4.2.2", where the server gave one
    text: str
    ours: bool = False  # True: this program refused before the server was asked


@dataclass(frozen=True, slots=True)
class Sent:
    """The server took responsibility: 2xx after the final dot."""

    id: int
    reply: Reply
    seconds: float  # from MAIL FROM to the answer


@dataclass(frozen=True, slots=True)
class Refused:
    """The server answered no (4xx or 5xx), at any phase; it holds nothing of this mail."""

    id: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class Dropped:
    """No answer: connection lost, time-out or garbage.

    `dot_written` False: the server cannot have taken it, a retry is safe (RFC 5321 §3.8). True: nobody knows (E18).
    """

    id: int
    reply: Reply
    dot_written: bool


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The gate said no in time; nothing of the message's content was written."""

    id: int


@dataclass(frozen=True, slots=True)
class Returned:
    """Given back untouched: the transport is draining or the run was ended. The message is as pending as before."""

    id: int


Result = Sent | Refused | Dropped | Withdrawn | Returned


class Wire(Protocol):
    """The sender's side of a run: asked and told while mails are going out, always on the event loop's thread."""

    async def gate(self, mails: Sequence[Mail]) -> Collection[int]:
        """Which of these may still go, and the attempt committed for each of them before this returns.

        The answer is used for half a second at most, counted from the question. A mail can be asked about again: the
        last answer counts, so a second attempt row must not come of it. An error ends the run: what was not begun
        is `Returned`, and `send` raises it once the running dialogues have ended.
        """
        ...

    def on_dot(self, mail: Mail, connection: int) -> None:
        """The next thing written is the end of this mail: from here on a crash leaves it unknown.

        Called at once before the write, so it must be short and must not wait. No connection has two such mails.
        """
        ...

    def on_result(self, result: Result) -> None:
        """A mail ended. Called once for each, as it happens; must be short and must not wait."""
        ...


class Transport(Protocol):
    """A way out of the building."""

    async def send(self, batch: Sequence[Mail], wire: Wire, *, connections: int | None = None) -> None:
        """Every mail of the batch has had its `on_result` when this returns or raises.

        `connections` bounds how many of the transport's connections this batch may use at once. Runs may overlap.
        Cancelling it lets dialogues that are under way finish and returns the rest (R8).
        """
        ...

    async def aclose(self) -> None:
        """Take nothing more, let running dialogues finish, say goodbye."""
        ...
