"""Entering by a condition, a stage, a date, a schedule (S12–S15)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nurture.lead.event import Happening
from nurture.store.database import Database
from nurture.store.events import store_events
from tests.journeys.world import Site, did, instant, person, tell


def by(enter: str, steps: str = "[{wait: 300d}]", more: str = "") -> str:
    return f"campaign: timed\ntopic: offers\nenter: {enter}\nsteps: {steps}\n{more}"


def gold(existing: str) -> str:
    return f"{{match: {{lead: {{plan: gold}}}}, existing: {existing}, again: {{after: 1s}}}}"


def test_s12_a_match_enters_when_it_turns_from_false_to_true() -> None:
    events = [did("1h", "lead.changed", plan="gold"), did("2h", "lead.changed", size=5)]
    assert tell(by(gold("skip"), "[{tag: seen}]"), events=events).entered() == ["1h"]


def test_s12_it_enters_again_only_after_it_was_false() -> None:
    changes = [did(f"{n}h", "lead.changed", plan=plan) for n, plan in enumerate(("gold", "free", "gold"), 1)]
    assert tell(by(gold("skip"), "[{tag: seen}]"), events=changes).entered() == ["1h", "3h"]


@pytest.mark.parametrize(("existing", "entered"), [("enter", ["0h"]), ("skip", [])])
def test_s12_existing_says_what_happens_to_those_for_whom_it_is_true(existing: str, entered: list[str]) -> None:
    story = tell(by(gold(existing)), people=[person(plan="gold")], events=[did("1h", "lead.changed", size=5)])
    assert story.entered() == entered


def test_s12_it_is_looked_at_when_time_turns_it() -> None:
    enter = "{match: {did: {event: login}, did_not: {event: login, within: 3d}}, existing: skip, every: 1h}"
    assert tell(by(enter), events=[did("20m", "login")]).entered() == ["3d1h"]


def deployed_twice(db: Database, before: str, after: str) -> Site:
    site = Site(db)
    site.join(person(0, plan="gold"), person(1, plan="silver"), person(2, plan="free"))
    for at, plan in (("0h", before), ("1d", after)):
        site.deploy(by(f"{{match: {{lead: {{plan: {plan}}}}}, existing: skip, again: {{after: 1s}}}}"), at=at)
    return site


def test_s12_a_new_condition_enters_nobody_for_whom_it_is_true_at_its_deploy(db: Database) -> None:
    site = deployed_twice(db, "gold", "silver")
    site.happens("2d", "lead.changed", who=1, size=3)
    site.react("2d")
    assert site.story().entered(None) == []


def test_s12_who_was_true_under_the_old_condition_does_not_enter_by_the_new_one(db: Database) -> None:
    site = deployed_twice(db, "gold", "[gold, silver]")
    site.happens("2d", "lead.changed", who=0, plan="silver")
    site.react("2d")
    assert site.story().entered(None) == []


def test_s12_who_is_false_under_both_and_then_true_enters(db: Database) -> None:
    site = deployed_twice(db, "gold", "silver")
    site.happens("2d", "lead.changed", who=2, plan="silver")
    site.react("2d")
    assert (site.story().entered(2), site.story().entered(None)) == (["2d"], ["2d"])


def test_s12_nobody_enters_before_the_baseline_of_its_lead_is_taken(db: Database) -> None:
    site = Site(db)
    site.join(person(0, plan="gold"))
    site.deploy()
    site.deploy(by(gold("skip")), at="1h", sweep=False)
    site.happens("2h", "lead.changed", size=4)
    site.react("2h")
    site.sweep("3h")
    assert site.story().entered() == []


STAGE = by("{stage: mql}")


@pytest.mark.parametrize("cause", ["person", "campaign"])
def test_s13_a_stage_enters_whoever_moved_the_lead(cause: str) -> None:
    moves = "campaign: mover\ntopic: offers\nenter: {event: login}\nsteps: [{move: mql}]\n"
    happens = did("1h", "stage.entered", stage="mql") if cause == "person" else did("1h", "login")
    assert "1h" in tell(STAGE, moves, events=[happens]).entered()[-1:]


def test_s13_a_rule_that_moves_the_lead_enters() -> None:
    more = """
    scores: {interest: {rules: [{event: visit, points: 50}]}}
    funnels: {main: {stages: [lead, {mql: {enter_if: {score: {interest: {at_least: 40}}}}}]}}
    """
    assert tell(STAGE, events=[did("1h", "visit")], more=more).entered() == ["1h"]


def test_s13_an_import_that_moves_the_lead_does_not_enter(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(STAGE)
    moved = {"stage": "mql", "cause": "import"}
    with db.write() as tx:
        store_events(tx, [Happening(site.leads[0], "stage.entered", instant("1h"), instant("1h"), moved)])
    site.react("1h")
    assert site.story().entered() == []


def test_s13_moving_to_where_it_stands_is_no_entering() -> None:
    story = tell(STAGE, people=[person(stages=("mql",))], events=[did("1h", "stage.entered", stage="mql")])
    assert story.entered() == []


RENEWAL = by('{date: lead.renewal, offset: -30d, at: "09:00", catch_up: 7d}')
BARE = by('{date: lead.renewal, offset: -30d, at: "09:00"}')


def test_s14_a_date_enters_so_long_before_it_at_its_clock_time() -> None:
    assert tell(RENEWAL, people=[person(renewal="2026-05-01")]).entered() == ["29d23h"]


def test_s14_an_instant_already_past_when_the_date_becomes_known_is_not_entered() -> None:
    story = tell(BARE, events=[did("1h", "lead.changed", renewal="2026-03-31")])
    assert (story.entered(), story.not_entered()) == ([], ["date passed"])


def test_s14_catch_up_covers_it() -> None:
    story = tell(RENEWAL, events=[did("1h", "lead.changed", renewal="2026-03-31")])
    assert story.entered() == ["1h"]


def test_s14_catch_up_covers_no_more_than_it_says() -> None:
    story = tell(RENEWAL, events=[did("1h", "lead.changed", renewal="2026-03-25")])
    assert story.not_entered() == ["date passed"]


def test_s14_what_was_caught_up_is_not_caught_up_again() -> None:
    again = RENEWAL.replace("catch_up: 7d", "catch_up: 7d, again: {after: 1s}").replace("wait: 300d", "tag: seen")
    changes = [did("1h", "lead.changed", renewal="2026-03-31"), did("2h", "lead.changed", renewal="2026-03-31")]
    assert tell(again, events=changes).entered() == ["1h"]


def test_s14_a_changed_date_ends_the_old_enrollment_and_the_new_date_counts() -> None:
    again = RENEWAL.replace("catch_up: 7d", "again: {after: 1s}")
    story = tell(
        again, people=[person(renewal="2026-05-01")], events=[did("40d", "lead.changed", renewal="2026-07-01")]
    )
    assert (story.ends(), story.entered()) == (["exit(date changed)", "finished"], ["29d23h", "90d23h"])


def test_s14_a_date_taken_away_before_its_time_never_enters() -> None:
    story = tell(RENEWAL, people=[person(renewal="2026-05-01")], events=[did("1d", "lead.changed", renewal=None)])
    assert story.entered() == []


def test_s14_the_29th_of_february_is_the_28th_in_other_years() -> None:
    yearly = by('{date: lead.birthday, at: "09:00", yearly: true, again: {after: 1d}}', "[{send: happy}]")
    start = datetime(2027, 1, 1, 9, tzinfo=UTC)
    story = tell(yearly, people=[person(birthday="2000-02-29")], start=start, until="800d")
    assert [m.at.date().isoformat() for m in story.left] == ["2027-02-28", "2028-02-29", "2029-02-28"]


def test_s14_a_yearly_date_comes_every_year() -> None:
    yearly = by('{date: lead.birthday, at: "09:00", yearly: true, again: {after: 1d}}', "[{send: happy}]")
    story = tell(yearly, people=[person(birthday="1990-03-05")], until="800d")
    assert [m.at.date().isoformat() for m in story.left] == ["2026-03-05", "2027-03-05", "2028-03-05"]


def test_s14_a_new_offset_counts_for_dates_not_yet_fired(db: Database) -> None:
    site = Site(db)
    site.join(person(renewal="2026-05-01"))
    site.deploy(by('{date: lead.renewal, offset: -30d, at: "09:00"}'))
    site.deploy(by('{date: lead.renewal, offset: -20d, at: "09:00"}'), at="1d")
    site.react("35d")
    site.react("45d")
    assert site.story().entered() == ["39d23h"]


DIGEST = by("{schedule: 2026-03-03T09:00, repeat: 1w}", "[{send: digest}]")


def test_s15_each_occurrence_is_its_own_key() -> None:
    assert tell(DIGEST, until="20d").entered() == ["23h", "7d23h", "14d23h"]


def test_s15_it_is_that_time_in_each_leads_zone() -> None:
    people = [person(0, timezone="America/New_York"), person(1, timezone="Asia/Tokyo")]
    story = tell(by("{schedule: 2026-03-03T09:00}"), people=people)
    assert (story.entered(0), story.entered(1)) == (["1d4h"], ["14h"])


def test_s15_unless_it_says_whose_time() -> None:
    people = [person(0, timezone="America/New_York")]
    assert tell(by("{schedule: 2026-03-03T09:00, zone: project}"), people=people).entered() == ["23h"]


def test_s15_until_is_the_last_instant() -> None:
    text = by("{schedule: 2026-03-03T09:00, repeat: 1w, until: 2026-03-10T09:00}", "[{send: digest}]")
    assert tell(text).entered() == ["23h", "7d23h"]


def test_s15_only_if_is_asked_at_the_occurrence() -> None:
    text = by("{schedule: 2026-03-03T09:00, repeat: 1w, only_if: {tag: reader}}", "[{send: digest}]")
    tagging = "campaign: tagging\ntopic: offers\nenter: {event: login}\nsteps: [{tag: reader}]\n"
    story = tell(text, tagging, events=[did("2d", "login")], until="8d")
    assert story.sent() == ["digest at 7d23h"]


def test_s15_a_lead_created_after_an_occurrence_is_not_in_it(db: Database) -> None:
    site = Site(db)
    site.join(person(0))
    site.deploy(DIGEST)
    site.react("2d")
    site.join(person(1))
    site.happens("2d", "lead.created", who=1)
    site.react("2d")
    site.react("8d")
    assert (site.story().entered(0), site.story().entered(1)) == (["23h", "7d23h"], ["7d23h"])


def test_s15_a_campaign_deployed_after_its_instant_enters_nobody() -> None:
    assert tell(by("{schedule: 2026-03-01T09:00}")).entered() == []


def late(if_late: str) -> str:
    return by("{schedule: 2026-03-03T09:00}", "[{send: offer" + if_late + "}]")


def test_s15_missed_while_no_worker_ran_it_enters_late(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(late(""))
    site.run("3d")
    assert (site.story().entered(), site.story().sent()) == (["23h"], ["offer at 3d"])


def test_s15_and_then_if_late_decides(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(late(", if_late: {after: 1d, do: skip}"))
    site.run("3d")
    assert site.story().said("skipped") == ["skipped offer late at 3d"]


def test_s15_a_schedule_moved_by_a_deploy_does_not_come_at_its_old_time(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(by("{schedule: 2026-03-03T09:00}"))
    site.deploy(by("{schedule: 2026-03-05T09:00}"), at="1h")
    site.react("2d")
    site.react("4d")
    assert site.story().entered() == ["2d23h"]
