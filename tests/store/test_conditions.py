"""Every kind of condition the campaign language has, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from nurture.campaign.condition import (
    All,
    Condition,
    Consented,
    DealIs,
    Did,
    Enrolled,
    Field,
    InSegment,
    InStage,
    InStageFor,
    Mailed,
    Not,
    Relative,
    ScoreIs,
    Tagged,
    Test,
)
from nurture.campaign.condition import Any as AnyOf
from nurture.campaign.duration import Duration, read_duration
from nurture.campaign.project import Funnel, Project, Score, ScoreRule, Stage, Topic
from nurture.lead.soft_opt_in import KINDS, Grounds, refusal
from nurture.store.conditions import CHUNK, QUESTIONS, Asker, Row, ask, ask_edges
from nurture.store.consents import sale_columns
from nurture.store.database import Database
from tests.store.people import DAY, NOW, ZONE, World

HOUR = timedelta(hours=1)


def length(text: str) -> Duration:
    found = read_duration(text)
    assert found is not None
    return found


def lead_field(name: str, op: Any, value: Any) -> Field:
    return Field("lead", tuple(name.split(".")), (Test(op, value),))


def where(name: str, op: Any, value: Any) -> Field:
    return Field("event", (name,), (Test(op, value),))


YES, NO = All(()), AnyOf(())


# --- the tree


def test_all_any_and_not_nest(db: Database) -> None:
    world = World(db)
    lead = world.lead(country="FR", plan="pro")
    french, swiss = lead_field("country", "is", "FR"), lead_field("country", "is", "CH")
    assert world.holds(All((french, Not(swiss), AnyOf((swiss, lead_field("plan", "is", "pro"))))), lead)
    assert not world.holds(AnyOf((swiss, Not(french))), lead)


def test_nothing_to_hold_holds_and_none_to_choose_from_does_not(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    assert world.holds(YES, lead)
    assert not world.holds(NO, lead)


def test_several_tests_on_one_field_must_all_hold(db: Database) -> None:
    world = World(db)
    lead = world.lead(age=40)
    both = Field("lead", ("age",), (Test("at_least", 18), Test("less_than", 40)), "number")
    assert not world.holds(both, lead)
    assert world.holds(both, world.lead(age=39))


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("email", "email"),
        ("external_id", "external_id"),
        ("first_name", "first_name"),
        ("last_name", "last_name"),
        ("name", "name"),
        ("phone", "phone"),
        ("country", "country"),
        ("locale", "locale"),
        ("timezone", "zone"),
        ("source", "source"),
        ("owner", "owner"),
    ],
)
def test_built_in_fields_are_columns(db: Database, name: str, column: str) -> None:
    world = World(db)
    lead = world.lead(**{column: "x"}, attributes={name: "y"})
    assert world.holds(lead_field(name, "is", "x"), lead)


# --- batches


def test_answers_come_in_the_order_of_rows_and_questions(db: Database) -> None:
    world = World(db)
    leads = [world.lead(number=n) for n in range(5)]
    rows = [Row(lead, NOW, ZONE) for lead in reversed(leads)]
    questions = [lead_field("number", "is", 3), lead_field("number", "at_least", 2)]
    with db.read() as tx:
        answers = ask(tx, world.project, questions, rows)
    assert answers == [(False, True), (True, True), (False, True), (False, False), (False, False)]


def test_one_lead_may_be_asked_at_several_instants_in_one_batch(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    world.event(lead, "bought", NOW)
    rows = [Row(lead, NOW - HOUR, ZONE), Row(lead, NOW, ZONE), Row(lead, NOW + 2 * DAY, ZONE)]
    with db.read() as tx:
        answers = ask(tx, world.project, [Did("bought", within=length("1d"))], rows)
    assert answers == [(False,), (True,), (False,)]


def test_more_rows_than_a_statement_takes_are_asked_in_several(db: Database) -> None:
    world = World(db)
    lead, other = world.lead(country="FR"), world.lead()
    rows = [Row(lead if n % 2 else other, NOW, ZONE) for n in range(2 * CHUNK + 3)]
    with db.read() as tx:
        answers = ask(tx, world.project, [lead_field("country", "is", "FR")], rows)
    assert answers == [(n % 2 == 1,) for n in range(2 * CHUNK + 3)]


def test_more_questions_than_a_statement_takes_are_asked_in_several(db: Database) -> None:
    world = World(db, Project(funnels=FUNNELS))
    lead = world.lead(number=7)
    world.stands(lead, "mql", NOW - HOUR)
    questions: list[Condition] = [lead_field("number", "is", n) for n in range(QUESTIONS + 5)]
    questions.append(InStageFor(at_least=length("3h")))
    expected = (*(n == 7 for n in range(QUESTIONS + 5)), False)
    with db.read() as tx:
        assert ask(tx, world.project, questions, [Row(lead, NOW, ZONE)]) == [expected]
        assert ask_edges(tx, world.project, questions, [Row(lead, NOW, ZONE)]) == [(expected, NOW + 2 * HOUR)]


def test_a_lead_that_is_gone_answers_false_to_everything(db: Database) -> None:
    world = World(db)
    with db.read() as tx:
        assert ask(tx, world.project, [YES, Not(NO)], [Row(99, NOW, ZONE)]) == [(False, False)]
        assert ask_edges(tx, world.project, [YES], [Row(99, NOW, ZONE)]) == [((False,), None)]


def test_no_rows_and_no_questions_are_nothing_to_ask(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    with db.read() as tx:
        assert ask(tx, world.project, [YES], []) == []
        assert ask(tx, world.project, [], [Row(lead, NOW, ZONE)]) == [()]


def test_an_asker_keeps_what_it_compiled(db: Database) -> None:
    world = World(db)
    lead = world.lead(country="FR")
    asker = Asker(world.project)
    with db.read() as tx:
        for _ in range(3):
            assert asker.ask(tx, [lead_field("country", "is", "FR")], [Row(lead, NOW, ZONE)]) == [(True,)]
    assert len(asker._statements) == 1


# --- stages

FUNNELS = {
    "main": Funnel("main", (Stage("visitor"), Stage("lead"), Stage("mql"), Stage("customer"))),
    "care": Funnel("care", (Stage("new"), Stage("happy"))),
}


def staged(db: Database) -> World:
    return World(db, Project(funnels=FUNNELS))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (InStage(("mql",)), True),
        (InStage(("lead", "mql")), True),
        (InStage(("lead",)), False),
        (InStage(("happy",)), True),
        (InStage(at_least="lead"), True),
        (InStage(at_least="mql"), True),
        (InStage(at_least="customer"), False),
        (InStage(before="customer"), True),
        (InStage(before="mql"), False),
        (InStage(at_least="lead", before="customer"), True),
        (InStage(at_least="visitor", before="mql"), False),
        (InStage(at_least="gone"), False),
        (InStage(), False),
    ],
)
def test_a_stage_is_a_name_one_of_several_or_a_range_of_its_funnel(
    db: Database, condition: InStage, expected: bool
) -> None:
    world = staged(db)
    lead = world.lead()
    world.stands(lead, "mql")
    world.stands(lead, "happy", funnel="care")
    assert world.holds(condition, lead) is expected


def test_who_has_not_come_to_the_funnel_stands_before_all_of_its_stages(db: Database) -> None:
    world = staged(db)
    lead = world.lead()
    world.stands(lead, "happy", funnel="care")
    assert world.holds(InStage(before="customer"), lead)
    assert world.holds(InStage(before="visitor"), lead)
    assert not world.holds(InStage(before="happy"), lead)
    assert not world.holds(InStage(at_least="visitor", before="customer"), lead)
    assert not world.holds(InStage(before="gone"), lead)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (InStageFor(at_least=length("14d")), True),
        (InStageFor(more_than=length("14d")), False),
        (InStageFor(at_most=length("14d")), True),
        (InStageFor(less_than=length("14d")), False),
        (InStageFor(less_than=length("15d"), more_than=length("13d")), True),
        (InStageFor(at_least=length("15d")), False),
    ],
)
def test_in_stage_for_is_exact_to_the_instant(db: Database, condition: InStageFor, expected: bool) -> None:
    world = staged(db)
    lead = world.lead()
    world.stands(lead, "mql", NOW - 14 * DAY)
    assert world.holds(condition, lead) is expected


def test_in_stage_for_speaks_of_the_stage_written_beside_it(db: Database) -> None:
    world = staged(db)
    lead = world.lead()
    world.stands(lead, "mql", NOW - DAY)
    world.stands(lead, "happy", NOW - 30 * DAY, funnel="care")
    assert not world.holds(InStageFor(at_least=length("14d"), beside=InStage(("mql",))), lead)
    assert world.holds(InStageFor(at_least=length("14d"), beside=InStage(("happy",))), lead)
    assert world.holds(InStageFor(at_least=length("14d")), lead)


# --- what they did


def bought(db: Database) -> tuple[World, int]:
    """Three orders: of 10 an hour ago, of 20 two days ago, of 30 ten days ago."""
    world = World(db)
    lead = world.lead()
    for total, ago in ((10, HOUR), (20, 2 * DAY), (30, 10 * DAY)):
        world.event(lead, "bought", NOW - ago, total=total, cart=f"c{total}")
    world.event(world.lead(), "bought", total=1000)
    return world, lead


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Did("bought"), True),
        (Did("looked"), False),
        (Did("bought", at_least=3), True),
        (Did("bought", at_least=4), False),
        (Did("bought", at_most=3), True),
        (Did("bought", at_most=2), False),
        (Did("looked", at_most=0), True),
        (Did("looked", at_least=0), True),
        (Did("bought", at_least=1, at_most=2), False),
        (Did("bought", within=length("2h")), True),
        (Did("bought", within=length("1h")), False),  # (now - 1h, now]: an hour ago is out
        (Did("bought", at_least=2, within=length("3d")), True),
        (Did("bought", at_least=3, within=length("3d")), False),
        (Did("bought", sum="total", at_least=60), True),
        (Did("bought", sum="total", at_least=60.01), False),
        (Did("bought", sum="total", at_most=60), True),
        (Did("bought", sum="total", within=length("3d"), at_least=30, at_most=30), True),
        (Did("looked", sum="total", at_most=0), True),
        (Did("bought", sum="total"), True),
        (Did("bought", where=where("total", "more_than", 25)), True),
        (Did("bought", where=where("total", "more_than", 25), within=length("3d")), False),
        (Did("bought", where=where("total", "at_least", 20), at_least=2), True),
        (Did("bought", where=Not(where("total", "at_least", 20)), at_least=2), False),
        (Did("bought", where=AnyOf((where("total", "is", 10), where("total", "is", 20))), at_least=2), True),
        (Did("any", at_least=3), True),
    ],
)
def test_did_counts_or_adds_up_what_the_lead_did(db: Database, condition: Did, expected: bool) -> None:
    world, lead = bought(db)
    assert world.holds(condition, lead) is expected
    assert world.holds(Not(condition), lead) is not expected


def test_s01_an_event_without_its_place_in_order_does_not_exist_yet(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    world.event(lead, "bought", seen=False)
    assert not world.holds(Did("bought"), lead)


def test_an_event_after_the_instant_does_not_exist_yet(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    world.event(lead, "bought", NOW + timedelta(microseconds=1))
    assert not world.holds(Did("bought"), lead)
    assert world.holds(Did("bought"), lead, as_of=NOW + timedelta(microseconds=1))


def test_any_event_is_one_without_a_dot(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    world.event(lead, "mail.sent")
    assert not world.holds(Did("any"), lead)
    assert world.holds(Did("mail.sent"), lead)


def test_a_dirty_amount_is_not_added_up_and_breaks_no_batch(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    for total in ("12", None, True, [5], 0.1, 0.2, "abc"):
        world.event(lead, "bought", total=total)
    world.event(lead, "bought")
    assert world.holds(Did("bought", sum="total", at_least=0.3, at_most=0.3), lead)


@pytest.mark.parametrize(
    ("property_value", "key", "expected"),
    [
        ("c1", "c1", True),
        ("c1", "C1", False),
        (17, "17", True),
        (True, "true", True),
        (None, "null", False),
        ("", "", False),
        ("", None, False),
        (["c1"], "c1", False),
    ],
)
def test_s08_same_compares_the_property_with_the_key_as_text(
    db: Database, property_value: Any, key: str | None, expected: bool
) -> None:
    world = World(db)
    lead = world.lead()
    world.event(lead, "bought", cart=property_value)
    same = Did("bought", same="cart")
    assert world.holds(same, lead, key=key) is expected
    assert world.holds(same, lead, enrollment=world.enrollment(lead, key=key or "")) is expected


def test_s08_a_missing_property_is_the_same_as_nothing(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    world.event(lead, "bought")
    assert not world.holds(Did("bought", same="cart"), lead, key="c1")
    assert world.holds(Not(Did("bought", same="cart")), lead, key="c1")


def test_the_key_of_the_enrollment_counts_before_that_of_the_row(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    world.event(lead, "bought", cart="c1")
    inside = world.enrollment(lead, key="c1")
    assert world.holds(Did("bought", same="cart"), lead, enrollment=inside, key="c2")


def test_since_entry_leaves_out_what_was_before_and_the_entry_event_itself(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    since = Did("bought", since_entry=True)
    world.event(lead, "bought", NOW - 2 * DAY)
    entry = world.event(lead, "bought", NOW - DAY)
    inside = world.enrollment(lead, entered_at=NOW - DAY, entry_event=entry)
    assert not world.holds(since, lead, enrollment=inside)
    world.event(lead, "bought", NOW - DAY)
    assert world.holds(since, lead, enrollment=inside)


def test_since_entry_means_nothing_where_there_is_no_entry(db: Database) -> None:
    world, lead = bought(db)
    assert not world.holds(Did("bought", since_entry=True), lead)


# --- the company


def test_account_fields_are_those_of_the_company_and_false_without_one(db: Database) -> None:
    world = World(db)
    account = world.account(plan="pro", size=50)
    lead, alone = world.lead(account_id=account), world.lead()
    pro = Field("account", ("plan",), (Test("is", "pro"),))
    assert world.holds(pro, lead)
    assert not world.holds(pro, alone)
    assert world.holds(Field("account", ("plan",), (Test("is_not", "pro"),)), alone)


@pytest.mark.parametrize("mine", [True, False])
def test_by_account_asks_anyone_of_the_company_and_the_lead_too(db: Database, mine: bool) -> None:
    world = staged(db)
    account = world.account()
    lead, colleague, stranger = world.lead(account_id=account), world.lead(account_id=account), world.lead()
    doer = lead if mine else colleague
    world.event(doer, "bought")
    world.stands(doer, "mql")
    world.mail(doer, clicked_at=NOW)
    world.enrollment(doer, "welcome")
    conditions: list[Condition] = [
        Did("bought", by_account=True),
        InStage(("mql",), by_account=True),
        Mailed("clicked", by_account=True),
        Enrolled("in_campaign", "welcome", by_account=True),
    ]
    for condition in conditions:
        assert world.holds(condition, lead), condition
        assert not world.holds(condition, stranger), condition


def test_by_account_without_one_is_the_lead_alone(db: Database) -> None:
    world = World(db)
    lead, other = world.lead(), world.lead()
    world.event(lead, "bought")
    assert world.holds(Did("bought", by_account=True), lead)
    assert not world.holds(Did("bought", by_account=True), other)


# --- scores

SCORES = {
    "interest": Score(
        "interest",
        rules=(
            ScoreRule(5, event="looked"),
            ScoreRule(10, condition=Tagged("vip")),
            ScoreRule(-3, condition=lead_field("country", "is", "FR")),
        ),
        half_life=length("10d"),
        at_most=50,
    ),
    "plain": Score("plain", rules=(ScoreRule(1, event="looked"),)),
}


@pytest.mark.parametrize(
    ("value", "age", "expected"),
    [(40.0, 0, 40.0), (40.0, 10, 20.0), (40.0, 20, 10.0), (0.3, 0, 0.3), (80.0, 0, 50.0), (-4.0, 10, -2.0)],
)
def test_a_score_decays_by_half_lives_and_has_a_top(db: Database, value: float, age: int, expected: float) -> None:
    world = World(db, Project(scores=SCORES))
    lead = world.lead()
    world.score(lead, "interest", value, NOW - age * DAY)
    assert world.holds(ScoreIs("interest", (Test("between", (expected, expected)),)), lead)


def test_points_of_a_condition_count_while_it_is_true(db: Database) -> None:
    world = World(db, Project(scores=SCORES))
    lead = world.lead(country="FR")
    world.score(lead, "interest", 40.0, NOW - 10 * DAY)
    assert world.holds(ScoreIs("interest", (Test("is", 17),)), lead)
    world.tag(lead, "vip")
    assert world.holds(ScoreIs("interest", (Test("is", 27),)), lead)


def test_a_score_without_half_life_does_not_decay(db: Database) -> None:
    world = World(db, Project(scores=SCORES))
    lead = world.lead()
    world.score(lead, "plain", 7.0, NOW - 900 * DAY)
    assert world.holds(ScoreIs("plain", (Test("at_least", 7),)), lead)


def test_who_has_done_nothing_has_a_score_of_nought(db: Database) -> None:
    world = World(db, Project(scores=SCORES))
    lead = world.lead()
    assert world.holds(ScoreIs("interest", (Test("less_than", 1),)), lead)
    assert world.holds(ScoreIs("gone", (Test("is", 0),)), lead)


# --- tags and segments


def test_a_tag_is_worn_or_not(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    world.tag(lead, "vip")
    assert world.holds(Tagged("vip"), lead)
    assert not world.holds(Tagged("VIP"), lead)


def test_a_segment_is_the_condition_of_that_name(db: Database) -> None:
    segments: dict[str, Condition] = {"french": lead_field("country", "is", "FR"), "rest": Not(InSegment("french"))}
    world = World(db, Project(segments=segments))
    assert world.holds(InSegment("french"), world.lead(country="FR"))
    assert world.holds(InSegment("rest"), world.lead(country="CH"))
    assert not world.holds(InSegment("gone"), world.lead())


def test_a_segment_inside_itself_holds_for_nobody(db: Database) -> None:
    world = World(db, Project(segments={"snake": AnyOf((InSegment("tail"), NO)), "tail": InSegment("snake")}))
    assert not world.holds(InSegment("snake"), world.lead())


# --- consent


@pytest.mark.parametrize("state", ["requested", "withdrawn", "expired", "objected", "none"])
def test_only_a_granted_topic_may_be_mailed(db: Database, state: str) -> None:
    world = World(db)
    lead = world.lead()
    world.consent(lead, "offers", state)
    world.consent(lead, "news")
    assert not world.holds(Consented("offers"), lead)
    assert world.holds(Consented("news"), lead)


def test_consent_that_has_run_out_is_none(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    world.consent(lead, "offers", expires_at=NOW)
    assert not world.holds(Consented("offers"), lead)
    assert world.holds(Consented("offers"), lead, as_of=NOW - timedelta(microseconds=1))


@pytest.mark.parametrize(
    ("scope", "expected"), [("all", False), ("marketing", False), ("topic:offers", False), ("topic:news", True)]
)
def test_a_suppressed_address_may_not_be_mailed(db: Database, scope: str, expected: bool) -> None:
    world = World(db)
    lead = world.lead(address_hash="h1")
    world.consent(lead, "offers")
    world.suppress("h1", scope)
    world.suppress("h2", "all")
    assert world.holds(Consented("offers"), lead) is expected


def test_a_restricted_lead_may_not_be_mailed(db: Database) -> None:
    world = World(db)
    lead = world.lead(restricted=True)
    world.consent(lead, "offers")
    assert not world.holds(Consented("offers"), lead)


@pytest.mark.parametrize(
    ("topic", "similar"),
    [
        (Topic("table", basis="soft_opt_in", similar_to="tea"), True),
        (Topic("table", basis="soft_opt_in"), True),
        (Topic("table", similar_to="tea"), True),
        (Topic("table"), False),
    ],
)
def test_c10_a_soft_opt_in_is_asked_for_as_the_gates_judge_it(db: Database, topic: Topic, similar: bool) -> None:
    world = World(db, Project(topics={"table": topic}))
    whole = Grounds("sale", "A-1", NOW - DAY, objection_offered=True)
    sales = [structs.replace(whole, kind=kind) for kind in (*KINDS, None)]
    sales += [structs.replace(whole, reference=reference) for reference in (None, "")]
    sales += [structs.replace(whole, sold_at=None), structs.replace(whole, objection_offered=False)]
    for country in ("FR", "ch", " DE", "CA", "", None):
        for sale in sales:
            lead = world.lead(country=country)
            world.consent(lead, "table", basis="soft_opt_in", **sale_columns(sale))
            expected = refusal(sale, similar, country, NOW) is None
            assert world.holds(Consented("table"), lead) is expected, (country, sale)


# --- mails


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, True),
        ({"state": "unknown", "sent_at": None}, True),  # S25: the server may have taken it
        ({"state": "pending", "sent_at": None}, False),
        ({"state": "sending", "sent_at": None}, False),
        ({"state": "failed", "sent_at": None}, False),
        ({"state": "cancelled", "sent_at": None}, False),
        ({"sent_at": NOW + DAY}, False),
        ({"kind": "test"}, False),
        ({"kind": "notice"}, False),
    ],
)
def test_s25_a_mail_is_sent_from_the_servers_word_on(db: Database, values: dict[str, Any], expected: bool) -> None:
    world = World(db)
    lead = world.lead()
    world.mail(lead, **values)
    assert world.holds(Mailed("sent"), lead) is expected
    assert world.holds(Mailed("sent", mail="hello"), lead) is expected


@pytest.mark.parametrize(
    ("what", "column"),
    [("clicked", "clicked_at"), ("opened", "opened_at"), ("bounced", "bounced_at"), ("replied", "replied_at")],
)
def test_what_happened_to_a_mail_is_known_by_its_instant(db: Database, what: Any, column: str) -> None:
    world = World(db)
    lead = world.lead()
    mail = Mailed(what, mail="hello")
    world.mail(lead, "other", **{column: NOW})
    assert not world.holds(mail, lead)
    world.mail(lead, "hello", **{column: NOW})
    assert world.holds(mail, lead)
    assert not world.holds(mail, lead, as_of=NOW - HOUR)


def test_a_mail_is_named_by_its_template_or_its_step(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    world.mail(lead, "cart/reminder", step="first")
    assert world.holds(Mailed("sent", mail="cart/reminder"), lead)
    assert world.holds(Mailed("sent", mail="first"), lead)
    assert not world.holds(Mailed("sent", mail="second"), lead)


def test_a_mail_is_of_this_enrollment_this_campaign_or_any(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    now, before = world.enrollment(lead), world.enrollment(lead, state="finished")
    world.mail(lead, enrollment_id=before, campaign="welcome")
    assert not world.holds(Mailed("sent"), lead, enrollment=now)
    assert world.holds(Mailed("sent"), lead, enrollment=before)
    assert world.holds(Mailed("sent", of="campaign", campaign="welcome"), lead, enrollment=now)
    assert not world.holds(Mailed("sent", of="campaign", campaign="other"), lead, enrollment=now)
    assert world.holds(Mailed("sent", of="all"), lead, enrollment=now)


def test_where_there_is_no_enrollment_all_mails_count(db: Database) -> None:
    project = Project(
        segments={"mailed": Mailed("sent")}, scores={"s": Score("s", rules=(ScoreRule(1, condition=Mailed("sent")),))}
    )
    world = World(db, project)
    lead = world.lead()
    now, before = world.enrollment(lead), world.enrollment(lead, state="finished")
    world.mail(lead, enrollment_id=before)
    assert world.holds(Mailed("sent"), lead)
    assert world.holds(InSegment("mailed"), lead, enrollment=now)
    assert world.holds(ScoreIs("s", (Test("is", 1),)), lead, enrollment=now)


def test_a_mail_within_a_time_is_counted_from_when_it_happened(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    world.mail(lead, sent_at=NOW - 3 * DAY, released_at=NOW - 9 * DAY)
    assert not world.holds(Mailed("sent", within=length("3d")), lead)
    assert world.holds(Mailed("sent", within=length("4d")), lead)


# --- deals


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (DealIs(), True),
        (DealIs(stages=("demo", "offer")), True),
        (DealIs(stages=("offer",)), False),
        (DealIs(pipeline="sales"), True),
        (DealIs(pipeline="other"), False),
        (DealIs(amount=(Test("at_least", 100),)), True),
        (DealIs(amount=(Test("at_least", 100), Test("less_than", 100))), False),
        (DealIs(open=True), True),
        (DealIs(open=False), True),
        (DealIs(open=False, stages=("demo",)), False),
        (Field("deal", ("owner",), (Test("is", "ann@example.com"),)), True),
        (Field("deal", ("amount",), (Test("more_than", 500),), "number"), False),
        (Field("deal", ("opened_at",), (Test("in_last", Relative(length("3d"))),), "date"), True),
        (Field("deal", ("opened_at",), (Test("in_last", Relative(length("2d"))),), "date"), False),
    ],
)
def test_a_deal_must_hold_all_of_it_itself(db: Database, condition: Condition, expected: bool) -> None:
    world = World(db)
    lead = world.lead()
    world.deal(lead, owner="ann@example.com", opened_at=NOW - 2 * DAY)
    world.deal(lead, stage="closed", outcome="lost", amount=None)
    assert world.holds(condition, lead) is expected
    assert not world.holds(condition, world.lead())


# --- other enrollments


@pytest.mark.parametrize(
    ("state", "true_for"),
    [
        ("waiting", ["in_campaign"]),
        ("parked", ["in_campaign"]),
        ("finished", ["finished"]),
        ("goal", ["reached_goal"]),
        ("exited", []),
        ("failed", []),
    ],
)
def test_other_enrollments_are_open_finished_or_at_their_goal(db: Database, state: str, true_for: list[str]) -> None:
    world = World(db)
    lead = world.lead()
    world.enrollment(lead, "other", state=state)
    kinds: list[Any] = ["in_campaign", "finished", "reached_goal"]
    assert [kind for kind in kinds if world.holds(Enrolled(kind, "other"), lead)] == true_for
    assert not any(world.holds(Enrolled(kind, "welcome"), lead) for kind in kinds)


def test_ones_own_enrollment_is_not_another(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    own = world.enrollment(lead, "welcome")
    assert not world.holds(Enrolled("in_campaign", "welcome"), lead, enrollment=own)
    world.enrollment(lead, "welcome", key="c2")
    assert world.holds(Enrolled("in_campaign", "welcome"), lead, enrollment=own)


# --- the entry and the event at hand


def test_entry_fields_are_those_of_the_event_that_opened_the_enrollment(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    event = world.event(lead, "bought", total=10)
    inside = world.enrollment(lead, entry={"total": 50})
    large = Field("entry", ("total",), (Test("at_least", 50),), "number")
    assert world.holds(large, lead, enrollment=inside)
    assert world.holds(large, lead, enrollment=inside, event=event)
    assert not world.holds(large, lead, event=event)  # what would be its entry
    assert not world.holds(large, lead)


def test_where_outside_a_did_asks_the_event_at_hand(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    small, large = world.event(lead, "bought", total=10), world.event(lead, "bought", total=50)
    tested = where("total", "at_least", 30)
    assert not world.holds(tested, lead, event=small)
    assert world.holds(tested, lead, event=large)
    assert not world.holds(tested, lead)


def test_an_event_at_hand_may_not_yet_have_its_place_in_order(db: Database) -> None:
    world = World(db)
    lead = world.lead()
    event = world.event(lead, "bought", seen=False, total=50)
    assert world.holds(where("total", "is", 50), lead, event=event)
