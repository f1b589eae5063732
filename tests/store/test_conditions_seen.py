"""What a condition saw beside what it answered, and what would turn it, against the conditions themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from nurture.campaign.condition import (
    All,
    Condition,
    Consented,
    Did,
    Enrolled,
    Field,
    InStage,
    InStageFor,
    Not,
    ScoreIs,
    Tagged,
    Test,
)
from nurture.campaign.condition import Any as AnyOf
from nurture.campaign.duration import Duration
from nurture.campaign.needs import Turn, leaves, needs
from nurture.campaign.project import Funnel, Project, Score, Stage
from nurture.store import tables as t
from nurture.store.conditions import Asker, Row
from nurture.store.database import Database, open_database
from tests.store.people import DAY, NOW, ZONE, World

PROJECT = Project(
    funnels={"main": Funnel("main", (Stage("lead"), Stage("mql"), Stage("customer")))},
    scores={"interest": Score("interest")},
)
PLAN = Field("lead", ("plan",), (Test("is", "gold"),))


@pytest.fixture
def world(db: Database) -> World:
    return World(db, PROJECT)


def saw(world: World, condition: Condition, lead: int, **row: Any) -> str | None:
    with world.db.read() as tx:
        return Asker(PROJECT).look(tx, [condition], [Row(lead, NOW, ZONE, **row)])[0][0][1]


def test_an_attribute_was_seen_as_it_is(world: World) -> None:
    assert saw(world, PLAN, world.lead(plan="silver")) == "silver"


def test_of_a_missing_attribute_nothing_was_seen(world: World) -> None:
    assert saw(world, PLAN, world.lead()) is None


@pytest.mark.parametrize(("value", "words"), [(3, "3"), (2.5, "2.5"), (True, "true"), (["a", "b"], "a")])
def test_a_value_that_is_no_text_is_told_in_words(world: World, value: object, words: str) -> None:
    assert words in (saw(world, PLAN, world.lead(plan=value)) or "")


def test_a_property_of_the_event_at_hand_was_seen(world: World) -> None:
    lead = world.lead()
    event = world.event(lead, "cart_updated", total=20)
    assert saw(world, Field("event", ("total",), (Test("at_least", 30),)), lead, event=event) == "20"


def test_the_stage_of_the_funnel_that_was_asked_for_was_seen(world: World) -> None:
    lead = world.lead()
    world.stands(lead, "mql")
    world.stands(lead, "trial", funnel="product")
    assert saw(world, InStage(("customer",)), lead) == "mql"


def test_since_when_a_lead_stands_there_was_seen(world: World) -> None:
    lead = world.lead()
    world.stands(lead, "mql", NOW - DAY)
    assert saw(world, InStageFor(at_least=Duration(days=14)), lead) == "2026-03-09T12:00:00.000000Z"


def test_how_often_it_was_done_was_seen(world: World) -> None:
    lead = world.lead()
    for _ in range(2):
        world.event(lead, "cart_updated", total=10.5)
    assert saw(world, Did("cart_updated", at_least=3), lead) == "2"
    assert saw(world, Did("cart_updated", sum="total", at_least=50), lead) == "21"


def test_a_score_was_seen(world: World) -> None:
    lead = world.lead()
    world.score(lead, "interest", 12.5)
    assert saw(world, ScoreIs("interest", (Test("at_least", 40),)), lead) == "12.5"


def test_the_state_of_a_consent_was_seen(world: World) -> None:
    lead = world.lead()
    world.consent(lead, "offers", "withdrawn")
    assert saw(world, Consented("offers"), lead) == "withdrawn"


def test_the_state_of_another_enrollment_was_seen(world: World) -> None:
    lead = world.lead()
    world.enrollment(lead, "welcome", state="finished")
    assert saw(world, Enrolled("in_campaign", "welcome"), lead) == "finished"


def test_looking_answers_as_asking_does(world: World) -> None:
    lead = world.lead(plan="gold")
    questions = [PLAN, Not(PLAN), Tagged("vip"), All((PLAN, Tagged("vip")))]
    with world.db.read() as tx:
        asker, rows = Asker(PROJECT), [Row(lead, NOW, ZONE)]
        looked = [answer for answer, _ in asker.look(tx, questions, rows)[0]]
        assert looked == list(asker.ask(tx, questions, rows)[0]) == [True, False, False, False]


# --- what would turn it, made so


@pytest.fixture(scope="module")
def memory() -> Iterator[World]:
    database = open_database("sqlite://")
    t.metadata.create_all(database.engine)
    yield World(database, PROJECT)
    database.close()


LEAVES: dict[str, Condition] = {
    "tag": Tagged("vip"),
    "field": PLAN,
    "stage": InStage(("mql",)),
    "score": ScoreIs("interest", (Test("at_least", 40),)),
    "consent": Consented("offers"),
}
trees = st.recursive(
    st.sampled_from(list(LEAVES.values())),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda items: All(tuple(items))),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: AnyOf(tuple(items))),
        inner.map(Not),
    ),
    max_leaves=10,
)


def make_so(world: World, lead: int, turn: Turn) -> None:
    """Change the lead so that this leaf answers as it is wanted."""
    with world.db.write() as tx:
        for table in {
            Tagged: t.lead_tags,
            InStage: t.lead_stages,
            ScoreIs: t.lead_scores,
            Consented: t.consents,
        }.items():
            if isinstance(turn.leaf, table[0]):
                tx.execute(delete(table[1]).where(table[1].c.lead_id == lead))
        if turn.leaf == PLAN:
            plan = {"plan": "gold" if turn.holds else "silver"}
            tx.execute(update(t.leads).where(t.leads.c.id == lead).values(attributes=plan))
    if turn.holds:
        match turn.leaf:
            case Tagged(name):
                world.tag(lead, name)
            case InStage(names):
                world.stands(lead, names[0])
            case ScoreIs(name):
                world.score(lead, name, 40)
            case Consented(topic):
                world.consent(lead, topic)


@settings(max_examples=100, deadline=None)
@given(trees, st.fixed_dictionaries(dict.fromkeys(LEAVES, st.booleans())))
def test_whatever_is_named_makes_the_condition_hold_when_it_is_made_so(
    memory: World, tree: Condition, start: dict[str, bool]
) -> None:
    def a_lead() -> int:
        lead = memory.lead()
        for name, holds in start.items():
            make_so(memory, lead, Turn(LEAVES[name], holds))
        return lead

    asked, first = leaves(tree), a_lead()
    with memory.db.read() as tx:
        sights = Asker(PROJECT).look(tx, asked, [Row(first, NOW, ZONE)])[0]
    answers = {leaf: answer for leaf, (answer, _) in zip(asked, sights, strict=True)}
    for way in needs(tree, answers)[:3]:
        lead = a_lead()
        assert memory.holds(tree, lead) is (not way)
        for turn in way:
            make_so(memory, lead, turn)
        assert memory.holds(tree, lead)
