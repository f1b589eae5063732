"""Versions of a running campaign (S33, campaigns.md §8)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from nurture.engine import outcomes
from nurture.engine.turn import Turn
from nurture.store import enrollments
from nurture.store.database import Database
from nurture.store.tables import enrollments as table
from nurture.store.tables import messages
from tests.journeys.world import Site, instant, person


def version(steps: str, more: str = "", enter: str = "{event: signup}") -> str:
    return f"campaign: tour\ntopic: offers\nenter: {enter}\nsteps: {steps}\n{more}\n"


def inside(db: Database, steps: str, more: str = "", config: str = "") -> Site:
    """One lead that entered at the start and has come to its first wait."""
    site = Site(db, more=config)
    site.join(person(0), person(1))
    site.deploy(version(steps, more))
    site.happens("0h", "signup")
    site.run("0h")
    return site


LONG = "[{send: a}, {id: rest, wait: 5d}, {send: b}]"


def test_s33_r12_an_enrollment_keeps_the_steps_it_entered_with(db: Database) -> None:
    site = inside(db, LONG)
    site.deploy(version("[{send: a}, {id: rest, wait: 5d}, {send: c}]"), at="1d")
    site.run("5d")
    assert site.story().sent() == ["a at 0h", "b at 5d"]


def test_s33_and_its_goal_and_exits(db: Database) -> None:
    site = inside(db, LONG, "goal: {event: login}")
    site.deploy(version(LONG), at="1d")
    site.happens("2d", "login")
    site.run("2d")
    assert site.story().ends() == ["goal"]


def test_s33_and_its_window(db: Database) -> None:
    site = inside(db, LONG, 'window: {days: mon-sun, between: "09:00-20:00"}')
    site.deploy(version(LONG, 'window: {days: mon-sun, between: "00:00-24:00"}'), at="1d")
    site.happens("1d", "visit")
    for hour in (5 * 24, 5 * 24 + 1):
        site.run(f"{hour}h")
    assert site.story().sent()[-1] == "b at 5d"


def test_s33_who_enters_after_the_deploy_walks_the_new_one(db: Database) -> None:
    site = inside(db, LONG)
    site.deploy(version("[{send: z}]"), at="1d")
    site.happens("2d", "signup", who=1)
    site.run("2d")
    assert site.story().sent(1) == ["z at 2d"]


def test_s33_caps_are_the_live_ones(db: Database) -> None:
    site = inside(db, LONG)
    site.more = "caps: {marketing: {at_most: 1, per: 30d}}"
    site.deploy(version(LONG), at="1d")
    site.run("5d")
    assert site.story().said("deferred") == ["deferred b cap at 5d"]


def test_s33_segments_are_the_live_ones(db: Database) -> None:
    steps = "[{wait: 1d}, {branch: [{if: {segment: big}, steps: [{tag: is-big}]}, {else: [{tag: is-small}]}]}]"
    site = inside(db, steps, config="segments: {big: {lead: {size: {at_least: 100}}}}")
    with db.write() as tx:
        tx.exec_driver_sql("UPDATE leads SET attributes = '{\"size\": 50}'")
    site.more = "segments: {big: {lead: {size: {at_least: 10}}}}"
    site.deploy(version(steps), at="1h")
    site.run("1d")
    assert site.story().said("tagged") == ["tagged is-big at 1d"]


def hashes(site: Site) -> dict[str, str | None]:
    with site.db.read() as tx:
        return {row[0]: row[1] for row in tx.execute(select(messages.c.template, messages.c.template_hash))}


@pytest.mark.parametrize("pinned", [False, True])
def test_s33_templates_are_the_live_ones_unless_they_are_pinned(db: Database, pinned: bool) -> None:
    more = "pin_templates: true" if pinned else ""
    site = Site(db)
    site.join(person())
    one, two = ({name: {"html": f"{name} {n}"} for name in ("a", "b")} for n in (1, 2))
    site.deploy(version(LONG, more), templates=one)
    site.happens("0h", "signup")
    site.run("0h")
    first = dict(site.live.templates) if site.live else {}
    site.deploy(version(LONG, more), at="1d", templates=two)
    site.run("5d")
    live = site.live.templates if site.live else {}
    assert (hashes(site)["b"], first["b"] != live["b"]) == ((first if pinned else live)["b"], True)


MIGRATE = "on_change: migrate"


def test_s33_migrate_moves_by_step_id_at_the_next_pass(db: Database) -> None:
    site = inside(db, LONG)
    site.deploy(version("[{send: a}, {id: rest, wait: 5d}, {send: c}]", MIGRATE), at="1d")
    site.run("5d")
    assert site.story().sent() == ["a at 0h", "c at 5d"]


def test_s33_a_wait_is_timed_anew_from_when_it_was_reached(db: Database) -> None:
    site = inside(db, LONG)
    site.deploy(version("[{send: a}, {id: rest, wait: 3d}, {send: b}]", MIGRATE), at="1d")
    site.run("3d")
    assert site.story().sent()[-1] == "b at 3d"


def test_s33_but_never_to_before_now(db: Database) -> None:
    site = inside(db, LONG)
    site.deploy(
        version("[{send: a}, {id: rest, wait: 1d}, {send: b, if_late: {after: 1h, do: skip}}]", MIGRATE), at="4d"
    )
    site.run("4d")
    assert site.story().sent()[-1] == "b at 4d"


def test_s33_r12_a_step_done_is_not_done_again(db: Database) -> None:
    site = inside(db, LONG)
    site.deploy(version("[{id: rest, wait: 5d}, {send: a}, {send: b}]", MIGRATE), at="1d")
    site.run("5d")
    assert site.story().sent() == ["a at 0h", "b at 5d"]


def test_s33_r12_a_step_that_is_gone_needs_to_be_told_where_to_go(db: Database) -> None:
    site = inside(db, LONG)
    with db.read() as tx:
        old = str(tx.execute(select(table.c.version)).scalar())
    told = f"{MIGRATE}\nmigrations: [{{from: '{old[:8]}', map: {{rest: pause}}}}]"
    site.deploy(version("[{send: a}, {id: pause, wait: 5d}, {send: c}]", told), at="1d")
    site.run("5d")
    site.run("6d")
    assert site.story().sent()[-1] == "c at 5d"


def test_s33_without_that_it_finishes_where_it_is(db: Database) -> None:
    site = inside(db, LONG)
    site.deploy(version("[{send: a}, {id: pause, wait: 5d}, {send: c}]", MIGRATE), at="1d")
    site.run("5d")
    assert site.story().sent()[-1] == "b at 5d"


def test_s33_with_drain_those_inside_finish_on_their_version(db: Database) -> None:
    site = inside(db, LONG)
    site.deploy(version("[{send: c}]", "on_change: drain"), at="1d")
    site.happens("2d", "signup", who=1)
    for day in (2, 5):
        site.run(f"{day}d")
    assert (site.story().sent(0), site.story().sent(1)) == (["a at 0h", "b at 5d"], ["c at 2d"])


def test_s33_with_exit_those_inside_leave(db: Database) -> None:
    site = inside(db, LONG)
    site.deploy(version("[{send: c}]", "on_change: exit"), at="1d")
    assert site.story().ends() == ["exit(new version)"]


def test_s33_the_same_campaign_deployed_again_changes_nothing(db: Database) -> None:
    site = inside(db, LONG, "on_change: exit")
    site.deploy(version(LONG, "on_change: exit"), at="1d")
    assert site.story().ends() == ["waiting"]


def test_s33_title_state_and_priority_make_no_new_version(db: Database) -> None:
    site = inside(db, LONG, "on_change: exit")
    site.deploy(version(LONG, "on_change: exit\ntitle: The tour\npriority: 9"), at="1d")
    assert site.story().ends() == ["waiting"]


def test_s33_a_file_that_is_gone_takes_nobody_in_and_those_inside_finish(db: Database) -> None:
    site = inside(db, LONG)
    site.deploy(at="1d")
    site.happens("2d", "signup", who=1)
    for day in (2, 5):
        site.run(f"{day}d")
    assert (site.story().ends(0), site.story().entered(1)) == (["finished"], [])


def test_s33_settle_timers_belong_to_no_version(db: Database) -> None:
    cart = "{event: cart_updated, key: cart_id, settle: 2h%s}"
    site = Site(db)
    site.join(person())
    site.deploy(version("[{send: a}]", enter=cart.replace("%s", "")))
    site.happens("0h", "cart_updated", cart_id="c", total=5)
    site.run("0h")
    site.deploy(version("[{send: z}]", enter=cart.replace("%s", ", where: {total: {at_most: 9}}")), at="1h")
    site.run("2h")
    assert site.story().sent() == ["z at 2h"]


def test_s33_a_deploy_looks_at_the_parked_again(db: Database) -> None:
    site = inside(db, LONG)
    with db.write() as tx:
        assert site.live is not None
        turn = Turn(tx, site.live)
        (open_one,) = enrollments.open_of(tx, [site.leads[0]])
        outcomes.park(turn, {open_one.id: ("template: 'x' is undefined", instant("1h"))})
    site.run("6d")
    stood = site.story().ends()
    site.deploy(version(LONG), at="7d")
    site.run("7d")
    assert (stood, site.story().ends()) == (["parked"], ["finished"])
