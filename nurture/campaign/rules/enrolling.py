"""N326: campaigns that enroll a lead into one another in a circle, without a wait between."""

from __future__ import annotations

from nurture.campaign import plan
from nurture.campaign.problems import Mark
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec, StepSpec

RULE = Rule(
    "N326",
    "error",
    "Campaigns that enroll one another in a circle without a wait.",
    fails=(
        """\
campaign: one
enter: {manual: true}
steps: [{enroll: two}]
""",
        """\
campaign: two
enter: {manual: true}
steps: [{enroll: one}]
""",
    ),
    passes=(
        """\
campaign: one
enter: {manual: true}
steps: [{enroll: two}]
""",
        """\
campaign: two
enter: {manual: true}
steps:
  - wait: 30d
  - enroll: one
""",
    ),
)

_WAITS = plan.Wait | plan.Repeat


def refuse_enroll_circles(specs: list[CampaignSpec], findings: Findings) -> None:
    at_once = {spec.name: _at_once(spec.steps)[0] for spec in specs}
    told: set[frozenset[str]] = set()
    for name in sorted(at_once):
        circle = _circle(name, at_once)
        if circle and frozenset(circle) not in told:
            told.add(frozenset(circle))
            way = " → ".join([*circle, name])
            mark = at_once[name][circle[1] if len(circle) > 1 else name]
            findings.add(
                mark, RULE.code, f"leads go in a circle without a wait: {way}", "put a 'wait' before the 'enroll'"
            )


def _at_once(steps: tuple[StepSpec, ...]) -> tuple[dict[str, Mark], bool]:
    """The campaigns these steps enroll into before any wait, and whether one may come out of them without waiting.
    A wait_for is none: its condition may hold already."""
    found: dict[str, Mark] = {}
    for step in steps:
        if isinstance(step.step, plan.EnrollIn):
            found.setdefault(step.step.campaign, step.mark)
        if isinstance(step.step, plan.Leave) and step.only_if is None:
            return found, False
        waits = isinstance(step.step, _WAITS) or (isinstance(step.step, plan.WaitFor) and _by_event(step))
        if waits and step.only_if is None:
            return found, False
        if not waits:
            for arm in step.arms:
                inner, _ = _at_once(arm.steps)
                found = {**inner, **found}
    return found, True


def _by_event(step: StepSpec) -> bool:
    return step.trigger is not None and step.trigger.event is not None


def _circle(start: str, at_once: dict[str, dict[str, Mark]]) -> list[str] | None:
    """The shortest way from a campaign back to itself."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for following in at_once.get(way[-1], {}):
            if following == start:
                return way
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return None
