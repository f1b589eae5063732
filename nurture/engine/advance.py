"""The advancing pass: who is due, what `decide` says of them, and its writing, in batches of about a thousand.

A batch costs a constant number of queries, however many leads it holds: one for who is due, a few for facts, one
question per version and segment, a few bulk writes. A sub-pass whose effects change what a later step reads is
written, and the rest of the batch decided again on fresh facts (S19).
Enrollments are moved and their messages written in the one transaction (trust R2).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from nurture.campaign.plan import Plan, Send
from nurture.engine.competition import winners
from nurture.engine.live import Live
from nurture.engine.turn import Turn
from nurture.engine.writing import Decided, write
from nurture.journey.decide import decide
from nurture.journey.effects import Release
from nurture.journey.enrollment import Enrollment
from nurture.journey.facts import Facts
from nurture.journey.reads import route
from nurture.store import consents, enrollments, facts
from nurture.store.conditions import Row
from nurture.store.database import Transaction
from nurture.store.permissions import Permission, permit
from nurture.store.scope import Scope

BATCH = 1_000


@dataclass
class Pass:
    """What lasts over the batches of one pass: who has had a late marketing mail (S21), which templates had won when a
    version was first met in it, who was held by a mail that has not left."""

    late: set[int] = field(default_factory=set)
    behind: set[int] = field(default_factory=set)
    winners: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)


def advance_batch(tx: Transaction, live: Live, scope: Scope, ran: Pass | None = None, limit: int = BATCH) -> int:
    """Decide who is due in this scope, one enrollment of each lead; how many were decided. 0 means nobody is due."""
    due = enrollments.due(tx, scope, limit)
    first: dict[int, Enrollment] = {}
    for e in due:
        first.setdefault(e.lead, e)
    advance(tx, live, [(e, scope.of(e.lead)) for e in first.values()], ran or Pass())
    return len(first)


def wake_overtaken(tx: Transaction, ran: Pass, now: datetime) -> None:
    """Look again at those whose earlier mail left while this pass decided to hold them for it: its outcome was written
    beside the pass and could wake nobody yet. To be called in a transaction after the pass's own."""
    if ran.behind:
        behind = sorted(ran.behind)
        left = ran.behind - facts.underway(tx, behind, waiting=True)
        enrollments.wake(tx, sorted(left), "earlier mail", now)
        ran.behind.clear()


Walking = tuple[Enrollment, datetime, int]  # whom, its instant, steps done since it last stood still


def advance(tx: Transaction, live: Live, rows: Sequence[tuple[Enrollment, datetime]], ran: Pass) -> None:
    """Decide these enrollments, each at its own instant, at most one of each lead, until all stand still."""
    walking: list[Walking] = [(e, now, 0) for e, now in rows]
    while walking:
        turn = Turn(tx, live)
        live.ensure(tx, {(e.campaign, e.version) for e, _, _ in walking})
        turn.load(e.lead for e, _, _ in walking)
        decided = _decide(turn, walking, ran)
        write(turn, decided)
        turn.flush()
        ran.behind.update(d.before.id for d in decided if d.decision.after.held == "earlier mail")
        again = {d.before.id: d for d in decided if d.decision.again}
        fresh = enrollments.by_ids(tx, list(again)) if again else []
        walking = [(e, again[e.id].now, again[e.id].decision.walked) for e in fresh if e.state == "waiting"]


def _decide(turn: Turn, walking: Sequence[Walking], ran: Pass) -> list[Decided]:
    topics = {t for e, _, _ in walking for t in _topics(turn.live.plans[e.campaign, e.version])}
    people = consents.people(turn.tx, [e.lead for e, _, _ in walking])
    _judge_competitions(turn, walking, ran)
    answers = _ask(turn, walking)
    underway = facts.underway(turn.tx, [e.id for e, _, _ in walking])
    cap = turn.live.project.cap
    nth = facts.nth_releases(turn.tx, [e.lead for e, _, _ in walking], cap.at_most) if cap else {}
    decided = []
    for e, now, walked in walking:
        may = permit(turn.live.project, people[e.lead], topics, now)
        told = _facts(turn, e, may, answers.get(e.id, {}), nth.get(e.lead), e.id in underway, ran)
        decision = decide(turn.live.plans[e.campaign, e.version], e, told, now, walked)
        decided.append(Decided(e, decision, now))
        if any(isinstance(effect, Release) and effect.late for effect in decision.effects):
            ran.late.add(e.lead)
    return decided


def _judge_competitions(turn: Turn, walking: Sequence[Walking], ran: Pass) -> None:
    pairs = sorted({(e.campaign, e.version) for e, _, _ in walking} - ran.winners.keys())
    now = max(now for _, now, _ in walking)
    for pair in pairs:
        ran.winners[pair] = winners(turn.tx, turn.live, [turn.live.plans[pair]], now).get(pair[0], {})


def _topics(plan: Plan) -> set[str]:
    named = {step.topic for step in plan.steps if isinstance(step, Send) and step.topic}
    return named | ({plan.topic} if plan.topic else set())


def _facts(
    turn: Turn,
    e: Enrollment,
    may: Permission,
    answers: Mapping[int, bool],
    nth: datetime | None,
    underway: bool,
    ran: Pass,
) -> Facts:
    live = turn.live
    deployed = live.campaigns[e.campaign]
    everything = live.paused and not live.pause_spares_service
    return Facts(
        lead=turn.leads[e.lead].facts,
        project=live.project,
        answers=answers,
        permission=may.topics,
        service=may.service,
        nth_release=nth,
        mail_underway=underway,
        paused="all" if everything or deployed.stands else ("marketing" if live.paused else ""),
        late_marketing_done=e.lead in ran.late,
        test_mode=not live.reaches(turn.leads[e.lead].email),
        winners=ran.winners.get((e.campaign, e.version), {}),
    )


def _ask(turn: Turn, walking: Sequence[Walking]) -> dict[int, dict[int, bool]]:
    """The answers each enrollment may need before it stands still again: one query per version and step stood on."""
    groups: dict[tuple[str, str, str], list[tuple[Enrollment, datetime]]] = defaultdict(list)
    for e, now, _ in walking:
        groups[e.campaign, e.version, e.step].append((e, now))
    found: dict[int, dict[int, bool]] = {}
    for (campaign, version, step), group in sorted(groups.items(), key=lambda item: item[0]):
        plan = turn.live.plans[campaign, version]
        at = plan.index(step)
        if at is None:
            continue
        numbers = route(plan, turn.live.project).segment(at)
        if not numbers:
            continue
        questions = tuple(plan.conditions[n] for n in numbers)
        rows = [Row(lead=e.lead, as_of=now, zone=turn.zone(e.lead), enrollment=e.id, key=e.key) for e, now in group]
        for (e, _), answer in zip(group, turn.live.asker.ask(turn.tx, questions, rows), strict=True):
            found[e.id] = dict(zip(numbers, answer, strict=True))
    return found
