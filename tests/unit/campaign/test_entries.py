"""Every way into a campaign, with what it becomes."""

from __future__ import annotations

import pytest

from nurture.campaign import plan
from nurture.campaign.condition import All, Field, InStage, Tagged, Test
from nurture.campaign.duration import Duration
from nurture.campaign.plan import Enter
from nurture.campaign.window import ClockTime
from tests.unit.campaign.project import campaign, codes, entered_by

H1 = Duration(seconds=3600)
WAYS: list[tuple[str, Enter]] = [
    ("event: cart_updated", plan.EnterEvent("cart_updated")),
    (
        "event: cart_updated\nwhere: {total: {at_least: 30}}\nsettle: 1h\n"
        "unless: {event: order_completed, same: cart_id}\nkey: cart_id",
        plan.EnterEvent(
            "cart_updated",
            Field("event", ("total",), (Test("at_least", 30),), "number"),
            H1,
            (plan.Unless("order_completed", None, "cart_id"),),
            "cart_id",
        ),
    ),
    (
        "event: cart_updated\nsettle: 1h\nunless: order_completed",
        plan.EnterEvent("cart_updated", None, H1, (plan.Unless("order_completed"),)),
    ),
    (
        "event: cart_updated\nsettle: 1h\nunless: [order_completed, {event: cart_emptied, where: {cart_id: c1}}]",
        plan.EnterEvent(
            "cart_updated",
            None,
            H1,
            (
                plan.Unless("order_completed"),
                plan.Unless("cart_emptied", Field("event", ("cart_id",), (Test("is", "c1"),))),
            ),
        ),
    ),
    (
        "event: form.submitted\nwhere: {form: nps, score: {at_least: 9}}",
        plan.EnterEvent(
            "form.submitted",
            All(
                (
                    Field("event", ("form",), (Test("is", "nps"),)),
                    Field("event", ("score",), (Test("at_least", 9),), "number"),
                )
            ),
        ),
    ),
    (
        "event: stage.entered\nwhere: {stage: [mql, sql]}",
        plan.EnterEvent("stage.entered", Field("event", ("stage",), (Test("in", ("mql", "sql")),))),
    ),
    (
        "event: score.crossed\nwhere: {score: interest, value: {at_least: 40}, direction: up}",
        plan.EnterEvent(
            "score.crossed",
            All(
                (
                    Field("event", ("score",), (Test("is", "interest"),)),
                    Field("event", ("value",), (Test("at_least", 40),), "number"),
                    Field("event", ("direction",), (Test("is", "up"),)),
                )
            ),
        ),
    ),
    (
        "event: deal.lost\nwhere: {pipeline: sales, stage: demo, amount: {more_than: 5}, reason: price}\nkey: deal_id",
        plan.EnterEvent(
            "deal.lost",
            All(
                (
                    Field("event", ("pipeline",), (Test("is", "sales"),)),
                    Field("event", ("stage",), (Test("is", "demo"),)),
                    Field("event", ("amount",), (Test("more_than", 5),), "number"),
                    Field("event", ("reason",), (Test("is", "price"),)),
                )
            ),
            key="deal_id",
        ),
    ),
    (
        "event: lead.changed\nwhere: {plan: gold}",
        plan.EnterEvent("lead.changed", Field("event", ("plan",), (Test("is", "gold"),))),
    ),
    ("stage: mql", plan.EnterStage("mql")),
    ("stage: mql\nexisting: enter", plan.EnterStage("mql", True)),
    ("match: {stage: customer}\nexisting: skip", plan.EnterMatch(InStage(("customer",)), False)),
    ("match: {tag: x}\nexisting: enter\nevery: 1h", plan.EnterMatch(Tagged("x"), True, H1)),
    (
        'date: lead.renewal_date\noffset: -30d\nat: "09:00"\ncatch_up: 7d',
        plan.EnterDate(("renewal_date",), Duration(days=30, sign=-1), ClockTime(540), False, Duration(days=7)),
    ),
    ("date: lead.birthday\nyearly: true", plan.EnterDate(("birthday",), yearly=True)),
    ("schedule: 2026-11-27T09:30", plan.EnterSchedule("2026-11-27T09:30")),
    (
        "schedule: 2026-03-05T17:00\nrepeat: 1w\nuntil: 2026-12-31\nzone: project",
        plan.EnterSchedule("2026-03-05T17:00", Duration(days=7), "2026-12-31", "project"),
    ),
    ("manual: true", plan.EnterManual()),
]


@pytest.mark.parametrize(("written", "meant"), WAYS, ids=[written.splitlines()[-1] for written, _ in WAYS])
def test_a_way_in_becomes_what_it_says(written: str, meant: Enter) -> None:
    found = entered_by(written)
    assert found.problems == []
    assert found.plan is not None
    assert found.plan.enter == meant


def test_again_and_only_if_stand_beside_every_way_in() -> None:
    found = entered_by("manual: true\nonly_if: {stage: [lead, mql]}\nagain: {after: 7d, at_most: 3, per: 90d}")
    assert found.plan is not None
    assert found.plan.only_if == InStage(("lead", "mql"))
    assert found.plan.again == plan.Again(Duration(days=7), 3, Duration(days=90))


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("match: {tag: x}", "N325"),
        ("event: mail.opened", "N301"),
        ("event: form.submitted\nwhere: {form: nbs}", "N311"),
        ("event: form.submitted\nwhere: {form: preferences, score: 3}", "N302"),
        ("event: consent.granted\nwhere: {topic: news}", "N303"),
        ("event: stage.entered\nwhere: {stage: demo}", "N304"),
        ("event: cart_updated\nkey: items", "N214"),
        ("event: cart_updated\nunless: order_completed", "N114"),
        ("date: lead.plan", "N214"),
        ("date: entry.starts_at", "N318"),
        ("date: 2026-11-27", "N202"),
        ("schedule: 2026-11-27\nuntil: 2026-12-01", "N114"),
        ("schedule: 2026-11-27\nrepeat: 5m", "N212"),
        ("manual: false", "N207"),
        ("stage: mql\nsettle: 1h", "N112"),
        ("again: {after: 1d}", "N113"),
    ],
)
def test_a_way_in_that_cannot_be_is_a_problem(written: str, code: str) -> None:
    assert codes(entered_by(written).problems) == [code]


def test_the_top_of_a_campaign_is_read() -> None:
    found = campaign("""
        title: Win back
        on_withdrawal: stay
        priority: 60
        state: draft
        on_change: migrate
        pin_templates: true
        migrations: [{from: abc123, map: {old: new}}]
        note: for the reader
        window: {days: mon-sat, between: "09:00-20:00", zone: lead, holidays: [FR, CH-ZH, closed]}
        enter: {event: cart_updated, key: cart_id}
        goal: {event: order_completed, same: cart_id, value: total, move: customer}
        exit:
          - {event: cart_emptied, same: cart_id}
          - {match: {stage: customer}, reason: bought elsewhere}
          - {match: {tag: gone}}
        steps: [{tag: x}]
    """).plan
    assert found is not None
    assert (found.title, found.priority, found.state) == ("Win back", 60, "draft")
    assert (found.on_withdrawal, found.on_change, found.pin_templates) == ("stay", "migrate", True)
    assert found.migrations == (plan.Migration("abc123", {"old": "new"}),)
    assert found.window is not None
    assert found.window.holidays == ("FR", "CH-ZH", "closed")
    assert [item.reason for item in found.exits] == ["cart_emptied", "bought elsewhere", "match"]
    assert [item.trigger.match for item in found.exits] == [None, 0, 1]


def test_a_goal_may_be_a_condition() -> None:
    found = campaign("enter: {manual: true}\ngoal: {match: {tag: won}, move: customer}\nsteps: [{tag: x}]").plan
    assert found is not None
    assert found.goal == plan.Goal(plan.Trigger(match=0), None, "customer")


def test_one_exit_needs_no_list() -> None:
    found = campaign("enter: {manual: true}\nexit: {event: mail.replied}\nsteps: [{tag: x}]").plan
    assert found is not None
    assert [item.reason for item in found.exits] == ["mail.replied"]
