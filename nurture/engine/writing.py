"""Writing decisions, whoever made them: a due step, an event, an answer, a withdrawal, a deploy.

The one place where an enrollment moves or ends: its row (guarded by the revision that was read), its decisions with
their reasons, its mails cancelled (S24), its looks taken away, and its effects on the lead and the outbox.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from nurture.campaign.plan import Leave
from nurture.engine import effects
from nurture.engine.asked_of import SAW, Asked, Saw, asked_of, look
from nurture.engine.turn import Turn
from nurture.journey import happened
from nurture.journey.effects import Decision, Record
from nurture.journey.enrollment import Enrollment
from nurture.store import enrollments, outbox, timers
from nurture.store.conditions import Row
from nurture.store.timers import Timer

LOOK_EVERY = timedelta(minutes=15)  # how often relative conditions of open enrollments are asked (S5)
_CONDITIONAL = ("skipped", "branched", "ended")  # records that may rest on conditions
_EPOCH = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided about an enrollment as it was read, at that instant."""

    before: Enrollment
    decision: Decision
    now: datetime


def write(turn: Turn, decided: Sequence[Decided]) -> None:
    """Make these decisions true. Raises LostRace where another moved one of the enrollments first; nothing may be
    committed then."""
    if not decided:
        return
    turn.live.ensure(turn.tx, {(d.decision.after.campaign, d.decision.after.version) for d in decided})
    ended = {d.before.id: d for d in decided if d.decision.end is not None}
    saw = _saw(turn, decided)
    for i, d in enumerate(decided):
        for n, record in enumerate(d.decision.records):
            _record(turn, d, record, saw.get((i, n)))
        if d.decision.end is not None or d.before.state != d.decision.after.state:
            what = "ended" if d.decision.end is not None else d.decision.after.state
            turn.enrollment_changed(d.before.lead, d.before.campaign, d.now, what)
    enrollments.write(
        turn.tx,
        [d.decision.after for d in decided],
        {i: (d.decision.end, d.now) for i, d in ended.items() if d.decision.end is not None},
    )
    broken_off = {
        i: ("goal" if d.decision.end.state == "goal" else "exit")
        for i, d in ended.items()
        if d.decision.end is not None and d.decision.end.state != "finished" and not _by_step(turn, d)
    }
    outbox.cancel(turn.tx, broken_off)
    timers.remove_looks(turn.tx, {i: d.before.lead for i, d in ended.items()})
    effects.apply(turn, [(d.before, e, d.now) for d in decided for e in d.decision.effects])
    standing = [d for d in decided if d.decision.watching and not d.decision.again]
    arm_looks(turn, [(d.decision.after, d.decision.watching, d.now) for d in standing])


def _by_step(turn: Turn, d: Decided) -> bool:
    """Whether an `exit` step ended it: what the steps before it released goes out."""
    after = d.decision.after
    return isinstance(happened.standing(turn.live.plans[after.campaign, after.version], after), Leave)


def leave(turn: Turn, leaving: Sequence[tuple[Enrollment, str, datetime]]) -> None:
    """These leave for a reason of the engine's own; those already ended are left alone."""
    found = [(e, happened.left(e, reason), now) for e, reason, now in leaving]
    write(turn, [Decided(e, decision, now) for e, decision, now in found if decision is not None])


def _saw(turn: Turn, decided: Sequence[Decided]) -> dict[tuple[int, int], Saw]:
    """What the conditions behind these records saw, by the place of the decision and of the record in it."""
    known: dict[tuple[str | None, ...], tuple[Asked, ...]] = {}
    found = []
    for i, d in enumerate(decided):
        after = d.decision.after
        for n, record in enumerate(d.decision.records):
            if record.what not in _CONDITIONAL:
                continue
            reason = _reason(d, record)
            mark = (after.campaign, after.version, record.what, reason, record.step, record.detail)
            if mark not in known:
                plan = turn.live.plans[after.campaign, after.version]
                known[mark] = asked_of(plan, record.what, reason, record.step, record.detail)
            if known[mark]:
                found.append((i, n, mark))
    turn.load(decided[i].before.lead for i, _, _ in found)
    questions = [(mark, known[mark], _row(turn, decided[i])) for i, _, mark in found]
    return dict(zip([(i, n) for i, n, _ in found], look(turn, questions), strict=True))


def _row(turn: Turn, d: Decided) -> Row:
    e = d.before
    return Row(lead=e.lead, as_of=d.now, zone=turn.zone(e.lead), enrollment=e.id, key=e.key)


def _reason(d: Decided, record: Record) -> str | None:
    end = d.decision.end
    return outcome(end.state, end.reason) if record.what == "ended" and end is not None else record.reason


def _record(turn: Turn, d: Decided, record: Record, saw: Saw | None) -> None:
    end = d.decision.end
    inputs = record.stored()
    if record.what == "ended" and end is not None and end.revenue is not None:
        inputs |= {"value": end.revenue, "currency": end.currency}
    if saw is not None:
        inputs[SAW] = saw
    turn.record(
        d.before.lead,
        d.before.campaign,
        d.now,
        record.what,
        _reason(d, record),
        enrollment=d.before.id,
        version=d.decision.after.version,
        step=record.step,
        inputs=inputs or None,
    )


def outcome(state: str, reason: str | None) -> str:
    """The end in the words of the campaign language: finished, goal, exit(reason), failed(reason)."""
    match state:
        case "exited":
            return f"exit({reason})"
        case "failed":
            return f"failed({reason})"
        case _:
            return state


def on_grid(instant: datetime, every: timedelta) -> datetime:
    """The next multiple of `every` (counted from 2000-01-01 UTC) that is not before the instant."""
    steps, rest = divmod(instant - _EPOCH, every)
    return instant if not rest else _EPOCH + (steps + 1) * every


def arm_looks(turn: Turn, standing: Sequence[tuple[Enrollment, Sequence[int], datetime]]) -> None:
    """Where time alone may turn a goal, an exit or a match waited for, look again then. Of each enrollment the
    conditions it watches, by index, and the instant as of which to ask."""
    groups: dict[tuple[str, str, tuple[int, ...]], list[tuple[Enrollment, datetime]]] = defaultdict(list)
    for e, watching, now in standing:
        plan = turn.live.plans[e.campaign, e.version]
        relative = tuple(n for n in watching if "time" in turn.live.reads(plan.conditions[n]))
        if relative:
            groups[e.campaign, e.version, relative].append((e, now))
    wanted = []
    for (campaign, version, numbers), group in sorted(groups.items(), key=lambda item: item[0]):
        plan = turn.live.plans[campaign, version]
        rows = [Row(lead=e.lead, as_of=now, zone=turn.zone(e.lead), enrollment=e.id, key=e.key) for e, now in group]
        asked = turn.live.asker.ask_edges(turn.tx, [plan.conditions[n] for n in numbers], rows)
        for (e, now), (_, edge) in zip(group, asked, strict=True):
            if edge is not None:
                due = on_grid(max(edge, now + timedelta(microseconds=1)), LOOK_EVERY)
                wanted.append(Timer(e.lead, e.shard, "look", f"enrollment:{e.id}", "", due))
    timers.put(turn.tx, wanted)
