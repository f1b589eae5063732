"""Entering by events: quiets, keys, the order of the questions (S6–S11)."""

from __future__ import annotations

from nurture.store.database import Database
from tests.journeys.world import Site, did, person, tell

QUIET = """
    campaign: cart
    topic: offers
    enter:
      event: cart_updated
      where: {total: {at_least: 30}}
      settle: 1h
      unless: {event: order_completed, same: cart_id}
      key: cart_id
    steps: [{wait: 9d}]
"""
LOOSE = """
    campaign: browse
    topic: offers
    enter: {event: visit, settle: 1h, unless: login, again: {after: 1m}}
    steps: [{tag: browsed}]
"""


def plain(*, enter: str, steps: str = "[{wait: 30d}]", more: str = "") -> str:
    head = f"campaign: plain\ntopic: offers\nenter: {enter}\nsteps: {steps}\n"
    return head + more


def test_s06_every_event_of_the_key_restarts_the_quiet_also_one_that_does_not_pass() -> None:
    story = tell(
        QUIET,
        events=[
            did("0h", "cart_updated", cart_id="c", total=50),
            did("30m", "cart_updated", cart_id="c", total=10),
            did("1h", "cart_updated", cart_id="c", total=40),
        ],
    )
    assert story.entered() == ["2h"]


def test_s06_where_is_tested_on_the_last_event_when_it_is_quiet() -> None:
    story = tell(
        QUIET,
        events=[did("0h", "cart_updated", cart_id="c", total=50), did("30m", "cart_updated", cart_id="c", total=10)],
    )
    assert story.not_entered() == ["condition false"]


def test_s06_another_key_has_a_quiet_of_its_own() -> None:
    story = tell(
        QUIET,
        events=[did("0h", "cart_updated", cart_id="a", total=50), did("30m", "cart_updated", cart_id="b", total=50)],
    )
    assert story.entered() == ["1h", "1h30m"]


def test_s06_without_a_key_there_is_one_quiet_a_lead() -> None:
    assert tell(LOOSE, events=[did("0h", "visit"), did("30m", "visit")]).entered() == ["1h30m"]


def test_s06_an_older_event_that_comes_late_restarts_nothing(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(QUIET)
    site.happens("20m", "cart_updated", cart_id="c", total=50)
    site.react("20m")
    site.happens("10m", "cart_updated", told="1h", cart_id="c", total=5)
    site.react("1h")
    site.react("1h20m")
    assert site.story().entered() == ["1h20m"]


def test_s06_the_quiet_counts_from_when_it_happened_but_ends_not_before_now(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(QUIET)
    site.happens("0h", "cart_updated", told="40m", cart_id="c", total=50)
    site.happens("0h", "cart_updated", told="3h", cart_id="late", total=50)
    site.react("3h")
    assert site.story().entered() == ["1h", "3h"]


def test_s06_the_event_with_the_greatest_instant_is_the_entry() -> None:
    story = tell(
        """
        campaign: cart
        topic: offers
        enter: {event: cart_updated, key: cart_id, settle: 1h}
        steps: [{branch: [{if: {entry: {total: {at_least: 30}}}, steps: [{tag: dear}]}, {else: [{tag: cheap}]}]}]
        """,
        events=[did("0h", "cart_updated", cart_id="c", total=5), did("30m", "cart_updated", cart_id="c", total=50)],
    )
    assert story.said("tagged") == ["tagged dear at 1h30m"]


def test_s07_what_is_bought_closes_its_key_for_good() -> None:
    story = tell(
        QUIET,
        events=[
            did("0h", "cart_updated", cart_id="c", total=50),
            did("10m", "order_completed", cart_id="c"),
            did("2h", "cart_updated", cart_id="c", total=50),
        ],
    )
    assert (story.entered(), story.not_entered()) == ([], ["cancelled by order_completed"] * 2)


def test_s07_it_closes_the_key_also_when_it_came_first() -> None:
    story = tell(
        QUIET,
        events=[did("0h", "order_completed", cart_id="c"), did("10m", "cart_updated", cart_id="c", total=50)],
    )
    assert (story.entered(), story.not_entered()) == ([], ["cancelled by order_completed"])


def test_s07_another_key_stays_open() -> None:
    story = tell(
        QUIET,
        events=[did("0h", "order_completed", cart_id="a"), did("10m", "cart_updated", cart_id="b", total=50)],
    )
    assert story.entered() == ["1h10m"]


def test_s07_without_same_the_running_quiet_ends_and_the_next_event_begins_a_new_one() -> None:
    story = tell(LOOSE, events=[did("0h", "visit"), did("30m", "login"), did("2h", "visit")])
    assert (story.not_entered(), story.entered()) == (["cancelled by login"], ["3h"])


def test_s07_a_purchase_told_too_late_still_ends_the_quiet(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(QUIET)
    site.happens("2d", "cart_updated", cart_id="c", total=50)
    site.happens("0h", "order_completed", told="2d10m", cart_id="c")
    site.react("3d")
    assert site.story().not_entered() == ["cancelled by order_completed"]


def test_s08_a_key_that_is_missing_empty_or_no_scalar_does_not_enter() -> None:
    story = tell(
        plain(enter="{event: cart_updated, key: cart_id}"),
        events=[
            did("0h", "cart_updated"),
            did("1h", "cart_updated", cart_id=""),
            did("2h", "cart_updated", cart_id=["a"]),
            did("3h", "cart_updated", cart_id={"a": 1}),
        ],
    )
    assert (story.entered(), story.not_entered()) == ([], ["no key"] * 4)


def test_s08_keys_compare_as_text() -> None:
    story = tell(
        plain(enter="{event: cart_updated, key: cart_id}", more="goal: {event: order_completed, same: cart_id}"),
        events=[did("0h", "cart_updated", cart_id=5), did("1h", "order_completed", cart_id="5")],
    )
    assert story.ends() == ["goal"]


def test_s08_same_with_the_property_missing_matches_nothing() -> None:
    story = tell(
        plain(enter="{event: cart_updated, key: cart_id}", more="goal: {event: order_completed, same: cart_id}"),
        events=[did("0h", "cart_updated", cart_id="5"), did("1h", "order_completed")],
        until="2d",
    )
    assert story.ends() == ["waiting"]


def test_s08_an_enroll_without_the_key_of_a_keyed_campaign_does_not_enter() -> None:
    story = tell(
        plain(enter="{event: cart_updated, key: cart_id}"), events=[did("0h", "enroll.requested", campaign="plain")]
    )
    assert story.not_entered() == ["no key"]


ALL_NO = """
    campaign: no
    topic: offers
    state: STATE
    enter:
      event: cart_updated
      key: cart_id
      again: {after: 30d}
      only_if: {lead: {plan: gold}}
    exit: {match: {tag: out}}
    steps: [{wait: 9d}]
"""


def test_s09_the_state_is_asked_before_the_key() -> None:
    story = tell(ALL_NO.replace("STATE", "paused"), events=[did("0h", "cart_updated")], until="1h")
    assert story.not_entered() == ["not live"]


def test_s09_the_key_is_asked_before_whether_one_is_in_it() -> None:
    people = [person(plan="gold")]
    events = [did("0h", "cart_updated", cart_id="a"), did("1h", "cart_updated")]
    assert tell(ALL_NO.replace("STATE", "live"), events=events, people=people).not_entered() == ["no key"]


def test_s09_whether_one_is_in_it_is_asked_before_how_often() -> None:
    story = tell(
        plain(enter="{event: login, again: {after: 30d}}"), events=[did("0h", "login"), did("1d", "login")], until="2d"
    )
    assert story.not_entered() == ["already in it"]


def test_s09_how_often_is_asked_before_the_exits() -> None:
    people = [person(plan="gold")]
    events = [
        did("0h", "cart_updated", cart_id="a"),
        did("1d", "lead.changed", plan="silver"),
        did("20d", "cart_updated", cart_id="b"),
    ]
    assert tell(ALL_NO.replace("STATE", "live"), events=events, people=people).not_entered() == ["re-entry too soon"]


def test_s09_exit_and_goal_already_true_are_asked_before_only_if() -> None:
    events = [did("0h", "cart_updated", cart_id="a")]
    story = tell(ALL_NO.replace("STATE", "live"), events=events, people=[person(tags=("out",))])
    assert story.not_entered() == ["exit already true"]
    goal = plain(enter="{event: login, only_if: {lead: {plan: gold}}}", more="goal: {match: {tag: out}}")
    assert tell(goal, events=[did("0h", "login")], people=[person(tags=("out",))]).not_entered() == [
        "goal already true"
    ]


def test_s09_only_if_is_asked_last() -> None:
    story = tell(ALL_NO.replace("STATE", "live"), events=[did("0h", "cart_updated", cart_id="a")])
    assert story.not_entered() == ["condition false"]


def test_s09_who_has_no_address_or_consent_enters_and_the_mail_is_refused() -> None:
    story = tell(
        plain(enter="{event: login}", steps="[{send: hello}]"),
        events=[did("0h", "login", who=0), did("0h", "login", who=1)],
        people=[person(0, email=None), person(1, consents=())],
    )
    assert (story.said("refused", who=0), story.said("refused", who=1)) == (
        ["refused hello no address at 0h"],
        ["refused hello no consent at 0h"],
    )


def test_s09_a_no_is_final_for_that_trigger() -> None:
    story = tell(
        plain(enter="{event: login, only_if: {lead: {plan: gold}}}"),
        events=[did("0h", "login"), did("1h", "lead.changed", plan="gold")],
    )
    assert story.entered() == []


def test_s09_enrolling_in_a_campaign_that_is_not_live_is_a_recorded_no() -> None:
    draft = "campaign: other\ntopic: offers\nstate: draft\nenter: {manual: true}\nsteps: [{wait: 1d}]\n"
    story = tell(plain(enter="{event: login}", steps="[{enroll: other}]"), draft, events=[did("0h", "login")])
    assert story.not_entered() == ["not live"]


def test_s10_after_counts_from_the_start_of_the_last_and_exactly_met_is_enough() -> None:
    text = plain(enter="{event: login, again: {after: 7d}}", steps="[{tag: seen}]")
    events = [did("0h", "login"), did("6d23h", "login"), did("7d", "login")]
    story = tell(text, events=events)
    assert (story.entered(), story.not_entered()) == (["0h", "7d"], ["re-entry too soon"])


def test_s10_at_most_counts_over_all_keys_in_a_rolling_time() -> None:
    text = plain(enter="{event: cart_updated, key: cart_id, again: {at_most: 2, per: 10d}}", steps="[{tag: seen}]")
    events = [did(f"{day}d", "cart_updated", cart_id=f"c{day}") for day in (0, 4, 9, 10)]
    story = tell(text, events=events)
    assert (story.entered(), story.not_entered()) == (["0h", "4d", "10d"], ["re-entry limit"])


def test_s10_without_again_each_key_enters_once_and_without_a_key_the_lead_once_ever() -> None:
    keyed = plain(enter="{event: cart_updated, key: cart_id}", steps="[{tag: seen}]")
    events = [did(f"{n}d", "cart_updated", cart_id=key) for n, key in enumerate("aba")]
    assert tell(keyed, events=events).entered() == ["0h", "1d"]
    unkeyed = plain(enter="{event: login}", steps="[{tag: seen}]")
    assert tell(unkeyed, events=[did("0h", "login"), did("90d", "login")]).entered() == ["0h"]


def test_s10_again_counts_entries_of_all_versions(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(plain(enter="{event: login, again: {after: 7d}}", steps="[{tag: one}]"))
    site.happens("0h", "login")
    site.run("0h")
    site.deploy(plain(enter="{event: login, again: {after: 7d}}", steps="[{tag: two}]"), at="1d")
    site.happens("2d", "login")
    site.run("2d")
    assert site.story().not_entered() == ["re-entry too soon"]


def test_s10_a_restart_begins_at_the_first_step() -> None:
    text = plain(enter="{event: login, again: {after: 7d}}", steps="[{send: hello}, {wait: 1d}, {send: more}]")
    story = tell(text, events=[did("0h", "login"), did("8d", "login")])
    assert story.sent() == ["hello at 0h", "more at 1d", "hello at 8d", "more at 9d"]


RENEWED = """
    campaign: cart
    topic: offers
    enter: {event: cart_updated, key: cart_id, where: {total: {at_least: 30}}, again: {after: 1s}}
    steps:
      - wait: 1d
      - branch: [{if: {entry: {total: {at_least: 100}}}, steps: [{tag: dear}]}, {else: [{tag: cheap}]}]
"""


def test_s11_a_repeat_renews_the_entry_of_the_open_enrollment_and_does_nothing_else() -> None:
    story = tell(
        RENEWED,
        events=[did("0h", "cart_updated", cart_id="c", total=50), did("1h", "cart_updated", cart_id="c", total=200)],
    )
    assert (story.entered(), story.not_entered(), story.said("tagged")) == (["0h"], [], ["tagged dear at 1d"])


def test_s11_an_older_repeat_that_comes_late_renews_nothing(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(RENEWED)
    site.happens("1h", "cart_updated", cart_id="c", total=50)
    site.run("1h")
    site.happens("0h", "cart_updated", told="2h", cart_id="c", total=200)
    site.react("2h")
    site.run("1d1h")
    assert site.story().said("tagged") == ["tagged cheap at 1d1h"]


def test_s11_without_a_key_a_repeat_renews_nothing() -> None:
    story = tell(
        """
        campaign: plain
        topic: offers
        enter: {event: signup}
        steps: [{wait: 1d}, {branch: [{if: {entry: {plan: pro}}, steps: [{tag: pro}]}, {else: [{tag: free}]}]}]
        """,
        events=[did("0h", "signup", plan="free"), did("1h", "signup", plan="pro")],
    )
    assert story.said("tagged") == ["tagged free at 1d"]
