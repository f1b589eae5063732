"""What every rule says of itself is true: it finds its own code in one example and nothing in the other."""

from __future__ import annotations

import pytest

from nurture.campaign.problems import Problem
from nurture.campaign.read import read_campaigns, read_project
from nurture.campaign.rules import rules
from nurture.campaign.rules.rule import EXAMPLE_CONFIG, EXAMPLE_TODAY, Rule


def found(rule: Rule, files: tuple[str, ...]) -> list[Problem]:
    reading = read_project(("config.yaml", EXAMPLE_CONFIG + rule.config))
    assert reading.problems == []
    texts = {f"campaigns/{text.split()[1]}.yaml": text for text in files}
    return read_campaigns(texts, reading.project, today=EXAMPLE_TODAY).problems


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)
def test_a_rule_finds_its_own_code_in_the_example_that_fails(rule: Rule) -> None:
    assert {(p.code, p.severity) for p in found(rule, rule.fails)} == {(rule.code, rule.severity)}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)
def test_no_rule_finds_anything_in_an_example_that_passes(rule: Rule) -> None:
    assert [str(p) for p in found(rule, rule.passes)] == []


def test_no_two_rules_have_one_code() -> None:
    codes = [rule.code for rule in rules()]
    assert len(codes) == len(set(codes))
