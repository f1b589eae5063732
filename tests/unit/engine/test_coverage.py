"""Which steps and arms tests went through, and which not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from nurture.campaign.project import Project
from nurture.campaign.read import read_campaigns
from nurture.campaign.spec import CampaignSpec
from nurture.engine.coverage import count, gaps, missed, reached
from nurture.store.timeline import Line

TEXT = """\
campaign: c
enter: {manual: true}
steps:
  - branch:
      - if: {tag: a}
        steps: [{tag: one}]
      - else: [{tag: two}]
  - split: {left: 50%, right: 50%}
    arms: {left: [{tag: three}], right: [{tag: four}]}
  - wait_for: {event: stage.entered, up_to: 1d}
    then: [{tag: five}]
"""


def spec() -> CampaignSpec:
    read = read_campaigns({"c.yaml": TEXT}, Project())
    assert not read.problems, [str(problem) for problem in read.problems]
    return read.specs["c"]


def line(what: str, step: str, detail: str | None = None, reason: str | None = None) -> Line:
    inputs: dict[str, Any] = {}
    return Line(datetime(2026, 3, 2, tzinfo=UTC), 1, what, reason, detail, "c", step, 1, inputs)


def test_an_arm_that_was_taken_is_reached_and_its_brother_is_not() -> None:
    through = reached([line("branched", "branch", "1"), line("tagged", "tag-one")])
    assert "else" in " ".join(map(str, gaps(spec(), through)))
    assert "branch/1" in through


def test_a_step_whose_if_said_no_was_not_reached() -> None:
    assert reached([line("skipped", "x", reason="if")]) == frozenset()


def test_a_step_that_was_too_late_was_reached() -> None:
    assert reached([line("skipped", "x", reason="late")]) == {"x"}


def test_what_lies_inside_an_arm_not_taken_is_not_listed_besides() -> None:
    found = [str(gap) for gap in gaps(spec(), reached([line("branched", "branch", "1"), line("tagged", "one")]))]
    assert "'else' of 'branch'" in found
    assert not any("two" in text for text in found)


def test_nothing_reached_misses_all() -> None:
    assert missed(spec(), frozenset()) == count(spec())


def test_both_ends_of_a_wait_are_places_to_reach() -> None:
    through = reached([line("waiting", "wait_for"), line("came", "wait_for")])
    names = {step.step.id for step in spec().every_step()}
    wait = next(name for name in names if name.startswith("wait"))
    through |= reached([line("waiting", wait), line("came", wait)])
    assert f"'else' of '{wait}'" in [str(gap) for gap in gaps(spec(), through)]
