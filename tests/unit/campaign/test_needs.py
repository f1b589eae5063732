"""The smallest changes that would turn a condition."""

from __future__ import annotations

from itertools import chain, combinations

from hypothesis import given
from hypothesis import strategies as st

from nurture.campaign.condition import All, Condition, Not, Tagged
from nurture.campaign.condition import Any as AnyOf
from nurture.campaign.needs import Turn, leaves, needs

A, B, C, D = (Tagged(name) for name in "abcd")
NOBODY = dict.fromkeys((A, B, C, D), False)


def test_all_of_an_all_would_have_to_hold() -> None:
    assert needs(All((A, B)), NOBODY) == ((Turn(A, True), Turn(B, True)),)


def test_what_holds_already_is_not_asked_for() -> None:
    assert needs(All((A, B)), NOBODY | {A: True}) == ((Turn(B, True),),)


def test_any_one_of_an_any_is_enough() -> None:
    assert needs(AnyOf((A, B)), NOBODY) == ((Turn(A, True),), (Turn(B, True),))


def test_a_not_asks_for_the_opposite_of_what_it_denies() -> None:
    assert needs(Not(AnyOf((A, B))), dict.fromkeys((A, B), True)) == ((Turn(A, False), Turn(B, False)),)


def test_a_goal_that_stands_in_the_way_is_asked_not_to_hold() -> None:
    assert needs(All((A, B)), {A: True, B: True}, holds=False) == ((Turn(A, False),), (Turn(B, False),))


def test_the_shortest_way_comes_first() -> None:
    assert [len(way) for way in needs(AnyOf((All((A, B)), C)), NOBODY)] == [1, 2]


def test_a_way_that_only_adds_to_another_is_left_out() -> None:
    assert needs(AnyOf((A, All((A, B)))), NOBODY) == ((Turn(A, True),),)


def test_where_the_same_leaf_is_wanted_both_ways_there_is_no_way() -> None:
    assert needs(All((A, Not(A))), NOBODY) == ()


def test_what_holds_needs_nothing() -> None:
    assert needs(AnyOf((A, B)), NOBODY | {B: True}) == ((),)


trees = st.recursive(
    st.sampled_from((A, B, C, D)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: All(tuple(items))),
        st.lists(inner, max_size=3).map(lambda items: AnyOf(tuple(items))),
        inner.map(Not),
    ),
    max_leaves=12,
)
worlds = st.fixed_dictionaries(dict.fromkeys((A, B, C, D), st.booleans()))


def plainly(condition: Condition, world: dict[Condition, bool]) -> bool:
    match condition:
        case All(items):
            return all(plainly(item, world) for item in items)
        case AnyOf(items):
            return any(plainly(item, world) for item in items)
        case Not(item):
            return not plainly(item, world)
        case _:
            return world[condition]


@given(trees, worlds)
def test_the_ways_are_exactly_the_smallest_sets_of_leaves_that_turn_it(
    tree: Condition, world: dict[Condition, bool]
) -> None:
    known = leaves(tree)
    subsets = chain.from_iterable(combinations(known, size) for size in range(len(known) + 1))
    turning = [set(s) for s in subsets if plainly(tree, world | {leaf: not world[leaf] for leaf in s})]
    least = [one for one in turning if not any(other < one for other in turning)]
    found = [{turn.leaf for turn in way} for way in needs(tree, world)]
    assert sorted(map(sorted_names, found)) == sorted(map(sorted_names, least))
    assert all(turn.holds is not world[turn.leaf] for way in needs(tree, world) for turn in way)


def sorted_names(some: set[Condition]) -> list[str]:
    return sorted(leaf.name for leaf in some if isinstance(leaf, Tagged))
