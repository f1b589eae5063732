"""The twenty campaigns the language was made for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nurture.campaign import plan
from nurture.campaign.condition import Did, Field, InStage, Relative
from nurture.campaign.duration import Duration
from nurture.campaign.plan import canonical, load, version
from nurture.campaign.read import Campaigns, read_campaigns, read_project

SHARED = Path(os.environ.get("NURTURE_SHARED") or Path(__file__).parents[4] / "shared") / "campaigns"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the twenty campaigns are not at {SHARED}")
FIRMS = ("saas", "shop")


def read(firm: str) -> Campaigns:
    folder = SHARED / firm
    reading = read_project(("config.yaml", (folder / "config.yaml").read_text("utf-8")))
    assert {p.code for p in reading.problems} <= {"N507"}  # they say not what their soft opt-ins are like
    files = {p.name: p.read_text("utf-8") for p in sorted(folder.glob("*.yaml")) if p.name != "config.yaml"}
    return read_campaigns(files, reading.project)


@pytest.mark.parametrize("firm", FIRMS)
def test_all_ten_compile_without_an_error(firm: str) -> None:
    found = read(firm)
    assert [str(p) for p in found.problems if p.severity == "error"] == []
    assert len(found.plans) == 10
    assert len(found.tests) == 22


@pytest.mark.parametrize("firm", FIRMS)
def test_they_warn_of_notices_to_an_owner_who_may_be_missing_and_of_clicks_that_nobody_counts(firm: str) -> None:
    """Neither firm's config.yaml names a fallback or turns tracking on."""
    assert {p.code for p in read(firm).problems} <= {"N340", "N343"}


@pytest.mark.parametrize("firm", FIRMS)
def test_a_plan_survives_its_json(firm: str) -> None:
    for compiled in read(firm).plans.values():
        assert load(canonical(compiled)) == compiled
        assert version(load(canonical(compiled))) == version(compiled)


@pytest.mark.parametrize("firm", FIRMS)
def test_every_template_has_its_place(firm: str) -> None:
    found = read(firm)
    printed = {name for compiled in found.plans.values() for name in compiled.templates()}
    assert {ref.name for ref in found.references} == printed


def test_cart_recovery_compiles_to_what_it_says() -> None:
    cart = read("shop").plans["cart-recovery"]
    assert isinstance(cart.enter, plan.EnterEvent)
    assert (cart.enter.key, cart.enter.settle) == ("cart_id", Duration(seconds=3600))
    assert cart.enter.unless == (plan.Unless("order_completed", None, "cart_id"),)
    assert cart.again == plan.Again(Duration(days=7), 3, Duration(days=90))
    assert cart.goal == plan.Goal(plan.Trigger("order_completed", None, "cart_id"), "total", "customer")
    assert [item.reason for item in cart.exits] == ["cart_emptied", "mail.replied"]
    assert [step.id for step in cart.steps] == [
        *("cart/reminder", "wait-1d", "branch", "cart/free-delivery", "cart/second-look", "wait-2d", "cart/coupon")
    ]
    branch = cart.steps[2]
    assert isinstance(branch, plan.Branch)
    assert (branch.arms, branch.otherwise, branch.next) == (((0, 3),), 4, 5)
    assert [step.next for step in cart.steps] == [1, 2, 5, 5, 5, 6, plan.END]


def test_renewal_waits_for_dates_of_the_lead() -> None:
    renewal = read("saas").plans["renewal"]
    assert renewal.enter == plan.EnterDate(
        ("renewal_date",), Duration(days=60, sign=-1), plan.ClockTime(600), False, Duration(days=30)
    )
    waits = [step.date for step in renewal.steps if isinstance(step, plan.Wait)]
    assert waits[0] == plan.DateRef("lead", ("renewal_date",), "", Duration(days=14, sign=-1), plan.ClockTime(600))


def test_cross_sell_asks_the_whole_company() -> None:
    enter = read("saas").plans["payroll-cross-sell"].enter
    assert isinstance(enter, plan.EnterMatch)
    did = next(c for c in enter.condition.items if isinstance(c, Did))  # type: ignore[union-attr]
    assert did == Did("payroll_viewed", at_least=2.0, within=Duration(days=14), by_account=True)
    exits = read("saas").plans["payroll-cross-sell"].exits
    watched = read("saas").plans["payroll-cross-sell"].conditions[exits[0].trigger.match or 0]
    assert watched == InStage(at_least="payroll-trial", by_account=True)


def test_re_permission_compares_with_an_instant_from_now() -> None:
    enter = read("shop").plans["re-permission"].enter
    assert isinstance(enter, plan.EnterMatch)
    field = next(c for c in enter.condition.items if isinstance(c, Field))  # type: ignore[union-attr]
    assert field.type == "date"
    assert field.tests[0].value == Relative(Duration(months=24, sign=-1))
