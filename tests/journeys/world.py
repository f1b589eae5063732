"""A small shop, campaigns written as people write them, and two stages to play them on: the simulator (`tell`), and a
database with passes at instants of the test's choosing (`Site`)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from nurture.campaign.duration import read_duration
from nurture.campaign.plan import Plan
from nurture.campaign.problems import Problem
from nurture.campaign.project import Project
from nurture.campaign.read import read_campaigns, read_project
from nurture.engine import deploy, happenings, outcomes
from nurture.engine.advance import Pass, advance_batch
from nurture.engine.happenings import Told
from nurture.engine.live import Live, load_live
from nurture.engine.react import react_batch
from nurture.engine.rehearse import Rehearsal, Scripted
from nurture.engine.turn import Turn
from nurture.engine.writing import outcome
from nurture.journey.timing import shift
from nurture.lead.keyring import Keyring
from nurture.store import casting, outbox, timeline
from nurture.store.casting import Cast
from nurture.store.database import Database, Transaction
from nurture.store.outbox import Result
from nurture.store.scope import Scope
from nurture.store.tables import messages
from nurture.store.timeline import Left, Line

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)  # a Monday
KEYRING = Keyring(["journeys"])

CONFIG = """
project: shop
timezone: UTC
locale: en
currency: EUR
topics:
  offers: {title: Offers, wording: Yes to offers}
  news: {title: News, wording: Yes to news, double_opt_in: false}
funnels:
  main: {stages: [lead, mql, sql, {customer: {moves: [lead]}}]}
pipelines:
  sales: {stages: [demo, offer], won: [fit], lost: [price], recycle: {to: lead, after: 90d}}
attributes: {plan: text, renewal: date, birthday: date, size: number}
account_attributes: {industry: text}
events:
  cart_updated: {cart_id: text, total: number}
  cart_emptied: {cart_id: text}
  order_completed: {cart_id: text, total: number, currency: text}
  login: {device: text}
  visit: {page: text}
  signup: {plan: text}
webhooks: {gifts: {url: "https://gifts.example/new"}, chat: {url: "https://chat.example/in"}}
teams: {sales: [ann@shop.example, ben@shop.example]}
"""


def no_errors(problems: Iterable[Problem]) -> None:
    found = [str(p) for p in problems if p.severity == "error"]
    if found:
        raise AssertionError("\n".join(found))


def project(more: str = "") -> Project:
    """The shop; sections of config.yaml in `more` take the place of its own."""
    more = textwrap.dedent(more)
    given = {line.partition(":")[0] for line in more.splitlines() if line[:1].isalpha()}
    kept, keep = [], True
    for line in CONFIG.splitlines():
        if line[:1].isalpha():
            keep = line.partition(":")[0] not in given
        if keep:
            kept.append(line)
    reading = read_project(("config.yaml", "\n".join(kept) + "\n" + more))
    no_errors(reading.problems)
    return reading.project


def plans(shop: Project, *texts: str) -> dict[str, Plan]:
    """The campaigns in these texts, which have no error."""
    read = read_campaigns({f"{n}.yaml": textwrap.dedent(text) for n, text in enumerate(texts)}, shop)
    no_errors(read.problems)
    return read.plans


@dataclass(frozen=True)
class Did:
    at: str
    name: str
    properties: Mapping[str, Any]
    who: int


def did(at: str, name: str, who: int = 0, **properties: Any) -> Did:
    """Something a player does, so long after the start (negative: history)."""
    return Did(at, name, properties, who)


def person(n: int = 0, *, consents: Sequence[str] = ("offers", "news"), **more: Any) -> Cast:
    """A lead that may be mailed; fields by the names campaigns know, the rest as Cast has it."""
    own = {name: more.pop(name) for name in ("stages", "tags", "scores", "account", "deals") if name in more}
    fields = {"email": f"lead{n}@example.com", **more}
    return Cast(fields=fields, consents=tuple(consents), external_id=f"lead-{n}", **own)


def instant(at: str | timedelta, start: datetime = START) -> datetime:
    if isinstance(at, timedelta):
        return start + at
    sign, text = (-1, at[1:]) if at.startswith("-") else (1, at)
    length = read_duration(text)
    assert length is not None
    return shift(start, length if sign > 0 else length.negated(), "UTC")


def offset(at: datetime, start: datetime = START) -> str:
    """How long after the start, as campaigns write it: `1d2h`."""
    rest = int((at - start).total_seconds())
    sign, rest = ("-", -rest) if rest < 0 else ("", rest)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return sign + ("".join(parts) or "0h")


@dataclass(frozen=True)
class Story:
    """What happened, read back. `who` is a player by place; None is everybody."""

    lines: Sequence[Line]
    left: Sequence[Left]
    ended: Sequence[tuple[int, str, str | None, datetime]]
    leads: Sequence[int]
    start: datetime = START

    def _of(self, who: int | None, lead: int) -> bool:
        return who is None or lead == self.leads[who]

    def sent(self, who: int | None = 0, kind: str = "mail") -> list[str]:
        """Mails that left, `TEMPLATE at TIME`."""
        found = [m for m in self.left if m.kind == kind and m.state in ("sent", "unknown") and self._of(who, m.lead)]
        return [f"{m.template} at {offset(m.at, self.start)}" for m in found]

    def said(self, *whats: str, who: int | None = 0) -> list[str]:
        """Lines of `why` of these kinds: `WHAT DETAIL REASON at TIME`; the detail is a template, stage, tag or step."""
        return [
            " ".join(x for x in (line.what, _detail(line), line.reason) if x) + f" at {offset(line.at, self.start)}"
            for line in self.lines
            if line.what in whats and self._of(who, line.lead)
        ]

    def entered(self, who: int | None = 0) -> list[str]:
        return [text.removeprefix("entered at ") for text in self.said("entered", who=who)]

    def not_entered(self, who: int | None = 0) -> list[str]:
        return [line.reason or "" for line in self.lines if line.what == "not_entered" and self._of(who, line.lead)]

    def ends(self, who: int | None = 0) -> list[str]:
        """How each enrollment ended, in the order of entering; `waiting` stands still."""
        return [outcome(state, reason) for lead, state, reason, _ in self.ended if self._of(who, lead)]


def _detail(line: Line) -> str | None:
    return None if line.what == "ended" else line.detail or line.step


def read_story(tx: Transaction, leads: Sequence[int], start: datetime = START) -> Story:
    return Story(timeline.lines(tx), timeline.left(tx), timeline.ends(tx), leads, start)


def tell(
    *campaigns: str,
    events: Iterable[Did] = (),
    people: Sequence[Cast] | None = None,
    start: datetime = START,
    until: str = "400d",
    more: str = "",
    answers: Mapping[str, Any] | None = None,
) -> Story:
    """Play on the simulator."""
    shop = project(more)
    cast = list(people) if people is not None else [person()]
    script = [Scripted(instant(e.at, start), e.who, e.name, e.properties) for e in events]
    with Rehearsal(shop, plans(shop, *campaigns), start, answers=answers or {}) as stage:
        stage.play(cast, script, instant(until, start))
        with stage.database.read() as tx:
            return read_story(tx, stage.leads, start)


@dataclass
class Site:
    """A database that is live: deploys, events and passes happen when the test says so."""

    db: Database
    more: str = ""
    leads: list[int] = field(default_factory=list)
    live: Live | None = None

    def deploy(
        self,
        *campaigns: str,
        at: str | timedelta = "0h",
        templates: Mapping[str, Mapping[str, str]] | None = None,
        sweep: bool = True,
    ) -> None:
        """Make these the live campaigns; the sweeps it asks for are walked."""
        shop, now = project(self.more), instant(at)
        with self.db.write() as tx:
            deploy.deploy(tx, shop, plans(shop, *campaigns), templates or {}, now)
        if sweep:
            self.sweep(at)

    def sweep(self, at: str | timedelta) -> None:
        now = instant(at)
        with self.db.write() as tx:
            while deploy.sweep_batch(tx, self._live(tx), Scope(now), now):
                pass

    def join(self, *people: Cast, at: str = "0h") -> list[int]:
        """Leads that have been there."""
        with self.db.write() as tx:
            found = casting.put(tx, project(self.more), people, instant(at), KEYRING)
        self.leads += found
        return found

    def _live(self, tx: Transaction) -> Live:
        self.live = load_live(tx, KEYRING, self.live)
        assert self.live is not None
        return self.live

    def happens(self, at: str | timedelta, name: str, who: int = 0, told: str | None = None, **properties: Any) -> None:
        """Something is said about a lead, at `told` where that is later than `at`."""
        happened = instant(at)
        with self.db.write() as tx:
            turn = Turn(tx, self._live(tx))
            now = happened if told is None else instant(told)
            happenings.take(turn, [Told(self.leads[who], name, now, properties, happened)])
            turn.flush()

    def react(self, at: str | timedelta, limit: int = 1_000) -> int:
        """Reaction passes until nothing is new."""
        played = 0
        with self.db.write() as tx:
            while count := react_batch(tx, self._live(tx), Scope(instant(at)), limit=limit):
                played += count
        return played

    def advance(self, at: str | timedelta) -> int:
        """One advancing pass, over all its batches."""
        decided, ran = 0, Pass()
        with self.db.write() as tx:
            while count := advance_batch(tx, self._live(tx), Scope(instant(at)), ran):
                decided += count
        return decided

    def pass_(self, at: str | timedelta) -> None:
        """What a worker does at that instant, without sending."""
        self.react(at)
        self.advance(at)

    def send(self, at: str | timedelta, state: str = "sent") -> int:
        """What is pending leaves, or comes to this state."""
        now = instant(at)
        with self.db.write() as tx:
            claimed = outbox.claim_of(tx, Scope(now))
            turn = Turn(tx, self._live(tx))
            results = [Result(m.id, m.fence, state, now) for m in claimed]
            outcomes.settle(turn, {m.id: m for m in claimed}, results)
            turn.flush()
        return len(claimed)

    def on_the_wire(self) -> None:
        """What is pending is being said to its server right now."""
        with self.db.write() as tx:
            tx.execute(messages.update().where(messages.c.state == "pending").values(state="sending"))

    def arrives(self, at: str | timedelta, state: str = "sent") -> None:
        """The server has answered for what is on the wire."""
        with self.db.write() as tx:
            ids = list(tx.execute(messages.select().where(messages.c.state == "sending")).scalars())
            tx.execute(messages.update().where(messages.c.id.in_(ids)).values(state="pending"))
        assert self.send(at, state) == len(ids)

    def run(self, at: str | timedelta) -> None:
        """A pass, and everything that it released leaves at once, until all is quiet."""
        for _ in range(50):
            busy = self.react(at) + self.advance(at) + self.send(at)
            if not busy:
                return

    def story(self) -> Story:
        with self.db.read() as tx:
            return read_story(tx, self.leads)

    def outbox(self) -> list[str]:
        """Every message as `TEMPLATE STATE`."""
        with self.db.read() as tx:
            rows = tx.execute(messages.select().order_by(messages.c.id)).all()
        return [f"{row.template} {row.state}" for row in rows]
