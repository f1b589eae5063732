"""The days of the shop, played: what people do is sent when its time has come, and what they do with their mails.

Campaign time moves in steps, and only when everything of the step before has been done: a slow machine plays the same
days as a fast one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any

from nurture.campaign.project import Project
from nurture.clock import Clock, FastClock, Stopwatch, VirtualClock
from nurture.demo.doors import Door
from nurture.demo.people import Person, Reaction, reaction
from nurture.demo.shop import Happening, World
from nurture.inbox.letter import Letter

STEP = timedelta(hours=1)  # between two looks of the worker, in campaign time
_MOST_CALLS = 50  # in one batch

Turn = Callable[[], Awaitable[int]]  # all that is due now, once; how much it was


class PlayClock:
    """Campaign time that moves when it is told to; let go, it runs by itself."""

    def __init__(self, start: datetime) -> None:
        self._told = VirtualClock(start)
        self._running: Clock | None = None

    def now(self) -> datetime:
        return (self._running or self._told).now()

    def jump(self, to: datetime) -> None:
        """Move on to an instant not before the present one."""
        self._told.jump(to)

    def let_go(self, factor: float) -> None:
        """From now on `factor` times as fast as the machine's."""
        self._running = FastClock(self.now(), factor)


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody does with a mail, `at` an instant."""

    at: datetime
    person: Person
    reaction: Reaction
    letter: Letter
    path: str


@dataclass
class Tally:
    """What has happened so far, for a person to follow."""

    happened: Counter[str] = field(default_factory=Counter)  # by event, form, consent…
    reactions: Counter[str] = field(default_factory=Counter)  # by kind
    languages: Counter[str] = field(default_factory=Counter)  # mails
    left: dict[str, list[tuple[datetime, Letter]]] = field(default_factory=dict)  # who unsubscribed, from which mail


@dataclass
class Play:
    """One run over a world. `arrived` gives the letters that came since it was last asked, `next_due` the instant of
    the next thing the worker has to do by itself, `daily` is done at midnight, `watch` hears every step."""

    world: World
    project: Project
    base_url: str
    clock: PlayClock
    door: Door
    arrived: Callable[[], list[Letter]]
    next_due: Callable[[], datetime | None]
    daily: Callable[[], None]
    watch: Callable[[datetime, Tally], None] = lambda now, tally: None
    tally: Tally = field(default_factory=Tally)
    _agenda: list[tuple[datetime, int, Happening | Answer]] = field(default_factory=list)
    _count: int = 0
    _calls: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._people = {person.id: person for person in self.world.people}
        self._by_address = {person.email: person for person in self.world.people}
        self._marketing: Counter[str] = Counter()  # mails had, by person
        for happening in self.world.days():
            self._plan(happening.at, happening)

    async def run(self, turn: Turn, *, stopped: Callable[[], bool] = lambda: False, seconds: float = 0.0) -> None:
        """Play to the world's end, or until `stopped`; whatever was due until then has been done. The days take at
        least so many seconds of machine time."""
        watch, whole = Stopwatch(), self.world.end - self.clock.now()
        while (now := self.clock.now()) < self.world.end and not stopped():
            until = min(now + STEP, self.world.end)
            is_new_day = until.date() != now.date()
            if self._agenda and self._agenda[0][0] <= until:
                await asyncio.to_thread(self._act, until)
                looking = True
            else:
                due = await asyncio.to_thread(self.next_due)
                looking = is_new_day or now == self.world.start or (due is not None and due <= until)
            self.clock.jump(until)
            if is_new_day:
                await asyncio.to_thread(self.daily)
            while looking and await turn():
                pass
            self._read(self.arrived())
            self.watch(until, self.tally)
            ahead = seconds * (1 - (self.world.end - until) / whole) - watch.seconds()
            if ahead > 0:
                await asyncio.sleep(ahead)

    def _plan(self, at: datetime, what: Happening | Answer) -> None:
        self._count += 1
        heappush(self._agenda, (at, self._count, what))

    # --- acting, in a thread ---

    def _act(self, until: datetime) -> None:
        """Everything planned up to an instant, each at its own, in order."""
        while self._agenda and self._agenda[0][0] <= until:
            at, _, what = heappop(self._agenda)
            is_call = isinstance(what, Happening) and what.kind in ("identify", "track")
            if self._calls and (not is_call or len(self._calls) >= _MOST_CALLS):
                self._send_calls()
            self.clock.jump(max(at, self.clock.now()))
            if isinstance(what, Answer):
                self._answer(what)
            else:
                self._happen(what)
        self._send_calls()

    def _send_calls(self) -> None:
        if self._calls:
            self.door.batch(self._calls)
            self._calls = []

    def _happen(self, it: Happening) -> None:
        person = self._people[it.lead]
        match it.kind:
            case "identify" | "track":
                self._calls.append(_call(it))
                self.tally.happened[it.name or "lead"] += 1
            case "form":
                self.door.submit(it.name, it.properties, _network(person))
                self.tally.happened[f"form {it.name}"] += 1
            case "consent":
                self.door.consent(self._declared(it, person))
                self.tally.happened[f"consent {it.name}"] += 1
            case "move":
                self.door.move(it.lead, it.name, str(it.properties["reason"]))
                self.tally.happened["move"] += 1

    def _declared(self, it: Happening, person: Person) -> dict[str, Any]:
        topic = self.project.topics[it.name]
        return {
            "lead": it.lead,
            "topic": it.name,
            "state": "granted",
            "actor": "person",
            "basis": topic.basis,
            "method": "checkbox",
            "at": it.at.isoformat(),
            "wording": topic.wording.get(person.locale, ""),
            "locale": person.locale,
            "page": f"/{person.locale}/{it.properties['source']}",
            "source": it.properties["source"],
            "ip": _network(person),
            "evidence": _sale(it),
        }

    def _answer(self, it: Answer) -> None:
        visitor = _network(it.person)
        match it.reaction.kind:
            case "unsubscribe" if it.letter.one_click and self.tally.reactions["unsubscribe"] % 2:
                self.door.one_click(it.letter.one_click.removeprefix(f"{self.base_url}/"), visitor)
            case "unsubscribe":
                self.door.press(it.path, {"do": "topic"}, visitor)
            case "confirm":
                self.door.press(it.path, {"do": "confirm"}, visitor)
            case "answer":
                self.door.press(it.path, it.reaction.answer, visitor)
        self.tally.reactions[it.reaction.kind] += 1
        if it.reaction.kind == "unsubscribe":
            self.tally.left.setdefault(it.person.email, []).append((it.at, it.letter))

    # --- reading mails ---

    def _read(self, letters: Iterable[Letter]) -> None:
        """People open their mails, in the order these were written."""
        for letter in sorted(letters, key=lambda each: (each.at, each.message, each.number)):
            self.tally.languages[letter.language] += 1
            person = self._by_address.get(letter.recipient)
            if person is None:  # a colleague
                continue
            self._marketing[person.id] += letter.marketing
            paths = letter.paths(self.base_url)
            does = reaction(person, self._marketing[person.id], paths)
            if does is not None:
                self._plan(
                    letter.at + does.after, Answer(letter.at + does.after, person, does, letter, _way(does, paths))
                )


def _call(it: Happening) -> dict[str, Any]:
    said = {"type": it.kind, "userId": it.lead, "messageId": it.id, "timestamp": it.at.isoformat()}
    if it.kind == "identify":
        return said | {"traits": it.properties}
    return said | {"event": it.name, "properties": it.properties}


def _sale(it: Happening) -> dict[str, Any] | None:
    """The order at whose checkout they said so."""
    order = it.properties.get("order_id")
    return {"sale": order, "sold_at": it.at.isoformat(), "objection_offered": True} if order else None


def _way(does: Reaction, paths: list[str]) -> str:
    """The link of a mail by which one does that."""
    start = {"confirm": "c/", "unsubscribe": "u/", "answer": f"f/{does.form}/"}[does.kind]
    return next(path for path in paths if path.startswith(start))


def _network(person: Person) -> str:
    """An address of the range set aside for examples (RFC 3849), a network for each person."""
    return f"2001:db8:{int(person.id.rpartition('-')[2]):x}::1"
