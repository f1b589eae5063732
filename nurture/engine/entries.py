"""Who may enter because of an event, a changed lead or an instant (campaigns.md §3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from nurture.campaign.condition import Condition
from nurture.campaign.plan import EnterDate, EnterEvent, EnterMatch, EnterSchedule, Unless
from nurture.engine import arm, deals
from nurture.engine.enter import Candidate, enter, key_of, refuse, refuse_by_conditions
from nurture.engine.triggers import Happened
from nurture.engine.turn import Turn
from nurture.journey.dates import next_occurrence
from nurture.journey.enrollment import key_text
from nurture.journey.timing import shift
from nurture.store import acceptance, enrollments, timers
from nurture.store.acceptance import Arrival
from nurture.store.conditions import Row
from nurture.store.timers import Timer


def react(turn: Turn, events: Sequence[Arrival], happened: Sequence[Happened]) -> None:
    """Entries that these events open, settle, cancel or renew; dates they changed; conditions they may have turned, of
    all leads that something happened to, each at its instant."""
    now = {h.lead: h.now for h in happened}
    fresh = [e for e in events if not e.fact]
    candidates: list[Candidate] = []
    for campaign, group in _by_campaign(turn.live.by_event, fresh).items():
        candidates += _repeat_or_start(turn, campaign, group, now)
    for campaign, group in _by_campaign(turn.live.by_unless, events).items():
        _cancel_quiet(turn, campaign, group, now)
    for e in fresh:
        if e.name == "stage.entered" and e.properties.get("cause") != "import":
            for campaign in turn.live.by_stage.get(str(e.properties.get("stage")), ()):
                candidates.append(_candidate(campaign, e, now[e.lead], ""))
        elif e.name == "enroll.requested":
            candidates.append(_manual(turn, str(e.properties.get("campaign")), e, now[e.lead]))
    enter(turn, candidates)
    _rearm(turn, events, now)
    _ask_matches(turn, events, happened)


def _manual(turn: Turn, campaign: str, e: Arrival, now: datetime) -> Candidate:
    spec = turn.live.plan(campaign).enter if campaign in turn.live.campaigns else None
    key = key_of(e.properties, spec.key) if isinstance(spec, EnterEvent) else ""
    return _candidate(campaign, e, now, key)


def _by_campaign(listeners: dict[str, list[str]], events: Sequence[Arrival]) -> dict[str, list[Arrival]]:
    found: dict[str, list[Arrival]] = defaultdict(list)
    for e in events:
        heard = [*listeners.get(e.name, ()), *(listeners.get("any", ()) if "." not in e.name else ())]
        for campaign in heard:
            found[campaign].append(e)
    return dict(sorted(found.items()))


def _repeat_or_start(
    turn: Turn, campaign: str, events: Sequence[Arrival], now: Mapping[int, datetime]
) -> list[Candidate]:
    plan = turn.live.plan(campaign)
    spec = plan.enter
    assert isinstance(spec, EnterEvent)
    starting = _without_repeats(turn, campaign, spec, events) if spec.key else list(events)
    if spec.settle is not None:
        _restart_quiet(turn, campaign, spec, starting, now)
        return []
    passing = _where(turn, spec.where, [(e, now[e.lead]) for e in starting])
    return [_candidate(campaign, e, at, key_of(e.properties, spec.key)) for e, at in passing]


def _candidate(campaign: str, e: Arrival, at: datetime, key: str | None) -> Candidate:
    """A lead that this event may let in, as of that instant."""
    return Candidate(campaign, e.lead, at, at, key, e.id, e.properties, e.at)


def _without_repeats(turn: Turn, campaign: str, spec: EnterEvent, events: Sequence[Arrival]) -> list[Arrival]:
    """Take out events that repeat the entry of an open enrollment: they renew its `entry` and do nothing else (S11)."""
    standing = {(e.lead, e.key): e for e in enrollments.open_in(turn.tx, campaign, sorted({e.lead for e in events}))}
    starting, renewed = [], {}
    for e in events:
        known = standing.get((e.lead, key_of(e.properties, spec.key) or ""))
        if known is None:
            starting.append(e)
        elif known.entry_at is None or e.at >= known.entry_at:
            renewed[known.id] = e.properties
            turn.record(
                e.lead, campaign, e.accepted_at, "renewed", enrollment=known.id, version=known.version, step=known.step
            )
    enrollments.renew(turn.tx, renewed)
    return starting


def _where(
    turn: Turn, where: Condition | None, events: Sequence[tuple[Arrival, datetime]]
) -> list[tuple[Arrival, datetime]]:
    if where is None or not events:
        return list(events)
    rows = [Row(lead=e.lead, as_of=at, zone=turn.zone(e.lead), event=e.id) for e, at in events]
    answers = turn.live.asker.ask(turn.tx, [where], rows)
    return [pair for pair, answer in zip(events, answers, strict=True) if answer[0]]


def _restart_quiet(
    turn: Turn, campaign: str, spec: EnterEvent, events: Sequence[Arrival], now: Mapping[int, datetime]
) -> None:
    """S6: every event restarts the quiet, an older one coming late does not."""
    assert spec.settle is not None
    standing = {
        (t.lead, t.key): t
        for t in timers.of_leads(turn.tx, sorted({e.lead for e in events}), ["settle"])
        if t.owner == campaign
    }
    closed_by = _closing_events(turn, list(standing.values()))
    wanted = []
    for e in events:
        key = key_of(e.properties, spec.key)
        if key is None:
            enters = turn.live.campaigns[campaign].enters and not turn.live.paused
            refuse(turn, _candidate(campaign, e, now[e.lead], None), "no key" if enters else "not live")
            continue
        known = standing.get((e.lead, key))
        if known is not None and known.due is None:
            by = closed_by.get(known.event or 0)
            if by is not None:
                refuse(turn, _candidate(campaign, e, now[e.lead], key), f"cancelled by {by}")
            continue
        if known is not None and known.at is not None and e.at < known.at:
            continue
        due = max(shift(e.at, spec.settle, turn.zone(e.lead)), now[e.lead])
        wanted.append(Timer(e.lead, e.shard, "settle", campaign, key, due, e.id, e.at))
    timers.put(turn.tx, wanted)


def _closing_events(turn: Turn, standing: Sequence[Timer]) -> dict[int, str]:
    """Of closed keys, the event that closed each: id → name."""
    closed = [t.event for t in standing if t.due is None and t.event is not None]
    return {id_: e.name for id_, e in acceptance.by_ids(turn.tx, closed).items()} if closed else {}


def _cancel_quiet(turn: Turn, campaign: str, events: Sequence[Arrival], now: Mapping[int, datetime]) -> None:
    """S7: with `same` the key is closed for good; without it the running quiets end. One that came too late, or by
    import, still ends what runs, and closes nothing that does not."""
    spec = turn.live.plan(campaign).enter
    assert isinstance(spec, EnterEvent)
    leads = sorted({e.lead for e in events})
    standing = [t for t in timers.of_leads(turn.tx, leads, ["settle"]) if t.owner == campaign and t.due is not None]
    closing: list[Timer] = []
    gone: dict[int, None] = {}
    for unless in spec.unless:
        heard = [(e, now[e.lead]) for e in events if _hears(unless, e.name)]
        for e, at in _where(turn, unless.where, heard):
            key = key_text(e.properties.get(unless.same)) if unless.same else None
            if unless.same and key is None:
                continue
            ended = [t for t in standing if t.lead == e.lead and (key is None or t.key == key) and t.id not in gone]
            for t in ended:
                gone[t.id] = None
                refuse(turn, _candidate(campaign, e, at, t.key), f"cancelled by {e.name}")
            if key is not None and (ended or not e.fact):
                closing.append(Timer(e.lead, e.shard, "settle", campaign, key, None, e.id))
    timers.remove(turn.tx, list(gone))
    timers.put(turn.tx, closing)


def _hears(unless: Unless, name: str) -> bool:
    return unless.event == name or (unless.event == "any" and "." not in name)


def _rearm(turn: Turn, events: Sequence[Arrival], now: Mapping[int, datetime]) -> None:
    """New leads get all their timers, changed dates are counted anew (S14)."""
    for fact in (False, True):
        created = {e.lead: now[e.lead] for e in events if e.name == "lead.created" and e.fact is fact}
        if created:
            arm.arm(turn, created, turn.live.arming, existing=not fact)
    changed = [e for e in events if e.name == "lead.changed"]
    for campaign, spec in turn.live.by_date:
        whose = {e.lead: now[e.lead] for e in changed if spec.field[0] in e.properties}
        if whose:
            arm.arm_dates(turn, whose, campaign, spec)


def _ask_matches(turn: Turn, events: Sequence[Arrival], happened: Sequence[Happened]) -> None:
    """Conditions of `match` entries that the round may have turned; what is only a fact opens nothing (S2)."""
    armed = {e.lead for e in events if e.name == "lead.created"}
    for campaign, spec in turn.live.by_match:
        reads = turn.live.reads(spec.condition)
        asked = [
            h
            for h in happened
            if h.lead not in armed and reads & turn.touched.get(h.lead, set()) and turn.swept(campaign, h.lead)
        ]
        for baseline in (False, True):
            at = {h.lead: h.now for h in asked if h.fact is baseline}
            if at:
                arm.look(turn, at, campaign, spec, baseline=baseline)


def fire(turn: Turn, fired: Sequence[Timer]) -> None:
    """Timers whose instant has come: quiets, dates, schedules, looks, lost deals to be taken up again."""
    by_owner: dict[tuple[str, str], list[Timer]] = defaultdict(list)
    for t in fired:
        if t.kind == deals.RECYCLE and t.due is not None:
            deals.recycle(turn, t, at=t.due)
        elif t.owner in turn.live.campaigns:
            by_owner[t.kind, t.owner].append(t)
    for (kind, campaign), group in sorted(by_owner.items()):
        spec = turn.live.plan(campaign).enter
        match kind, spec:
            case "settle", EnterEvent():
                _settled(turn, campaign, spec, group)
            case "date", EnterDate():
                _dated(turn, campaign, spec, group)
            case "schedule", EnterSchedule():
                _scheduled(turn, campaign, spec, group)
            case "look", EnterMatch():
                looking = {t.lead: t.due for t in group if t.due and turn.swept(campaign, t.lead)}
                arm.look(turn, looking, campaign, spec)
            case _:
                pass  # the campaign enters otherwise now: a timer belongs to no version (campaigns.md §8)


def _settled(turn: Turn, campaign: str, spec: EnterEvent, fired: Sequence[Timer]) -> None:
    last = acceptance.by_ids(turn.tx, [t.event for t in fired if t.event is not None])
    quiet = [(last[t.event], t.due) for t in fired if t.event in last and t.due is not None]
    keys = {t.event: t.key for t in fired}
    passing = _where(turn, spec.where, quiet)
    passed = {e.id for e, _ in passing}
    others = [_candidate(campaign, e, at, keys[e.id]) for e, at in quiet if e.id not in passed]
    refuse_by_conditions(turn, turn.live.plan(campaign), [(c, "condition false") for c in others])
    enter(turn, [_candidate(campaign, e, at, keys[e.id]) for e, at in passing])


def _dated(turn: Turn, campaign: str, spec: EnterDate, fired: Sequence[Timer]) -> None:
    came = {t.lead: t for t in fired if t.due is not None}
    enter(turn, [Candidate(campaign, t.lead, t.due, t.at or t.due, t.key) for t in came.values() if t.due])
    if spec.yearly:
        # What just fired does not fire again: next year's comes after it, and nothing is caught up.
        after = {lead: t.due + timedelta(microseconds=2) for lead, t in came.items() if t.due}
        arm.arm_dates(turn, after, campaign, msgspec.structs.replace(spec, catch_up=None))


def _scheduled(turn: Turn, campaign: str, spec: EnterSchedule, fired: Sequence[Timer]) -> None:
    """An occurrence enters by its own instant, however late that is noticed (S15); one that the schedule no longer has
    was moved by a deploy and is none."""
    came = [t for t in fired if t.due is not None]
    due = {
        t.id: next_occurrence(spec, t.due - timedelta(microseconds=1), turn.zone(t.lead), turn.live.project.zone)
        for t in came
        if t.due
    }
    held = [t for t in came if (found := due[t.id]) is not None and found.key == t.key]
    enter(turn, [Candidate(campaign, t.lead, t.due, t.due, t.key) for t in held if t.due])
    arm.arm_schedule(turn, {t.lead: t.due for t in came if t.due}, campaign, spec)
