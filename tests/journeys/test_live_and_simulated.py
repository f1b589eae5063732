"""The simulator is the production engine on another clock: a month of the example shop, its ten campaigns, 2,000 leads
and the clock change of 29 March, lived by the passes of a worker, simulated, and played again from its own database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nurture.campaign.read import read_campaigns
from nurture.engine.backtest import backtest
from nurture.engine.rehearse import Rehearsal
from nurture.folder import read_folder
from nurture.settings import read_language
from nurture.store import casting, timeline
from nurture.store.database import Database, Transaction, open_database
from tests.journeys.month import Month, live_through, make_month

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
FOLDER = read_folder(ROOT)
PROJECT = read_language(FOLDER).project
PLANS = read_campaigns(FOLDER.campaigns, PROJECT).plans
START = datetime(2026, 3, 5, 7, 0, tzinfo=UTC)  # 8:00 in Paris; the clocks change on 29 March, in New York on the 8th

Mail = tuple[datetime, int, str, str]


@dataclass
class Lived:
    month: Month
    database: Database
    leads: list[int]
    mails: list[Mail]


def mails(tx: Transaction) -> list[Mail]:
    """Instant, lead, template and campaign's step of every mail that left."""
    left = [m for m in timeline.left(tx) if m.kind == "mail" and m.state == "sent"]
    return sorted((m.at, m.lead, m.template or "", m.step or "") for m in left)


@pytest.fixture(scope="module")
def lived() -> Iterator[Lived]:
    month = make_month(START, seed=2026)
    database = open_database("sqlite://", durable=False)
    casting.set_up(database)
    leads = live_through(database, PROJECT, PLANS, month)
    with database.read() as tx:
        found = mails(tx)
    yield Lived(month, database, leads, found)
    database.close()


def test_the_month_is_worth_comparing(lived: Lived) -> None:
    templates = {template for _, _, template, _ in lived.mails}
    after = [at for at, *_ in lived.mails if at > datetime(2026, 3, 29, 2, tzinfo=UTC)]
    assert (len(lived.leads), len(PLANS), len(lived.mails) > 3_000, len(templates) > 15, len(after) > 300) == (
        2_000,
        10,
        True,
        True,
        True,
    )


def test_s35_the_same_history_lived_and_simulated_gives_the_same_mails_at_the_same_instants(lived: Lived) -> None:
    with Rehearsal(PROJECT, PLANS, lived.month.start) as stage:
        stage.play(lived.month.people, lived.month.script, lived.month.until)
        with stage.database.read() as tx:
            simulated = mails(tx)
    assert simulated == lived.mails


def test_s35_a_backtest_over_what_was_lived_gives_the_mails_that_went_out(lived: Lived) -> None:
    end = lived.month.start + timedelta(days=10)
    played = backtest(lived.database, PROJECT, PLANS["cart-recovery"], lived.month.start, end)
    with lived.database.read() as tx:
        really = [line for line in timeline.lines(tx) if line.campaign == "cart-recovery" and line.at <= end]
    assert [(x.at, x.lead, x.what, x.step) for x in played.lines] == [(x.at, x.lead, x.what, x.step) for x in really]
