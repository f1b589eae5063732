"""`backtest`: what a draft would have done, from what the database knows to have happened."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import event, select

from nurture.engine.backtest import backtest
from nurture.engine.replay import Outcome
from nurture.store.database import Database
from nurture.store.tables import events, stage_moves
from tests.journeys.world import START, Site, did, instant, offset, person, plans, project, tell

DRAFT = "campaign: draft\ntopic: offers\nenter: {event: login}\nsteps: [{send: hello}]\n"
SINCE = instant("10d")


def played(site: Site, text: str = DRAFT, until: str = "40d") -> Outcome:
    shop = project(site.more)
    (plan,) = plans(shop, text).values()
    return backtest(site.db, shop, plan, SINCE, instant(until))


def sent(outcome: Outcome) -> list[str]:
    return [f"{x.detail} at {offset(x.at)}" for x in outcome.lines if x.what == "released"]


def world(db: Database, *people: object, more: str = "", campaigns: tuple[str, ...] = ()) -> Site:
    site = Site(db, more=more)
    site.join(*(people or (person(),)))  # type: ignore[arg-type]
    site.deploy(*campaigns)
    return site


def test_an_event_after_the_start_is_played_at_its_instant(db: Database) -> None:
    site = world(db)
    site.happens("9d", "login")
    site.happens("12d", "login")
    assert sent(played(site)) == ["hello at 12d"]


def test_who_agreed_only_later_is_refused_before(db: Database) -> None:
    site = world(db, person(consents=()))
    site.happens("12d", "login")
    site.happens("13d", "consent.granted", topic="offers")
    site.happens("14d", "login")
    again = DRAFT.replace("{event: login}", "{event: login, again: {after: 1h}}")
    assert (sent(played(site, again)), played(site, again).refused) == (["hello at 14d"], {"no consent": 1})


def test_who_has_left_since_was_still_written_to_then(db: Database) -> None:
    site = world(db, person(consents=()))
    site.happens("1d", "consent.granted", topic="offers")
    site.happens("12d", "login")
    site.happens("20d", "consent.withdrawn", topic="*")
    assert sent(played(site)) == ["hello at 12d"]


def test_who_had_left_before_is_not_written_to_though_they_came_back(db: Database) -> None:
    site = world(db)
    site.happens("5d", "consent.withdrawn", topic="*")
    site.happens("12d", "login")
    site.happens("20d", "consent.granted", topic="offers")
    assert played(site).refused == {"no consent": 1}


def test_a_lead_stands_since_when_it_really_came_there(db: Database) -> None:
    site = world(db)
    site.happens("3d", "stage.entered", stage="lead")
    site.happens("12d", "login")
    site.happens("20d", "stage.entered", stage="customer")
    draft = DRAFT.replace("{send: hello}", "{send: hello, if: {in_stage_for: {at_least: 8d}, stage: lead}}")
    assert sent(played(site, draft)) == ["hello at 12d"]


def test_what_other_campaigns_did_is_done_anew_and_not_twice(db: Database) -> None:
    other = "campaign: other\nenter: {event: signup}\nsteps: [{move: mql}]\n"
    site = world(db, campaigns=(other,))
    site.happens("12d", "signup")
    site.run("12d")
    draft = "campaign: draft\ntopic: offers\nenter: {stage: mql}\nsteps: [{send: hello}]\n"
    found = played(site, draft)
    with db.read() as tx:
        assert len(tx.execute(select(stage_moves)).all()) == 1
    assert (sent(found), [(s.stage, s.before, s.after, s.moved) for s in found.funnel]) == (
        ["hello at 12d"],
        [("mql", 0, 1, 0)],
    )


def test_a_stage_moved_by_hand_is_moved_again(db: Database) -> None:
    site = world(db)
    site.happens("12d", "stage.entered", stage="mql")
    draft = "campaign: draft\ntopic: offers\nenter: {stage: mql}\nsteps: [{move: sql}]\n"
    assert [(s.stage, s.entered, s.moved) for s in played(site, draft).funnel] == [("mql", 1, 0), ("sql", 1, 1)]


def test_deals_won_by_people_are_won_again(db: Database) -> None:
    site = world(db)
    site.happens("5d", "deal.opened", pipeline="sales")
    site.happens("12d", "deal.won", pipeline="sales", reason="fit")
    draft = "campaign: draft\ntopic: offers\nenter: {event: deal.won}\nsteps: [{send: hello}]\n"
    assert sent(played(site, draft)) == ["hello at 12d"]


def test_an_imported_event_counts_at_the_instant_it_happened(db: Database) -> None:
    site = world(db)
    site.happens("12d", "login", told="300d")
    with db.write() as tx:
        tx.execute(events.update().values(source="import", fact=True))
    assert sent(played(site)) == ["hello at 12d"]


def test_a_lead_heard_of_only_later_meets_a_match_when_it_comes(db: Database) -> None:
    site = world(db)
    site.join(person(1, consents=(), country="FR"), at="15d")
    site.happens("15d", "consent.granted", 1, topic="offers")
    draft = DRAFT.replace("{event: login}", "{match: {lead: {country: FR}}, existing: skip}")
    assert sent(played(site, draft)) == ["hello at 15d"]


SCORES = "scores: {heat: {half_life: 10d, rules: [{event: visit, points: 8}]}}\n"
WARM = DRAFT.replace("{send: hello}", "{send: hello, if: {score: {heat: {at_least: 6}}}}")


def test_points_of_before_have_decayed_by_the_start(db: Database) -> None:
    site = world(db, more=SCORES)
    site.happens("1d", "visit")
    site.happens("11d", "visit")  # with the four that are left of the first: twelve
    site.happens("11d", "login")
    found = [sent(played(site, WARM.replace("6", points))) for points in ("11", "13")]
    assert found == [["hello at 11d"], []]


def test_a_simulated_history_earns_its_points_too() -> None:
    story = tell(WARM, events=[did("-1d", "visit"), did("0h", "login")], more=SCORES)
    assert story.sent() == ["hello at 0h"]


def test_a_history_half_forgotten_is_half_as_warm() -> None:
    story = tell(WARM, events=[did("-10d", "visit"), did("0h", "login")], more=SCORES)
    assert story.sent() == []


def test_sends_are_counted_by_day_in_the_projects_zone(db: Database) -> None:
    site = world(db, person(), person(1), more="timezone: Asia/Tokyo\n")
    for who in (0, 1):
        site.happens("12d8h", "login", who)  # 18:00 in UTC, 3:00 of the next day in Tokyo
    assert played(site).sends == [((START + timedelta(days=13)).date(), "hello", 2)]


def test_a_backtest_costs_the_same_reads_for_any_number_of_leads(db: Database) -> None:
    counted = []
    for many in (1, 40):
        site = world(db, *(person(n + many * 100) for n in range(many)))
        for who in range(many):
            site.happens("12d", "login", who)
        counted.append(0)

        def count(*_: object) -> None:
            counted[-1] += 1

        event.listen(db.engine, "before_cursor_execute", count)
        played(site)
        event.remove(db.engine, "before_cursor_execute", count)
    assert counted[0] == counted[1]
