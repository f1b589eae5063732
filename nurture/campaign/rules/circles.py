"""N327, N328, N329: conditions of the project that would turn in a circle.

A score rule may not test a score or a stage, a stage's `enter_if` may not test other enrollments, and a segment may
not test itself; neither by way of a segment (campaigns.md §7, S30).
"""

from __future__ import annotations

from dataclasses import dataclass

from nurture.campaign.condition import Condition, Enrolled, InSegment, InStage, InStageFor, ScoreIs, walk
from nurture.campaign.problems import Mark
from nurture.campaign.source import Findings


@dataclass(frozen=True)
class Asked:
    """A condition of the project and who asks it: a `segment`, a `stage` by enter_if, a `score` by a rule."""

    kind: str
    name: str
    mark: Mark
    condition: Condition


def refuse_circles(asked: list[Asked], findings: Findings) -> None:
    segments = {item.name: item.condition for item in asked if item.kind == "segment"}
    for item in asked:
        inside = _followed(item.condition, segments)
        match item.kind:
            case "score" if any(isinstance(c, ScoreIs | InStage | InStageFor) for c in inside):
                message = f"a rule of the score '{item.name}' tests a score or a stage"
                findings.add(item.mark, "N328", message, "scores lead to stages, so they cannot follow from them")
            case "stage" if any(isinstance(c, Enrolled) for c in inside):
                message = f"'enter_if' of the stage '{item.name}' tests other enrollments"
                findings.add(
                    item.mark, "N327", message, "campaigns follow from stages; let the campaign 'move' the lead"
                )
            case "segment" if any(isinstance(c, InSegment) and c.name == item.name for c in inside):
                findings.add(item.mark, "N329", f"the segment '{item.name}' tests itself")


def _followed(condition: Condition, segments: dict[str, Condition]) -> list[Condition]:
    """Everything a condition asks, segments followed once each."""
    found: list[Condition] = []
    seen: set[str] = set()
    queue = [condition]
    while queue:
        for inner in walk(queue.pop()):
            found.append(inner)
            if isinstance(inner, InSegment) and inner.name not in seen and inner.name in segments:
                seen.add(inner.name)
                queue.append(segments[inner.name])
    return found
