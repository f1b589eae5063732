"""The tests inside campaigns, read as data."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

from nurture.campaign.cases import DEFAULT_START, DEFAULT_UNTIL, CampaignTest, Expect, TestDeal
from nurture.campaign.condition import Moment
from nurture.campaign.duration import Duration
from nurture.campaign.read import Reading
from tests.unit.campaign.project import campaign, codes

H1 = Duration(seconds=3600)


def read(test: str) -> Reading:
    body = (
        "enter: {event: cart_updated, key: cart_id}\nsteps:\n  - send: hello\n  - notify: {to: care, template: look}\n"
    )
    return campaign(f"{body}tests:\n{indent(dedent(test).strip(), '  ')}\n")


def only(test: str) -> CampaignTest:
    found = read(test)
    assert found.problems == []
    (one,) = found.tests
    return one


def test_a_test_says_who_what_happens_and_what_must_hold() -> None:
    test = only("""
        - name: whole
          start: 2026-03-06T15:00
          until: 2026-03-17T00:00
          lead: {email: a@example.com, stage: [mql, asked], consents: [offers], tags: [x], scores: {interest: 12},
                 timezone: Europe/Paris, birthday: 1988-02-29, seats: 3, vip: true, external_id: 007}
          account: {id: acc1, employees: 7}
          deals: [{pipeline: sales, stage: demo, amount: 300, outcome: lost}]
          answers: {stock: {items: [{name: L35, price: 9.5, sold: false, code: "010", gone: }]}}
          events:
            - {at: -5d, order_completed: {cart_id: c0, total: 40, items: [{category: lens}]}}
            - {at: 2026-03-07T09:00, lead.changed: {renewal_date: 2026-04-20}}
            - {at: 1h, form.submitted: {form: nps, score: 3}}
            - {at: 2h, enroll: {}}
          expect:
            entered: 2
            sent: [hello at 1h, hello at 2026-03-07T09:00]
            notified: [look at 1d2h]
            refused: {hello: no consent}
            stage: [customer, asked]
            tags: [y]
            consents: []
            scores: {interest: 3.5}
            ended: exit(never delivered)
    """)
    assert (test.campaign, test.name) == ("c", "whole")
    assert (test.start, test.until) == (Moment("2026-03-06T15:00"), Moment("2026-03-17T00:00"))
    assert test.lead.stages == ("mql", "asked")
    assert (test.lead.consents, test.lead.tags, test.lead.scores) == (("offers",), ("x",), {"interest": 12})
    assert test.lead.fields == {
        "email": "a@example.com",
        "timezone": "Europe/Paris",
        "birthday": "1988-02-29",
        "seats": 3,
        "vip": True,
        "external_id": "007",
    }
    assert test.account == {"id": "acc1", "employees": 7}
    assert test.deals == (TestDeal("sales", "demo", 300, "lost"),)
    item = {"name": "L35", "price": 9.5, "sold": False, "code": "010", "gone": None}
    assert test.answers == {"stock": {"items": [item]}}
    assert [(e.at, e.name, e.properties) for e in test.events] == [
        (Duration(days=5, sign=-1), "order_completed", {"cart_id": "c0", "total": 40, "items": [{"category": "lens"}]}),
        (Moment("2026-03-07T09:00"), "lead.changed", {"renewal_date": "2026-04-20"}),
        (H1, "form.submitted", {"form": "nps", "score": 3}),
        (Duration(seconds=7200), "enroll", {}),
    ]
    expect = test.expect
    assert expect.entered == 2
    assert [(h.name, h.at) for h in expect.sent or ()] == [("hello", H1), ("hello", Moment("2026-03-07T09:00"))]
    assert [(h.name, h.at) for h in expect.notified or ()] == [("look", Duration(days=1, seconds=7200))]
    assert expect.refused == {"hello": "no consent"}
    assert (expect.stages, expect.tags, expect.consents) == (("customer", "asked"), ("y",), ())
    assert (expect.scores, expect.ended) == ({"interest": 3.5}, "exit(never delivered)")


def test_what_is_not_named_is_not_looked_at_and_has_its_default() -> None:
    test = only("- {name: short, lead: {email: a@example.com}, expect: {}}")
    assert test.expect == Expect()
    assert (test.start, test.until, test.events) == (DEFAULT_START, DEFAULT_UNTIL, ())


@pytest.mark.parametrize(("written", "meant"), [("true", True), ("false", False), ("0", 0), ("3", 3)])
def test_entered_is_yes_no_or_a_number(written: str, meant: object) -> None:
    entered = only(f"- {{name: n, lead: {{}}, expect: {{entered: {written}}}}}").expect.entered
    assert entered == meant
    assert type(entered) is type(meant)


@pytest.mark.parametrize("reason", ["no key", "re-entry limit", "cancelled by order_completed", "date passed"])
def test_a_reason_not_to_enter_is_one_of_the_engines(reason: str) -> None:
    assert only(f"- {{name: n, lead: {{}}, expect: {{not_entered: {reason}}}}}").expect.not_entered == reason


@pytest.mark.parametrize("end", ["finished", "goal", "exit(withdrew newsletter)", "failed(too many steps)"])
def test_an_end_is_one_of_four(end: str) -> None:
    assert only(f"- {{name: n, lead: {{}}, expect: {{ended: {end}}}}}").expect.ended == end


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("events: [{at: 1h, nothing_such: {}}], expect: {}", "N301"),
        ("events: [{at: 1h, cart_updated: {totl: 3}}], expect: {}", "N302"),
        ("events: [{at: 1h, cart_updated: {total: x}}], expect: {}", "N206"),
        ("events: [{at: 1h}], expect: {}", "N602"),
        ("events: [{at: soon, cart_updated: {}}], expect: {}", "N601"),
        ("expect: {sent: [hello]}", "N603"),
        ("expect: {sent: [bye at 1h]}", "N606"),
        ("expect: {refused: {bye: no consent}}", "N606"),
        ("expect: {refused: {hello: not allowed}}", "N604"),
        ("expect: {ended: exit}", "N605"),
        ("expect: {opened: [hello]}", "N112"),
        ("answers: {nobody: {}}, expect: {}", "N307"),
    ],
)
def test_a_mistake_in_a_test_is_a_problem_too(part: str, code: str) -> None:
    assert codes(read(f"- {{name: n, lead: {{}}, {part}}}").problems) == [code]


def test_two_tests_of_one_name_are_a_problem() -> None:
    one = "{name: n, lead: {}, expect: {}}"
    assert codes(read(f"- {one}\n- {one}").problems) == ["N607"]


def test_a_written_id_takes_the_templates_place() -> None:
    test = "{name: n, lead: {}, expect: {sent: [NAME at 0h]}}"
    body = f"enter: {{manual: true}}\nsteps: [{{send: hello, id: first}}]\ntests: [{test}]"
    assert codes(campaign(body.replace("NAME", "first")).problems) == []
    assert codes(campaign(body.replace("NAME", "hello")).problems) == ["N606"]
