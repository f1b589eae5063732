"""Playing a campaign for leads on a throw-away stage, and what came of it as figures and a timeline (S34, S35)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from nurture.campaign.plan import Plan, Send
from nurture.campaign.project import Project
from nurture.engine.rehearse import Rehearsal, Scripted
from nurture.engine.writing import outcome
from nurture.store import timeline
from nurture.store.casting import Cast
from nurture.store.timeline import Line

AFTER = timedelta(days=400)  # how long the clock runs on after the last event where nobody says until when


@dataclass(frozen=True)
class Outcome:
    """`sent` by template, the others by reason. `lines` is all that was decided, in order; `names` the leads'."""

    entered: int
    not_entered: dict[str, int]
    sent: dict[str, int]
    refused: dict[str, int]
    ended: dict[str, int]
    lines: list[Line]
    names: dict[int, str] = field(default_factory=dict)


def play(
    project: Project,
    plan: Plan,
    cast: Sequence[Cast],
    script: Iterable[Scripted],
    start: datetime,
    until: datetime,
    *,
    names: Sequence[str],
    answers: Mapping[str, Any] | None = None,
    progress: Callable[[datetime], None] | None = None,
) -> Outcome:
    """What this campaign does to these leads from `start` to `until`. `names` are the leads', in the cast's order."""
    with Rehearsal(project, {plan.campaign: plan}, start, answers=answers or {}) as stage:
        stage.play(cast, script, until, progress)
        with stage.database.read() as tx:
            lines = [line for line in timeline.lines(tx) if line.campaign == plan.campaign]
            sent = [m for m in timeline.left(tx) if m.kind == "mail" and m.state in ("sent", "unknown")]
            ends = [outcome(state, reason) for _, state, reason, _ in timeline.ends(tx) if state not in _OPEN]
        leads = dict(zip(stage.leads, names, strict=True))
    sends = {step.id for step in plan.steps if isinstance(step, Send)}
    return Outcome(
        entered=sum(line.what == "entered" for line in lines),
        not_entered=_count(line.reason for line in lines if line.what == "not_entered"),
        sent=_count(m.template for m in sent),
        refused=_count(line.reason for line in lines if kept_back(line, sends)),
        ended=_count(ends),
        lines=lines,
        names=leads,
    )


_OPEN = ("waiting", "parked")


def kept_back(line: Line, sends: set[str]) -> bool:
    """A mail that was refused, or passed over for its `if` or because it was late."""
    return line.what == "refused" or (line.what == "skipped" and line.step in sends)


def _count(words: Iterable[str | None]) -> dict[str, int]:
    return dict(sorted(Counter(word or "" for word in words).items()))


_BY_REASON = ("not_entered", "refused", "skipped", "deferred", "ended")


def entry(line: Line, name: str) -> dict[str, Any]:
    """A line of the timeline as other programs read it; `detail` is the template, reason, stage… it is about."""
    detail = line.reason if line.what in _BY_REASON else line.detail or line.reason
    if line.what == "entered":
        detail = line.inputs.get("key")
    what = "sent" if line.what == "released" else line.what  # the simulator's transport takes no time (S35)
    return {"at": line.at.isoformat(), "lead": name, "what": what, "detail": detail, "step": line.step}
