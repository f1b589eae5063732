"""One campaign with everything in it, as the reference shows it."""

from __future__ import annotations

from nurture.campaign.plan import END, Branch, EnterEvent, Send, WaitFor, canonical, load, version
from nurture.campaign.read import read_campaign
from tests.unit.campaign.project import shop

WHOLE = """
campaign: cart-recovery            # stable name, unique in the project
title: Win back abandoned carts
topic: offers
on_withdrawal: exit
priority: 60
state: live

enter:
  event: cart_updated
  where: {total: {at_least: 30}}
  settle: 1h
  unless: {event: order_completed, same: cart_id}
  key: cart_id
  only_if: {stage: [lead, mql]}
  again: {after: 7d, at_most: 3, per: 90d}

goal:
  event: order_completed
  same: cart_id
  value: total
  move: customer
exit:
  - {event: cart_emptied, same: cart_id}
  - {match: {stage: customer}, reason: bought elsewhere}
window: {days: mon-sat, between: "09:00-20:00", zone: lead, holidays: FR}

steps:
  - send: cart/reminder
  - wait: 1d
  - branch:
      - if: {mail: {clicked: cart/reminder}}
        steps:
          - move: sql
          - notify: {to: owner, template: internal/hot-cart}
      - else:
          - send: cart/coupon
            if_late: {after: 2d, do: skip}        # longer than Saturday 20:00 to Monday 9:00
  - wait_for: {event: order_completed, up_to: 3d}
    else:
      - score: {interest: -5}

tests:
  - name: a buyer gets no reminder
    lead: {email: anna@example.com, stage: lead, consents: [offers], timezone: Europe/Paris}
    events:
      - {at: 0h, cart_updated: {cart_id: c1, total: 50}}
      - {at: 30m, order_completed: {cart_id: c1, total: 50}}
    expect: {entered: false, sent: []}
  - name: a silent shopper gets both mails
    lead: {email: bo@example.com, stage: lead, consents: [offers]}
    start: 2026-03-02T10:00:00+01:00
    events: [{at: 0h, cart_updated: {cart_id: c2, total: 80}}]
    expect: {sent: [cart/reminder at 1h, cart/coupon at 1d1h], stage: lead, ended: finished}
"""


def test_it_reads_without_a_problem_and_compiles() -> None:
    found = read_campaign("campaigns/cart.yaml", WHOLE, shop())
    assert found.problems == []
    assert found.plan is not None
    steps = found.plan.steps
    assert [type(step) for step in (steps[0], steps[2], steps[-2])] == [Send, Branch, WaitFor]
    assert [step.next for step in steps] == [1, 2, 6, 4, 6, 6, END, END]
    assert isinstance(found.plan.enter, EnterEvent)
    assert [test.name for test in found.tests] == ["a buyer gets no reminder", "a silent shopper gets both mails"]


def test_title_state_and_priority_make_no_new_version() -> None:
    one = read_campaign("c.yaml", WHOLE, shop()).plan
    other = read_campaign(
        "c.yaml",
        WHOLE.replace("priority: 60", "priority: 5").replace("state: live", "state: paused").replace("Win", "Won"),
        shop(),
    ).plan
    assert one is not None
    assert other is not None
    assert version(one) == version(other)
    assert one != other


def test_a_comment_or_an_order_of_keys_makes_no_new_version() -> None:
    one = read_campaign("c.yaml", WHOLE, shop()).plan
    other = read_campaign(
        "c.yaml",
        WHOLE.replace("  key: cart_id\n", "").replace("  settle: 1h", "  key: cart_id\n  settle: 1h # !"),
        shop(),
    ).plan
    assert one is not None
    assert other is not None
    assert version(one) == version(other)


def test_a_changed_wait_is_a_new_version() -> None:
    one = read_campaign("c.yaml", WHOLE, shop()).plan
    other = read_campaign("c.yaml", WHOLE.replace("wait: 1d", "wait: 2d"), shop()).plan
    assert one is not None
    assert other is not None
    assert version(one) != version(other)


def test_its_json_is_the_same_plan() -> None:
    plan = read_campaign("c.yaml", WHOLE, shop()).plan
    assert plan is not None
    assert load(canonical(plan)) == plan
