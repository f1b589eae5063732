"""A seeded month of the example shop: 2,000 people in seven time zones, what they do, and the month lived by the passes
of a worker at every instant at which something is due."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from nurture.campaign.plan import Plan
from nurture.campaign.project import Project
from nurture.engine import deploy, happenings, outcomes
from nurture.engine.advance import Pass, advance_batch
from nurture.engine.happenings import Told
from nurture.engine.live import Live, load_live
from nurture.engine.react import react_batch
from nurture.engine.rehearse import Scripted
from nurture.engine.turn import Turn
from nurture.lead.keyring import Keyring
from nurture.store import casting, outbox
from nurture.store.casting import Cast
from nurture.store.database import Database, Transaction
from nurture.store.outbox import Result
from nurture.store.scope import Scope
from nurture.store.tables import enrollments, timers

KEYRING = Keyring(["month"])
PEOPLE = 2_000
EVERY = 12  # hours between the instants at which people do things, so that a month has few of them
ZONES = (
    "Europe/Paris",
    "Europe/Paris",
    "Europe/Bucharest",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
)
TEAS = [(f"TEA-{n}", ("green", "black", "oolong", "herbal")[n % 4]) for n in range(12)]


@dataclass
class Month:
    """`script` is in the order of its instants; those before `start` are history."""

    start: datetime
    until: datetime
    people: list[Cast] = field(default_factory=list)
    script: list[Scripted] = field(default_factory=list)


def make_month(start: datetime, seed: int, days: int = 31) -> Month:
    """The same month for the same seed. What people do falls on few instants of a day; timers, zones and windows make
    the others."""
    dice = random.Random(seed)
    month = Month(start, start + timedelta(days=days))
    for who in range(PEOPLE):
        month.people.append(_person(dice, who))
        month.script += _Life(dice, who, start, days).live()
    month.script.sort(key=lambda s: (s.at, s.who))
    return month


def _person(dice: random.Random, who: int) -> Cast:
    fields: dict[str, Any] = {
        "email": f"lead{who}@example{who % 5}.com",
        "timezone": dice.choice(ZONES),
        "locale": dice.choice(("fr", "ro", "en")),
        "birthday": f"{dice.randint(1950, 2004)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}",
        "role": dice.choice(("owner", "buyer", "barista", "other")),
    }
    return Cast(fields=fields, external_id=f"lead-{who}")


@dataclass
class _Life:
    dice: random.Random
    who: int
    start: datetime
    days: int
    found: list[Scripted] = field(default_factory=list)

    def live(self) -> list[Scripted]:
        dice = self.dice
        for topic, share in (("newsletter", 0.3), ("offers", 0.4), ("table", 0.4), ("trade", 0.15)):
            if dice.random() < share:
                self.do(dice.randint(0, 8 * 24), "consent.granted", topic=topic)
        for _ in range(dice.randint(0, 2)):
            sku, category = dice.choice(TEAS)
            self.do(-dice.randint(1, 60 * 24), "page_viewed", path=f"/thes/{category}", category=category, sku=sku)
        if dice.random() < 0.3:
            self.order(-dice.randint(24, 50 * 24), f"old-{self.who}")
        for n in range(dice.choice((0, 1, 1, 2))):
            self.visit(n)
        if dice.random() < 0.1:
            self.trade()
        if dice.random() < 0.06:
            self.do(self.hour(), "consent.withdrawn", topic=dice.choice(("newsletter", "offers", "*")))
        return self.found

    def hour(self) -> int:
        return self.dice.randint(0, self.days - 1) * 24 + self.dice.randint(0, 11)

    def do(self, hour: int, name: str, /, **properties: Any) -> None:
        at = self.start + timedelta(hours=hour // EVERY * EVERY)
        if at < self.start + timedelta(days=self.days):
            self.found.append(Scripted(at, self.who, name, properties))

    def visit(self, n: int) -> None:
        dice, hour = self.dice, self.hour()
        sku, category = dice.choice(TEAS)
        self.do(hour, "page_viewed", path=f"/thes/{category}", category=category, sku=sku)
        if dice.random() < 0.6:
            cart, total = f"c{self.who}-{n}", dice.choice((12, 30, 45, 80))
            self.do(hour + 1, "cart_updated", cart_id=cart, total=total, currency="EUR", items=[])
            if dice.random() < 0.4:
                self.order(hour + dice.choice((1, 2, 5, 30)), f"o{self.who}-{n}", cart)
            elif dice.random() < 0.2:
                self.do(hour + dice.randint(2, 40), "cart_emptied", cart_id=cart)
        if dice.random() < 0.4:
            sku, category = dice.choice(TEAS)
            self.do(self.hour(), "price_dropped", sku=sku, name=sku, category=category, old_price=9, price=7)

    def order(self, hour: int, order: str, cart: str = "") -> None:
        sku, category = self.dice.choice(TEAS)
        items = [{"sku": sku, "name": sku, "category": category, "price": 15, "quantity": 2}]
        self.do(hour, "order_completed", order_id=order, cart_id=cart, total=30, currency="EUR", items=items)
        if self.dice.random() < 0.9:
            self.do(hour + self.dice.randint(48, 200), "order_delivered", order_id=order)
        if self.dice.random() < 0.2:
            self.do(hour + 20 * 24, "form.submitted", form="review", score=self.dice.randint(1, 5))

    def trade(self) -> None:
        hour = self.hour()
        self.do(hour, "form.submitted", form="guide", role=self.dice.choice(("owner", "barista")), company="Café")
        for _ in range(self.dice.randint(0, 3)):
            self.do(hour + self.dice.randint(24, 240), "page_viewed", path=self.dice.choice(("/pro", "/pro/tarifs")))
        if self.dice.random() < 0.3:
            self.do(hour + self.dice.randint(200, 400), "sample_requested", company="Café")
        if self.dice.random() < 0.2:
            self.do(hour + self.dice.randint(200, 500), "stage.entered", stage="trade-sql", reason="called")


def live_through(db: Database, project: Project, plans: dict[str, Plan], month: Month) -> list[int]:
    """The month as a worker lives it on this database: told at its instant, reacted to, advanced, sent; passes run
    whenever something is due. The leads, in the order of the people."""
    with db.write() as tx:
        leads = casting.put(tx, project, month.people, month.start, KEYRING)
        past = [s for s in month.script if s.at < month.start]
        casting.history(tx, [(leads[s.who], s.name, s.at, s.properties) for s in past])
        deploy.deploy(tx, project, plans, {}, month.start)
        live = load_live(tx, KEYRING)
        assert live is not None
        while deploy.sweep_batch(tx, live, Scope(month.start), month.start, 10_000):
            pass
    coming = [s for s in month.script if s.at >= month.start]
    coming.reverse()
    while True:
        with db.write() as tx:
            now = min([*_soonest(tx), *(s.at for s in coming[-1:])], default=month.until + timedelta(days=1))
            if now > month.until:
                return leads
            told = []
            while coming and coming[-1].at <= now:
                s = coming.pop()
                told.append(Told(leads[s.who], s.name, now, s.properties, s.at))
            turn = Turn(tx, live)
            happenings.take(turn, told)
            turn.flush()
            scope, ran = Scope(now), Pass()
            while react_batch(tx, live, scope) + advance_batch(tx, live, scope, ran) + _send(tx, live, scope):
                pass


def _send(tx: Transaction, live: Live, scope: Scope) -> int:
    claimed = outbox.claim_of(tx, scope)
    turn = Turn(tx, live)
    outcomes.settle(turn, {m.id: m for m in claimed}, [Result(m.id, m.fence, "sent", scope.now) for m in claimed])
    turn.flush()
    return len(claimed)


def _soonest(tx: Transaction) -> list[datetime]:
    """When the next timer fires and the next enrollment is looked at."""
    due = select(func.min(timers.c.due)).where(timers.c.due.is_not(None))
    wake = select(func.min(enrollments.c.wake)).where(enrollments.c.state == "waiting")
    return [at for query in (due, wake) if (at := tx.execute(query).scalar()) is not None]
