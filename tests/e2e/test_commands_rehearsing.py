"""`nurture test` and `simulate`, as a marketer runs them."""

from __future__ import annotations

import hashlib
import json
import re
from xml.etree import ElementTree

import pytest

from tests.e2e.commands import CART, HELLO, Shop

EVENTS = """\
user,what,when,cart,total
ann,cart_updated,2026-03-02T10:00:00+01:00,c1,50
bob,cart_updated,2026-03-02T11:00:00+01:00,c2,60
ann,order_completed,2026-03-02T10:30:00+01:00,c1,50
bob,cart_updated,2026-03-02T11:30:00+01:00,,60
"""
MAPPING = """\
event:
  lead: "{{ row.user }}"
  name: "{{ row.what }}"
  at: "{{ row.when }}"
  properties: {cart_id: "{{ row.cart }}", total: "{{ row.total }}"}
"""


def test_passing_tests_end_with_0_and_say_how_many(shop: Shop) -> None:
    assert shop.run("test") == 0
    assert "2 tests of 1 campaign: all passed" in shop.out


def test_the_json_of_tests_has_exactly_the_four_keys(shop: Shop) -> None:
    assert shop.json("test") == [
        {"campaign": "cart", "test": "a buyer gets nothing", "passed": True, "difference": None},
        {"campaign": "cart", "test": "a silent shopper gets one mail", "passed": True, "difference": None},
    ]


def test_a_failing_test_ends_with_1_and_marks_the_first_difference(shop: Shop) -> None:
    shop.write("campaigns/cart.yaml", CART.replace("reminder at 1h", "reminder at 2h").replace("[cold]", "[warm]"))
    assert shop.run("test") == 1
    marked = [line.split() for line in shop.out.splitlines() if ">" in line]
    assert marked == [[">", "sent", "cart/reminder", "at", "2h", "cart/reminder", "at", "1h"]]


def test_a_difference_is_one_text_in_json(shop: Shop) -> None:
    shop.write("campaigns/cart.yaml", CART.replace("tags: [cold]", "tags: [warm]"))
    assert shop.run("test", "silent", "--json") == 1
    assert [row["difference"] for row in json.loads(shop.out)] == ["tags: expected warm, was cold"]


def test_junit_has_a_suite_a_campaign_and_a_failure_a_difference(shop: Shop) -> None:
    shop.write("campaigns/cart.yaml", CART.replace("tags: [cold]", "tags: [warm]"))
    assert shop.run("test", "--junit", str(shop.root / "out.xml")) == 1
    suite = ElementTree.parse(shop.root / "out.xml").getroot()[0]
    assert [(case.get("name"), [f.get("message") for f in case]) for case in suite] == [
        ("a buyer gets nothing", []),
        ("a silent shopper gets one mail", ["tags: expected warm, was cold"]),
    ]


def test_junit_can_be_read_whatever_a_test_is_called(shop: Shop) -> None:
    shop.write("campaigns/cart.yaml", CART.replace("a buyer gets nothing", '"<b> & \\u0001 \\U0001F600"'))
    assert shop.run("test", "--junit", str(shop.root / "out.xml")) == 0
    assert ElementTree.parse(shop.root / "out.xml").getroot()[0][0].get("name") == "<b> & \ufffd \U0001f600"


def test_a_pattern_chooses_by_campaign_or_test(shop: Shop) -> None:
    assert [row["test"] for row in shop.json("test", "BUYER")] == ["a buyer gets nothing"]


def test_a_pattern_that_fits_nothing_is_a_mistake(shop: Shop) -> None:
    assert shop.run("test", "nothing like it") == 1
    assert "campaigns here: cart, hello" in shop.err


def test_a_test_enrolls_its_lead_by_hand(shop: Shop) -> None:
    test = "{name: in and out, lead: {email: a@example.com, consents: [offers]}, events: [{at: 1h, enroll: {}}], "
    test += "expect: {sent: [hello at 1h, bye at 2d1h], ended: finished}}"
    shop.write("campaigns/hello.yaml", f"{HELLO}tests: [{test}]\n")
    assert shop.run("test", "in and out") == 0, shop.out


def test_tests_run_without_any_template(shop: Shop) -> None:
    for file in (shop.root / "templates").rglob("*.html"):
        file.unlink()
    assert shop.run("test") == 0


def test_a_campaign_with_errors_fails_and_the_others_are_played(shop: Shop) -> None:
    shop.write("campaigns/hello.yaml", "campaign: hello\nenter: {manual: true}\nsteps: [{wiat: 3d}]\n")
    assert shop.run("test", "--json") == 1
    assert "did you mean 'wait'?" in shop.err
    assert [row["passed"] for row in json.loads(shop.out)] == [True, True]


def test_coverage_names_the_arm_no_test_takes(shop: Shop) -> None:
    assert shop.run("test", "cart", "--coverage") == 0
    assert "campaigns/cart.yaml:10: not reached: arm 1 of 'branch'" in shop.out


def test_coverage_counts_steps_and_arms(shop: Shop) -> None:
    shop.run("test", "cart", "--coverage")
    assert "5 of 7 steps and arms are reached by a test" in shop.out


def test_a_scripted_lead_is_played_with_its_causes(shop: Shop) -> None:
    lead = shop.write(
        "zoe.yaml",
        "lead: {email: zoe@example.com, consents: [offers], stage: mql}\n"
        "events: [{at: 0h, cart_updated: {cart_id: c9, total: 10}}]\n",
    )
    found = shop.json("simulate", "cart", "--lead", lead)
    assert found["sent"] == {"cart/coupon": 1, "cart/reminder": 1}


def test_a_history_is_played_by_instant_and_counted(shop: Shop) -> None:
    events, mapping = shop.write("events.csv", EVENTS), shop.write("m.yaml", MAPPING)
    found = shop.json("simulate", "cart", "--events", events, "--mapping", mapping)
    del found["timeline"]
    assert found == {
        "entered": 1,
        "not_entered": {"cancelled by order_completed": 1, "no key": 1},
        "sent": {},
        "refused": {"no address": 1},
        "ended": {"finished": 1},
        "funnel": {},
        "sends": [],
    }


def test_a_timeline_line_says_when_who_what_and_about_what(shop: Shop) -> None:
    events, mapping = shop.write("events.csv", EVENTS), shop.write("m.yaml", MAPPING)
    first = shop.json("simulate", "cart", "--events", events, "--mapping", mapping)["timeline"][0]
    assert first == {
        "at": "2026-03-02T09:30:00+00:00",
        "lead": "ann",
        "what": "not_entered",
        "detail": "cancelled by order_completed",
        "step": None,
    }


def test_leads_of_a_file_have_their_address_and_consent(shop: Shop) -> None:
    events, mapping = shop.write("events.csv", EVENTS), shop.write("m.yaml", MAPPING)
    leads = shop.write("leads.csv", "id,email\nbob,bob@example.com\n")
    consent = "consent: {topic: offers, basis: consent, at: 2026-01-01, source: till}\n"
    who = shop.write("w.yaml", 'lead: {email: "{{ row.email }}", external_id: "{{ row.id }}"}\n' + consent)
    found = shop.json("simulate", "cart", "--events", events, "--leads", leads, "--mapping", mapping, "--mapping", who)
    assert found["sent"] == {"cart/reminder": 1}


def test_two_runs_print_the_same_bytes(shop: Shop) -> None:
    events, mapping = shop.write("events.csv", EVENTS), shop.write("m.yaml", MAPPING)
    outputs = []
    for _ in range(2):
        shop.run("simulate", "cart", "--events", events, "--mapping", mapping, "--json")
        outputs.append(shop.out)
    assert outputs[0] == outputs[1]


def test_events_before_from_are_history_and_start_nothing(shop: Shop) -> None:
    events, mapping = shop.write("events.csv", EVENTS), shop.write("m.yaml", MAPPING)
    found = shop.json("simulate", "cart", "--events", events, "--mapping", mapping, "--from", "2026-03-02T11:15")
    assert found["not_entered"] == {"no key": 1}


def test_the_clock_stops_at_until(shop: Shop) -> None:
    events, mapping = shop.write("events.csv", EVENTS), shop.write("m.yaml", MAPPING)
    found = shop.json("simulate", "cart", "--events", events, "--mapping", mapping, "--until", "2026-03-02T13:00")
    assert found["ended"] == {}


def test_columns_with_usual_names_need_no_mapping(shop: Shop) -> None:
    events = shop.write("e.csv", "user_id,event,timestamp,cart_id\nann,cart_updated,2026-03-02T10:00:00Z,c1\n")
    assert shop.json("simulate", "cart", "--events", events)["entered"] == 1


def test_columns_that_do_not_speak_for_themselves_are_named(shop: Shop) -> None:
    assert shop.run("simulate", "cart", "--events", shop.write("events.csv", EVENTS)) == 1
    assert "the file has: user, what, when, cart, total" in shop.err


def test_a_campaign_nobody_knows_is_met_with_a_guess(shop: Shop) -> None:
    assert shop.run("simulate", "carts", "--events", shop.write("events.csv", EVENTS)) == 1
    assert "did you mean 'cart'?" in shop.err


def test_a_draft_file_outside_the_project_is_played_as_if_live(shop: Shop) -> None:
    draft = shop.write("elsewhere/draft.yaml", CART.replace("campaign: cart", "campaign: draft\nstate: draft"))
    events, mapping = shop.write("events.csv", EVENTS), shop.write("m.yaml", MAPPING)
    assert shop.json("simulate", draft, "--events", events, "--mapping", mapping)["entered"] == 1


@pytest.fixture
def past(shop: Shop) -> Shop:
    """A shop whose database knows of two baskets in February: one left behind, one bought."""
    shop.write("w.yaml", 'lead: {email: "{{ row.email }}", external_id: "{{ row.id }}"}\n' + AGREED)
    shop.write("leads.csv", "email,id\nann@example.com,ann\nbob@example.com,bob\n")
    assert shop.run("import", "leads", shop.root / "leads.csv", "--mapping", shop.root / "w.yaml") == 0, shop.err
    shop.write("m.yaml", MAPPING)
    shop.write("events.csv", BASKETS)
    assert shop.run("import", "events", shop.root / "events.csv", "--mapping", shop.root / "m.yaml") == 0, shop.err
    return shop


AGREED = "consent: {topic: offers, basis: consent, at: 2026-01-01, source: till, wording: w}\n"
BASKETS = """\
user,what,when,cart,total
ann,cart_updated,2026-02-02T10:00:00+01:00,c1,50
ann,order_completed,2026-02-02T10:30:00+01:00,c1,50
bob,cart_updated,2026-02-03T11:00:00+01:00,c2,60
"""
SPAN = ("--since", "2026-02-01", "--until", "2026-03-01")


def test_a_backtest_says_what_the_draft_would_have_done(past: Shop) -> None:
    found = past.json("backtest", "cart", *SPAN)
    wanted = {"entered": 1, "sent": {"cart/reminder": 1}, "ended": {"finished": 1}}
    assert {name: found[name] for name in wanted} == wanted


def test_a_backtest_counts_sends_by_day(past: Shop) -> None:
    sends = past.json("backtest", "cart", *SPAN)["sends"]
    assert sends == [{"day": "2026-02-03", "template": "cart/reminder", "count": 1}]


def test_a_backtest_writes_nothing_into_the_database(past: Shop) -> None:
    file = past.root / "nurture.db"
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    past.json("backtest", "cart", *SPAN)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before


def test_a_backtest_says_what_it_cannot_know(past: Shop) -> None:
    assert past.run("backtest", "cart", *SPAN) == 0
    assert "fields and tags of leads have no history" in past.out
    assert "mails that really went out are not played" in past.out


def test_two_backtests_print_the_same_bytes(past: Shop) -> None:
    outputs = []
    for _ in range(2):
        past.run("backtest", "cart", *SPAN, "--json")
        outputs.append(past.out)
    assert outputs[0] == outputs[1]


def test_a_backtest_before_there_is_a_database_says_how_to_get_one(shop: Shop) -> None:
    assert shop.run("backtest", "cart", "--since", "90d") != 0
    assert "nurture import events" in shop.err
    assert not (shop.root / "nurture.db").exists()


def test_a_backtest_cannot_begin_in_the_future(past: Shop) -> None:
    assert past.run("backtest", "cart", "--since", "9998-01-01") == 1
    assert "is still to come" in past.err


def test_a_backtest_is_drawn_as_one_page_that_needs_nothing_else(past: Shop) -> None:
    page = past.root / "out.html"
    past.json("backtest", "cart", *SPAN, "--html", page)
    drawn = page.read_text("utf-8")
    assert "cart/reminder 1" in drawn
    assert not re.search(r"<script|https?://|src=", drawn)


def test_a_leads_timeline_is_drawn_with_what_it_did_and_what_was_decided(shop: Shop) -> None:
    lead = shop.write(
        "zoe.yaml",
        "lead: {email: zoe@example.com, consents: [offers]}\n"
        "events: [{at: 0h, cart_updated: {cart_id: <c9>, total: 10}}]\n",
    )
    page = shop.root / "out.html"
    assert shop.run("simulate", "cart", "--lead", lead, "--html", page) == 0, shop.err
    svg = page.read_text("utf-8").partition("<svg")[2].partition("</svg>")[0]
    texts = [text for text in ElementTree.fromstring(f"<svg{svg}</svg>").itertext() if text.strip()]
    assert {"cart_updated (cart_id <c9>, total 10)", "mail cart/reminder released"} <= set(texts)


def test_a_simulated_population_shows_funnel_and_calendar(shop: Shop) -> None:
    events, mapping = shop.write("events.csv", EVENTS), shop.write("m.yaml", MAPPING)
    leads = shop.write("leads.csv", "id,email\nbob,bob@example.com\n")
    who = shop.write("w.yaml", 'lead: {email: "{{ row.email }}", external_id: "{{ row.id }}"}\n' + AGREED)
    options = ("--events", events, "--leads", leads, "--mapping", mapping, "--mapping", who)
    assert shop.run("simulate", "cart", *options) == 0
    assert "busiest day: Mon 02 Mar 2026, 1 mail" in shop.out
