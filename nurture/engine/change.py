"""One thing that would have to be different for a decision to fall otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nurture.campaign.clause import clause
from nurture.campaign.condition import Condition
from nurture.campaign.needs import needs
from nurture.campaign.phrasing import phrase


@dataclass(frozen=True, slots=True)
class Change:
    """`text` is a clause that would have to be true. `rule` is the author's own text where there is one, `saw` what was
    found instead. `at`: it comes by itself then."""

    text: str
    rule: str = ""
    saw: str | None = None
    at: datetime | None = None


Ways = tuple[tuple[Change, ...], ...]  # any one of the ways; of a way, all changes together


def one_way(*changes: Change) -> Ways:
    return (changes,) if changes else ()


def ways_to(
    condition: Condition, otherwise: bool, leaves: Sequence[Condition], sights: Sequence[Sequence[Any]]
) -> Ways:
    """The smallest changes under which the condition answers so, given what its leaves answered and saw."""
    saw = {leaf: sight[1] if len(sight) > 1 else None for leaf, sight in zip(leaves, sights, strict=True)}
    answers = {leaf: bool(sight[0]) for leaf, sight in zip(leaves, sights, strict=True)}
    found = needs(condition, answers, holds=otherwise)
    return tuple(
        tuple(Change(clause(turn.leaf, turn.holds), phrase(turn.leaf), saw[turn.leaf]) for turn in way)
        for way in found
        if way
    )
