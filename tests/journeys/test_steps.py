"""What steps do to the world: webhooks, colleagues, consent, deals, competitions, companies (campaigns.md §5)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from nurture.store.database import Database
from nurture.store.tables import deals, leads, messages, stage_moves
from tests.journeys.world import Did, Site, Story, did, person, tell

SIGNUP = did("0h", "signup")


def story(steps: str, *events: Did, more: str = "", top: str = "", **told: object) -> Story:
    text = f"campaign: steps\ntopic: offers\nenter: {{event: signup}}\nsteps: {steps}\n{top}\n"
    return tell(text, events=[SIGNUP, *events], more=more, **told)  # type: ignore[arg-type]


CALL = "[{call: {webhook: gifts, body: {}, up_to: 2h}%s}, {tag: after}]"


def test_a_call_waits_for_its_answer_and_goes_on_with_it() -> None:
    steps = "[{call: {webhook: gifts, body: {}}}, {wait: {date: data.gifts.when}}, {tag: on-the-day}]"
    told = story(steps, answers={"gifts": {"when": "2026-03-05T10:00:00+00:00"}})
    assert told.said("tagged") == ["tagged on-the-day at 3d"]


def test_a_call_that_fails_goes_on_without() -> None:
    assert story("[{call: {webhook: gifts, body: {}}}, {tag: after}]").said("tagged") == ["tagged after at 0h"]


def test_or_exits() -> None:
    assert story("[{call: {webhook: gifts, body: {}}, or_fail: exit}, {tag: after}]").ends() == ["exit(gifts failed)"]


def test_a_call_without_any_answer_is_over_at_its_time(db: Database) -> None:
    site = Site(db)
    site.join(person())
    steps = "[{call: {webhook: gifts, body: {}}, up_to: 2h}, {tag: after}]"
    site.deploy(f"campaign: steps\ntopic: offers\nenter: {{event: signup}}\nsteps: {steps}\n")
    site.happens("0h", "signup")
    for hour in (0, 1, 2):
        site.pass_(f"{hour}h")
    assert site.story().said("tagged") == ["tagged after at 2h"]


def recipients(told: Database) -> list[str | None]:
    with told.read() as tx:
        return list(tx.execute(select(messages.c.recipient).where(messages.c.kind == "notice")).scalars())


@pytest.mark.parametrize(
    ("to", "found"),
    [
        ("sales", ["ann@shop.example", "ben@shop.example"]),
        ("zoe@shop.example", ["zoe@shop.example"]),
        ("owner", ["own@shop.example"]),
    ],
)
def test_a_notice_goes_to_a_team_an_address_or_the_owner(db: Database, to: str, found: list[str]) -> None:
    site = Site(db)
    site.join(person(owner="own@shop.example"))
    steps = f"[{{notify: {{to: {to}, template: internal/hot}}}}]"
    site.deploy(f"campaign: steps\ntopic: offers\nenter: {{event: signup}}\nsteps: {steps}\n")
    site.happens("0h", "signup")
    site.pass_("0h")
    assert recipients(db) == found


def test_a_notice_of_a_lead_without_owner_goes_to_the_fallback(db: Database) -> None:
    site = Site(db, more="alerts: {fallback: boss@shop.example}")
    site.join(person())
    steps = "[{notify: {to: owner, template: internal/hot}}]"
    site.deploy(f"campaign: steps\ntopic: offers\nenter: {{event: signup}}\nsteps: {steps}\n")
    site.happens("0h", "signup")
    site.pass_("0h")
    assert recipients(db) == ["boss@shop.example"]


def test_without_a_fallback_to_nobody_and_it_says_so() -> None:
    told = story("[{notify: {to: owner, template: internal/hot}}]")
    assert told.said("not_notified") == ["not_notified internal/hot no owner at 0h"]


def test_assign_goes_round_the_team_and_leaves_an_owner(db: Database) -> None:
    site = Site(db)
    site.join(person(0), person(1), person(2, owner="own@shop.example"), person(3))
    site.deploy("campaign: steps\ntopic: offers\nenter: {event: signup}\nsteps: [{assign: sales}]\n")
    for who in range(4):
        site.happens("0h", "signup", who=who)
        site.run("0h")
    with db.read() as tx:
        owners = list(tx.execute(select(leads.c.owner).order_by(leads.c.id)).scalars())
    assert owners == ["ann@shop.example", "ben@shop.example", "own@shop.example", "ann@shop.example"]


def test_consent_requested_by_a_step_sends_the_confirmation_mail() -> None:
    told = story("[{consent: {request: offers}}]", people=[person(consents=())])
    assert told.sent(kind="confirm") == ["consent/confirm at 0h"]


def test_c14_a_consent_that_ran_out_is_asked_for_in_one_renewal_mail_at_most() -> None:
    """However often campaigns ask again, or end the request and begin anew."""
    told = story(
        "[{consent: {expire: offers}}, {consent: {request: offers}}, {wait: 3d}, {consent: {request: offers}},"
        " {wait: 3d}, {consent: {expire: offers}}, {consent: {request: offers}}, {wait: 3d}, {tag: on}]",
        top="on_withdrawal: stay",
    )
    assert told.sent(kind="confirm") == ["consent/confirm at 0h"]
    assert told.said("tagged") == ["tagged on at 9d"]


def test_consent_ended_by_a_step_refuses_the_next_mail() -> None:
    told = story("[{consent: {expire: news}}, {send: a, topic: news}]")
    assert told.said("refused") == ["refused a no consent at 0h"]


def lost(db: Database, *, more_deals: bool = False) -> list[tuple[str, str]]:
    """The moves of a lead whose deal was lost on the first day, half a year later."""
    site = Site(db)
    site.join(person(stages=("customer",)))
    site.deploy("campaign: steps\ntopic: offers\nenter: {event: signup}\nsteps: [{deal: {open: sales, amount: 900}}]\n")
    site.happens("0h", "signup")
    site.run("0h")
    site.happens("1h", "deal.lost", pipeline="sales", reason="price")
    site.run("1h")
    if more_deals:
        site.happens("2h", "deal.opened", pipeline="sales")
    for day in (89, 91, 180):
        site.run(f"{day}d")
    with db.read() as tx:
        return [tuple(row) for row in tx.execute(select(stage_moves.c.to_stage, stage_moves.c.cause))]


def test_the_lead_of_a_lost_deal_is_recycled_after_its_time(db: Database) -> None:
    assert lost(db) == [("lead", "rule")]


def test_unless_sales_has_another_deal_open(db: Database) -> None:
    assert lost(db, more_deals=True) == []


def test_a_deal_step_opens_one_deal_and_hears_of_its_end(db: Database) -> None:
    site = Site(db)
    site.join(person())
    site.deploy(
        "campaign: steps\ntopic: offers\nenter: {event: signup}\ngoal: {event: deal.won, value: amount}\n"
        "steps: [{deal: {open: sales, amount: 900}}, {deal: {move: offer}}, {wait: 30d}]\n"
    )
    site.happens("0h", "signup")
    site.run("0h")
    with db.read() as tx:
        stage = tx.execute(select(deals.c.stage)).scalar()
    site.happens("1d", "deal.won", pipeline="sales", reason="fit")
    site.run("1d")
    ended = [line.inputs.get("value") for line in site.story().lines if line.what == "ended"]
    assert (stage, site.story().ends(), ended) == ("offer", ["goal"], [900.0])


def test_a_wait_for_a_condition_already_true_is_over_at_once() -> None:
    steps = "[{wait_for: {match: {did: {event: login}}, up_to: 3d}, then: [{tag: has}], else: [{tag: has-not}]}]"
    assert story(steps, did("-1h", "login")).said("tagged") == ["tagged has at 0h"]


def test_a_wait_for_an_event_counts_only_events_from_then_on() -> None:
    steps = "[{wait_for: {event: login, up_to: 3d}, then: [{tag: came}], else: [{tag: not-come}]}]"
    assert story(steps, did("-1h", "login")).said("tagged") == ["tagged not-come at 3d"]


def test_who_draws_the_holdout_goes_on_after_the_split() -> None:
    steps = "[{split: {mailed: 50%, holdout: 50%}, arms: {mailed: [{send: a}]}}, {tag: after}]"
    text = f"campaign: steps\ntopic: offers\nenter: {{event: signup}}\nsteps: {steps}\n"
    told = tell(text, people=[person(n) for n in range(20)], events=[did("0h", "signup", who=n) for n in range(20)])
    drawn = [line.detail for line in told.lines if line.what == "drew"]
    assert (len(told.said("tagged", who=None)), len(told.sent(None))) == (20, drawn.count("mailed"))
    assert 0 < drawn.count("holdout") < 20


PICK = """
    campaign: duel
    topic: offers
    enter: {event: signup}
    goal: {event: order_completed}
    steps:
      - id: offer
        send: {variants: {left: 50%, right: 50%}, pick: {by: BY, after: 20, up_to: 7d}}
      - wait: 30d
"""


def duel(by: str, first: int, then: int, happening: str) -> tuple[Story, list[str]]:
    """`first` leads get one of the two on the first day; those with `right` do something; then others come."""
    total = first + then
    people = [person(n) for n in range(total)]
    text = PICK.replace("BY", by)
    opening = [did("0h", "signup", who=n) for n in range(first)]
    drawn = tell(text, people=people, events=opening, until="1h")
    chose = {m.lead: m.template for m in drawn.left}
    liked = [n for n in range(first) if chose[drawn.leads[n]] == "right"]
    reacting = [did("1d", happening, who=n) for n in liked]
    later = [did("2d", "signup", who=n) for n in range(first, total)]
    told = tell(text, people=people, events=[*opening, *reacting, *later], until="3d")
    return told, [m.template or "" for m in told.left if m.lead in told.leads[first:]]


@pytest.mark.parametrize(("by", "happening"), [("goal", "order_completed"), ("clicked", "mail.clicked")])
def test_the_better_template_takes_all_once_so_many_were_sent(by: str, happening: str) -> None:
    _, later = duel(by, 20, 12, happening)
    assert later == ["right"] * 12


def test_before_that_both_go_on() -> None:
    _, later = duel("goal", 12, 8, "order_completed")
    assert set(later) == {"left", "right"}


def test_or_once_the_time_is_over() -> None:
    people = [person(n) for n in range(20)]
    events = [did("0h", "signup", who=n) for n in range(10)]
    events += [did("1d", "order_completed", who=n) for n in range(10)]
    events += [did("8d", "signup", who=n) for n in range(10, 20)]
    told = tell(PICK.replace("BY", "goal"), people=people, events=events, until="9d")
    assert len({m.template for m in told.left[10:]}) == 1


def test_a_staging_guard_refuses_mails_at_their_release(db: Database) -> None:
    site = Site(db)
    site.join(person(0), person(1))
    site.deploy("campaign: steps\ntopic: offers\nenter: {event: signup}\nsteps: [{send: a}, {tag: on}]\n")
    assert site.live is not None
    site.live = replace(site.live, allowed=lambda address: address == "lead1@example.com")
    for who in (0, 1):
        site.happens("0h", "signup", who=who)
    site.pass_("0h")
    assert (site.story().said("refused"), site.story().said("released", who=1)) == (
        ["refused a test mode at 0h"],
        ["released a at 0h"],
    )


ACCOUNT = {"id": "acme", "industry": "toys"}


def test_what_a_colleague_does_ends_the_enrollment_where_it_is_asked_by_account() -> None:
    told = story(
        "[{wait: 30d}]",
        did("1d", "order_completed", who=1),
        top="exit: {match: {did: {event: order_completed, by: account}}, reason: bought}",
        people=[person(0, account=ACCOUNT), person(1, account=ACCOUNT), person(2)],
    )
    assert told.ends() == ["exit(bought)"]


def test_what_a_stranger_does_does_not() -> None:
    told = story(
        "[{wait: 30d}]",
        did("1d", "order_completed", who=1),
        top="exit: {match: {did: {event: order_completed, by: account}}, reason: bought}",
        people=[person(0, account=ACCOUNT), person(1)],
    )
    assert told.ends() == ["finished"]


def test_colleagues_who_act_at_one_instant_see_each_other() -> None:
    text = """
    campaign: team
    topic: offers
    enter: {match: {did: {event: login, by: account}, tag: champion}, existing: skip}
    steps: [{wait: 1d}]
    """
    people = [person(0, account=ACCOUNT, tags=("champion",)), person(1, account=ACCOUNT)]
    told = tell(text, people=people, events=[did("1h", "visit", who=0), did("1h", "login", who=1)])
    assert told.entered() == ["1h"]


def test_enroll_opens_the_other_campaign() -> None:
    second = "campaign: second\ntopic: offers\nenter: {manual: true}\nsteps: [{send: b}]\n"
    first = "campaign: first\ntopic: offers\nenter: {event: signup}\nsteps: [{wait: 1h}, {enroll: second}]\n"
    assert tell(first, second, events=[SIGNUP]).sent() == ["b at 1h"]


def test_enroll_by_hand_opens_a_manual_campaign() -> None:
    manual = "campaign: steps\ntopic: offers\nenter: {manual: true}\nsteps: [{send: a}]\n"
    assert tell(manual, events=[did("1h", "enroll.requested", campaign="steps")]).sent() == ["a at 1h"]


def test_points_of_a_condition_count_while_it_holds() -> None:
    more = "scores: {fit: {rules: [{if: {lead: {plan: gold}}, points: 50}], thresholds: {good: 40}}}"
    text = "campaign: fit\ntopic: offers\nenter: {event: score.crossed}\nsteps: [{tag: good}]\n"
    assert tell(text, events=[did("1h", "lead.changed", plan="gold")], more=more).said("tagged") == [
        "tagged good at 1h"
    ]
