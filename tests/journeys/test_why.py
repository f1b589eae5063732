"""`why`, asked of leads that came through real passes, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from nurture.engine import deploy
from nurture.engine.change import Ways
from nurture.engine.why import Answer, Asked, Story, why
from nurture.engine.why_campaign import what_came_of
from nurture.lead.permission import ALL
from nurture.store import rights, suppressions
from nurture.store.database import Database
from nurture.store.why import Mailed, find_message
from tests.journeys.world import KEYRING, Cast, Site, instant, person, project

CART = """
campaign: cart
topic: offers
enter:
  event: cart_updated
  where: {total: {at_least: 30}}
  key: cart_id
  only_if: {any: [{tag: vip}, {lead: {country: FR}}]}
goal: {event: order_completed, same: cart_id}
steps:
  - {send: reminder, if: {lead: {plan: gold}}}
  - branch:
      - if: {stage: mql}
        steps: [{tag: warm}]
      - if: {did: {event: login, at_least: 2}}
        steps: [{tag: busy}]
  - wait_for: {event: login, up_to: 3d}
"""


def story(site: Site, at: str = "1d", who: int = 0, **asked: Any) -> Story:
    with site.db.read() as tx:
        return why(tx, project(site.more), site.leads[who], instant(at), Asked(**asked))


def of(found: Story, what: str) -> Answer:
    return next(one for one in found.answers if one.line.what == what)


def words(ways: Ways) -> list[list[str]]:
    return [[change.text for change in way] for way in ways]


def needs(site: Site, campaign: str = "cart", at: str = "1d") -> dict[str, list[list[str]]]:
    """What stands in the way now, by reason."""
    answers = story(site, at, campaign=campaign).answers
    return {str(a.line.reason): words(a.ways) for a in answers if a.line.what == "would_not_enter"}


def shop(db: Database, *campaigns: str, people: tuple[Cast, ...] = (), more: str = "") -> Site:
    site = Site(db, more)
    site.join(*(people or (person(country="RO", plan="silver"),)), at="-1d")
    site.deploy(*(campaigns or (CART,)))
    return site


def entered(db: Database, **fields: Any) -> Site:
    site = shop(db, people=(person(tags=("vip",), **fields),))
    site.happens("1h", "cart_updated", cart_id="c1", total=50)
    site.run("1h")
    return site


# --- decisions


def test_who_did_not_enter_is_told_what_any_one_of_would_have_let_it_in(db: Database) -> None:
    site = shop(db)
    site.happens("1h", "cart_updated", cart_id="c1", total=50)
    site.react("1h")
    found = of(story(site), "not_entered")
    assert words(found.ways) == [["has the tag 'vip'"], ["country is FR"]]
    assert [(seen.condition, seen.holds, seen.value) for seen in found.saw] == [
        ("total: {at_least: 30}", True, "50"),
        ("tag: vip", False, None),
        ("lead: {country: FR}", False, "RO"),
    ]


def test_what_was_seen_is_of_the_day_of_the_decision(db: Database) -> None:
    site = shop(db)
    site.happens("1h", "cart_updated", cart_id="c1", total=50)
    site.react("1h")
    site.happens("2h", "lead.changed", country="FR")
    assert [seen.value for seen in of(story(site), "not_entered").saw] == ["50", None, "RO"]


def test_who_did_not_enter_is_told_under_which_version(db: Database) -> None:
    site = shop(db)
    site.happens("1h", "cart_updated", cart_id="c1", total=50)
    site.react("1h")
    assert site.live is not None
    assert of(story(site), "not_entered").version == site.live.campaigns["cart"].version


def test_a_step_passed_over_says_what_it_saw_and_wanted(db: Database) -> None:
    found = of(story(entered(db, plan="silver")), "skipped")
    assert (words(found.ways), found.ways[0][0].saw) == ([["plan is gold"]], "silver")


def test_a_branch_says_what_its_arms_would_have_wanted(db: Database) -> None:
    found = of(story(entered(db)), "branched")
    assert words(found.ways) == [["stands in mql"], ["has done login at least 2 times"]]
    assert [seen.value for seen in found.saw] == [None, "0"]


def test_who_waits_is_told_what_would_wake_it(db: Database) -> None:
    found = of(story(entered(db)), "stands")
    assert words(found.ways) == [["login comes"], ["the time is over"]]
    assert found.ways[1][0].at == instant("3d1h")


def test_an_exit_that_kept_somebody_out_is_wanted_not_to_hold(db: Database) -> None:
    gone = "campaign: c\nenter: {event: signup}\nexit: [{match: {tag: gone}}, {match: {tag: lost}}]\nsteps: [{tag: x}]"
    site = shop(db, gone, people=(person(tags=("gone", "lost")),))
    site.happens("1h", "signup")
    site.react("1h")
    found = of(story(site), "not_entered")
    assert words(found.ways) == [["does not have the tag 'gone'", "does not have the tag 'lost'"]]


def test_who_left_by_an_exit_is_told_what_made_it_leave(db: Database) -> None:
    text = "campaign: c\nenter: {event: signup}\nexit: [{match: {tag: x}, reason: done}]\nsteps: [{tag: x}, {wait: 2d}]"
    site = shop(db, text)
    site.happens("1h", "signup")
    site.run("1h")
    found = of(story(site), "ended")
    assert (found.line.reason, words(found.ways)) == ("exit(done)", [["does not have the tag 'x'"]])


def test_who_reached_its_goal_is_told_which_event_ended_it(db: Database) -> None:
    site = entered(db)
    site.happens("2h", "order_completed", cart_id="c1")
    site.react("2h")
    assert words(of(story(site), "ended").ways) == [["no order_completed comes"]]


HELLO = "campaign: hello\ntopic: offers\nenter: {event: signup}\nsteps: [{send: hello}, {wait: 30d}]"


def refused(db: Database, who: Cast, **asked: Any) -> Answer:
    site = shop(db, HELLO, people=(who,))
    site.happens("1h", "signup")
    site.run("1h")
    return of(story(site, **asked), "refused")


def test_without_consent_the_person_would_have_to_agree(db: Database) -> None:
    found = refused(db, person(consents=()))
    assert found.ways[0][0].text.startswith("the person agrees to 'offers' in a form")


def test_without_an_address_there_would_have_to_be_one(db: Database) -> None:
    assert "has an address" in refused(db, person(email=None)).ways[0][0].text


@pytest.mark.parametrize(
    ("scope", "reason", "text"),
    [
        (ALL, "bounce: 5.1.1", "another address: nothing more goes"),
        ("marketing", "complaint", "neither a form nor an operator"),
        ("topic:offers", "unsubscribed", "the person agrees to 'offers' again"),
    ],
)
def test_who_may_lift_a_suppression_is_said(db: Database, scope: str, reason: str, text: str) -> None:
    site = shop(db, HELLO, people=(person(),))
    with db.write() as tx:
        suppressions.suppress(tx, [(KEYRING.address_hash("lead0@example.com"), scope, reason)], instant("0h"))
    site.happens("1h", "signup")
    site.run("1h")
    (way,) = of(story(site), "refused").ways
    assert text in way[0].text
    assert way[0].saw == f"{scope}: {reason}"


def test_a_rest_that_somebody_asked_for_has_its_end_named(db: Database) -> None:
    site = shop(db, HELLO, people=(person(),))
    with db.write() as tx:
        rights.set_pause(tx, site.leads[0], instant("20d"))
    site.happens("1h", "signup")
    site.run("1h")
    assert of(story(site), "refused").ways[0][0].at == instant("20d")


def test_a_mail_held_by_the_cap_names_the_day_with_room(db: Database) -> None:
    two = HELLO.replace("hello", "again")
    site = shop(db, HELLO, two, people=(person(),), more="caps: {marketing: {at_most: 1, per: 7d}}")
    site.happens("1h", "signup")
    site.run("1h")
    site.run("1h")
    found = next(a for a in story(site).answers if a.line.reason == "cap" and a.line.what == "stands")
    assert (words(found.ways), found.ways[0][0].at) == (
        [["the cap has room again, and the hours of sending suit"]],
        instant("7d1h"),
    )


def test_a_lead_in_it_too_soon_is_told_the_day_it_may_enter(db: Database) -> None:
    site = shop(db, "campaign: c\nenter: {event: signup, again: {after: 7d}}\nsteps: [{tag: x}]")
    for at in ("1h", "2h"):
        site.happens(at, "signup")
        site.run(at)
    assert of(story(site), "not_entered").ways[0][0].at == instant("7d1h")


# --- now, of a campaign it is not in


def test_without_its_event_nothing_began(db: Database) -> None:
    assert needs(shop(db))["no event"] == [["cart_updated comes"]]


def test_an_event_that_did_not_fit_says_what_would(db: Database) -> None:
    site = shop(db, people=(person(tags=("vip",)),))
    site.happens("1h", "cart_updated", cart_id="c1", total=10)
    site.react("1h")
    assert needs(site) == {"event did not fit": [["the event's total is at least 30"]]}


def test_an_event_without_its_key_says_so(db: Database) -> None:
    site = shop(db, people=(person(tags=("vip",)),))
    site.happens("1h", "cart_updated", total=50)
    site.react("1h")
    assert needs(site)["no key"] == [["the event says its 'cart_id'"]]


def test_a_quiet_that_runs_says_when_it_is_over(db: Database) -> None:
    site = shop(db, "campaign: c\nenter: {event: signup, settle: 1h}\nsteps: [{tag: x}]")
    site.happens("1h", "signup")
    site.react("1h")
    found = of(story(site, "90m", campaign="c"), "would_not_enter")
    assert (found.line.reason, found.ways[0][0].at) == ("not quiet yet", instant("2h"))


def test_a_condition_that_time_alone_will_turn_names_the_day(db: Database) -> None:
    site = shop(db, "campaign: c\nenter: {match: {lead: {renewal: {in_next: 7d}}}, existing: skip}\nsteps: [{tag: x}]")
    site.happens("1h", "lead.changed", renewal="2026-03-20")
    site.react("1h")
    found = of(story(site, campaign="c"), "would_not_enter")
    assert (words(found.ways), found.ways[0][0].at) == ([["renewal is in the next 7d"]], instant("10d14h"))


def test_a_condition_that_held_at_the_first_deploy_has_to_be_false_once(db: Database) -> None:
    site = shop(
        db,
        "campaign: c\nenter: {match: {tag: vip}, existing: skip}\nsteps: [{tag: x}]",
        people=(person(tags=("vip",)),),
    )
    assert list(needs(site, "c")) == ["match held before"]


@pytest.mark.parametrize(
    ("enter", "reason", "text"),
    [
        ("{stage: mql}", "not moved there", "it is moved to mql"),
        ("{date: lead.renewal}", "no date", "renewal holds a date"),
        ("{schedule: 2026-01-01T09:00}", "schedule over", "the schedule goes on"),
        ("{manual: true}", "nothing began it", "somebody puts it in: nurture enroll c LEAD"),
        ("{match: {tag: vip}, existing: skip}", "match does not hold", "has the tag 'vip'"),
    ],
)
def test_each_way_of_entering_says_what_is_missing(db: Database, enter: str, reason: str, text: str) -> None:
    assert needs(shop(db, f"campaign: c\nenter: {enter}\nsteps: [{{tag: x}}]"), "c") == {reason: [[text]]}


@pytest.mark.parametrize(
    ("state", "text"),
    [("draft", "the campaign is deployed with state: live"), ("retired", "the campaign is deployed with state: live")],
)
def test_a_campaign_that_takes_nobody_in_says_so(db: Database, state: str, text: str) -> None:
    site = shop(db, f"campaign: c\nstate: {state}\nenter: {{manual: true}}\nsteps: [{{tag: x}}]")
    assert needs(site, "c")["not live"] == [[text]]


def test_a_paused_campaign_says_how_it_is_resumed(db: Database) -> None:
    site = shop(db, HELLO)
    with db.write() as tx:
        deploy.pause(tx, "hello", instant("1h"))
    assert needs(site, "hello")["not live"] == [["the campaign is resumed: nurture resume hello"]]


def test_where_nothing_stands_in_the_way_it_says_what_would_begin_it(db: Database) -> None:
    site = shop(db, HELLO, people=(person(),))
    site.happens("1h", "signup", told="3d")  # too late to open anything
    site.react("3d")
    assert needs(site, "hello", "4d") == {"event too late": [["signup comes in time"]]}


def test_what_was_before_since_is_left_out(db: Database) -> None:
    found = story(entered(db), "2d", since=instant("1d"))
    assert [a.line.what for a in found.answers] == ["stands"]


# --- one mail


def test_a_mail_never_reached_says_where_the_lead_stands_and_why_it_is_not_in_the_other_campaigns(db: Database) -> None:
    site = shop(db, HELLO, CART, people=(person(),))
    site.happens("1h", "signup")
    site.run("1h")
    found = story(site, mail="reminder")
    assert {a.line.campaign for a in found.answers} == {"cart"}
    assert found.never


def test_a_mail_is_told_each_time_it_was_considered(db: Database) -> None:
    found = story(entered(db, plan="silver"), mail="reminder")
    assert [(a.line.what, a.line.reason) for a in found.answers] == [("skipped", "if")]


def test_a_message_is_found_by_its_number_and_by_its_message_id(db: Database) -> None:
    site = shop(db, HELLO, people=(person(),))
    site.happens("1h", "signup")
    site.run("1h")
    with db.read() as tx:
        message = find_message(tx, "1")
    assert isinstance(message, Mailed)
    found = story(site, message=message)
    assert [a.line.what for a in found.answers] == ["entered", "released"]


# --- a campaign


def test_a_campaign_is_reckoned_over_all_its_leads(db: Database) -> None:
    site = shop(db, HELLO, people=(person(0), person(1, consents=()), person(2)))
    for who in (0, 1):
        site.happens("1h", "signup", who)
    site.run("1h")
    site.happens("2h", "signup")
    site.react("2h")
    with db.read() as tx:
        found = what_came_of(tx, "hello")
    assert [(one.count.count, one.text) for one in found.lines] == [
        (2, "in it now"),
        (1, "mail hello: sent"),
        (1, "did not enter: already in it"),
        (1, "mail at 'hello' refused: no consent"),
    ]


# --- what it costs


def statements(site: Site, **asked: Any) -> list[tuple[str, Any]]:
    heard: list[tuple[str, Any]] = []

    def hear(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        heard.append((statement, parameters))

    event.listen(site.db.engine, "before_cursor_execute", hear)
    try:
        story(site, "400d", **asked)
    finally:
        event.remove(site.db.engine, "before_cursor_execute", hear)
    return heard


def test_a_year_of_history_takes_as_many_statements_as_a_day(db: Database) -> None:
    site = shop(db, CART, HELLO, people=(person(tags=("vip",)),))
    counts = []
    for day in range(1, 9):
        site.happens(f"{day}d", "cart_updated", cart_id=f"c{day}", total=50)
        site.run(f"{day}d")
        counts.append((len(statements(site)), len(statements(site, campaign="hello"))))
    assert len(set(counts)) == 1


SMALL = {"deployment", "campaigns", "b", "j", "json_each", "CONSTANT"}  # a row a campaign, and the rows of a batch


@pytest.mark.parametrize("asked", [{}, {"campaign": "hello"}, {"mail": "reminder"}, {"limit": 5}])
def test_no_table_of_leads_or_of_their_history_is_read_from_end_to_end(db: Database, asked: dict[str, Any]) -> None:
    site = shop(db, CART, HELLO, people=(person(tags=("vip",)),))
    site.happens("1h", "cart_updated", cart_id="c1", total=50)
    site.run("1h")
    heard = [one for one in statements(site, **asked) if one[0].startswith(("SELECT", "WITH"))]
    with site.db.read() as tx:
        if db.is_sqlite:
            plans = [tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given) for text, given in heard]
            lines = [row[3] for plan in plans for row in plan]
            assert {line.split()[1] for line in lines if line.startswith("SCAN ")} <= SMALL
        else:
            tx.exec_driver_sql("SET LOCAL enable_seqscan = off")  # so that one is left only where no index serves
            plans = [tx.exec_driver_sql(f"EXPLAIN {text}", given) for text, given in heard]
            lines = [row[0] for plan in plans for row in plan]
            assert {line.split(" on ")[1].split()[0] for line in lines if "Seq Scan on " in line} <= SMALL
