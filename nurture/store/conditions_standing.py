"""Where the lead stands: stages, scores, consent, deals, other enrollments, as SQL."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Alias, and_, case, false, func, literal, not_, or_, true

from nurture.campaign import condition as c
from nurture.lead.soft_opt_in import ELSEWHERE, LAWS
from nurture.store import tables as t
from nurture.store.conditions_edges import DECAY_POLL, Crossing, Poll
from nurture.store.conditions_frame import Context, Frame
from nurture.store.conditions_tests import NOW
from nurture.store.conditions_values import Sql, number_column, text_of

OPEN = ("waiting", "parked")


def stages(frame: Frame, condition: c.InStage) -> tuple[str, ...]:
    """The stages meant: those named, and the range of the funnel that its ends belong to."""
    end = condition.at_least or condition.before
    if end is None:
        return condition.names
    funnel = frame.project.funnel_of(end)
    if funnel is None:
        return condition.names
    names = funnel.names()
    first = names.index(condition.at_least) if condition.at_least in names else 0
    last = len(names)
    if condition.before is not None:
        last = names.index(condition.before) if condition.before in names else 0
    return (*condition.names, *names[first:last])


def in_stage(frame: Frame, condition: c.InStage) -> Sql:
    """Who has not come to the funnel yet stands before all of its stages, and in none of them."""
    stage = frame.alias(t.lead_stages)
    source, mine = frame.of_lead(stage, condition.by_account)
    there = frame.exists(source, *mine, stage.c.stage.in_(stages(frame, condition)))
    if condition.before is None or condition.at_least is not None or condition.by_account:
        return there
    funnel = frame.project.funnel_of(condition.before)
    if funnel is None:
        return there
    other = frame.alias(t.lead_stages)
    anywhere = frame.exists(other, other.c.lead_id == frame.lead.c.id, other.c.stage.in_(funnel.names()))
    return or_(there, not_(anywhere))


def in_stage_for(frame: Frame, condition: c.InStageFor) -> Sql:
    stage = frame.alias(t.lead_stages)
    mine = [stage.c.lead_id == frame.lead.c.id]
    if condition.beside is not None:
        mine.append(stage.c.stage.in_(stages(frame, condition.beside)))
    tests = []
    bounds = (
        # since <= t - 14d turns true when t - 14d comes to it, since < t - 14d when it goes past it.
        (condition.at_least, "__le__", False),
        (condition.more_than, "__lt__", True),
        (condition.at_most, "__ge__", True),
        (condition.less_than, "__gt__", False),
    )
    for length, compare, strict in bounds:
        if length is not None:
            back = length.negated()
            tests.append(getattr(stage.c.since, compare)(frame.tester.columns.need(back, "at")))
            _stage_edges(frame, stage, mine, Crossing(back, strict))
    return frame.exists(stage, *mine, *tests)


def _stage_edges(frame: Frame, stage: Alias, mine: list[Sql], edge: Crossing) -> None:
    """One per funnel: a lead stands in at most one stage of each."""
    for funnel in frame.project.funnels:
        since = frame.one(func.min(stage.c.since), stage, [*mine, stage.c.funnel == text_of(funnel)])
        frame.tester.edges.append((since, edge))


def score(frame: Frame, name: str, at: Context) -> Sql:
    """The part from events, decayed to the row's instant, and the points of conditions while they hold."""
    score = frame.project.scores.get(name)
    if score is None:
        return literal(0.0)
    dialect, s = frame.tester.dialect, frame.alias(t.lead_scores)
    mine = [s.c.lead_id == frame.lead.c.id, s.c.score == text_of(name)]
    value: Sql = s.c.value
    if score.half_life_s:
        seconds = dialect.seconds(s.c.at, frame.as_of())
        value = dialect.halved(value, seconds, score.half_life_s)
        frame.tester.edges.append((frame.one(func.count(), s, [*mine, s.c.value != 0]), Poll(DECAY_POLL)))
    total: Sql = func.coalesce(frame.one(func.max(value), s, mine), 0.0)
    inside = replace(at, of_enrollment=False)
    for rule in score.rules:
        if rule.condition is not None:
            total = total + case((frame.sql(rule.condition, inside), literal(float(rule.points))), else_=literal(0.0))
    total = dialect.rounded(total)
    if score.at_most is not None:
        total = case((total > score.at_most, literal(float(score.at_most))), else_=total)
    # Who objected to profiling has no score, whatever conditions hold (GDPR 21, trust C28).
    silent = or_(func.coalesce(frame.lead.c.unprofiled, true()), func.coalesce(frame.lead.c.restricted, true()))
    return case((silent, literal(0.0)), else_=total)


def consented(frame: Frame, topic: str) -> Sql:
    """Granted and not run out, and nothing stands against it."""
    consent, block = frame.alias(t.consents), frame.alias(t.suppressions)
    ends = frame.one(
        func.min(consent.c.expires_at),
        consent,
        [consent.c.lead_id == frame.lead.c.id, consent.c.topic == text_of(topic)],
    )
    frame.tester.edges.append((ends, Crossing(NOW)))
    granted = frame.exists(
        consent,
        consent.c.lead_id == frame.lead.c.id,
        consent.c.topic == text_of(topic),
        consent.c.state == text_of("granted"),
        or_(consent.c.expires_at.is_(None), consent.c.expires_at > frame.as_of()),
        or_(func.coalesce(consent.c.basis, text_of("consent")) != text_of("soft_opt_in"), _sold(frame, consent, topic)),
    )
    blocked = frame.exists(
        block,
        block.c.address_hash == frame.lead.c.address_hash,
        block.c.scope.in_(("all", "marketing", f"topic:{topic}")),
    )
    paused = frame.lead.c.paused_until
    frame.tester.edges.append((paused, Crossing(NOW)))
    resting = func.coalesce(paused > frame.as_of(), false())
    return and_(granted, not_(blocked), not_(resting), not_(func.coalesce(frame.lead.c.restricted, true())))


def _sold(frame: Frame, consent: Alias, topic: str) -> Sql:
    """As `lead.soft_opt_in.refusal` judges it (trust C10); but what ends with time is left to the gates."""
    declared = frame.project.topics.get(topic)
    if declared is None or not declared.of_similar_products:
        return false()
    land = func.upper(func.trim(func.coalesce(frame.lead.c.country, text_of(""))))
    kind = consent.c.sale_kind
    counts = case(
        *((land == text_of(name), kind.in_(list(law))) for name, law in LAWS.items()),
        else_=kind.in_(list(ELSEWHERE)),
    )
    stated = and_(func.coalesce(consent.c.sale_reference, text_of("")) != text_of(""), consent.c.sold_at.is_not(None))
    return and_(stated, consent.c.objection_offered, counts)


def has_deal(frame: Frame, condition: c.DealIs) -> Sql:
    deal = frame.alias(t.deals)
    tests = [deal.c.lead_id == frame.lead.c.id]
    if condition.stages:
        tests.append(deal.c.stage.in_(condition.stages))
    if condition.pipeline is not None:
        tests.append(deal.c.pipeline == text_of(condition.pipeline))
    if condition.open is not None:
        is_open = deal.c.outcome == text_of("open")
        tests.append(is_open if condition.open else not_(is_open))
    amount = number_column(deal.c.amount)
    tests += [frame.tester.holds(amount, test, "number", nested=True) for test in condition.amount]
    return frame.exists(deal, *tests)


def enrolled(frame: Frame, condition: c.Enrolled) -> Sql:
    """Other enrollments: the row's own is not among them."""
    other = frame.alias(t.enrollments)
    source, mine = frame.of_lead(other, condition.by_account)
    states = {"in_campaign": OPEN, "finished": ("finished",), "reached_goal": ("goal",)}[condition.what]
    own = func.coalesce(frame.tester.columns.fixed("enrollment"), 0)
    return frame.exists(
        source,
        *mine,
        other.c.campaign == text_of(condition.campaign),
        other.c.state.in_(states),
        other.c.id != own,
    )
