"""The drawing of a campaign: every step once, nothing over anything else, lines that arrive."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import pytest

from nurture.campaign.flow import WIDTH, Box, Flow, lay_out
from nurture.campaign.read import read_campaigns
from nurture.campaign.spec import CampaignSpec
from nurture.cli.flow_svg import svg
from tests.unit.campaign.project import shop

BRANCHED = """
campaign: cart
topic: offers
enter: {event: cart_updated, settle: 1h, where: {total: {at_least: 30}}}
goal: {event: order_completed}
steps:
  - send: cart/reminder
  - branch:
      - if: {stage: mql}
        steps: [{wait: 1d}, {exit: enough}]
      - if: {tag: vip}
        steps:
          - wait_for: {event: order_completed, up_to: 3d}
            else: [{send: cart/a}, {split: {a: 50%, b: 50%}, arms: {a: [{tag: x}], b: [{send: cart/b}]}}]
  - repeat: {every: 1w, at_most: 4, steps: [{send: cart/again}]}
  - tag: seen
"""
CLOSED = """
campaign: closed
topic: offers
enter: {event: cart_updated}
steps:
  - branch:
      - if: {tag: vip}
        steps: [{exit: vip}]
      - else: [{exit: other}]
"""


def drawn(text: str) -> tuple[CampaignSpec, Flow]:
    found = read_campaigns({"c.yaml": text}, shop())
    errors = [str(p) for p in found.problems if p.severity == "error"]
    assert not errors, errors
    (spec,) = found.specs.values()
    return spec, lay_out(spec)


def overlap(one: Box, other: Box) -> bool:
    beside = abs(one.x - other.x) >= WIDTH
    return not (beside or one.y + one.height <= other.y or other.y + other.height <= one.y)


def test_every_step_is_drawn_once() -> None:
    spec, flow = drawn(BRANCHED)
    assert sorted(b.step for b in flow.boxes if b.step) == sorted(s.step.id for s in spec.every_step())


def test_no_box_lies_on_another() -> None:
    _, flow = drawn(BRANCHED)
    assert not [(a.title, b.title) for a, b in itertools.combinations(flow.boxes, 2) if overlap(a, b)]


def test_everything_is_inside_the_picture() -> None:
    _, flow = drawn(BRANCHED)
    assert all(WIDTH / 2 <= b.x <= flow.width - WIDTH / 2 and b.y + b.height <= flow.height for b in flow.boxes)


def test_a_line_goes_downward() -> None:
    _, flow = drawn(BRANCHED)
    assert all(line.y2 >= line.y1 for line in flow.lines)


def test_every_box_but_the_first_is_arrived_at() -> None:
    _, flow = drawn(BRANCHED)
    arrivals = {(line.x2, line.y2) for line in flow.lines if line.arrow}
    assert all((box.x, box.y) in arrivals for box in flow.boxes[1:])


def test_the_arms_say_what_leads_into_them() -> None:
    _, flow = drawn(BRANCHED)
    labels = {" ".join(line.label) for line in flow.lines if line.label}
    assert labels == {"stage: mql", "tag: vip", "else", "it came", "time over", "a 50%", "b 50%", "each time", "done"}


def test_a_campaign_whose_arms_all_end_has_no_finish() -> None:
    _, flow = drawn(CLOSED)
    assert [b.title for b in flow.boxes if b.step is None] == ["Enter"]


def test_a_drawing_is_xml_whatever_is_written_in_it() -> None:
    _, flow = drawn(BRANCHED.replace("enough", "'<b> & \"x\"'"))
    root = ElementTree.fromstring(svg(flow, '<T> & "t"', "a < b", {}))
    assert root.get("aria-label") == '<T> & "t"'


@pytest.mark.parametrize(("count", "shown"), [(0, []), (1, ["1"]), (12_345, ["12,345"])])
def test_how_many_stand_on_a_step_is_told_where_anybody_does(count: int, shown: list[str]) -> None:
    _, flow = drawn(CLOSED)
    (step,) = [b.step for b in flow.boxes if b.title == "Which holds first?"]
    assert step is not None
    root = ElementTree.fromstring(svg(flow, "t", "s", {step: count}))
    assert [e.text for e in root.iter("{http://www.w3.org/2000/svg}text") if e.get("class") == "counted"] == shown
