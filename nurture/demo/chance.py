"""Drawing lots from seeded dice: the only source of variety in the example shop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from nurture.clock import Dice

T = TypeVar("T")


def happens(dice: Dice, share: float) -> bool:
    """True in `share` (0–1) of all throws."""
    return dice.between(0.0, 1.0) < share


def whole(dice: Dice, low: int, high: int) -> int:
    """A whole number, both ends included."""
    return min(high, int(dice.between(low, high + 1)))


def pick(dice: Dice, items: Sequence[T]) -> T:
    """One of a non-empty sequence, each as likely as the other."""
    return items[whole(dice, 0, len(items) - 1)]


def weighted(dice: Dice, shares: Mapping[T, float]) -> T:
    """A key, as likely as its share; the shares add up to 1."""
    thrown = dice.between(0.0, 1.0)
    for key, share in shares.items():
        thrown -= share
        if thrown < 0:
            return key
    return list(shares)[-1]


def span(dice: Dice, low: timedelta, high: timedelta) -> timedelta:
    """A time between two, in whole seconds."""
    return timedelta(seconds=whole(dice, int(low.total_seconds()), int(high.total_seconds())))
