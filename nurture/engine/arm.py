"""Arming: the instants of dates, schedules and conditions that time alone may turn, per lead, as timers.

One mechanism for everything that happens by time: the row says when to look, looking decides. An early look is
harmless, so a timer that stands is left alone until it fires.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from nurture.campaign.plan import EnterDate, EnterMatch, EnterSchedule
from nurture.engine.ending import Ending, end
from nurture.engine.enter import Candidate, enter
from nurture.engine.turn import Turn
from nurture.journey.dates import is_date_of, next_date, next_occurrence
from nurture.journey.decide import lead_value
from nurture.journey.timing import shift
from nurture.store import enrollments, timers
from nurture.store.conditions import Row
from nurture.store.timers import Timer

_EPOCH = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def on_grid(instant: datetime, every: timedelta) -> datetime:
    """The next multiple of `every` (counted from 2000-01-01 UTC) that is not before the instant."""
    steps, rest = divmod(instant - _EPOCH, every)
    return instant if not rest else _EPOCH + (steps + 1) * every


def arm(turn: Turn, lead_ids: Sequence[int], now: datetime, campaigns: Iterable[str], *, first: bool) -> None:
    """Set the timers of these leads for these campaigns. With `first` (a campaign's first deploy) those for whom a
    `match` or `stage` with `existing: enter` already holds enter; without it what holds is taken as the baseline."""
    turn.load(lead_ids)
    for name in campaigns:
        plan = turn.live.plan(name)
        match plan.enter:
            case EnterDate():
                arm_dates(turn, lead_ids, now, name, plan.enter)
            case EnterSchedule():
                arm_schedule(turn, lead_ids, now, name, plan.enter)
            case EnterMatch():
                look(turn, {lead: now for lead in lead_ids}, name, plan.enter, baseline=not (first and plan.enter.existing))
            case _:
                pass


def arm_dates(turn: Turn, lead_ids: Sequence[int], now: datetime, name: str, spec: EnterDate) -> None:
    """The next instant of the lead's date. One already past is not entered, unless `catch_up` covers it (S14); a
    changed date ends the enrollment that the old one opened."""
    wanted: list[Timer] = []
    gone: list[int] = []
    standing = {t.lead: t for t in timers.of_leads(turn.tx, lead_ids, ["date"]) if t.owner == name}
    values = {lead: lead_value(turn.leads[lead], spec.field) for lead in lead_ids}
    for lead, value in values.items():
        facts = turn.leads[lead]
        after = now - timedelta(microseconds=1)
        if spec.catch_up is not None:
            after = shift(after, spec.catch_up.negated(), facts.zone)
        found = next_date(spec, value, facts.zone, after)
        if lead in standing and (found is None or standing[lead].key != found.key or standing[lead].at != found.at):
            gone.append(standing[lead].id)
        if found is not None:
            wanted.append(Timer(lead, facts.shard, "date", name, found.key, max(found.at, now), None, found.at))
        elif value is not None:
            turn.record(lead, name, now, "not_entered", "date passed", inputs={"key": str(value)})
    timers.remove(turn.tx, gone)
    timers.put(turn.tx, wanted)
    _leave_old_dates(turn, values, now, name, spec)


def _leave_old_dates(
    turn: Turn, values: Mapping[int, object], now: datetime, name: str, spec: EnterDate
) -> None:
    stale = [
        standing
        for standing in enrollments.open_in(turn.tx, name, list(values))
        if not is_date_of(spec, standing.key, values[standing.lead], turn.zone(standing.lead))
    ]
    end(turn, [Ending(e, "exited", "date changed", now) for e in stale])


def arm_schedule(turn: Turn, lead_ids: Iterable[int], now: datetime, name: str, spec: EnterSchedule) -> None:
    """The next occurrence in the lead's zone; a lead created after an instant is not in it (S15)."""
    wanted = []
    for lead in lead_ids:
        facts = turn.leads[lead]
        found = next_occurrence(spec, now, facts.zone, turn.live.project.zone)
        if found is not None:
            wanted.append(Timer(lead, facts.shard, "schedule", name, found.key, found.at))
    timers.put(turn.tx, wanted)


def look(turn: Turn, at: dict[int, datetime], name: str, spec: EnterMatch, *, baseline: bool = False) -> None:
    """Ask a `match` for these leads, each at its own instant: false → true enters (S12). Arms the next look where time
    alone may turn the answer."""
    lead_ids = list(at)
    turn.load(lead_ids)
    turn.flush()
    rows = [Row(lead=lead, as_of=at[lead], zone=turn.zone(lead)) for lead in lead_ids]
    answers = turn.live.asker.ask_edges(turn.tx, [spec.condition], rows)
    was = timers.matching(turn.tx, name, lead_ids)
    became, ceased, arming = [], [], []
    every = timedelta(seconds=max(60, spec.every.at_least_seconds()))
    for lead, (answer, edge) in zip(lead_ids, answers, strict=True):
        if answer[0] and lead not in was:
            became.append(lead)
        elif not answer[0] and lead in was:
            ceased.append(lead)
        if edge is not None:
            due = on_grid(max(edge, at[lead] + timedelta(microseconds=1)), every)
            arming.append(Timer(lead, turn.leads[lead].shard, "look", name, "", due))
    if became or ceased:
        timers.set_matching(turn.tx, name, became, ceased, min(at.values()))
    timers.put(turn.tx, arming)
    if not baseline:
        enter(turn, [Candidate(name, lead, at[lead], at[lead], "") for lead in became])
