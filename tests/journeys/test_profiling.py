"""Who objected to profiling, or whose data is restricted, has no score; a pause refuses mails (trust C28)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from nurture.store import rights
from nurture.store.database import Database, Transaction
from nurture.store.tables import lead_scores
from tests.journeys.world import START, Site, person

SCORES = """
scores:
  interest:
    rules:
      - {event: visit, points: 10}
      - {if: {lead: {country: FR}}, points: 7}
"""
CAMPAIGN = """
campaign: hot
topic: offers
enter: {event: login, only_if: {score: {interest: {at_least: 5}}}}
steps: [{send: hello}]
"""
PLAIN = """
campaign: plain
topic: offers
enter: {event: login}
steps: [{send: hello}]
"""


@pytest.fixture
def site(db: Database) -> Site:
    made = Site(db, SCORES)
    made.deploy(CAMPAIGN)
    made.join(person(country="FR"), person(1, country="FR"))
    return made


def told(site: Site) -> list[str]:
    """What became of the first lead's visit and login."""
    site.happens("1h", "visit")
    site.pass_("1h")
    site.happens("2h", "login")
    site.pass_("2h")
    return site.story().not_entered() or site.story().entered()


def test_c28_a_profiled_lead_has_its_score(site: Site) -> None:
    assert told(site) == ["2h"]


def test_c28_who_objected_has_no_score_from_events_nor_from_conditions(site: Site) -> None:
    with site.db.write() as tx:
        rights.set_unprofiled(tx, site.leads[0], True)
    assert told(site) == ["condition false"]
    with site.db.read() as tx:
        assert points(tx, site.leads[0]) == []


def test_c28_objecting_takes_the_points_there_are(site: Site) -> None:
    site.happens("1h", "visit")
    site.pass_("1h")
    with site.db.write() as tx:
        assert points(tx, site.leads[0]) == [10.0]
        rights.set_unprofiled(tx, site.leads[0], True)
        assert points(tx, site.leads[0]) == []


def test_c28_a_restricted_lead_is_not_scored(site: Site) -> None:
    with site.db.write() as tx:
        rights.set_restricted(tx, site.leads[0], True)
    assert told(site) == ["condition false"]


def test_c28_another_leads_objection_changes_nothing(site: Site) -> None:
    with site.db.write() as tx:
        rights.set_unprofiled(tx, site.leads[1], True)
    assert told(site) == ["2h"]


@pytest.mark.parametrize(("rest", "sent"), [(timedelta(days=1), []), (timedelta(minutes=1), ["hello at 2h"])])
def test_c28_a_pause_refuses_marketing_while_it_runs(db: Database, rest: timedelta, sent: list[str]) -> None:
    site = Site(db)
    site.deploy(PLAIN)
    site.join(person())
    with db.write() as tx:
        rights.set_pause(tx, site.leads[0], START + rest)
    site.happens("2h", "login")
    site.run("2h")
    assert site.story().sent() == sent
    assert site.story().said("refused") == ([] if sent else ["refused hello suppressed at 2h"])


def points(tx: Transaction, lead: int) -> list[float]:
    return list(tx.execute(select(lead_scores.c.value).where(lead_scores.c.lead_id == lead)).scalars())
