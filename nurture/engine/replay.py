"""Playing a campaign for leads on a throw-away stage, and what came of it as figures and a timeline (S34, S35)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from nurture.campaign.plan import Plan, Send
from nurture.campaign.project import Project
from nurture.engine.rehearse import Rehearsal, Scripted
from nurture.engine.writing import outcome
from nurture.journey.timing import local
from nurture.store import timeline
from nurture.store.casting import Cast
from nurture.store.timeline import Line

AFTER = timedelta(days=400)  # how long the clock runs on after the last event where nobody says until when


@dataclass(frozen=True)
class Outcome:
    """`sent` by template, the others by reason. `lines` is all that was decided, in order; `names` the leads'.

    `sends` are mails a day, (day, template, how many), days as they are in the project's zone. `funnel` has the stages
    in order, of all funnels.
    """

    entered: int
    not_entered: dict[str, int]
    sent: dict[str, int]
    refused: dict[str, int]
    ended: dict[str, int]
    lines: list[Line]
    names: dict[int, str] = field(default_factory=dict)
    sends: list[tuple[date, str, int]] = field(default_factory=list)
    funnel: list[InStage] = field(default_factory=list)
    script: Sequence[Scripted] = ()
    start: datetime | None = None
    until: datetime | None = None

    @property
    def days(self) -> list[date]:
        """Every day from the first send to the last; none where nothing was sent."""
        sent = [day for day, _, _ in self.sends]
        return [min(sent) + timedelta(days=n) for n in range((max(sent) - min(sent)).days + 1)] if sent else []


@dataclass(frozen=True, slots=True)
class InStage:
    """How many leads stood in a stage `before` and `after`, how many `entered` it meanwhile, and how many of those
    moves the campaign itself made (`moved`)."""

    stage: str
    before: int
    after: int
    entered: int
    moved: int


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
    script = list(script)
    with Rehearsal(project, {plan.campaign: plan}, start, answers=answers or {}) as stage:
        stage.play(cast, script, until, progress)
        return outcome_of(stage, plan, dict(zip(stage.leads, names, strict=True)), script, until)


def outcome_of(
    stage: Rehearsal, plan: Plan, names: dict[int, str], script: Sequence[Scripted], until: datetime
) -> Outcome:
    """What came of this campaign on a stage that has played until then."""
    with stage.database.read() as tx:
        lines = [line for line in timeline.lines(tx) if line.campaign == plan.campaign]
        sent = [m for m in timeline.left(tx, plan.campaign) if m.kind == "mail" and m.state in ("sent", "unknown")]
        ends = [outcome(state, reason) for _, state, reason, _ in timeline.ends(tx, plan.campaign)]
        moves = timeline.moves(tx)
        standing = timeline.standing_now(tx)
    sends = {step.id for step in plan.steps if isinstance(step, Send)}
    days = Counter((local(m.at, stage.project.zone).date(), m.template or "") for m in sent)
    return Outcome(
        entered=sum(line.what == "entered" for line in lines),
        not_entered=_count(line.reason for line in lines if line.what == "not_entered"),
        sent=_count(m.template for m in sent),
        refused=_count(line.reason for line in lines if kept_back(line, sends)),
        ended=_count(end for end in ends if end not in _OPEN),
        lines=lines,
        names=names,
        sends=[(day, template, count) for (day, template), count in sorted(days.items())],
        funnel=_funnel(stage.project, plan.campaign, standing, moves),
        script=script,
        start=stage.start,
        until=until,
    )


def _funnel(
    project: Project, campaign: str, standing: Mapping[str, int], moves: Sequence[tuple[str | None, str, str | None]]
) -> list[InStage]:
    """Stages that anybody stood in or came to; (origin, stage, campaign) are the moves."""
    left = Counter(origin for origin, _, _ in moves)
    entered = Counter(stage for _, stage, _ in moves)
    mine = Counter(stage for _, stage, by in moves if by == campaign)
    found = []
    for stage in [name for funnel in project.funnels.values() for name in funnel.names()]:
        after = standing.get(stage, 0)
        one = InStage(stage, after + left[stage] - entered[stage], after, entered[stage], mine[stage])
        if one.before or one.after or one.entered:
            found.append(one)
    return found


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
