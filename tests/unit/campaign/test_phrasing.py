"""A condition read from a file and phrased again is the same condition."""

from __future__ import annotations

import pytest

from nurture.campaign.phrasing import phrase
from nurture.campaign.read import read_campaign, read_project

CONFIG = """\
project: acme
funnel: {stages: [lead, mql, customer]}
pipelines: {sales: {stages: [demo, quote], won: [signed], lost: [price]}}
scores: {interest: {rules: [{event: order, points: 5}]}}
topics: {offers: {title: {en: O}, wording: {en: Yes}}}
attributes: {plan: text, seats: number, since: date}
account_attributes: {size: number}
segments: {warm: {tag: vip}}
events: {order: {total: number, items: [{sku: text}]}}
"""
CONDITIONS = [
    "stage: mql",
    "stage: [lead, mql]",
    "stage: {at_least: mql, before: customer}, in_stage_for: {at_least: 14d}",
    "lead: {plan: {starts_with: pro}}, tag: vip",
    "lead: {seats: {between: [2, 10]}}",
    "lead: {since: {in_last: 30d}}",
    "any: [{tag: a}, {not: {tag: b}}]",
    "all: [{tag: a}, {tag: b}]",
    "did: {event: order}",
    "did: {event: order, where: {total: {at_least: 50}}, at_least: 2, within: 30d}",
    "did_not: {event: order, within: 90d}",
    "did: {event: order, where: {items: {any: {sku: x1}}}, by: account}",
    "account: {size: {more_than: 5}}",
    "score: {interest: {at_least: 40}}",
    "segment: warm, consent: offers",
    "deal: {stage: demo, open: true}",
    "in_campaign: other",
]


def read(condition: str) -> object:
    project = read_project(("config.yaml", CONFIG)).project
    text = f"campaign: c\nenter: {{manual: true}}\nsteps:\n  - tag: x\n    if: {{{condition}}}\n"
    reading = read_campaign("c.yaml", text, project)
    assert reading.plan is not None, [str(problem) for problem in reading.problems]
    return reading.plan.conditions[0]


@pytest.mark.parametrize("written", CONDITIONS)
def test_a_condition_is_phrased_as_it_can_be_written(written: str) -> None:
    condition = read(written)
    assert read(phrase(condition)) == condition  # type: ignore[arg-type]
