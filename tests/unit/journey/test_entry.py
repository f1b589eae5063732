"""Entering again."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from nurture.campaign.plan import Again
from nurture.journey.entry import refuse_again
from tests.unit.journey.made import MONDAY, d

DAY = timedelta(days=1)


def refused(
    again: Again | None, *days_ago: float, key_used: bool = False, keyed: bool = False, now: datetime = MONDAY
) -> str | None:
    return refuse_again(again, [now - DAY * n for n in days_ago], key_used, keyed, now, "UTC")


@pytest.mark.parametrize(
    ("keyed", "key_used", "refusal"),
    [(True, True, "re-entry limit"), (True, False, None), (False, False, "re-entry limit")],
)
def test_s10_without_again_each_key_enters_once_and_without_keys_the_lead(
    keyed: bool, key_used: bool, refusal: str | None
) -> None:
    assert refused(None, 400, keyed=keyed, key_used=key_used) == refusal


def test_s10_the_first_entry_is_never_refused() -> None:
    assert refused(Again(d("7d"), 1, d("90d"))) is None


@pytest.mark.parametrize(("ago", "refusal"), [(6.99, "re-entry too soon"), (7, None)])
def test_s10_after_counts_from_the_last_and_exactly_met_is_enough(ago: float, refusal: str | None) -> None:
    assert refused(Again(after=d("7d")), 30, ago) == refusal


def test_s10_so_many_in_a_rolling_time() -> None:
    again = Again(at_most=2, per=d("90d"))
    assert refused(again, 89, 10) == "re-entry limit"
    assert refused(again, 90, 10) is None


def test_s10_without_per_it_is_so_many_for_ever() -> None:
    assert refused(Again(at_most=2), 4000, 3000) == "re-entry limit"


def test_s10_it_counts_over_all_keys() -> None:
    assert refused(Again(after=d("7d")), 1, keyed=True, key_used=False) == "re-entry too soon"
