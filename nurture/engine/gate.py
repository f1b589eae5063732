"""The wire gate: asked in the transaction just before MAIL FROM (campaigns.md §6).

Goal and exit, consent, suppression, jurisdiction again: these cancel. The window again: a retry at night waits for the
morning. Then what is not about the lead: an address outside the allow-list cancels (trust R18), a closed way and a
limit make it wait (trust E15, E17, R19). What may go has its attempt row when this commits
(trust R1, R3).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress

import msgspec

from nurture.campaign.window import Window
from nurture.engine.barred import Held, barred
from nurture.engine.confirming import mark_of
from nurture.engine.limits import keep_back
from nurture.engine.turn import Turn
from nurture.journey.reads import ends
from nurture.journey.timing import next_open
from nurture.lead.address import canonical_address
from nurture.lead.permission import OK, judge_confirmation, judge_service
from nurture.mail.warming import WarmUp
from nurture.store import closures, consents, enrollments, outbox
from nurture.store.closures import Closure, Way
from nurture.store.conditions import Row
from nurture.store.consents import Person
from nurture.store.identities import present_lead
from nurture.store.outbox import CONFIRM, MAIL, RIGHT, Claimed, Launch
from nurture.store.permissions import permit

ERASED = "erased"  # nothing more is written down about them
TEST_MODE = "test mode"  # as the release gate calls it (campaigns.md §6)
NEW_ADDRESS = "new address"


@dataclass
class Outside:
    """What the wire gate asks about the world and not about the lead. `server` names the mail server's settings;
    `launched` are messages that have passed the gate before, while they waited for a connection; `standing` is told
    which ways were closed when it was asked last."""

    server: str = ""
    warm_up: WarmUp | None = None
    launched: set[int] = field(default_factory=set)
    standing: dict[Way, Closure] = field(default_factory=dict)


def pass_gate(
    turn: Turn,
    claimed: Sequence[Claimed],
    launches: Mapping[int, Launch],
    worker: str,
    now: datetime,
    machine: datetime,
    outside: Outside | None = None,
) -> set[int]:
    """The ids that may go on the wire now, each with its attempt row; the others are cancelled or held."""
    held = _refused(turn, claimed, launches, now)
    stopped = {h.message.id for h in held}  # among them those of leads that are gone: nothing more is known of them
    rest = [m for m in claimed if m.id not in stopped]
    held += [*_ended(turn, rest, now), *_closed(turn, rest, now)]
    if outside is not None:
        held = _outside(turn, claimed, launches, outside, held, now, machine)
    stopped = {h.message.id for h in held}
    outbox.hold(turn.tx, [(h.message.id, h.message.fence, h.until, h.reason) for h in held])
    for h in held:
        m = h.message
        if m.lead is not None and m.campaign is not None and h.reason != ERASED:
            what = "refused" if h.until is None else "deferred"
            turn.record(
                m.lead,
                m.campaign,
                now,
                what,
                h.reason,
                enrollment=m.enrollment,
                version=m.version,
                step=m.step,
                inputs={"detail": m.template, "at": "wire"},
            )
    turn.flush()
    going = [launches[m.id] for m in claimed if m.id not in stopped]
    return outbox.launch(turn.tx, going, worker, machine)


def _outside(
    turn: Turn,
    claimed: Sequence[Claimed],
    launches: Mapping[int, Launch],
    outside: Outside,
    held: list[Held],
    now: datetime,
    machine: datetime,
) -> list[Held]:
    """With what the world holds back of the rest; where nothing does, it counts as leaving."""
    stopped = {h.message.id for h in held}
    rest = [m for m in claimed if m.id not in stopped]
    outside.standing = closures.standing(turn.tx)
    held += barred(turn.tx, rest, launches, outside.server, outside.standing, now, machine)
    stopped = {h.message.id for h in held}
    fresh = [m for m in rest if m.id not in stopped and m.id not in outside.launched]
    held += keep_back(turn, fresh, outside.warm_up, now, machine)
    outside.launched |= {m.id for m in fresh} - {h.message.id for h in held}
    return held


def _refused(turn: Turn, claimed: Sequence[Claimed], launches: Mapping[int, Launch], now: datetime) -> list[Held]:
    found = [Held(m, TEST_MODE) for m in claimed if m.recipient is not None and not turn.live.reaches(m.recipient)]
    to_leads = [(m, m.lead) for m in claimed if m.lead is not None and m.kind in (MAIL, CONFIRM, RIGHT)]
    people = consents.people(turn.tx, [lead for _, lead in to_leads])
    for m, lead in to_leads:
        person = people.get(lead)
        if person is None:
            # One who went into another lead is still there: the mail is printed anew for who they are now (S27).
            merged = present_lead(turn.tx, lead) is not None
            found.append(Held(m, "merged", now) if merged else Held(m, ERASED))
            continue
        verdict = _verdict(turn, m, person, now)
        if verdict == OK and not turn.live.reaches(person.email):
            verdict = TEST_MODE
        if verdict != OK:
            found.append(Held(m, verdict))
        elif person.email is not None and _moved(person.email, launches[m.id].recipient):
            found.append(Held(m, NEW_ADDRESS, now))  # printed for the one before, and not begun: printed anew (S29)
    return found


def _verdict(turn: Turn, m: Claimed, person: Person, now: datetime) -> str:
    """`ok` or why this person may not get it now."""
    if m.kind == CONFIRM:
        asked_for = any(c.state == "requested" for c in person.consents.values() if c.topic in m.options["topics"])
        verdict = judge_confirmation(person.email is not None, person.restricted, person.scopes, asked_for)
        if verdict == OK and m.options["mailbox"] != mark_of(person.address_hash or ""):
            return NEW_ADDRESS  # the one that was asked for there goes, and is counted there (trust X18)
        return verdict
    if m.kind == RIGHT:  # whose data may not be used must still be answered (GDPR 15, 18)
        return judge_service(person.email is not None, False, person.scopes)
    if m.service or m.topic is None:
        return permit(turn.live.project, person, (), now).service
    return permit(turn.live.project, person, [m.topic], now).topics[m.topic]


def _moved(email: str, printed: str) -> bool:
    return bool(printed) and canonical_address(email) != canonical_address(printed)


def _ended(turn: Turn, claimed: Sequence[Claimed], now: datetime) -> list[Held]:
    """Goals and exits by `match` that hold now; those by an event have cancelled the message already."""
    groups: dict[tuple[str, str], list[tuple[Claimed, int, int]]] = defaultdict(list)
    for m in claimed:
        if m.kind == MAIL and m.lead is not None and m.enrollment is not None and m.campaign and m.version:
            groups[m.campaign, m.version].append((m, m.lead, m.enrollment))
    found = []
    turn.live.ensure(turn.tx, groups)
    for pair, group in sorted(groups.items()):
        plan = turn.live.plans[pair]
        numbers = ends(plan)
        if not numbers:
            continue
        turn.load(lead for _, lead, _ in group)
        open_ = {e.id for e in enrollments.by_ids(turn.tx, [e for _, _, e in group]) if e.open}
        asked = [(m, Row(lead, now, turn.zone(lead), enrollment=e)) for m, lead, e in group if e in open_]
        answers = turn.live.asker.ask(turn.tx, [plan.conditions[n] for n in numbers], [row for _, row in asked])
        goal = plan.goal.trigger.match if plan.goal else None
        for (m, _), answer in zip(asked, answers, strict=True):
            holding = set(compress(numbers, answer))
            if holding:
                found.append(Held(m, "goal" if goal in holding else "exit"))
    return found


def _closed(turn: Turn, claimed: Sequence[Claimed], now: datetime) -> list[Held]:
    """Windows that are closed now: released in the day, retried in the night."""
    found = []
    with_window = [(m, m.lead) for m in claimed if m.lead is not None and m.options.get("window")]
    turn.load(lead for _, lead in with_window)
    for m, lead in with_window:
        window = msgspec.convert(m.options["window"], Window)
        opens = next_open(window, now, turn.zone(lead), turn.live.project)
        if opens > now:
            found.append(Held(m, "window", opens))
    return found
