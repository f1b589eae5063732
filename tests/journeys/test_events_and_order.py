"""Events and their order (S1–S5)."""

from __future__ import annotations

from nurture.store.database import Database
from tests.journeys.world import Site, did, person, tell

CART = """
    campaign: cart
    topic: offers
    enter: {event: cart_updated, key: cart_id, again: {after: 1s}}
    goal: {event: order_completed, same: cart_id, value: total}
    exit: {event: cart_emptied, same: cart_id, reason: emptied}
    steps: [{wait: 1d}, {send: reminder}]
"""
LOYAL = """
    campaign: loyal
    topic: offers
    enter: {event: login}
    steps:
      - wait: 1d
      - send: thanks
        if: {did: {event: visit, within: 2d, at_least: 2}}
"""


def test_s01_what_counts_is_when_it_happened_and_what_reacts_is_when_it_came(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(LOYAL)
    site.happens("-20h", "visit", told="1h")
    site.happens("-30h", "visit", told="2h")
    site.happens("3h", "login")
    site.run("3h")
    # At 1d3h the visits are 47 and 57 hours old: one is within two days, though both came today.
    site.run("1d3h")
    assert site.story().said("skipped") == ["skipped thanks if at 1d3h"]


def test_s01_an_event_never_happens_after_it_was_accepted(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(CART)
    site.happens("5d", "cart_updated", told="1h", cart_id="c")
    site.run("1h")
    assert site.story().entered() == ["1h"]


def test_s01_one_late_pass_plays_a_day_in_its_order(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(
        """
        campaign: quiet
        topic: offers
        enter: {event: cart_updated, key: cart_id, settle: 1h, unless: {event: order_completed, same: cart_id}}
        steps: [{wait: 9d}]
        """
    )
    site.happens("0h", "cart_updated", cart_id="c")
    site.happens("2h", "order_completed", cart_id="c")
    site.react("1d")
    assert site.story().entered() == ["1h"]


def test_s01_a_full_page_of_events_lets_no_timer_overtake_them(db: Database) -> None:
    site = Site(db)
    site.join(person(0), person(1))
    site.deploy(
        """
        campaign: quiet
        topic: offers
        enter: {event: cart_updated, key: cart_id, settle: 1h, unless: {event: order_completed, same: cart_id}}
        steps: [{wait: 9d}]
        """
    )
    site.happens("0h", "cart_updated", cart_id="c")
    site.react("1m")
    for _ in range(5):
        site.happens("10m", "login", who=1)
    site.happens("30m", "order_completed", cart_id="c")
    site.react("2h", limit=2)
    assert site.story().not_entered() == ["cancelled by order_completed"]


def test_s02_an_event_a_day_late_counts_and_opens_nothing(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(CART)
    site.happens("0h", "cart_updated", told="1d1m", cart_id="c")
    site.run("1d1m")
    assert site.story().entered() == []


def test_s02_an_event_exactly_a_day_late_still_opens(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(CART)
    site.happens("0h", "cart_updated", told="1d", cart_id="c")
    site.run("1d")
    assert site.story().entered() == ["1d"]


def test_s02_a_late_event_ends_an_enrollment(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(CART)
    site.happens("0h", "cart_updated", cart_id="c")
    site.react("0h")
    site.happens("5m", "cart_emptied", told="2d", cart_id="c")
    site.react("2d")
    assert site.story().ends() == ["exit(emptied)"]


def test_s02_a_late_event_wakes_nobody(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(
        """
        campaign: waits
        topic: offers
        enter: {event: signup}
        steps: [{wait_for: {event: login, up_to: 5d}, then: [{tag: came}], else: [{tag: not-come}]}]
        """
    )
    site.happens("0h", "signup")
    site.run("0h")
    site.happens("1m", "login", told="2d")
    site.run("2d")
    site.run("5d")
    assert site.story().said("tagged") == ["tagged not-come at 5d"]


def test_s02_a_late_event_settles_nothing(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(
        """
        campaign: quiet
        topic: offers
        enter: {event: cart_updated, settle: 1h}
        steps: [{wait: 9d}]
        """
    )
    site.happens("0h", "cart_updated", told="3d")
    site.run("3d")
    site.run("5d")
    assert site.story().entered() == []


def test_s02_what_a_late_event_leads_to_opens_nothing_either(db: Database) -> None:
    site = Site(db, more="scores: {interest: {rules: [{event: visit, points: 50}], thresholds: {hot: 40}}}")
    site.join(person())
    site.deploy(
        """
        campaign: hot
        topic: offers
        enter: {event: score.crossed}
        steps: [{wait: 9d}]
        """
    )
    site.happens("0h", "visit", told="3d")
    site.run("3d")
    assert site.story().entered() == []


def test_s03_who_bought_and_left_has_bought() -> None:
    story = tell(
        """
        campaign: both
        topic: offers
        enter: {event: signup}
        goal: {event: order_completed}
        exit: {event: order_completed}
        steps: [{wait: 9d}]
        """,
        events=[did("0h", "signup"), did("1h", "order_completed")],
    )
    assert story.ends() == ["goal"]


def test_s03_the_event_that_opens_is_never_its_own_goal_exit_or_wait() -> None:
    story = tell(
        """
        campaign: own
        topic: offers
        enter: {event: login}
        goal: {event: login}
        steps: [{wait_for: {event: login, up_to: 1d}, then: [{tag: again}]}]
        """,
        events=[did("0h", "login")],
    )
    assert story.ends() == ["finished"]


def test_s03_a_later_one_of_the_same_name_is() -> None:
    story = tell(
        """
        campaign: own
        topic: offers
        enter: {event: login}
        goal: {event: login}
        steps: [{wait: 9d}]
        """,
        events=[did("0h", "login"), did("1h", "login")],
    )
    assert story.ends() == ["goal"]


def test_s03_scores_come_before_stages_and_stages_before_goals() -> None:
    config = """
    scores: {interest: {rules: [{event: visit, points: 50}]}}
    """
    story = tell(
        """
        campaign: reach
        topic: offers
        enter: {event: signup}
        goal: {match: {score: {interest: {at_least: 40}}}}
        exit: {event: visit}
        steps: [{wait: 9d}]
        """,
        events=[did("0h", "signup"), did("1h", "visit")],
        more=config,
    )
    assert story.ends() == ["goal"]


def test_s03_an_event_ends_the_old_enrollment_before_it_opens_the_new_one() -> None:
    story = tell(
        """
        campaign: anew
        topic: offers
        enter: {event: login, again: {after: 1s}}
        exit: {event: login, reason: anew}
        steps: [{wait: 9d}]
        """,
        events=[did("0h", "login"), did("1h", "login")],
    )
    assert story.ends() == ["exit(anew)", "finished"]


def test_s04_a_purchase_before_the_entry_that_comes_later_ends_it_without_revenue(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(CART)
    site.happens("10m", "cart_updated", cart_id="c")
    site.react("10m")
    site.happens("5m", "order_completed", told="20m", cart_id="c", total=80)
    site.react("20m")
    ended = [line for line in site.story().lines if line.what == "ended"]
    assert [(line.reason, "value" in line.inputs) for line in ended] == [("exit(goal before entry)", False)]


def test_s04_a_purchase_after_the_entry_credits_its_value(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(CART)
    site.happens("10m", "cart_updated", cart_id="c")
    site.happens("15m", "order_completed", cart_id="c", total=80, currency="CHF")
    site.react("20m")
    ended = [line for line in site.story().lines if line.what == "ended"]
    assert [(line.reason, line.inputs.get("value"), line.inputs.get("currency")) for line in ended] == [
        ("goal", 80.0, "CHF")
    ]


GONE = """
    campaign: gone
    topic: offers
    enter: {event: signup}
    exit: {match: {did_not: {event: login, within: 3d}}, reason: gone}
    steps: [{wait: 30d}, {send: late}]
"""


def test_s05_a_condition_that_time_turns_ends_it_at_the_next_quarter_of_an_hour() -> None:
    story = tell(GONE, events=[did("-7m", "login"), did("0h", "signup")])
    assert story.said("ended") == ["ended exit(gone) at 3d"]


def test_s05_after_a_look_in_vain_it_is_looked_at_again() -> None:
    story = tell(GONE, events=[did("-7m", "login"), did("0h", "signup"), did("1d10m", "login"), did("3d3h", "login")])
    assert story.said("ended") == ["ended exit(gone) at 6d3h"]


def test_s05_a_relative_time_that_an_event_begins_is_looked_at_too() -> None:
    story = tell(
        """
        campaign: cooled
        topic: offers
        enter: {event: signup}
        exit: {match: {did: {event: visit}, did_not: {event: visit, within: 2d}}, reason: cooled}
        steps: [{wait: 30d}]
        """,
        events=[did("0h", "signup"), did("1d", "visit")],
    )
    assert story.said("ended") == ["ended exit(cooled) at 3d"]


def test_s05_a_change_of_the_lead_is_looked_at_at_once() -> None:
    story = tell(
        """
        campaign: upgrade
        topic: offers
        enter: {event: signup}
        goal: {match: {lead: {plan: pro}}}
        steps: [{wait: 30d}]
        """,
        events=[did("0h", "signup"), did("1d7m", "lead.changed", plan="pro")],
    )
    assert story.said("ended") == ["ended goal at 1d7m"]


def test_s05_what_another_campaign_does_to_the_lead_is_a_change_too() -> None:
    story = tell(
        """
        campaign: one
        topic: offers
        enter: {event: signup}
        steps: [{wait: 1d}, {tag: vip}, {wait: 9d}]
        """,
        """
        campaign: other
        topic: offers
        enter: {event: signup}
        exit: {match: {tag: vip}, reason: vip}
        steps: [{wait: 30d}]
        """,
        events=[did("0h", "signup")],
    )
    assert "ended exit(vip) at 1d" in story.said("ended")


def test_s05_the_end_of_another_enrollment_is_a_change_too() -> None:
    story = tell(
        """
        campaign: first
        topic: offers
        enter: {event: signup}
        steps: [{wait: 1d}]
        """,
        """
        campaign: second
        topic: offers
        enter: {match: {finished: first}, existing: skip}
        steps: [{wait: 1h}, {send: next}]
        """,
        events=[did("0h", "signup")],
    )
    assert story.sent() == ["next at 1d1h"]


def test_s05_a_wait_for_a_condition_is_over_when_it_turns_by_time() -> None:
    story = tell(
        """
        campaign: rest
        topic: offers
        enter: {event: signup}
        steps:
          - wait_for: {match: {did_not: {event: visit, within: 2d}}, up_to: 9d}
            then: [{tag: rested}]
        """,
        events=[did("0h", "visit"), did("0h", "signup"), did("1d", "visit")],
    )
    assert story.said("tagged") == ["tagged rested at 3d"]
