"""Who may get what, in a few dictionaries: the rules of consent as one would tell them, not as the engine has them.

It follows what people and programs say; the engine is asked only who is who after two leads were joined. Instants are
UTC.
"""

from __future__ import annotations

import calendar
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.properties.permission.letter import Letter

DAY = timedelta(days=1)
# An address as people write it, and the mailbox that is meant (trust C27).
SPELLINGS = {
    "anna@example.com": "anna",
    "ANNA@Example.COM": "anna",
    "ANNA@example.com": "anna",  # as it is sent to: the domain in small letters, or as A-label
    "anna+shop@example.com": "anna, tagged",
    "jo@exämple.de": "jo",
    "Jo@EXÄMPLE.de": "jo",
    "jo@xn--exmple-cua.de": "jo",
    "Jo@xn--exmple-cua.de": "jo",
    "bo@example.org": "bo",
    "BO@example.org": "bo",
    "eve@example.net": "eve",
    "cleo@example.net": "cleo",
    "dan@example.net": "dan",
    "fay@example.net": "fay",
}
CONSENT_LANDS = {"FR", "CA"}  # of the countries that this world knows
ALL = "*"
GONE = ("withdrawn", "objected")
_STRICT = ("none", "granted", "requested", "expired", "withdrawn", "objected")


@dataclass(frozen=True)
class Topic:
    basis: str = "consent"
    confirmed: bool = True  # double opt-in
    lasts: timedelta | None = None
    lands: tuple[str, ...] = ()


FIRST = {
    "letter": Topic(),
    "club": Topic(lasts=timedelta(days=365)),
    "offers": Topic(confirmed=False, lasts=timedelta(days=400)),
    "table": Topic("soft_opt_in"),
    "partner": Topic("legitimate_interest", lands=("US",)),
    "notices": Topic("service"),
}
LATER = FIRST | {"extra": Topic(confirmed=False)}  # what the second deploy knows besides


@dataclass
class Word:
    """What somebody said last on one topic."""

    state: str
    since: datetime
    basis: str = "consent"
    sold: datetime | None = None  # of a soft opt-in whose sale was told
    ends: datetime | None = None


@dataclass
class Person:
    created: datetime
    country: str = ""
    box: str | None = None
    words: dict[str, Word] = field(default_factory=dict)
    left: bool = False  # all marketing, today's topics and those of later
    restricted: bool = False
    resting: datetime | None = None


class Model:
    def __init__(self) -> None:
        self.topics = FIRST
        self.people: dict[int, Person] = {}
        self.shut: dict[str, set[str]] = defaultdict(set)  # by mailbox: "all", "marketing", topics
        self.complained: set[str] = set()
        self.erased: list[tuple[int, datetime]] = []
        self.confirmations: dict[str, list[datetime]] = defaultdict(list)  # since the mailbox last agreed to something
        self.taken: dict[int, Letter] = {}  # what a server took, or may have
        self.again: set[int] = set()  # of these, what may be sent once more
        self.steps: dict[str, int] = {}

    # --- who may get what ---

    def owner(self, box: str | None) -> Person | None:
        return next((p for p in self.people.values() if box is not None and p.box == box), None)

    def state(self, person: Person, topic: str, now: datetime) -> str:
        word = person.words.get(topic)
        if word is None:
            return "none"
        ran_out = word.state == "granted" and word.ends is not None and word.ends <= now
        return "expired" if ran_out else word.state

    def refusal(self, letter: Letter, now: datetime) -> str | None:
        """Why this letter may not go to its address now; None where it may."""
        person = self.owner(SPELLINGS[letter.recipient])
        if person is None or person.box is None:
            return "nobody has this address (any more)"
        shut = self.shut[person.box]
        if "all" in shut:
            return "the mailbox is dead"
        if person.restricted:
            return "their data may be kept and not used"
        if letter.kind == "service":
            return None
        if letter.kind == "confirm":
            return self._no_confirmation(person, now)
        return self._no_marketing(person, letter.topic, shut, now)

    def _no_confirmation(self, person: Person, now: datetime) -> str | None:
        assert person.box is not None
        if person.box in self.complained:
            return "who complained is not asked"
        if not any(word.state == "requested" for word in person.words.values()):
            return "nothing waits to be confirmed"
        had = self.confirmations[person.box]
        if had and now - had[-1] < DAY:
            return "a confirmation went there within a day"
        return "three confirmations went there" if len(had) >= 3 else None

    def _no_marketing(self, person: Person, topic: str, shut: set[str], now: datetime) -> str | None:
        state = self.state(person, topic, now)
        owed = self.topics[topic].basis == "service" and state == "none"
        if state != "granted" and not owed:
            return f"their word on {topic} is '{state}'"
        if shut & {"marketing", topic}:
            return "the mailbox said no"
        if person.resting is not None and now < person.resting:
            return "they take a rest"
        word = person.words.get(topic)
        if word is not None and word.basis == "legitimate_interest":
            known = person.country in ("US", "SG")
            allowed = not self.topics[topic].lands or person.country in self.topics[topic].lands
            return None if known and allowed else "no legitimate interest there"
        if word is not None and word.basis == "soft_opt_in":
            if word.sold is None:
                return "a soft opt-in without its sale"
            ended = person.country == "CA" and word.sold + timedelta(days=730) <= now
            return "implied consent has ended" if ended else None
        return None

    # --- what people say ---

    def agree(
        self,
        who: int,
        topic: str,
        now: datetime,
        by: str = "person",
        *,
        proven: bool = False,
        typed: bool = False,
        basis: str | None = None,
        at: datetime | None = None,
        sold: datetime | None = None,
    ) -> None:
        """Somebody says yes. `proven`: the mailbox's owner has shown to be it; `typed`: anybody could have done it.
        `sold`: they bought then, and could say no."""
        person = self.people[who]
        spec = self.topics.get(topic)
        shut = self.shut[person.box] if person.box else set()
        state = self.state(person, topic, now)
        left = state in GONE
        if spec is None or "all" in shut or person.box in self.complained:
            return
        if by != "person" and (left or shut & {"marketing", topic}):
            return
        if basis is None and spec.basis == "soft_opt_in" and by == "person" and sold is None:
            basis = "consent"  # their own tick
        basis = basis or spec.basis
        word = person.words.get(topic)
        soft = basis == "soft_opt_in"
        if state == "granted" and word is not None and word.basis == "soft_opt_in":
            if word.sold is None and (not soft or sold is not None):
                state = "none"  # what allowed nothing gives way
            elif soft and sold is not None and word.sold is not None and sold > word.sold:
                return self._grant(person, topic, now, by, basis, at, sold)
        if by != "import" and basis == "consent" and not proven and (spec.confirmed or (typed and left)):
            if person.box and state not in ("granted", "requested"):
                person.words[topic] = Word("requested", now, basis)
        elif state != "granted" and not (by == "import" and state == "requested"):
            self._grant(person, topic, now, by, basis, at, sold)

    def _grant(
        self,
        person: Person,
        topic: str,
        now: datetime,
        by: str,
        basis: str,
        at: datetime | None = None,
        sold: datetime | None = None,
    ) -> None:
        since = at if by == "import" and at is not None else now
        lasts = self.topics[topic].lasts
        ends = since + lasts if lasts else None
        person.words[topic] = Word("granted", since, basis, sold if basis == "soft_opt_in" else None, ends)
        if by == "person":
            self._open(person, topic)

    def _open(self, person: Person, topic: str) -> None:
        """This topic, and no other that all marketing had shut besides."""
        if person.left:
            person.left, person.words[ALL].state = False, "none"
        if person.box is None:
            return
        shut = self.shut[person.box]
        shut.discard(topic)
        if "marketing" in shut:
            shut.discard("marketing")
            shut |= {other for other in {*self.topics, *person.words} if other not in (topic, ALL)}

    def confirm(self, who: int, topics: list[str], now: datetime) -> None:
        person = self.people[who]
        for topic in topics:
            self._grant(person, topic, now, "person", "consent")
        if person.box:
            self.confirmations[person.box].clear()

    def leave(self, who: int, topic: str, now: datetime, *, objects: bool = False) -> None:
        """A no to one topic, or to all marketing."""
        person, state = self.people[who], "objected" if objects else "withdrawn"
        if topic == ALL:
            return self._leave_all(person, state, now)
        if self.state(person, topic, now) in (GONE if not objects else ("objected",)):
            return
        if topic in self.topics or topic in person.words:
            person.words[topic] = Word(state, now, self._basis(topic))
            if person.box:
                self.shut[person.box].add(topic)

    def _leave_all(self, person: Person, state: str, now: datetime) -> None:
        before = self.state(person, ALL, now)
        if person.left and before in (state, "objected"):
            return
        state = "objected" if before == "objected" else state
        for topic in [*self.topics, *person.words, ALL]:
            if state == "objected" or topic == ALL or self.state(person, topic, now) not in GONE:
                person.words[topic] = Word(state, now, self._basis(topic))
        person.left = True
        if person.box:
            self.shut[person.box].add("marketing")

    def _carry(self, person: Person) -> None:
        """A no holds at the address that the person has now."""
        if person.box and "marketing" not in self.shut[person.box] and person.box not in self.complained:
            self.shut[person.box] |= {t for t, word in person.words.items() if word.state in GONE and t != ALL}
            if person.left:
                self.shut[person.box].add("marketing")

    def _basis(self, topic: str) -> str:
        return self.topics[topic].basis if topic in self.topics else "consent"

    def expire(self, who: int, topic: str, now: datetime) -> None:
        if self.state(self.people[who], topic, now) in ("granted", "requested"):
            self.people[who].words[topic] = Word("expired", now, self._basis(topic))

    def rest(self, who: int, months: int, now: datetime) -> None:
        if not months:
            self.people[who].resting = None
            return
        year, month = divmod(now.year * 12 + now.month - 1 + months, 12)
        day = min(now.day, calendar.monthrange(year, month + 1)[1])
        self.people[who].resting = now.replace(year=year, month=month + 1, day=day)

    def complain(self, who: int, now: datetime) -> None:
        person = self.people[who]
        self._leave_all(person, "withdrawn", now)
        if person.box:
            self.complained.add(person.box)

    # --- what becomes of people ---

    def _run_out(self, person: Person, now: datetime) -> None:
        for topic, word in person.words.items():
            if word.state == "granted" and self.state(person, topic, now) == "expired":
                person.words[topic] = Word("expired", now, word.basis)

    def move(self, who: int, box: str, now: datetime) -> None:
        """Another address: a no goes along, a dead mailbox and a complaint do not, and a yes that had to be confirmed
        is asked for anew (S29)."""
        person, old = self.people[who], self.people[who].box
        self._run_out(person, now)
        person.box = box
        if old is None:
            return self._carry(person)
        self.shut[box] |= self.shut[old] - {"all"} - ({"marketing"} if old in self.complained else set())
        self._carry(person)
        for topic, word in person.words.items():
            doubled = topic in self.topics and self.topics[topic].confirmed and word.basis == "consent"
            if doubled and word.state in ("granted", "requested"):
                person.words[topic] = Word("requested", now, word.basis)

    def join(self, keep: int, drop: int, now: datetime) -> None:
        """Two are one: the stricter word on each topic, the stricter rights (S27, C28)."""
        kept, gone = self.people[keep], self.people.pop(drop)
        self._run_out(kept, now)
        self._run_out(gone, now)
        for topic, word in gone.words.items():
            mine = kept.words.get(topic)
            if mine is None or _STRICT.index(word.state) > _STRICT.index(mine.state):
                kept.words[topic] = word
        kept.left |= gone.left
        self._carry(kept)
        kept.restricted |= gone.restricted
        rests = [rest for rest in (kept.resting, gone.resting) if rest is not None]
        kept.resting = max(rests, default=None)

    def erase(self, who: int) -> None:
        person = self.people.pop(who)
        self.erased.append((who, person.created))
        if person.box:
            self.shut[person.box].add("marketing")

    def restore(self, then: Model) -> None:
        """A backup was put back: what was said no to since then has still been said no to (C25)."""
        shut, complained, erased = self.shut, self.complained, self.erased
        self.__dict__.update(then.__dict__)
        for box, scopes in shut.items():
            self.shut[box] |= scopes
        self.complained |= complained
        self.erased = erased
        for who, created in erased:
            if who in self.people and self.people[who].created == created:
                person = self.people.pop(who)
                if person.box:
                    self.shut[person.box].add("marketing")
