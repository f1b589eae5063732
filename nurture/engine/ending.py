"""The one place that ends enrollments, whoever asks: a goal, an exit, a withdrawal, a step, a deploy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nurture.engine.turn import Turn
from nurture.journey.enrollment import Enrollment
from nurture.store import enrollments, outbox, timers


@dataclass(frozen=True, slots=True)
class Ending:
    """`state` is finished, goal, exited or failed. `value` is revenue, in `currency`."""

    enrollment: Enrollment
    state: str
    reason: str | None
    at: datetime
    value: float | None = None
    currency: str | None = None


def end(turn: Turn, endings: Sequence[Ending]) -> int:
    """End these enrollments: state and reason kept, mails still pending or claimed cancelled (S24), timers gone, the
    decision recorded. How many were still open."""
    if not endings:
        return 0
    ended = enrollments.end(
        turn.tx, [(e.enrollment.id, e.state, e.reason, e.at, e.value, e.currency) for e in endings]
    )
    gone = [e for e in endings if e.enrollment.id in ended]
    cleared = [e.enrollment.id for e in gone if e.state != "finished"]
    outbox.cancel(turn.tx, {e.enrollment.id: _cancel_reason(e) for e in gone if e.state != "finished"})
    timers.remove_looks(turn.tx, cleared)
    for e in gone:
        turn.touch(e.enrollment.lead, "enrollment")
        turn.record(
            e.enrollment.lead,
            e.enrollment.campaign,
            e.at,
            "ended",
            outcome(e.state, e.reason),
            enrollment=e.enrollment.id,
            version=e.enrollment.version,
            step=e.enrollment.step,
            inputs={"value": e.value, "currency": e.currency} if e.value is not None else None,
        )
    return len(gone)


def outcome(state: str, reason: str | None) -> str:
    """The end in the words of the campaign language: finished, goal, exit(reason), failed(reason)."""
    match state:
        case "exited":
            return f"exit({reason})"
        case "failed":
            return f"failed({reason})"
        case _:
            return state


def _cancel_reason(e: Ending) -> str:
    return "goal" if e.state == "goal" else "exit"
