"""Scores and stages (S30–S32)."""

from __future__ import annotations

import textwrap

import pytest
from sqlalchemy import select

from nurture.campaign.read import read_campaigns
from nurture.engine import stages, trial
from nurture.engine.turn import Turn
from nurture.funnel.stages import Allowed, MoveRefused
from nurture.store.database import Database
from nurture.store.profile import read_profile
from nurture.store.tables import events, lead_stages, stage_moves
from tests.journeys.world import Did, Site, Story, did, instant, person, project, tell

RULES = """
scores:
  interest:
    half_life: 10d
    rules: [{event: visit, points: 20}, {event: order_completed, points: 100}, {if: {tag: vip}, points: 30}]
    thresholds: {hot: {at: 40, hysteresis: 10}}
funnels:
  main:
    stages:
      - lead
      - mql: {enter_if: {score: {interest: {at_least: 20}}}}
      - sql: {enter_if: {score: {interest: {at_least: 40}}}}
      - customer: {moves: [lead]}
"""
WATCH = """
    campaign: watch
    topic: offers
    enter: {event: stage.entered, again: {after: 1s}}
    steps: [{wait: 1s}]
"""
CROSSED = """
    campaign: crossed
    topic: offers
    enter: {event: score.crossed, again: {after: 1s}}
    steps:
      - branch: [{if: {entry: {direction: up}}, steps: [{tag: up}]}, {else: [{tag: down}]}]
"""


def story(*happened: Did, text: str = WATCH, until: str = "400d", **more: object) -> Story:
    people = [person(**more)]  # type: ignore[arg-type]
    return tell(text, events=happened, more=RULES, people=people, until=until)


def reached(db: Database, *happened: tuple[str, str], tag: str = "") -> list[str]:
    """The moves of the one lead, in order."""
    site = Site(db, more=RULES)
    site.join(person(tags=(tag,) if tag else ()))
    site.deploy(WATCH)
    for at, name in happened:
        site.happens(at, name)
        site.run(at)
    with db.read() as tx:
        return list(tx.execute(select(stage_moves.c.to_stage).order_by(stage_moves.c.id)).scalars())


def test_s30_the_highest_stage_whose_rule_holds_is_entered_in_one_move(db: Database) -> None:
    assert reached(db, ("0h", "order_completed")) == ["sql"]


def test_s30_a_lead_is_shown_with_the_scores_that_conditions_see_on_that_day(db: Database) -> None:
    site = Site(db, more=RULES)
    site.join(person(tags=("vip",)))
    site.deploy(WATCH)
    site.happens("0h", "visit")
    site.run("0h")
    assert site.live is not None
    with db.read() as tx:
        shown = [read_profile(tx, site.live.project, site.leads[0], instant(at)) for at in ("0h", "10d")]
    assert [found and found["scores"] for found in shown] == [{"interest": 50.0}, {"interest": 40.0}]


@pytest.mark.parametrize(("expected", "found"), [(50, ()), (20, ("scores: expected interest 20, was 50",))])
def test_s30_a_test_counts_the_points_of_events_and_of_conditions(expected: int, found: tuple[str, ...]) -> None:
    case = f"""
tests:
  - name: a visitor whom we know
    lead: {{email: anna@example.com, tags: [vip]}}
    events: [{{at: 0h, visit: {{}}}}]
    until: 30d
    expect: {{scores: {{interest: {expected}}}}}
"""
    shop = project(RULES)
    read = read_campaigns({"watch.yaml": textwrap.dedent(WATCH) + case}, shop)
    assert trial.run(shop, read.plans["watch"], read.tests[0]).differences == found


def test_s30_a_lead_moves_on_as_its_points_come(db: Database) -> None:
    assert reached(db, ("0h", "visit"), ("1h", "visit"), ("2h", "visit")) == ["mql", "sql"]


def test_s30_rules_move_forward_only(db: Database) -> None:
    assert reached(db, ("0h", "order_completed"), ("60d", "visit")) == ["sql"]


def test_s30_what_follows_a_move_is_for_the_next_pass() -> None:
    opened = "campaign: {0}\ntopic: offers\nenter: {{stage: {0}}}\nsteps: [{1}]\n"
    texts = [opened.format("mql", "{score: {interest: +30}}"), opened.format("sql", "{tag: hot}")]
    told = tell(*texts, events=[did("0h", "visit")], more=RULES)
    # mql by the visit; the campaign that opens then adds points, and the next pass moves on.
    assert [line.campaign for line in told.lines if line.what == "entered"] == ["mql", "sql"]


def test_s30_one_lead_is_not_moved_because_another_did_something(db: Database) -> None:
    more = RULES.replace("{score: {interest: {at_least: 20}}}", "{lead: {plan: gold}}")
    site = Site(db, more=more)
    site.join(person(0, plan="gold"), person(1))
    site.deploy(WATCH)
    site.happens("1h", "visit", who=0)
    site.happens("1h", "lead.changed", who=1, plan="free")
    site.react("1h")
    with db.read() as tx:
        assert tx.execute(lead_stages.select()).all() == []


def test_s30_a_stage_that_the_funnel_no_longer_has_counts_as_none(db: Database) -> None:
    site = Site(db)
    site.join(person(stages=("mql",)))
    site.more = RULES.replace("- mql:", "- warm:")
    site.deploy(WATCH.replace("mql", "warm"))
    site.happens("1h", "visit")
    site.react("1h")
    with db.read() as tx:
        assert tx.execute(select(lead_stages.c.stage)).scalars().all() == ["warm"]


def test_s31_a_threshold_is_crossed_upward_at_its_value() -> None:
    told = story(did("0h", "visit"), did("0h", "visit"), text=CROSSED, until="1h")
    assert told.said("tagged") == ["tagged up at 0h"]


def test_s31_not_below_it() -> None:
    told = story(did("0h", "visit"), did("12h", "visit"), text=CROSSED, until="1d")
    assert told.said("tagged") == []


def test_s31_it_falls_at_the_value_less_the_hysteresis() -> None:
    # 40 points are worth 30 after 10d × log2(4/3) = 4d3h36m.
    told = story(did("0h", "visit"), did("0h", "visit"), text=CROSSED, until="100d")
    assert told.said("tagged") == ["tagged up at 0h", "tagged down at 4d3h45m"]


def test_s31_between_the_two_nothing_is_crossed() -> None:
    told = story(did("0h", "visit"), did("0h", "visit"), did("3d", "visit"), text=CROSSED, until="5d")
    assert told.said("tagged") == ["tagged up at 0h"]


def test_s31_after_a_fall_it_is_crossed_again() -> None:
    happened = [did("0h", "visit"), did("0h", "visit"), did("30d", "visit"), did("30d", "visit")]
    told = story(*happened, text=CROSSED, until="31d")
    assert [text.split(" at ")[0] for text in told.said("tagged")] == ["tagged up", "tagged down", "tagged up"]


def test_s31_points_of_a_condition_keep_it_above_while_it_holds() -> None:
    told = story(did("0h", "visit"), did("0h", "lead.changed", size=1), text=CROSSED, until="100d", tags=("vip",))
    # 20 + 30 points; the 20 decay to nothing, and 30 is where it falls: never quite reached.
    assert told.said("tagged") == ["tagged up at 0h"]


def test_s31_a_lead_who_merely_decays_moves_no_stage_back(db: Database) -> None:
    assert reached(db, ("0h", "order_completed"), ("100d", "login")) == ["sql"]


def test_s31_who_is_known_to_stand_above_does_not_cross_again() -> None:
    told = story(did("1h", "visit"), text=CROSSED, until="2h", scores={"interest": 60})
    assert told.said("tagged") == []


@pytest.mark.parametrize(
    ("stand", "to", "reason", "answer"),
    [
        ("lead", "sql", None, "moved"),
        ("customer", "lead", "came back", "moved"),
        ("customer", "lead", None, "no reason"),
        ("customer", "mql", "a mistake", "not allowed"),
        ("mql", "mql", "again", "already there"),
        ("mql", "nowhere", "?", "unknown stage"),
    ],
)
def test_s32_a_move_by_hand_obeys_the_funnel(
    db: Database, stand: str, to: str, reason: str | None, answer: str
) -> None:
    site = Site(db)
    site.join(person(stages=(stand,)))
    site.deploy(WATCH)
    with db.write() as tx:
        assert site.live is not None
        turn = Turn(tx, site.live)
        turn.load(site.leads)
        verdict = stages.move(turn, site.leads[0], to, at=instant("1h"), cause="person", reason=reason)
        turn.flush()
    assert (isinstance(verdict, Allowed), verdict.code if isinstance(verdict, MoveRefused) else "moved") == (
        answer == "moved",
        answer,
    )


def test_s32_it_is_a_stage_entered_like_any_other(db: Database) -> None:
    site = Site(db)
    site.join(person(stages=("lead",)))
    site.deploy(WATCH)
    site.happens("1h", "stage.entered", stage="mql", reason="by hand")
    with db.read() as tx:
        names = tx.execute(select(events.c.name)).scalars().all()
    site.run("1h")
    assert (list(names), site.story().entered()) == (["stage.entered"], ["1h"])
