"""Arming: the instants of dates, schedules and conditions that time alone may turn, per lead, as timers.

One mechanism for everything that happens by time: the row says when to look, looking decides. An early look is
harmless, so a timer that stands is left alone until it fires.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime, timedelta

from nurture.campaign.plan import EnterDate, EnterMatch, EnterSchedule
from nurture.engine.enter import Candidate, enter, refuse
from nurture.engine.turn import Turn
from nurture.engine.writing import leave, on_grid
from nurture.journey.dates import anniversary, next_date, next_occurrence
from nurture.journey.timing import local, read_moment, shift
from nurture.store import enrollments, timers
from nurture.store.conditions import Row
from nurture.store.timers import Timer


def arm(
    turn: Turn, at: Mapping[int, datetime], campaigns: Iterable[str], *, existing: bool, keep: bool = False
) -> None:
    """Set the timers of these leads, each as of its own instant. With `existing` those for whom a `match` holds now
    enter; without it, what holds is taken as known. `keep` leaves known who was known before (S12)."""
    turn.load(at)
    for name in sorted(campaigns):
        match turn.live.plan(name).enter:
            case EnterDate() as spec:
                arm_dates(turn, at, name, spec)
            case EnterSchedule() as spec:
                arm_schedule(turn, at, name, spec)
            case EnterMatch() as spec:
                look(turn, at, name, spec, baseline=not existing, keep=keep)
            case _:
                pass


def lead_value(turn: Turn, lead: int, path: Sequence[str]) -> object:
    """An attribute of the lead by its dotted path; None where it is missing."""
    value: object = turn.leads[lead].facts.attributes
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def arm_dates(turn: Turn, at: Mapping[int, datetime], name: str, spec: EnterDate) -> None:
    """The next instant of each lead's date. One already past is not entered, unless `catch_up` covers it (S14); a
    changed date ends the enrollment that the old one opened."""
    wanted: list[Timer] = []
    gone: list[int] = []
    standing = {t.lead: t for t in timers.of_leads(turn.tx, list(at), ["date"]) if t.owner == name}
    values = {lead: lead_value(turn, lead, spec.field) for lead in at}
    entered = {(lead, e.key) for lead, es in enrollments.entries(turn.tx, name, list(at)).items() for e in es}
    for lead, now in at.items():
        known = turn.leads[lead]
        after = now - timedelta(microseconds=1)
        if spec.catch_up is not None:
            after = shift(after, spec.catch_up.negated(), known.zone)
        found = next_date(spec, values[lead], known.zone, after)
        if lead in standing and (found is None or standing[lead].key != found.key):
            gone.append(standing[lead].id)
        if found is not None:
            if found.at > now or (lead, found.key) not in entered:  # what was caught up is not caught up again
                wanted.append(Timer(lead, known.shard, "date", name, found.key, max(found.at, now), None, found.at))
        elif values[lead] is not None and not _has_entered(entered, lead, spec, values[lead], known.zone):
            refuse(turn, Candidate(name, lead, now, now, str(values[lead])), "date passed")
    timers.remove(turn.tx, gone)
    timers.put(turn.tx, wanted)
    _leave_old_dates(turn, values, at, name, spec)


def _has_entered(entered: Set[tuple[int, str]], lead: int, spec: EnterDate, value: object, zone: str) -> bool:
    moment = read_moment(value, zone)
    return moment is not None and not spec.yearly and (lead, local(moment, zone).date().isoformat()) in entered


def _leave_old_dates(
    turn: Turn, values: Mapping[int, object], at: Mapping[int, datetime], name: str, spec: EnterDate
) -> None:
    stale = [
        e
        for e in enrollments.open_in(turn.tx, name, list(values))
        if not _is_date_of(spec, e.key, values[e.lead], turn.zone(e.lead))
    ]
    leave(turn, [(e, "date changed", at[e.lead]) for e in stale])


def _is_date_of(spec: EnterDate, key: str, value: object, zone: str) -> bool:
    """Whether an enrollment with this key belongs to the date as it is now."""
    moment = read_moment(value, zone)
    if moment is None:
        return False
    day = local(moment, zone).date()
    return key == (anniversary(day, int(key[:4])) if spec.yearly and key[:4].isdigit() else day).isoformat()


def arm_schedule(turn: Turn, at: Mapping[int, datetime], name: str, spec: EnterSchedule) -> None:
    """The next occurrence in each lead's zone; a lead created after an instant is not in it (S15). What stands for an
    instant still to come that the schedule no longer has goes; one already missed stays, to enter late."""
    wanted: list[Timer] = []
    standing: dict[int, list[Timer]] = defaultdict(list)
    for t in timers.of_leads(turn.tx, list(at), ["schedule"]):
        if t.owner == name and t.due is not None and t.due > at[t.lead]:
            standing[t.lead].append(t)
    gone: list[int] = []
    for lead, now in at.items():
        known = turn.leads[lead]
        found = next_occurrence(spec, now, known.zone, turn.live.project.zone)
        if found is not None:
            wanted.append(Timer(lead, known.shard, "schedule", name, found.key, found.at))
        gone += [t.id for t in standing[lead] if found is None or t.key != found.key]
    timers.remove(turn.tx, gone)
    timers.put(turn.tx, wanted)


def look(
    turn: Turn, at: Mapping[int, datetime], name: str, spec: EnterMatch, *, baseline: bool = False, keep: bool = False
) -> None:
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
        elif not answer[0] and lead in was and not keep:
            ceased.append(lead)
        if edge is not None:
            due = on_grid(max(edge, at[lead] + timedelta(microseconds=1)), every)
            arming.append(Timer(lead, turn.leads[lead].shard, "look", name, "", due))
    if became or ceased:
        timers.set_matching(turn.tx, name, became, ceased, min(at.values()))
    timers.put(turn.tx, arming)
    if not baseline:
        enter(turn, [Candidate(name, lead, at[lead], at[lead], "") for lead in became])
