"""Decisions in words, and the rule behind them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from nurture.campaign.plan import Plan
from nurture.campaign.project import Project
from nurture.campaign.read import read_campaign, read_project
from nurture.engine.explain import _SENTENCES, told
from nurture.engine.rule_of import rule_of
from nurture.journey.effects import What
from nurture.store.timeline import Line

CONFIG = "project: acme\nfunnel: {stages: [lead, mql]}\nevents: {cart: {cart_id: text}, bought: {cart_id: text}}\n"
TEXT = """\
campaign: c
enter:
  event: cart
  key: cart_id
  settle: 1h
  unless: {event: bought, same: cart_id}
  only_if: {stage: mql}
  again: {after: 7d}
goal: {event: bought, same: cart_id}
exit: [{match: {tag: gone}, reason: left us}]
steps:
  - tag: one
    if: {tag: vip}
  - branch:
      - if: {stage: mql}
        steps: [{tag: two}]
"""


@pytest.fixture(scope="module")
def plan() -> Plan:
    project: Project = read_project(("config.yaml", CONFIG)).project
    made = read_campaign("c.yaml", TEXT, project).plan
    assert made is not None
    return made


def line(
    what: str, reason: str | None = None, step: str | None = None, detail: str | None = None, **inputs: Any
) -> Line:
    return Line(datetime(2026, 3, 2, 9, tzinfo=UTC), 1, what, reason, detail, "c", step, 1, inputs)


@pytest.mark.parametrize(
    ("what", "reason", "rule"),
    [
        ("not_entered", "condition false", "only_if: {stage: mql}"),
        ("not_entered", "no key", "key: cart_id"),
        ("not_entered", "re-entry too soon", "again: {after: 7d}"),
        ("not_entered", "cancelled by bought", "unless: {event: bought, same: cart_id}"),
        ("not_entered", "exit already true", "exit: {match: {tag: gone}}"),
        ("ended", "goal", "goal: {event: bought, same: cart_id}"),
        ("ended", "exit(left us)", "exit: {match: {tag: gone}}"),
        ("ended", "finished", ""),
    ],
)
def test_the_rule_is_the_authors_own_text(plan: Plan, what: str, reason: str, rule: str) -> None:
    assert rule_of(plan, line(what, reason)) == rule


def test_the_rule_of_a_step_passed_over_is_its_if(plan: Plan) -> None:
    assert rule_of(plan, line("skipped", "if", plan.steps[0].id)) == "if: {tag: vip}"


def test_the_rule_of_an_arm_is_its_condition(plan: Plan) -> None:
    assert rule_of(plan, line("branched", None, "branch", "1")) == "if: {stage: mql}"


@pytest.mark.parametrize(
    ("what", "reason", "step", "rule"),
    [
        ("refused", "no consent", "hello", "topic: offers"),
        ("deferred", "window", "hello", 'window: {days: [mon, tue], between: "09:00-17:00", zone: lead}'),
        ("waiting", "bought", "wait-for-bought", "wait_for: {event: bought, up_to: 3d}"),
    ],
)
def test_the_rule_of_a_mail_kept_back_and_of_a_wait_is_the_steps(what: str, reason: str, step: str, rule: str) -> None:
    text = (
        "campaign: c\ntopic: offers\nenter: {manual: true}\nwindow: {days: mon-tue, between: '09:00-17:00'}\n"
        "steps: [{send: hello}, {wait_for: {event: bought, up_to: 3d}}]"
    )
    project = read_project(("config.yaml", CONFIG + "topics: {offers: {title: Offers}}\n")).project
    plan = read_campaign("c.yaml", text, project).plan
    assert plan is not None
    assert rule_of(plan, line(what, reason, step)) == rule


def test_every_kind_of_decision_has_its_sentence() -> None:
    assert set(get_args(What)) <= set(_SENTENCES)


def test_a_deferral_says_until_when_in_the_zone_asked_for() -> None:
    found = told(line("deferred", "window", "hello", "hello", until="2026-03-03T08:00:00+00:00"), "Europe/Paris")
    assert found.text == "mail hello waits until Tue 03 Mar 2026 09:00: window"


def test_a_mail_on_time_needs_no_excuse() -> None:
    on_time = told(line("released", None, "hello", "hello", due="2026-03-02T09:00:00+00:00"), "UTC")
    late = told(line("released", None, "hello", "hello", due="2026-03-02T07:00:00+00:00"), "UTC")
    assert (on_time.why, late.why) == ("", "it was due Mon 02 Mar 2026 07:00")
