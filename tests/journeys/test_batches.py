"""A pass costs the same number of statements however many leads are due (architecture: work goes in batches)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from nurture.engine.advance import Pass, advance_batch
from nurture.engine.react import react_batch
from nurture.lead.event import Happening
from nurture.store.database import Database
from nurture.store.events import store_events
from nurture.store.scope import Scope
from tests.journeys.world import Site, instant, person

SIZES = (1, 100, pytest.param(1_000, marks=pytest.mark.slow))
MORE = """
scores:
  interest:
    half_life: 3d
    rules: [{event: cart_updated, points: 50}]
    thresholds: {hot: {at: 45, hysteresis: 9}}
caps: {marketing: {at_most: 2, per: 4d}}
funnels: {main: {stages: [lead, {mql: {enter_if: {score: {interest: {at_least: 40}}}}}, sql, customer]}}
"""
CAMPAIGNS = (
    """
    campaign: cart
    topic: offers
    enter: {event: cart_updated, key: cart_id}
    goal: {event: order_completed, same: cart_id, move: customer}
    exit: [{event: cart_emptied, same: cart_id}, {match: {did_not: {event: cart_updated, within: 9d}}}]
    steps:
      - send: reminder
      - tag: reminded
      - branch: [{if: {did: {event: login}}, steps: [{tag: active}]}, {else: [{set: {plan: free}}]}]
      - score: {interest: +1}
      - assign: sales
      - notify: {to: sales, template: internal/hot}
      - wait: 1d
      - send: second
    """,
    """
    campaign: quiet
    topic: offers
    enter: {event: cart_updated, key: cart_id, settle: 1h, unless: {event: order_completed, same: cart_id}}
    steps: [{wait: 9d}]
    """,
    """
    campaign: turned
    topic: offers
    enter: {match: {did: {event: cart_updated}}, existing: skip}
    steps: [{wait: 9d}]
    """,
)


@contextmanager
def counted(db: Database) -> Iterator[list[str]]:
    """Statements as they go to the driver; one that is executed with many rows is one."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def filled(db: Database, size: int) -> Site:
    site = Site(db, more=MORE)
    site.join(*(person(n) for n in range(size)))
    site.deploy(*CAMPAIGNS)
    return site


def everybody(site: Site, at: str, name: str) -> None:
    """The same event of every lead, stored at once."""
    now = instant(at)
    with site.db.write() as tx:
        store_events(tx, [Happening(n, name, now, now, {"cart_id": "c", "total": 50}) for n in site.leads])


def reacting(site: Site, at: str, name: str) -> list[str]:
    everybody(site, at, name)
    assert site.live is not None
    with counted(site.db) as seen, site.db.write() as tx:
        assert react_batch(tx, site.live, Scope(instant(at))) >= len(site.leads)
    return seen


def advancing(site: Site, at: str) -> list[str]:
    assert site.live is not None
    with counted(site.db) as seen, site.db.write() as tx:
        # A page counts enrollments; a lead who stands in several campaigns shall fit with all of them.
        page = 10 * len(site.leads)
        assert advance_batch(tx, site.live, Scope(instant(at)), Pass(), page) == len(site.leads)
    return seen


def costs(db: Database, size: int) -> dict[str, int]:
    """Statements of each pass of a day in which every lead does the same."""
    site = filled(db, size)
    found = {"entering": len(reacting(site, "1m", "cart_updated"))}
    found["first steps"] = len(advancing(site, "1m"))
    site.send("1m")
    site.react("2m")
    found["renewing"] = len(reacting(site, "10m", "cart_updated"))
    found["second mail"] = len(advancing(site, "1d2m"))
    site.react("1d2m")
    found["reaching the goal"] = len(reacting(site, "1d3m", "order_completed"))
    return found


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[int, dict[str, int]]]:
    return {}


@pytest.mark.parametrize("size", SIZES)
def test_a_pass_costs_the_same_however_many_leads_are_due(
    db: Database, size: int, measured: dict[str, dict[int, dict[str, int]]]
) -> None:
    of = measured.setdefault(db.engine.dialect.name, {})
    of[size] = costs(db, size)
    least = of[min(of)]
    assert of[size] == least


def test_a_pass_with_nothing_due_costs_next_to_nothing(db: Database) -> None:
    site = filled(db, 3)
    assert site.live is not None
    with counted(db) as seen, db.write() as tx:
        react_batch(tx, site.live, Scope(instant("1h")))
        advance_batch(tx, site.live, Scope(instant("1h")), Pass())
    assert len([text for text in seen if not text.startswith("BEGIN")]) <= 4
