"""Every action of the language's table, with the step it becomes."""

from __future__ import annotations

import pytest

from nurture.campaign import plan
from nurture.campaign.condition import Did, Tagged
from nurture.campaign.duration import Duration
from nurture.campaign.plan import END, AnyStep, Plan
from nurture.campaign.window import ClockTime, Window
from tests.unit.campaign.project import codes, with_steps

D1, D3 = Duration(days=1), Duration(days=3)


def compiled(steps: str, enter: str = "{event: cart_updated, key: cart_id}") -> Plan:
    found = with_steps(steps, enter=enter)
    assert not [p for p in found.problems if p.severity == "error"]
    assert found.plan is not None
    return found.plan


STEPS: list[tuple[str, AnyStep]] = [
    ("send: cart/reminder", plan.Send(id="cart/reminder", variants=(("cart/reminder", 100.0),))),
    (
        "send: a\n  class: service\n  window: {days: mon, between: '09:00-10:00'}",
        plan.Send(id="a", variants=(("a", 100.0),), service=True, window=Window((0,), ClockTime(540), ClockTime(600))),
    ),
    (
        "send: a\n  id: b\n  topic: newsletter\n  subject: Hi\n  from: owner\n  reply_to: x@example.com\n"
        "  attach_utm: true\n  window: none\n  if_late: {after: 3d, do: exit}\n  note: why",
        plan.Send(
            id="b",
            variants=(("a", 100.0),),
            topic="newsletter",
            subject="Hi",
            sender="owner",
            reply_to="x@example.com",
            attach_utm=True,
            no_window=True,
            if_late=plan.IfLate(D3, "exit"),
        ),
    ),
    (
        "send: {variants: {a: 50%, b: 50%}, pick: {by: goal, after: 500, up_to: 7d}}\n  id: launch",
        plan.Send(id="launch", variants=(("a", 50.0), ("b", 50.0)), pick=plan.Pick("goal", 500, Duration(days=7))),
    ),
    ("wait: 2d", plan.Wait(id="wait-2d", duration=Duration(days=2))),
    (
        'wait: {until: "09:00", days: mon-fri}',
        plan.Wait(id="wait-until-09:00", until=ClockTime(540), days=(0, 1, 2, 3, 4)),
    ),
    (
        'wait: {date: lead.renewal_date, offset: -30d, at: "09:00"}',
        plan.Wait(
            id="wait-lead.renewal_date-30d",
            date=plan.DateRef("lead", ("renewal_date",), "", Duration(days=30, sign=-1), ClockTime(540)),
        ),
    ),
    (
        "wait: {date: 2026-11-27T18:00}",
        plan.Wait(id="wait-2026-11-27T18:00", date=plan.DateRef("literal", (), "2026-11-27T18:00")),
    ),
    (
        "wait: {date: data.stock.back_at}",
        plan.Wait(id="wait-data.stock.back_at", date=plan.DateRef("data", ("stock", "back_at"))),
    ),
    ("move: sql", plan.Move(id="move-sql", stage="sql")),
    ("move: lead\n  reason: lost the deal", plan.Move(id="move-lead", stage="lead", reason="lost the deal")),
    ("score: {interest: +10, fit: -2.5}", plan.AddScore(id="score-interest-fit", points={"interest": 10, "fit": -2.5})),
    (
        "set: {plan: gold, seats: 3, vip: true, birthday: 2000-01-01, country: }",
        plan.SetFields(
            id="set-plan-seats-vip-birthday-country",
            values={"plan": "gold", "seats": 3, "vip": True, "birthday": "2000-01-01", "country": None},
        ),
    ),
    ("tag: asleep", plan.AddTag(id="tag-asleep", tag_name="asleep")),
    ("untag: asleep", plan.RemoveTag(id="untag-asleep", tag_name="asleep")),
    (
        "deal: {open: sales, amount: 1200, owner: owner}",
        plan.OpenDeal(id="open-deal-sales", pipeline="sales", amount=1200, owner="owner"),
    ),
    ("deal: {move: demo}", plan.MoveDeal(id="move-deal-demo", stage="demo")),
    (
        "notify: {to: owner, template: internal/hot}",
        plan.Notify(id="internal/hot", to="owner", template="internal/hot"),
    ),
    ("notify: {to: chat, template: internal/hot}", plan.Notify(id="internal/hot", to="chat", template="internal/hot")),
    ("notify: {to: a@example.com, template: t}", plan.Notify(id="t", to="a@example.com", template="t")),
    ("assign: care", plan.Assign(id="assign-care", team="care")),
    ("consent: {request: newsletter}", plan.RequestConsent(id="request-newsletter", topic="newsletter")),
    ("consent: {expire: newsletter}", plan.ExpireConsent(id="expire-newsletter", topic="newsletter")),
    (
        "call: {webhook: stock, body: {sku: '{{ entry.cart_id }}'}}\n  or_fail: exit\n  up_to: 10m",
        plan.Call(
            id="call-stock",
            webhook="stock",
            body={"sku": "{{ entry.cart_id }}"},
            or_exit=True,
            up_to=Duration(seconds=600),
        ),
    ),
    ("enroll: other", plan.EnrollIn(id="enroll-other", campaign="other")),
    ("exit: never delivered", plan.Leave(id="exit-never-delivered", reason="never delivered")),
]


@pytest.mark.parametrize(("written", "meant"), STEPS, ids=[written.splitlines()[0] for written, _ in STEPS])
def test_a_step_becomes_what_it_says(written: str, meant: AnyStep) -> None:
    assert compiled(f"- {written}").steps == (meant,)


def test_an_event_date_is_waited_for() -> None:
    enter = "{event: webinar_registered, key: webinar_id}"
    waiting = compiled("- wait: {date: entry.starts_at, offset: -1h}", enter).steps[0]
    assert isinstance(waiting, plan.Wait)
    assert waiting.date == plan.DateRef("entry", ("starts_at",), "", Duration(seconds=3600, sign=-1))


def test_an_if_is_interned_and_asked_at_the_step() -> None:
    found = compiled("- tag: a\n  if: {tag: x}\n- tag: b\n  if: {tag: x}")
    assert [step.only_if for step in found.steps] == [0, 0]
    assert found.conditions == (Tagged("x"),)


def test_steps_follow_one_another_and_the_last_is_the_end() -> None:
    assert [step.next for step in compiled("- tag: a\n- wait: 1d\n- tag: b").steps] == [1, 2, END]


def test_a_branch_goes_to_its_arms_and_they_go_on_behind_it() -> None:
    steps = compiled("""
        - branch:
            - if: {tag: x}
              steps: [{tag: a}, {tag: b}]
            - if: {tag: y}
              steps: [{tag: c}]
            - else: [{tag: d}]
        - tag: e
    """).steps
    branch = steps[0]
    assert isinstance(branch, plan.Branch)
    assert (branch.arms, branch.otherwise, branch.next) == (((0, 1), (1, 3)), 4, 5)
    assert [step.next for step in steps[1:]] == [2, 5, 5, 5, END]


def test_a_branch_where_nothing_holds_goes_on_behind_it() -> None:
    branch = compiled("- branch: [{if: {tag: x}, steps: [{tag: a}]}]").steps[0]
    assert isinstance(branch, plan.Branch)
    assert (branch.otherwise, branch.next) == (None, END)


def test_a_holdout_gets_no_steps_of_the_split_and_goes_on_after_it() -> None:
    steps = compiled("""
        - split: {plain: 50%, coupon: 30%, holdout: 20%}
          arms: {plain: [{tag: a}], coupon: [{tag: b}]}
          seed: spring
        - tag: c
    """).steps
    split = steps[0]
    assert isinstance(split, plan.Split)
    assert split.arms == (("plain", 50.0, 1), ("coupon", 30.0, 2), ("holdout", 20.0, 3))
    assert split.seed == "spring"
    assert [step.next for step in steps] == [3, 3, 3, END]


def test_thirds_may_be_rounded() -> None:
    assert compiled("- split: {a: 33.3%, b: 33.3%, c: 33.3%}\n  arms: {a: [{tag: a}], b: [{tag: b}], c: [{tag: c}]}")


def test_a_repeat_comes_back_to_itself_and_goes_on_behind_it() -> None:
    steps = compiled("""
        - repeat: {every: 4w, at_most: 6, while: {tag: x}, steps: [{tag: a}, {tag: b}]}
        - tag: c
    """).steps
    repeat = steps[0]
    assert isinstance(repeat, plan.Repeat)
    assert (repeat.every, repeat.at_most, repeat.while_) == (Duration(days=28), 6, 0)
    assert (repeat.body, repeat.next) == (1, 3)
    assert [step.next for step in steps[1:]] == [2, 0, END]


def test_a_wait_for_goes_then_or_else_and_on_behind_it() -> None:
    steps = compiled("""
        - wait_for: {event: order_completed, same: cart_id, up_to: 3d}
          then: [{tag: bought}]
          else: [{tag: not}]
        - tag: after
    """).steps
    waiting = steps[0]
    assert isinstance(waiting, plan.WaitFor)
    assert waiting.trigger == plan.Trigger("order_completed", None, "cart_id")
    assert (waiting.up_to, waiting.then, waiting.otherwise, waiting.next) == (D3, 1, 2, 3)
    assert [step.next for step in steps[1:]] == [3, 3, END]


def test_a_wait_for_may_wait_for_a_condition_until_a_date() -> None:
    found = compiled("- wait_for: {match: {did: {event: order_completed}}, up_to: {date: lead.birthday, offset: 1d}}")
    waiting = found.steps[0]
    assert isinstance(waiting, plan.WaitFor)
    assert waiting.trigger == plan.Trigger(match=0)
    assert found.conditions == (Did("order_completed"),)
    assert waiting.until == plan.DateRef("lead", ("birthday",), "", D1)
    assert (waiting.then, waiting.otherwise) == (END, END)


def test_nested_steps_stand_behind_the_step_that_holds_them() -> None:
    steps = compiled("""
        - branch:
            - if: {tag: x}
              steps:
                - repeat: {every: 1d, at_most: 2, steps: [{tag: a}]}
                - tag: b
        - tag: c
    """).steps
    assert [step.id for step in steps] == ["branch", "repeat-1d", "tag-a", "tag-b", "tag-c"]
    assert [step.next for step in steps] == [4, 3, 1, 4, END]


def test_waits_and_moves_that_are_alike_are_numbered_in_their_order() -> None:
    ids = [step.id for step in compiled("- wait: 14d\n- tag: a\n- wait: 14d\n- tag: a\n- wait: 14d").steps]
    assert ids == ["wait-14d", "tag-a", "wait-14d-2", "tag-a-2", "wait-14d-3"]


def test_a_written_id_is_never_given_to_another_step() -> None:
    ids = [step.id for step in compiled("- wait: 14d\n- wait: 3d\n  id: wait-14d").steps]
    assert ids == ["wait-14d-2", "wait-14d"]


@pytest.mark.parametrize("step", ["send: a", "notify: {to: owner, template: a}"])
def test_two_mails_that_nothing_tells_apart_are_a_problem(step: str) -> None:
    assert codes(with_steps(f"- {step}\n- {step}").problems) == ["N320"]


def test_an_id_tells_two_alike_apart() -> None:
    assert [step.id for step in compiled("- send: a\n- send: a\n  id: again").steps] == ["a", "again"]


def test_a_send_may_not_take_a_written_id_of_another() -> None:
    assert codes(with_steps("- tag: x\n  id: a\n- send: a").problems) == ["N320"]


def test_an_empty_arm_goes_on_behind_the_step() -> None:
    found = with_steps("- wait_for: {event: order_completed, up_to: 3d}\n  then: []")
    assert codes(found.problems) == ["N115"]
