"""Fakes for both sides of a transport: a wire that notes what it was asked, a transport that sends nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field

from nurture.delivery.transport import Dropped, Mail, Refused, Reply, Result, Returned, Sent, Wire, Withdrawn


@dataclass
class RecordingWire:
    """Lets everything pass but `withdraw`; keeps questions, dots and results in order."""

    withdraw: set[int] = field(default_factory=set)
    asked: list[tuple[int, ...]] = field(default_factory=list)
    dots: list[tuple[int, int]] = field(default_factory=list)
    results: dict[int, Result] = field(default_factory=dict)
    order: list[Result] = field(default_factory=list)
    before_answer: Callable[[], Awaitable[None]] | None = None
    when_settled: Callable[[Result], None] | None = None

    async def gate(self, mails: Sequence[Mail]) -> Collection[int]:
        self.asked.append(tuple(mail.id for mail in mails))
        if self.before_answer is not None:
            await self.before_answer()
        return {mail.id for mail in mails} - self.withdraw

    def on_dot(self, mail: Mail, connection: int) -> None:
        self.dots.append((mail.id, connection))

    def on_result(self, result: Result) -> None:
        assert result.id not in self.results, f"mail {result.id} was settled twice"
        self.results[result.id] = result
        self.order.append(result)
        if self.when_settled is not None:
            self.when_settled(result)

    def kinds(self) -> dict[type[Result], int]:
        """How many of each kind of result."""
        counts: dict[type[Result], int] = {}
        for result in self.order:
            counts[type(result)] = counts.get(type(result), 0) + 1
        return counts

    def sent(self, mail: int) -> Sent:
        result = self.results[mail]
        assert isinstance(result, Sent), result
        return result

    def refused(self, mail: int) -> Refused:
        result = self.results[mail]
        assert isinstance(result, Refused), result
        return result

    def dropped(self, mail: int) -> Dropped:
        result = self.results[mail]
        assert isinstance(result, Dropped), result
        return result


@dataclass
class RecordingTransport:
    """A transport that keeps mails instead of sending them; `answers` can make some end otherwise, once each."""

    sent: list[Mail] = field(default_factory=list)
    answers: dict[int, Result] = field(default_factory=dict)
    chunk: int = 100
    closed: bool = False

    async def send(self, batch: Sequence[Mail], wire: Wire, *, connections: int | None = None) -> None:
        for start in range(0, len(batch), self.chunk):
            mails = batch[start : start + self.chunk]
            allowed = set() if self.closed else await wire.gate(mails)
            for mail in mails:
                if self.closed:
                    wire.on_result(Returned(mail.id))
                elif mail.id not in allowed:
                    wire.on_result(Withdrawn(mail.id))
                else:
                    self.deliver(mail, wire)

    def deliver(self, mail: Mail, wire: Wire) -> None:
        result = self.answers.pop(mail.id, None) or Sent(mail.id, Reply("dot", 250, "2.0.0", "2.0.0 kept"), 0.0)
        if isinstance(result, Sent) or (isinstance(result, Dropped) and result.dot_written):
            wire.on_dot(mail, 1)
        if isinstance(result, Sent):
            self.sent.append(mail)
        wire.on_result(result)

    async def aclose(self) -> None:
        self.closed = True
