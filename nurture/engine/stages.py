"""The one place that moves a lead's stage, whoever asks: a rule, a campaign, the API, a person."""

from __future__ import annotations

from datetime import datetime

from nurture.engine.turn import Turn
from nurture.funnel.stages import Allowed, MoveRefused, judge_move


def move(
    turn: Turn,
    lead: int,
    to: str,
    *,
    at: datetime,
    cause: str,
    reason: str | None = None,
    enrollment: int | None = None,
) -> Allowed | MoveRefused:
    """Move the lead if the funnel's rules allow it: state, history and the event `stage.entered` in one go.

    `cause` is rule, campaign, api or person. A refusal changes nothing and says why. Moving to where the lead stands
    is refused too, and is no entering (S13).
    """
    facts = turn.leads[lead]
    verdict = judge_move(turn.live.project, facts.stages, to, reason)
    if isinstance(verdict, MoveRefused):
        return verdict
    turn.move(
        {
            "lead_id": lead,
            "funnel": verdict.funnel,
            "from_stage": verdict.origin,
            "to_stage": to,
            "at": at,
            "cause": cause,
            "reason": reason,
            "enrollment_id": enrollment,
        }
    )
    facts.stages[verdict.funnel] = to
    turn.touch(lead, "stage")
    turn.emit(
        lead,
        "stage.entered",
        at,
        {"stage": to, "funnel": verdict.funnel, "from": verdict.origin, "cause": cause, "reason": reason},
    )
    return verdict
