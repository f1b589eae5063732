"""The days of the example shop: some hundred people over some weeks, a pure function of dice and a first day.

Nothing here knows of the engine. A world is a list of happenings as a shop's own programs would report them; whoever
plays it sends each one when its time has come. What people do with the mails they get is not in the list, since it
hangs on the mails: ask `people.reaction`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from nurture.clock import Dice
from nurture.demo.chance import happens, pick, span, weighted, whole
from nurture.demo.people import Person, somebody
from nurture.demo.shelf import SHELF, SHOP_URL, Item, Product, some_items, total, url

Kind = Literal["identify", "track", "consent", "form", "move"]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that is reported about a lead.

    `name` is the event (`track`), the topic (`consent`), the form (`form`), the stage (`move`) or empty (`identify`);
    `properties` are what goes with it. `at` is UTC; before the world's start it is history, to be sent first.
    `id` is unique in the world and the same in every world of the same dice, fit for a message id.
    """

    at: datetime
    lead: str
    kind: Kind
    name: str
    properties: dict[str, Any]
    id: str = ""


@dataclass(frozen=True, slots=True)
class World:
    """Everybody, and everything they do, in order of time."""

    start: datetime
    end: datetime
    people: tuple[Person, ...]
    happenings: tuple[Happening, ...]

    def history(self) -> tuple[Happening, ...]:
        """What happened before the start."""
        return tuple(each for each in self.happenings if each.at < self.start)

    def days(self) -> tuple[Happening, ...]:
        """What happens from the start on."""
        return tuple(each for each in self.happenings if each.at >= self.start)


def make_world(dice: Dice, start: datetime, *, leads: int = 240, weeks: int = 5) -> World:
    """The world of `leads` people over `weeks` from `start` (aware). Equal dice and arguments make equal worlds."""
    if start.tzinfo is None:
        raise ValueError("a world starts at an aware instant")
    end = start + weeks * 7 * DAY
    people: list[Person] = []
    found: list[Happening] = []
    for number in range(1, leads + 1):
        kind = weighted(dice, _LIVES)
        person = somebody(dice, number, trade=kind == "trade")
        people.append(person)
        life = _Life(dice, person, start, end)
        found.extend(_live(kind, life))
    found.extend(_cheaper(dice, start, end, people, found))
    kept = sorted((each for each in found if each.at < end), key=lambda each: (each.at, each.lead))
    return World(start, end, tuple(people), tuple(_numbered(kept)))


def _numbered(found: list[Happening]) -> Iterator[Happening]:
    for number, each in enumerate(found, start=1):
        yield Happening(each.at, each.lead, each.kind, each.name, each.properties, f"h-{number:05}")


_LIVES = {"passer-by": 0.3, "reader": 0.24, "shopper": 0.28, "old customer": 0.08, "trade": 0.1}


def _live(kind: str, life: _Life) -> list[Happening]:
    match kind:
        case "passer-by":
            life.look_around(whole(life.dice, 1, 3))
        case "reader":
            life.look_around(whole(life.dice, 2, 5))
            life.ask_for_the_letter()
            if happens(life.dice, 0.35):
                life.fill_a_basket()
        case "shopper":
            life.look_around(whole(life.dice, 2, 6))
            if happens(life.dice, 0.4):
                life.ask_for_the_letter()
            life.fill_a_basket()
        case "old customer":
            life.remember_an_order()
            if happens(life.dice, 0.3):
                life.look_around(2)
                life.fill_a_basket()
        case _:
            life.ask_for_the_guide()
    return life.happened


@dataclass
class _Life:
    """One person's time at the shop, written down as it goes. `now` is where their story stands."""

    dice: Dice
    person: Person
    start: datetime
    end: datetime
    happened: list[Happening] = field(default_factory=list)
    baskets: int = 0

    def __post_init__(self) -> None:
        # Most come in the first three fifths, so that what follows them still fits into the world.
        arrival = span(self.dice, timedelta(0), (self.end - self.start) * 0.6)
        self.now = self._waking(self.start + arrival)

    def look_around(self, pages: int) -> None:
        self._note("identify", "", self.person.traits())
        for _ in range(pages):
            self._wait(timedelta(seconds=20), timedelta(minutes=9))
            self._view(pick(self.dice, SHELF))

    def ask_for_the_letter(self) -> None:
        self._wait(timedelta(seconds=30), timedelta(minutes=4))
        fields = {"email": self.person.email, "first_name": self.person.first_name, "locale": self.person.locale}
        self._note("form", "letter", {**fields, "topics": ["newsletter"]})

    def fill_a_basket(self) -> None:
        """A basket, changed once or twice, then bought, emptied, left, or left and bought later."""
        if happens(self.dice, 0.8):
            self._note("consent", "offers", {"source": "account"})
        self._wait(timedelta(minutes=1), timedelta(hours=30))
        self.now = self._waking(self.now)
        self.baskets += 1
        cart = f"c-{self.person.id}-{self.baskets}"
        items: list[Item] = []
        for _ in range(whole(self.dice, 1, 2)):
            items = some_items(self.dice, self.person.locale)
            self._note("track", "cart_updated", {**self._cart(cart, items), "cart_url": self._cart_url(cart)})
            self._wait(timedelta(seconds=40), timedelta(minutes=12))
        ending = weighted(self.dice, {"bought": 0.36, "left": 0.38, "later": 0.2, "emptied": 0.06})
        if ending == "emptied":
            self._wait(timedelta(minutes=5), timedelta(hours=20))
            self._note("track", "cart_emptied", {"cart_id": cart})
        elif ending != "left":
            if ending == "later":
                self._wait(timedelta(hours=2), timedelta(hours=44))
            self._order(cart, items)

    def remember_an_order(self) -> None:
        """Somebody who bought months ago and has been silent since; they arrived before the world began."""
        self.now = self.start - span(self.dice, 70 * DAY, 210 * DAY)
        self._note("identify", "", self.person.traits())
        self.baskets += 1
        self._order(f"c-{self.person.id}-{self.baskets}", some_items(self.dice, self.person.locale))
        self.now = self._waking(self.start + span(self.dice, 2 * DAY, 12 * DAY))

    def ask_for_the_guide(self) -> None:
        """Somebody who serves tea for a living: the guide, our pages for the trade, at times samples and a deal."""
        person = self.person
        self._note("identify", "", person.traits())
        fields = {"email": person.email, "locale": person.locale, "company": person.company, "role": person.role}
        agrees = happens(self.dice, 0.8)
        self._note("form", "guide", {**fields, "covers": person.covers, "topics": ["trade"] if agrees else []})
        for _ in range(whole(self.dice, 0, 3)):
            self._wait(timedelta(hours=20), timedelta(days=4))
            self.now = self._waking(self.now)
            self._note("track", "page_viewed", {"path": pick(self.dice, ("/pro/carte", "/pro/tarifs", "/pro/guide"))})
        if happens(self.dice, 0.35):
            self._wait(timedelta(days=3), timedelta(days=8))
            self._note("track", "sample_requested", {"company": person.company})
        if happens(self.dice, 0.3):
            self._wait(timedelta(days=4), timedelta(days=7))
            self._note("move", "trade-sql", {"reason": "answered the call, wants a tasting"})
            if happens(self.dice, 0.5):
                self._wait(timedelta(days=5), timedelta(days=9))
                self._note("move", "trade-client", {"reason": "signed"})

    def _order(self, cart: str, items: list[Item]) -> None:
        order = {"order_id": cart.replace("c-", "o-", 1), **self._cart(cart, items)}
        self._note("track", "order_completed", order)
        if happens(self.dice, 0.85):
            self._note("consent", "table", {"source": "checkout", "order_id": order["order_id"]})
        if happens(self.dice, 0.94):
            arrives = self._waking(self.now + span(self.dice, 2 * DAY, 5 * DAY))
            self._note("track", "order_delivered", {"order_id": order["order_id"]}, at=arrives)

    def _view(self, product: Product) -> None:
        path = url(product, self.person.locale).removeprefix(SHOP_URL)
        self._note("track", "page_viewed", {"path": path, "category": product.category, "sku": product.sku})

    def _cart(self, cart: str, items: list[Item]) -> dict[str, Any]:
        return {"cart_id": cart, "total": total(items), "currency": "EUR", "items": items}

    def _cart_url(self, cart: str) -> str:
        return f"{SHOP_URL}/{self.person.locale}/basket/{cart}"

    def _note(self, kind: Kind, name: str, properties: dict[str, Any], *, at: datetime | None = None) -> None:
        self.happened.append(Happening(at or self.now, self.person.id, kind, name, properties))

    def _wait(self, low: timedelta, high: timedelta) -> None:
        self.now += span(self.dice, low, high)

    def _waking(self, at: datetime) -> datetime:
        """The same instant, or the next morning for those that fall between 22:00 and 7:00 UTC."""
        if 7 <= at.hour < 22:
            return at
        morning = at.replace(hour=7, minute=0, second=0) + (DAY if at.hour >= 22 else timedelta(0))
        return morning + span(self.dice, timedelta(0), 3 * HOUR)


def _cheaper(
    dice: Dice, start: datetime, end: datetime, people: list[Person], found: list[Happening]
) -> Iterator[Happening]:
    """Two teas cost less from some morning on; whoever looked at them is told by the shop."""
    locales = {person.id: person.locale for person in people}
    for sku, share in (("GYO-50", 0.4), ("TGY-100", 0.7)):
        product = next(each for each in SHELF if each.sku == sku)
        day = (start + (end - start) * share).replace(hour=8, minute=0, second=0)
        looked = sorted({each.lead for each in found if each.properties.get("sku") == sku and each.at < day})
        for lead in looked:
            properties = {
                "sku": sku,
                "name": product.name,
                "url": url(product, locales[lead]),
                "category": product.category,
                "old_price": product.price,
                "price": round(product.price * 0.8, 2),
                "currency": "EUR",
            }
            yield Happening(day + span(dice, timedelta(0), HOUR), lead, "track", "price_dropped", properties)
