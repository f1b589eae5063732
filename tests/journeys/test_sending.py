"""Sending: caps, lateness, what a goal cancels, refusals, pauses (S22–S26)."""

from __future__ import annotations

import pytest

from nurture.engine import deploy
from nurture.store import leases, outbox
from nurture.store.database import Database
from tests.journeys.world import Site, did, instant, person, tell

CAP = "caps: {marketing: {at_most: 2, per: 7d}}"
NIGHTS = 'window: {days: mon-sat, between: "09:00-20:00"}'


def mails(steps: str, more: str = "", name: str = "mails") -> str:
    return f"campaign: {name}\ntopic: offers\nenter: {{event: signup}}\nsteps: {steps}\n{more}\n"


DAILY = "[{send: a}, {wait: 1d}, {send: b}, {wait: 1d}, {send: c}, {wait: 1d}, {send: d}]"
SIGNUP = [did("0h", "signup")]


def test_s22_the_cap_counts_mails_released_in_the_rolling_time() -> None:
    assert tell(mails(DAILY), events=SIGNUP, more=CAP).sent() == ["a at 0h", "b at 1d", "c at 7d", "d at 8d"]


def test_s22_service_mail_is_neither_capped_nor_counted() -> None:
    steps = "[{send: a, class: service}, {send: b}, {send: c}, {send: d, class: service}]"
    assert tell(mails(steps), events=SIGNUP, more=CAP).sent() == ["a at 0h", "b at 0h", "c at 0h", "d at 0h"]


@pytest.mark.parametrize(("state", "third"), [("sent", "9d"), ("unknown", "9d"), ("failed", "2d")])
def test_s22_a_failed_mail_gives_its_place_back_an_unknown_one_does_not(db: Database, state: str, third: str) -> None:
    site = Site(db, more="caps: {marketing: {at_most: 1, per: 9d}}")
    site.join(person())
    site.deploy(mails("[{send: a}, {wait: 2d}, {send: b}]"))
    site.happens("0h", "signup")
    site.pass_("0h")
    site.send("0h", state)
    for day in range(1, 12):
        site.pass_(f"{day}d")
    assert site.story().said("released")[-1] == f"released b at {third}"


def test_s22_a_cancelled_mail_gives_its_place_back(db: Database) -> None:
    site = Site(db, more="caps: {marketing: {at_most: 1, per: 9d}}")
    site.join(person())
    site.deploy(
        mails("[{send: a}, {wait: 9d}]", "goal: {event: login}", name="first"),
        mails("[{wait: 1d}, {send: b}]", name="second"),
    )
    site.happens("0h", "signup")
    site.pass_("0h")
    site.happens("1h", "login")
    site.pass_("1h")
    site.pass_("1d")
    site.pass_("1d1s")
    assert site.outbox() == ["a cancelled", "b pending"]


def test_s22_the_next_instant_suits_cap_and_window_at_once() -> None:
    # The cap frees at 21:00 on the ninth day, a Wednesday; the window opens on Thursday at 9:00.
    text = mails("[{send: a}, {wait: 1d}, {send: b}]", NIGHTS)
    story = tell(text, events=[did("9h", "signup")], more="caps: {marketing: {at_most: 1, per: 218h}}")
    assert story.sent() == ["a at 9h", "b at 9d23h"]


def test_s22_the_cap_is_over_all_campaigns() -> None:
    texts = [mails(f"[{{wait: {n}h}}, {{send: m{n}}}]", name=f"c{n}") for n in (1, 2, 3)]
    story = tell(*texts, events=SIGNUP, more=CAP)
    assert story.sent() == ["m1 at 1h", "m2 at 2h", "m3 at 7d1h"]


def test_s23_what_will_be_too_late_is_skipped_now_and_not_after_the_wait() -> None:
    text = mails("[{send: a, if_late: {after: 1d, do: skip}}, {tag: on}]", NIGHTS)
    story = tell(text, events=[did("5d11h", "signup")])
    assert story.said("skipped", "tagged") == ["skipped a late at 5d11h", "tagged on at 5d11h"]


def test_s23_or_exits_now() -> None:
    text = mails("[{send: a, if_late: {after: 1d, do: exit}}, {tag: on}]", NIGHTS)
    assert tell(text, events=[did("5d11h", "signup")]).said("ended") == ["ended exit(late) at 5d11h"]


def test_s23_the_cap_counts_for_it_too() -> None:
    text = mails("[{send: a}, {send: b}, {send: c, if_late: {after: 3d, do: skip}}]")
    assert tell(text, events=SIGNUP, more=CAP).said("skipped") == ["skipped c late at 0h"]


def test_s23_without_if_late_it_is_sent_however_late() -> None:
    assert tell(mails("[{send: a}]", NIGHTS), events=[did("5d11h", "signup")]).sent() == ["a at 6d23h"]


def pending(db: Database, more: str, steps: str = "[{send: a}, {wait: 30d}]") -> Site:
    site = Site(db)
    site.join(person())
    site.deploy(mails(steps, more))
    site.happens("0h", "signup")
    site.pass_("0h")
    return site


@pytest.mark.parametrize(
    ("more", "reason"),
    [("goal: {event: login}", "goal"), ("exit: {event: login, reason: gone}", "exit")],
)
def test_s24_goal_and_exit_cancel_a_mail_that_waits(db: Database, more: str, reason: str) -> None:
    site = pending(db, more)
    site.happens("1m", "login")
    site.react("1m")
    with db.read() as tx:
        assert [(m["state"], m["reason"]) for m in outbox.listed(tx)] == [("cancelled", reason)]


def test_s24_withdrawal_cancels_a_mail_that_waits(db: Database) -> None:
    site = pending(db, "")
    site.happens("1m", "consent.withdrawn", topic="offers")
    assert site.outbox() == ["a cancelled"]


def test_s24_a_mail_on_the_wire_goes_out_and_the_enrollment_has_ended(db: Database) -> None:
    site = pending(db, "goal: {event: login}")
    site.on_the_wire()
    site.happens("1m", "login")
    site.react("1m")
    site.arrives("2m")
    assert (site.outbox(), site.story().ends()) == (["a sent"], ["goal"])


def test_s24_a_mail_that_was_sent_stays_sent(db: Database) -> None:
    site = pending(db, "goal: {event: login}")
    site.send("30s")
    site.happens("1m", "login")
    site.react("1m")
    assert site.outbox() == ["a sent"]


def test_s24_who_goes_past_the_last_step_still_gets_the_mail_that_waits(db: Database) -> None:
    site = pending(db, "", "[{send: a}]")
    assert (site.outbox(), site.story().ends()) == (["a pending"], ["finished"])


def test_s24_an_exit_step_does_not_take_back_the_mail_before_it(db: Database) -> None:
    site = pending(db, "", "[{send: a}, {wait: 1h}, {exit: enough}]")
    site.advance("1h")
    assert (site.outbox(), site.story().ends()) == (["a pending"], ["exit(enough)"])


def test_s25_a_refused_mail_does_not_stop_the_enrollment() -> None:
    story = tell(mails("[{send: a}, {tag: on}]"), events=SIGNUP, people=[person(consents=())])
    assert story.said("refused", "tagged") == ["refused a no consent at 0h", "tagged on at 0h"]


def test_s25_nor_does_a_failed_one(db: Database) -> None:
    site = pending(db, "", "[{send: a}, {wait: 1h}, {tag: on}]")
    site.send("1m", "failed")
    site.advance("1h")
    assert site.story().ends() == ["finished"]


def test_s25_withdrawal_of_the_campaigns_topic_ends_it() -> None:
    events = [*SIGNUP, did("1h", "consent.withdrawn", topic="offers")]
    assert tell(mails("[{wait: 1d}, {send: a}]"), events=events).ends() == ["exit(withdrew offers)"]


def test_s25_withdrawal_of_another_topic_does_not() -> None:
    events = [*SIGNUP, did("1h", "consent.withdrawn", topic="news")]
    assert tell(mails("[{wait: 1d}, {send: a}]"), events=events).sent() == ["a at 1d"]


def test_s25_with_stay_service_and_moves_go_on_and_marketing_is_refused() -> None:
    text = mails("[{wait: 1d}, {send: a}, {send: bill, class: service}, {move: mql}]", "on_withdrawal: stay")
    story = tell(text, events=[*SIGNUP, did("1h", "consent.withdrawn", topic="offers")])
    assert (story.said("refused", "moved"), story.sent()) == (
        ["refused a no consent at 1d", "moved mql at 1d"],
        ["bill at 1d"],
    )


def test_s25_a_mail_pending_for_three_days_has_failed(db: Database) -> None:
    pending(db, "")
    with db.write() as tx:
        early = leases.expire(tx, instant("2d23h"))
        late = leases.expire(tx, instant("3d"))
    assert (len(early), len(late)) == (0, 1)


@pytest.mark.parametrize(("state", "found"), [("sent", "yes"), ("unknown", "yes"), ("failed", "no")])
def test_s25_a_mail_counts_as_sent_from_the_servers_answer_or_if_nobody_knows(
    db: Database, state: str, found: str
) -> None:
    steps = "[{send: a}, {wait: 1h}, {branch: [{if: {mail: {sent: a}}, steps: [{tag: yes}]}, {else: [{tag: no}]}]}]"
    site = pending(db, "", steps)
    site.send("1m", state)
    site.advance("1h")
    assert site.story().said("tagged") == [f"tagged {found} at 1h"]


def test_s25_a_mail_that_only_waits_is_not_sent(db: Database) -> None:
    steps = "[{send: a}, {wait: 1h}, {branch: [{if: {mail: {sent: a}}, steps: [{tag: yes}]}, {else: [{tag: no}]}]}]"
    site = pending(db, "", steps)
    site.advance("1h")
    assert site.story().said("tagged") == ["tagged no at 1h"]


PAUSED = "state: paused\n"


def paused(db: Database, steps: str, more: str = "") -> Site:
    """Paused one hour after the entry, before its first step after the wait is due."""
    site = Site(db)
    site.join(person(0), person(1))
    site.deploy(mails(steps, more))
    site.happens("0h", "signup")
    site.run("0h")
    with db.write() as tx:
        deploy.pause(tx, "mails", instant("1h"))
    return site


def test_s26_while_paused_nothing_enters_and_it_is_not_made_up_for(db: Database) -> None:
    site = paused(db, "[{wait: 1d}, {send: a}]")
    site.happens("2h", "signup", who=1)
    site.run("2h")
    with db.write() as tx:
        deploy.resume(tx, "mails", instant("3h"))
    site.run("3h")
    assert (site.story().entered(1), site.story().not_entered(1)) == ([], ["not live"])


def test_s26_while_paused_enrollments_stand(db: Database) -> None:
    site = paused(db, "[{wait: 1d}, {send: a}]")
    for day in range(1, 5):
        site.run(f"{day}d")
    assert (site.outbox(), site.story().ends()) == ([], ["waiting"])


def test_s26_also_before_a_step_that_sends_nothing(db: Database) -> None:
    site = paused(db, "[{wait: 1d}, {tag: on}]")
    site.run("2d")
    assert site.story().said("tagged") == []


@pytest.mark.parametrize(("more", "end"), [("goal: {event: login}", "goal"), ("exit: {event: login}", "exit(login)")])
def test_s26_goals_and_exits_count(db: Database, more: str, end: str) -> None:
    site = paused(db, "[{wait: 1d}, {send: a}]", more)
    site.happens("2h", "login")
    site.run("2h")
    assert site.story().ends() == [end]


def test_s26_due_runs_on_so_that_afterwards_all_is_late(db: Database) -> None:
    site = paused(db, "[{wait: 1d}, {send: a, if_late: {after: 1d, do: skip}}]")
    site.run("1d")
    with db.write() as tx:
        deploy.resume(tx, "mails", instant("3d"))
    site.run("3d")
    assert site.story().said("skipped") == ["skipped a late at 3d"]


@pytest.mark.parametrize("steps", ["[{wait: 1d}, {send: a}]", "[{wait: 1d}, {tag: on}]"])
def test_s26_resuming_wakes_who_stood_at_once(db: Database, steps: str) -> None:
    site = paused(db, steps)
    site.run("3d")
    with db.write() as tx:
        deploy.resume(tx, "mails", instant("3d1m"))
    site.run("3d1m")
    assert site.story().ends() == ["finished"]


def test_s26_a_deploy_that_lifts_the_pause_wakes_them_too(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(mails("[{wait: 1d}, {send: a}]"))
    site.happens("0h", "signup")
    site.run("0h")
    site.deploy(mails("[{wait: 1d}, {send: a}]", PAUSED), at="1h")
    site.run("3d")
    site.deploy(mails("[{wait: 1d}, {send: a}]"), at="3d1m")
    site.run("3d1m")
    assert site.story().sent() == ["a at 3d1m"]


@pytest.mark.parametrize(("spare", "left"), [(True, ["bill sent"]), (False, [])])
def test_s26_a_pause_of_everything_may_spare_service_mail(db: Database, spare: bool, left: list[str]) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(mails("[{wait: 1d}, {send: bill, class: service}, {send: a}]"))
    site.happens("0h", "signup")
    site.run("0h")
    with db.write() as tx:
        deploy.pause(tx, None, instant("1h"), spare_service=spare)
    site.run("1d")
    assert site.outbox() == left
