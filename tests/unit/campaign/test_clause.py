"""A condition's leaf in words for who did not write it."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from nurture.campaign.clause import _WORDS, clause
from nurture.campaign.condition import Condition, Op
from nurture.campaign.read import read_campaign
from tests.unit.campaign.project import shop


def leaf(text: str) -> Condition:
    read = read_campaign(
        "c.yaml", f"campaign: c\nenter: {{manual: true, only_if: {text}}}\nsteps: [{{tag: x}}]\n", shop()
    )
    assert read.plan is not None, read.problems
    assert read.plan.only_if is not None
    return read.plan.only_if


@pytest.mark.parametrize(
    ("written", "words", "opposite"),
    [
        ("{lead: {country: FR}}", "country is FR", "country is not FR"),
        ("{lead: {country: [FR, DE]}}", "country is one of FR, DE", "country is none of FR, DE"),
        ("{lead: {country: {set: true}}}", "country is set", "country is not set"),
        ("{tag: vip}", "has the tag 'vip'", "does not have the tag 'vip'"),
        ("{stage: [lead, mql]}", "stands in lead or mql", "does not stand in lead or mql"),
        ("{stage: {at_least: mql}}", "stands at mql or beyond", "does not stand at mql or beyond"),
        ("{consent: offers}", "may be mailed on 'offers'", "may not be mailed on 'offers'"),
        ("{score: {interest: {at_least: 40}}}", "score interest is at least 40", "not: score interest is at least 40"),
        ("{mail: {clicked: any}}", "any mail was clicked", "no mail was clicked"),
        ("{in_stage_for: {at_least: 14d}}", "has stood there for at least 14d", "has not stood there for at least 14d"),
        (
            "{did: {event: order_completed, at_least: 2, within: 30d}}",
            "has done order_completed at least 2 times within 30d",
            "has not done order_completed at least 2 times within 30d",
        ),
    ],
)
def test_a_leaf_reads_as_a_clause_and_so_does_its_opposite(written: str, words: str, opposite: str) -> None:
    asked = leaf(written)
    assert (clause(asked), clause(asked, False)) == (words, opposite)


def test_every_test_has_its_words() -> None:
    operators: tuple[Any, ...] = get_args(Op)
    assert set(operators) == set(_WORDS)
