"""Deals on both databases: opening, moving, closing, recycling, and what reports make of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from nurture.campaign.duration import Duration
from nurture.campaign.project import DealStage, Funnel, Pipeline, Project, Recycle, Stage
from nurture.engine.deals import move_deal, newest_open, open_deal, recycle
from nurture.engine.deploy import deploy
from nurture.engine.live import load_live
from nurture.engine.report import funnel_report, pipeline_forecast
from nurture.engine.turn import Turn
from nurture.errors import LostRace, NotFound
from nurture.funnel.pipeline import DealMoved, DealRefused
from nurture.lead.keyring import Keyring
from nurture.store import deals, timers
from nurture.store import tables as t
from nurture.store.database import Database, Transaction
from nurture.store.deals import Deal
from tests.store.people import World

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PROJECT = Project(
    zone="Europe/Paris",
    funnels={"main": Funnel("main", (Stage("lead"), Stage("mql", moves=("lead",))))},
    pipelines={
        "sales": Pipeline(
            "sales",
            (DealStage("demo", 0.25), DealStage("closing", 0.5)),
            lost=("price",),
            recycle=Recycle("lead", Duration(days=90)),
        )
    },
)


@pytest.fixture
def tx(db: Database) -> Iterator[Transaction]:
    with db.write() as made:
        deploy(made, PROJECT, {}, {}, NOW)
        yield made


@pytest.fixture
def lead(db: Database) -> int:
    world = World(db, PROJECT)
    lead = world.lead(external_id="anna", source="web")
    world.stands(lead, "mql")
    return lead


def turn_of(tx: Transaction, *leads: int) -> Turn:
    live = load_live(tx, Keyring(["a secret of the tests"]))
    assert live is not None
    turn = Turn(tx, live)
    turn.load(leads)
    return turn


def opened(turn: Turn, lead: int, **more: Any) -> Deal:
    deal = open_deal(turn, lead, "sales", at=NOW, **more)
    assert isinstance(deal, Deal)
    return deal


def events(turn: Turn) -> list[tuple[str, dict[str, Any]]]:
    turn.flush()
    query = select(t.events.c.name, t.events.c.properties).order_by(t.events.c.id)
    return [(row[0], row[1]) for row in turn.tx.execute(query)]


def test_a_deal_opens_in_the_first_stage_and_says_so(lead: int, tx: Transaction) -> None:
    turn = turn_of(tx, lead)
    deal = opened(turn, lead, amount=1200.0)
    assert (deal.stage, deal.currency, deal.opened_at) == ("demo", "EUR", NOW)
    expected = {"deal_id": str(deal.id), "pipeline": "sales", "stage": "demo", "amount": 1200.0, "currency": "EUR"}
    assert events(turn) == [("deal.opened", expected)]


def test_a_lead_has_one_open_deal_a_pipeline(lead: int, tx: Transaction) -> None:
    turn = turn_of(tx, lead)
    opened(turn, lead)
    again = open_deal(turn, lead, "sales", at=NOW)
    assert isinstance(again, DealRefused)
    assert again.code == "already open"


def test_a_move_is_kept_with_its_instant(lead: int, tx: Transaction) -> None:
    turn = turn_of(tx, lead)
    deal = opened(turn, lead)
    assert move_deal(turn, deal, "closing", at=NOW + DAY) == DealMoved("closing")
    m = t.deal_moves.c
    rows = [tuple(row) for row in tx.execute(select(m.from_stage, m.to_stage, m.at).order_by(m.id))]
    assert rows == [(None, "demo", NOW), ("demo", "closing", NOW + DAY)]


def test_a_move_from_a_stage_it_left_is_a_lost_race(lead: int, tx: Transaction) -> None:
    turn = turn_of(tx, lead)
    deal = opened(turn, lead)
    move_deal(turn, deal, "closing", at=NOW)
    assert isinstance(move_deal(turn, deal, "closing", at=NOW), LostRace)


def test_winning_closes_and_tells(lead: int, tx: Transaction) -> None:
    turn = turn_of(tx, lead)
    deal = opened(turn, lead, amount=10.0)
    move_deal(turn, deal, "won", at=NOW + DAY)
    after = deals.get_deal(tx, deal.id)
    assert after is not None
    assert (after.outcome, after.closed_at, newest_open(turn, lead)) == ("won", NOW + DAY, None)
    assert events(turn)[-1][0] == "deal.won"


def test_losing_twice_is_refused(lead: int, tx: Transaction) -> None:
    turn = turn_of(tx, lead)
    deal = opened(turn, lead)
    move_deal(turn, deal, "lost", at=NOW, reason="price")
    closed = deals.get_deal(tx, deal.id)
    assert closed is not None
    assert isinstance(move_deal(turn, closed, "won", at=NOW), DealRefused)


def test_a_lost_deal_is_looked_at_again_when_the_time_has_passed(lead: int, tx: Transaction) -> None:
    turn = turn_of(tx, lead)
    move_deal(turn, opened(turn, lead), "lost", at=NOW, reason="price")
    (timer,) = timers.of_leads(tx, [lead], ["recycle"])
    # 90 calendar days in the lead's zone: the clocks have gone forward by then.
    assert (timer.owner, timer.due) == ("sales", NOW + 90 * DAY - timedelta(hours=1))


def test_recycling_moves_the_lead_back(lead: int, tx: Transaction) -> None:
    turn = turn_of(tx, lead)
    move_deal(turn, opened(turn, lead), "lost", at=NOW, reason="price")
    (timer,) = timers.of_leads(tx, [lead], ["recycle"])
    recycle(turn, timer, at=NOW + 90 * DAY)
    turn.flush()
    assert tx.execute(select(t.lead_stages.c.stage)).scalar() == "lead"


def test_a_new_deal_keeps_the_lead_from_being_recycled(lead: int, tx: Transaction) -> None:
    turn = turn_of(tx, lead)
    move_deal(turn, opened(turn, lead), "lost", at=NOW, reason="price")
    (timer,) = timers.of_leads(tx, [lead], ["recycle"])
    opened(turn, lead)
    assert recycle(turn, timer, at=NOW + 90 * DAY) is None


def test_the_pipeline_report_follows_the_moves(lead: int, tx: Transaction) -> None:
    turn = turn_of(tx, lead)
    deal = opened(turn, lead)
    move_deal(turn, deal, "closing", at=NOW + 2 * DAY)
    later = deals.get_deal(tx, deal.id)
    assert later is not None
    move_deal(turn, later, "won", at=NOW + 5 * DAY)
    found = funnel_report(tx, PROJECT, NOW + 9 * DAY, pipeline="sales")
    assert [(s.entered, s.advanced, s.median_days) for s in found.stages] == [(1, 1, 2), (1, 1, 3)]
    assert (found.overall.won, found.overall.median_cycle_days, found.by_source[0].source) == (1, 5, "web")


def test_the_forecast_adds_what_stands_open(lead: int, tx: Transaction) -> None:
    turn = turn_of(tx, lead)
    opened(turn, lead, amount=100.0)
    (found,) = pipeline_forecast(tx, PROJECT, "sales")
    assert (found.deals, found.total, found.weighted) == (1, 100, 25)


def test_a_report_on_an_unknown_funnel_suggests_the_known(tx: Transaction) -> None:
    with pytest.raises(NotFound, match="no funnel 'mian'") as caught:
        funnel_report(tx, PROJECT, NOW, funnel="mian")
    assert caught.value.hint == "did you mean 'main'?"
