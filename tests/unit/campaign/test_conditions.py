"""Every key of a condition in the language's table, and every TEST, with the tree it becomes."""

from __future__ import annotations

import pytest

from nurture.campaign import condition as c
from nurture.campaign.condition import Condition, Field, Moment, Relative, Test
from nurture.campaign.duration import Duration
from nurture.campaign.plan import Branch
from tests.unit.campaign.project import codes, with_steps

D30 = Duration(days=30)


def read(written: str) -> Condition:
    """The condition of a branch, inside a campaign that a cart entered, keyed by cart_id."""
    found = with_steps(f"""
        - send: hello
        - branch:
            - if: {written}
              steps: [{{tag: x}}]
            - else: [{{tag: y}}]
    """)
    assert found.problems == []
    assert found.plan is not None
    branch = found.plan.steps[1]
    assert isinstance(branch, Branch)
    return found.plan.conditions[branch.arms[0][0]]


def lead(*tests: Test, path: tuple[str, ...] = ("seats",), kind: c.FieldType = "number") -> Field:
    return Field("lead", path, tests, kind)


CONDITIONS: list[tuple[str, Condition]] = [
    ("{stage: lead}", c.InStage(("lead",))),
    ("{stage: [lead, mql]}", c.InStage(("lead", "mql"))),
    ("{stage: {at_least: mql, before: customer}}", c.InStage((), "mql", "customer")),
    ("{stage: {before: sql}}", c.InStage((), None, "sql")),
    ("{stage: {at_least: bought}, by: account}", c.InStage((), "bought", None, True)),
    ("{stage: {at_least: bought, by: account}}", c.InStage((), "bought", None, True)),
    ("{in_stage_for: {at_least: 14d}}", c.InStageFor(at_least=Duration(days=14))),
    (
        "{stage: mql, in_stage_for: {at_least: 14d}}",
        c.All((c.InStage(("mql",)), c.InStageFor(at_least=Duration(days=14), beside=c.InStage(("mql",))))),
    ),
    ("{lead: {country: FR}}", Field("lead", ("country",), (Test("is", "FR"),), "text")),
    ("{lead: {country: NO}}", Field("lead", ("country",), (Test("is", "NO"),), "text")),
    ("{lead: {address.city: Paris}}", Field("lead", ("address", "city"), (Test("is", "Paris"),), "text")),
    (
        "{lead: {country: FR, seats: 3}}",
        c.All((Field("lead", ("country",), (Test("is", "FR"),)), lead(Test("is", 3)))),
    ),
    ("{did: {event: order_completed}}", c.Did("order_completed")),
    (
        "{did: {event: order_completed, where: {total: {at_least: 30}}, within: 30d}}",
        c.Did("order_completed", Field("event", ("total",), (Test("at_least", 30),), "number"), within=D30),
    ),
    ("{did: {event: order_completed, same: cart_id}}", c.Did("order_completed", same="cart_id")),
    (
        "{did: {event: order_completed, sum: total, at_least: 500, at_most: 900}}",
        c.Did("order_completed", sum="total", at_least=500.0, at_most=900.0),
    ),
    (
        "{did: {event: any, at_least: 2, since_entry: true, by: account}}",
        c.Did("any", at_least=2.0, since_entry=True, by_account=True),
    ),
    ("{did_not: {event: any, within: 6mo}}", c.Not(c.Did("any", within=Duration(months=6)))),
    ("{did_not: {event: any}, by: account}", c.Not(c.Did("any", by_account=True))),
    (
        "{did: {event: form.submitted, where: {form: nps, score: {at_most: 6}}}}",
        c.Did(
            "form.submitted",
            c.All(
                (
                    Field("event", ("form",), (Test("is", "nps"),)),
                    Field("event", ("score",), (Test("at_most", 6),), "number"),
                )
            ),
        ),
    ),
    ("{account: {employees: {at_least: 10}}}", Field("account", ("employees",), (Test("at_least", 10),), "number")),
    ("{score: {interest: {at_least: 40}}}", c.ScoreIs("interest", (Test("at_least", 40),))),
    ("{tag: vip}", c.Tagged("vip")),
    ("{segment: active}", c.InSegment("active")),
    ("{consent: offers}", c.Consented("offers")),
    ("{mail: {sent: hello}}", c.Mailed("sent", "hello")),
    ("{mail: {replied: any, of: all, within: 3d}}", c.Mailed("replied", "any", "all", None, Duration(days=3))),
    (
        "{any: [{mail: {clicked: hello, of: campaign}}, {tag: x}]}",
        c.Any((c.Mailed("clicked", "hello", "campaign", "c"), c.Tagged("x"))),
    ),
    ("{mail: {bounced: any}, by: account}", c.Mailed("bounced", "any", by_account=True)),
    ("{deal: {stage: demo, open: true}}", c.DealIs(("demo",), None, (), True)),
    ("{deal: {amount: {more_than: 1000}}}", c.DealIs((), None, (Test("more_than", 1000),))),
    ("{in_campaign: c}", c.Enrolled("in_campaign", "c")),
    ("{in_campaign: c, by: account}", c.Enrolled("in_campaign", "c", True)),
    ("{finished: c}", c.Enrolled("finished", "c")),
    ("{reached_goal: c}", c.Enrolled("reached_goal", "c")),
    ("{entry: {total: {at_least: 150}}}", Field("entry", ("total",), (Test("at_least", 150),), "number")),
    ("{all: [{tag: a}, {tag: b}]}", c.All((c.Tagged("a"), c.Tagged("b")))),
    ("{not: {tag: a}}", c.Not(c.Tagged("a"))),
    ("{tag: a, not: {any: [{tag: b}]}}", c.All((c.Tagged("a"), c.Not(c.Any((c.Tagged("b"),)))))),
]


@pytest.mark.parametrize(("written", "meant"), CONDITIONS, ids=[written for written, _ in CONDITIONS])
def test_a_condition_becomes_its_tree(written: str, meant: Condition) -> None:
    assert read(written) == meant


TESTS: list[tuple[str, Field]] = [
    ("seats: 3", lead(Test("is", 3))),
    ("seats: [3, 5]", lead(Test("in", (3, 5)))),
    ("seats: {is: 3}", lead(Test("is", 3))),
    ("seats: {is_not: 3}", lead(Test("is_not", 3))),
    ("seats: {in: [3]}", lead(Test("in", (3,)))),
    ("seats: {not_in: [3, 4]}", lead(Test("not_in", (3, 4)))),
    ("seats: {at_least: 1.5, less_than: 9}", lead(Test("at_least", 1.5), Test("less_than", 9))),
    ("seats: {at_most: 9}", lead(Test("at_most", 9))),
    ("seats: {more_than: 9}", lead(Test("more_than", 9))),
    ("seats: {between: [3, 9]}", lead(Test("between", (3, 9)))),
    ("seats: {set: false}", lead(Test("set", False))),
    ("plan: {contains: old}", lead(Test("contains", "old"), path=("plan",), kind="text")),
    ("plan: {starts_with: a}", lead(Test("starts_with", "a"), path=("plan",), kind="text")),
    ("plan: {ends_with: z}", lead(Test("ends_with", "z"), path=("plan",), kind="text")),
    ("plan: 010", lead(Test("is", "010"), path=("plan",), kind="text")),
    ("vip: true", lead(Test("is", True), path=("vip",), kind="bool")),
    (
        "birthday: {before: -18y}",
        lead(Test("before", Relative(Duration(months=216, sign=-1))), path=("birthday",), kind="date"),
    ),
    ("birthday: {after: 2000-01-01}", lead(Test("after", Moment("2000-01-01")), path=("birthday",), kind="date")),
    ("birthday: {in_last: 30d}", lead(Test("in_last", Relative(D30)), path=("birthday",), kind="date")),
    ("birthday: {in_next: 30d}", lead(Test("in_next", Relative(D30)), path=("birthday",), kind="date")),
    ("birthday: {anniversary_in: 30d}", lead(Test("anniversary_in", Relative(D30)), path=("birthday",), kind="date")),
]


@pytest.mark.parametrize(("written", "meant"), TESTS, ids=[written for written, _ in TESTS])
def test_a_test_is_typed_by_the_declaration(written: str, meant: Field) -> None:
    assert read(f"{{lead: {{{written}}}}}") == meant


def test_one_element_of_a_list_must_pass_all_its_tests() -> None:
    found = read("{did: {event: cart_updated, where: {items: {any: {category: [lens, bag], price: {at_least: 9}}}}}}")
    assert isinstance(found, c.Did)
    element = (
        Field("element", ("category",), (Test("in", ("lens", "bag")),)),
        Field("element", ("price",), (Test("at_least", 9),), "number"),
    )
    assert found.where == Field("event", ("items",), (Test("any", (), element),), "list")


def test_without_an_enrollment_all_mails_count() -> None:
    found = with_steps("- tag: x", enter="{event: cart_updated, only_if: {mail: {sent: any}}}")
    assert found.plan is not None
    assert found.plan.only_if == c.Mailed("sent", "any", "all")


@pytest.mark.parametrize(
    ("enter", "code"),
    [
        ("{event: cart_updated, only_if: {did: {event: any, since_entry: true}}}", "N318"),
        ("{event: cart_updated, only_if: {mail: {sent: any, of: enrollment}}}", "N318"),
        ("{event: cart_updated, only_if: {did: {event: order_completed, same: cart_id}}}", "N317"),
        ("{manual: true, only_if: {entry: {total: 3}}}", "N318"),
    ],
)
def test_what_is_not_there_at_entry_cannot_be_asked(enter: str, code: str) -> None:
    assert codes(with_steps("- tag: x", enter=enter).problems) == [code]


def test_what_the_entry_event_holds_can_be_asked_at_entry() -> None:
    found = with_steps("- tag: x", enter="{event: cart_updated, key: cart_id, only_if: {entry: {total: 3}}}")
    assert found.problems == []


def test_walk_finds_conditions_inside_conditions() -> None:
    found = read("{any: [{not: {did: {event: order_completed, where: {total: 3}}}}, {tag: x}]}")
    assert [type(inner).__name__ for inner in c.walk(found)] == ["Any", "Not", "Did", "Field", "Tagged"]
