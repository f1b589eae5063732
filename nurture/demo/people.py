"""Who comes to the example shop: made-up people in three countries, with their habits as readers of mail."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from nurture.clock import Dice
from nurture.demo.chance import happens, pick, span, weighted, whole

Role = Literal["owner", "buyer", "barista", "other"]


@dataclass(frozen=True, slots=True)
class Habits:
    """How somebody treats the mail they get."""

    confirms: bool  # presses the button of a double opt-in
    answers: bool  # follows a link to a form and sends it
    leaves_at: int | None  # unsubscribes in their n-th marketing mail, counted from 1; None: stays
    delay: timedelta  # between a mail's arrival and what they do about it
    favourite: str  # what they say they like: green, black, oolong, herbal
    mark: int  # what they think of the parcel, 1–5


@dataclass(frozen=True, slots=True)
class Person:
    """A lead of the example shop. `id` is the shop's own number for them, the external id of the lead."""

    id: str
    email: str
    first_name: str
    last_name: str
    country: str  # ISO 3166
    locale: str
    timezone: str  # IANA
    source: str
    habits: Habits
    birthday: date | None = None
    company: str | None = None
    role: Role | None = None
    covers: int | None = None

    def traits(self) -> dict[str, str | int]:
        """What the shop tells about them when they sign in."""
        known: dict[str, str | int | None] = {
            "email": self.email,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "country": self.country,
            "locale": self.locale,
            "timezone": self.timezone,
            "source": self.source,
            "birthday": self.birthday.isoformat() if self.birthday else None,
            "company": self.company,
            "role": self.role,
            "covers": self.covers,
        }
        return {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a person does with a mail, `after` its arrival. `answer` carries the fields of a form."""

    kind: Literal["confirm", "unsubscribe", "answer"]
    after: timedelta
    form: str | None = None
    answer: Mapping[str, str | int] = field(default_factory=dict)


def reaction(person: Person, marketing_mails: int, links: Collection[str]) -> Reaction | None:
    """What a person does with a mail, or None. The same person does the same with the same mail.

    `marketing_mails` is how many they have had, this one included; `links` are the paths of the mail's links to the
    project's own pages, `c/…`, `f/taste/…`, `u/…`.
    """
    habits = person.habits
    if any(link.startswith("c/") for link in links):
        return Reaction("confirm", habits.delay) if habits.confirms else None
    may_leave = any(link.startswith("u/") for link in links)
    if may_leave and habits.leaves_at is not None and marketing_mails >= habits.leaves_at:
        return Reaction("unsubscribe", habits.delay)
    if not habits.answers:
        return None
    if any(link.startswith("f/taste/") for link in links):
        return Reaction("answer", habits.delay, "taste", {"favourite": habits.favourite})
    if any(link.startswith("f/review/") for link in links):
        return Reaction("answer", habits.delay, "review", {"score": habits.mark})
    return None


@dataclass(frozen=True, slots=True)
class _Country:
    code: str
    locale: str
    timezone: str
    mailbox: str
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    houses: tuple[str, ...]


_FRANCE = _Country(
    "FR",
    "fr",
    "Europe/Paris",
    "courriel.example",
    ("Camille", "Léa", "Hugo", "Inès", "Jules", "Manon", "Louis", "Chloé", "Noé", "Agathe", "Théo", "Zoé", "Adèle"),
    ("Martin", "Bernard", "Petit", "Durand", "Moreau", "Lefèvre", "Garnier", "Chevalier", "François", "Lemoine"),
    ("Café du Pont", "Le Grand Comptoir", "Hôtel des Tilleuls", "La Table d’Adèle", "Brasserie du Quai"),
)
_ROMANIA = _Country(
    "RO",
    "ro",
    "Europe/Bucharest",
    "posta.example",
    ("Andrei", "Ioana", "Ștefan", "Maria", "Mihai", "Ana", "Radu", "Elena", "Vlad", "Ilinca", "Matei", "Sânziana"),
    ("Popescu", "Ionescu", "Dumitru", "Rusu", "Stan", "Moldovan", "Țurcanu", "Mureșan", "Sârbu", "Crișan"),
    ("Cafeneaua Verde", "Hanul Tâmplarilor", "Ceainăria din Turn", "Bistro Someș", "Pensiunea Apuseni"),
)
_IRELAND = _Country(
    "IE",
    "en",
    "Europe/Dublin",
    "post.example",
    ("Aoife", "Conor", "Niamh", "Sean", "Ciara", "Liam", "Emma", "Jack", "Saoirse", "Tom", "Grace"),
    ("Murphy", "Kelly", "Byrne", "Ryan", "O'Brien", "Walsh", "Doyle", "Nolan", "Quinn"),
    ("The Copper Kettle", "Quayside Kitchen", "Hotel Lir", "Nolan's Tearoom"),
)
_COUNTRIES: Mapping[_Country, float] = {_FRANCE: 0.46, _ROMANIA: 0.34, _IRELAND: 0.20}
_SOURCES: Mapping[str, float] = {
    "search": 0.34,
    "instagram": 0.22,
    "friend": 0.16,
    "tea fair": 0.12,
    "partner shop": 0.09,
    "": 0.07,  # nobody knows where some come from
}
_ROLES: Mapping[Role, float] = {"owner": 0.4, "buyer": 0.2, "barista": 0.25, "other": 0.15}


def somebody(dice: Dice, number: int, *, trade: bool = False) -> Person:
    """A made-up person, their number the only thing that is not drawn. People of the trade have a house and a role."""
    country = weighted(dice, _COUNTRIES)
    first, last = pick(dice, country.first_names), pick(dice, country.last_names)
    role: Role = weighted(dice, _ROLES)
    return Person(
        id=f"p-{number:04}",
        email=f"{_plain(first)}.{_plain(last)}.{number}@{country.mailbox}",
        first_name=first,
        last_name=last,
        country=country.code,
        locale=country.locale,
        timezone=country.timezone,
        source=weighted(dice, _SOURCES),
        habits=_habits(dice),
        birthday=None if trade or happens(dice, 0.6) else _birthday(dice),
        company=pick(dice, country.houses) if trade else None,
        role=role if trade else None,
        covers=whole(dice, 4, 30) * 5 if trade else None,
    )


def _habits(dice: Dice) -> Habits:
    return Habits(
        confirms=happens(dice, 0.82),
        answers=happens(dice, 0.45),
        leaves_at=whole(dice, 1, 4) if happens(dice, 0.12) else None,
        delay=span(dice, timedelta(minutes=2), timedelta(hours=7)),
        favourite=weighted(dice, {"green": 0.35, "black": 0.3, "oolong": 0.15, "herbal": 0.2}),
        mark=weighted(dice, {5: 0.45, 4: 0.3, 3: 0.13, 2: 0.07, 1: 0.05}),
    )


def _birthday(dice: Dice) -> date:
    return date(whole(dice, 1950, 2004), whole(dice, 1, 12), whole(dice, 1, 28))


def _plain(name: str) -> str:
    """A name as people write it in an address."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", name.lower()) if sign.isascii() and sign.isalpha())
