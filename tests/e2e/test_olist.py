"""Olist's real leads and deals, imported and reported, against figures computed from the CSV files alone."""

from __future__ import annotations

import csv
import os
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from nurture.campaign.mapping import Kind, read_mapping
from nurture.campaign.project import DealStage, Funnel, Pipeline, Project, Stage, Topic
from nurture.engine.consent import ConsentRules
from nurture.engine.imports import Order, Summary, run_import
from nurture.engine.report import funnel_report
from nurture.funnel.metrics import FunnelReport
from nurture.lead.keyring import Keyring
from nurture.store.database import Database, open_database
from nurture.store.tables import consents, leads, metadata

SHARED = Path(os.environ.get("NURTURE_SHARED", Path(__file__).parents[3] / "shared"))
DATA = SHARED / "data" / "olist"
LEADS = DATA / "olist_marketing_qualified_leads_dataset.csv"
DEALS = DATA / "olist_closed_deals_dataset.csv"
MAPPINGS = Path(__file__).parent / "olist"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ZONE = "America/Sao_Paulo"
PROJECT = Project(
    zone=ZONE,
    funnels={"marketplace": Funnel("marketplace", (Stage("mql"), Stage("seller")))},
    pipelines={"sales": Pipeline("sales", (DealStage("closing"),))},
    topics={"offers": Topic("offers")},
    attributes={"landing_page": "text"},
)

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the Olist data is not here; set NURTURE_SHARED to run this")


@dataclass
class Imported:
    leads: Summary
    deals: Summary
    report: FunnelReport
    database: Database


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imported]:
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('olist') / 'olist.db'}", durable=False)
    metadata.create_all(database.engine)
    first, second = run(database, "leads", LEADS), run(database, "deals", DEALS)
    with database.read() as tx:
        report = funnel_report(tx, PROJECT, NOW)
    yield Imported(first, second, report, database)
    database.close()


def run(database: Database, kind: Kind, path: Path) -> Summary:
    name = MAPPINGS / f"{kind}.yaml"
    mapping, problems = read_mapping(name.name, name.read_text(encoding="utf-8"))
    assert mapping is not None, [str(p) for p in problems]
    return run_import(database, Order(kind, path, mapping, ConsentRules(PROJECT, Keyring(["olist"])), NOW))


class ByHand:
    """The same figures from the two files, with nothing but the csv module."""

    def __init__(self) -> None:
        with LEADS.open(newline="", encoding="utf-8") as file:
            self.leads = list(csv.DictReader(file))
        with DEALS.open(newline="", encoding="utf-8") as file:
            self.won = {row["mql_id"]: instant(row["won_date"]) for row in csv.DictReader(file)}
        first = {row["mql_id"]: instant(row["first_contact_date"]) for row in self.leads}
        self.odd = [lead for lead, at in self.won.items() if at < first[lead]]
        self.cycles = [
            (at - first[lead]).total_seconds() / 86_400 for lead, at in self.won.items() if at >= first[lead]
        ]
        self.by_source = Counter(row["origin"] for row in self.leads)
        self.won_by_source = Counter(row["origin"] for row in self.leads if row["mql_id"] in self.won)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


@pytest.fixture(scope="module")
def by_hand() -> ByHand:
    return ByHand()


def test_every_row_of_both_files_is_taken(imported: Imported) -> None:
    assert (imported.leads.new, imported.leads.rejected) == (8000, 0)
    assert (imported.deals.new, imported.deals.rejected) == (842, 0)


def test_the_whole_is_as_computed_by_hand(imported: Imported, by_hand: ByHand) -> None:
    overall = imported.report.overall
    assert (overall.entered, overall.won) == (len(by_hand.leads), len(by_hand.won)) == (8000, 842)
    assert overall.conversion == pytest.approx(0.10525)


def test_cycle_times_are_as_computed_by_hand(imported: Imported, by_hand: ByHand) -> None:
    overall = imported.report.overall
    assert overall.median_cycle_days == pytest.approx(statistics.median(by_hand.cycles))
    assert overall.mean_cycle_days == pytest.approx(statistics.mean(by_hand.cycles))


def test_sources_are_as_computed_by_hand_and_an_empty_one_is_its_own(imported: Imported, by_hand: ByHand) -> None:
    found = {s.source: (s.entered, s.won) for s in imported.report.by_source}
    assert found == {source: (n, by_hand.won_by_source[source]) for source, n in by_hand.by_source.items()}
    assert found[""] == (60, 14)


def test_each_interval_holds_its_conversion(imported: Imported) -> None:
    for source in imported.report.by_source:
        assert source.interval is not None
        assert source.conversion is not None
        assert source.interval[0] < source.conversion < source.interval[1]


def test_who_was_won_before_the_first_contact_is_named_by_import_and_report(
    imported: Imported, by_hand: ByHand
) -> None:
    assert list(imported.report.odd) == imported.deals.odd == by_hand.odd
    assert len(by_hand.odd) == 1


def test_a_stage_that_most_never_leave_has_no_median(imported: Imported) -> None:
    stage = imported.report.stages[0]
    assert (stage.stage, stage.entered, stage.now_here, stage.advanced, stage.open) == ("mql", 8000, 8000, 842, 7158)
    assert stage.median_days is None


def test_the_bottleneck_is_the_stage_they_stay_in(imported: Imported) -> None:
    assert imported.report.bottleneck == "mql"


def test_consent_came_with_every_lead(imported: Imported) -> None:
    with imported.database.read() as tx:
        count = tx.execute(select(func.count()).select_from(consents).where(consents.c.state == "granted")).scalar()
    assert count == 8000


def test_importing_again_changes_nothing(imported: Imported) -> None:
    again = [run(imported.database, "leads", LEADS), run(imported.database, "deals", DEALS)]
    assert [(s.new, s.changed, s.unchanged) for s in again] == [(0, 0, 8000), (0, 0, 842)]
    with imported.database.read() as tx:
        assert tx.execute(select(func.count()).select_from(leads)).scalar() == 8000
        assert funnel_report(tx, PROJECT, NOW) == imported.report
