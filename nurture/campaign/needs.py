"""What would have to be different for a condition to hold: the smallest sets of its leaves that would have to turn.

All of an `all`, any one of an `any`, a `not` pushed down to what it denies. What a leaf saw, and what it would take, is
not known here: the answers come from whoever asked the leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from nurture.campaign.condition import All, Condition, Not
from nurture.campaign.condition import Any as AnyOf

_AT_MOST = 256  # ways looked at; a condition people write has a handful


class Turn(msgspec.Struct, frozen=True):
    """A leaf that would have to answer otherwise: `holds` is what it would have to be."""

    leaf: Condition
    holds: bool


Turns = tuple[Turn, ...]  # all of them together


def leaves(condition: Condition) -> tuple[Condition, ...]:
    """What the condition rests on, each once, in the order of reading. A segment is a leaf: the live project says what
    it means."""
    return tuple(dict.fromkeys(_leaves(condition)))


def _leaves(condition: Condition) -> Iterable[Condition]:
    match condition:
        case All(items) | AnyOf(items):
            for item in items:
                yield from _leaves(item)
        case Not(item):
            yield from _leaves(item)
        case _:
            yield condition


def needs(condition: Condition, answers: Mapping[Condition, bool], *, holds: bool = True) -> tuple[Turns, ...]:
    """The ways to make the condition hold (or not hold), the shortest first; any one of them is enough.

    `answers` are those of its leaves. `((),)` where it is so already; `()` where nothing can make it so.
    """
    ways = _ways(condition, holds, answers)
    turned = [{leaf: want for leaf, want in way.items() if answers[leaf] is not want} for way in ways]
    order = {leaf: n for n, leaf in enumerate(leaves(condition))}
    sets = [tuple(Turn(leaf, want) for leaf, want in sorted(one.items(), key=lambda i: order[i[0]])) for one in turned]
    return tuple(sorted(_least(sets), key=len))


_Way = dict[Condition, bool]  # what each leaf must answer; the others may answer as they like


def _ways(condition: Condition, want: bool, answers: Mapping[Condition, bool]) -> list[_Way]:
    match condition:
        case Not(item):
            return _ways(item, not want, answers)
        case All(items) if want:
            return _together([_ways(item, True, answers) for item in items], answers)
        case AnyOf(items) if not want:
            return _together([_ways(item, False, answers) for item in items], answers)
        case All(items) | AnyOf(items):
            return _shortest([way for item in items for way in _ways(item, want, answers)], answers)
        case _:
            return [{condition: want}]


def _together(parts: Iterable[list[_Way]], answers: Mapping[Condition, bool]) -> list[_Way]:
    """One way of each part at a time; those that want the same leaf both so and otherwise are none."""
    found: list[_Way] = [{}]
    for ways in parts:
        both = [one | other for one in found for other in ways if all(one.get(k, v) is v for k, v in other.items())]
        found = _shortest(both, answers)
    return found


def _shortest(ways: Iterable[_Way], answers: Mapping[Condition, bool]) -> list[_Way]:
    """Without those that want all that another wants, and more; the ones with the fewest turns first."""
    ordered = sorted(ways, key=lambda way: (sum(answers[k] is not v for k, v in way.items()), len(way)))
    found: list[_Way] = []
    for way in ordered:
        if not any(other.items() <= way.items() for other in found):
            found.append(way)
        if len(found) == _AT_MOST:
            break
    return found


def _least(sets: Iterable[Turns]) -> list[Turns]:
    """Without those that hold another of them."""
    found: list[Turns] = []
    for one in sorted(sets, key=len):
        if not any(set(other) <= set(one) for other in found):
            found.append(one)
    return found
