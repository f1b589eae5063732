"""Guard rails over what comes of a campaign's mails (trust E27), on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from nurture.engine import deploy, flood, guard
from nurture.engine.confirming import ASKED
from nurture.engine.guard import Rails, judge
from nurture.store import tallies
from nurture.store.backlog import backlog
from nurture.store.database import Database
from nurture.store.returned import Tally
from nurture.store.tables import messages
from tests.journeys.world import Site, instant, person

MAILS = "campaign: {name}\ntopic: offers\nenter: {{event: signup}}\nsteps: [{{send: a}}]\n"
ALERTS = "alerts: {fallback: ops@shop.example}"
FEW = Rails(least=20)


def sent(db: Database, count: int, hard: int = 0, complaints: int = 0, more: str = ALERTS) -> Site:
    """A campaign of which so many mails left, with what came of the first of them."""
    site = Site(db, more=more)
    site.join(*(person(n) for n in range(count)))
    site.deploy(MAILS.format(name="mails"), MAILS.format(name="other"))
    with db.write() as tx:
        deploy.pause(tx, "other", instant("0h"))
    for n in range(count):
        site.happens("0h", "signup", who=n)
    site.run("0h")
    mark(site, hard, complaints)
    return site


def mark(site: Site, hard: int, complaints: int) -> None:
    with site.db.write() as tx:
        ids = list(tx.execute(messages.select().order_by(messages.c.id)).scalars())
        bounced: dict[str, Any] = {"bounced_at": instant("1h"), "bounce": "hard"}
        tx.execute(messages.update().where(messages.c.id.in_(ids[:hard])).values(**bounced))
        tx.execute(messages.update().where(messages.c.id.in_(ids[:complaints])).values(complained_at=instant("1h")))


def look(site: Site, at: str = "2h", rails: Rails = FEW) -> list[tuple[str, bool]]:
    with site.db.read() as tx:
        live = site._live(tx)
    return [(f.campaign, f.pause) for f in guard.run(site.db, live, instant(at), rails)]


def stands(site: Site) -> bool:
    with site.db.read() as tx:
        return site._live(tx).campaigns["mails"].stands


def test_e27_six_percent_of_hard_bounces_pause_the_campaign_and_somebody_is_told(db: Database) -> None:
    site = sent(db, 33, hard=2)
    assert look(site) == [("mails", True)]
    assert stands(site)
    with db.read() as tx:
        [notice] = tx.execute(messages.select().where(messages.c.kind == "notice")).all()
    assert (notice.recipient, notice.campaign, notice.state) == ("ops@shop.example", None, "pending")
    assert notice.options["subject"] == "'mails' is paused: 6.1% of the last 33 mails came back for good"


def test_e27_a_paused_campaign_is_not_paused_again(db: Database) -> None:
    site = sent(db, 33, hard=2)
    assert [look(site), look(site)] == [[("mails", True)], []]


def test_e27_after_a_resume_only_later_mails_count(db: Database) -> None:
    site = sent(db, 33, hard=2)
    look(site)
    with db.write() as tx:
        deploy.resume(tx, "mails", instant("3h"))
    assert look(site, "4h") == []
    assert not stands(site)


def test_e27_without_an_address_for_alerts_it_is_paused_all_the_same(db: Database) -> None:
    site = sent(db, 33, hard=2, more="")
    look(site)
    assert stands(site)


def test_e27_mails_older_than_thirty_days_do_not_count(db: Database) -> None:
    assert look(sent(db, 33, hard=2), "31d") == []


@pytest.mark.parametrize(
    ("tally", "pause"),
    [
        (Tally(99, 99, 99), None),  # too few to mean anything
        (Tally(100, 4, 0), None),
        (Tally(100, 5, 0), True),
        (Tally(1000, 0, 0), None),
        (Tally(1001, 0, 1), None),
        (Tally(1000, 0, 1), False),
        (Tally(300, 0, 1), False),  # one unhappy reader
        (Tally(1000, 0, 2), False),
        (Tally(1000, 0, 3), True),
        (Tally(1001, 0, 3), False),
    ],
)
def test_e27_the_rails_stand_where_they_should(tally: Tally, pause: bool | None) -> None:
    found = judge("mails", tally, Rails())
    assert (None if found is None else found.pause) is pause


def test_x18_a_flood_of_confirmations_is_told_once_a_day(db: Database) -> None:
    site = Site(db, more=ALERTS)
    site.deploy(MAILS.format(name="mails"))
    with db.write() as tx:
        tallies.add(tx, tallies.ASKED, {ASKED: 150}, tallies.hour_of(instant("0h")))
    with db.read() as tx:
        live = site._live(tx)
    told = [flood.run(site.db, live, instant("0h")) for _ in range(2)]
    with db.read() as tx:
        [notice] = tx.execute(messages.select().where(messages.c.kind == "notice")).all()
    assert told == ["150 confirmation mails within an hour; 0.0 are usual", None]
    assert (notice.recipient, notice.template) == ("ops@shop.example", "guard/flood")
    assert notice.options["subject"] == told[0]


def test_e27_what_was_paused_by_itself_is_a_figure_for_who_watches_until_a_person_resumes(db: Database) -> None:
    site = sent(db, 33, hard=2)
    look(site)
    with db.write() as tx:
        stopped = backlog(tx, instant("2h")).stopped
        deploy.resume(tx, "mails", instant("3h"))
        assert (list(stopped), backlog(tx, instant("3h")).stopped) == (["mails"], {})
