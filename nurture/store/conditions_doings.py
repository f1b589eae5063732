"""What the lead did, and what happened to its mails, as SQL."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Alias, FromClause, case, func, literal_column, or_

from nurture.campaign import condition as c
from nurture.campaign.duration import Duration
from nurture.store import tables as t
from nurture.store.conditions_edges import NESTED_POLL, Crossing, Poll
from nurture.store.conditions_frame import Context, Frame
from nurture.store.conditions_values import Sql, all_of, number_column, plainly, text_of


def done(frame: Frame, did: c.Did, at: Context) -> Sql:
    """Only events already given their place in order exist, and only up to the row's instant."""
    source, events, tests = _doings(frame, did, at)
    if did.within is not None:
        _window_edge(frame, source, tests, events.c.at, did.within, at)
    return _how_often(frame, did, source, events, tests)


def how_much(frame: Frame, did: c.Did, at: Context) -> Sql:
    """How often the lead did it, or what the property adds up to: what `done` holds against its bounds."""
    return _total(frame, did, *_doings(frame, did, at))


def _doings(frame: Frame, did: c.Did, at: Context) -> tuple[FromClause, Alias, list[Sql]]:
    events = frame.alias(t.events)
    source, mine = frame.of_lead(events, did.by_account)
    tests = [*mine, events.c.seq.is_not(None), events.c.at <= frame.as_of()]
    if did.event == "any":
        tests.append(frame.tester.dialect.position(events.c.name, ".") == 0)
    else:
        tests.append(events.c.name == text_of(did.event))
    if did.within is not None:
        tests.append(events.c.at > frame.tester.columns.need(did.within.negated(), "at"))
    if did.since_entry:
        # By `at`, as counting is (S1); the event that opened the enrollment is not what came after it.
        frame.uses.add("en")
        tests += [
            events.c.at >= frame.enrollment.c.entered_at,
            events.c.id != func.coalesce(frame.enrollment.c.entry_event, 0),
        ]
    if did.same is not None:
        tests.append(plainly(frame.json(events.c.properties, (did.same,)).text == _key(frame)))
    if did.where is not None:
        tests.append(frame.sql(did.where, replace(at, events=events, nested=True)))
    return source, events, tests


def _how_often(frame: Frame, did: c.Did, source: FromClause, events: Alias, tests: list[Sql]) -> Sql:
    bounded = did.at_least is not None or did.at_most is not None
    least = None if did.at_least is None else float(did.at_least)
    if not bounded or (did.sum is None and did.at_most is None and least is not None and 0 < least <= 1):
        return frame.exists(source, *tests)
    total = _total(frame, did, source, events, tests)
    bounds = []
    if did.at_least is not None:
        bounds.append(c.Test("at_least", did.at_least))
    if did.at_most is not None:
        bounds.append(c.Test("at_most", did.at_most))
    return all_of([frame.tester.holds(number_column(total), bound, "number") for bound in bounds])


def _total(frame: Frame, did: c.Did, source: FromClause, events: Alias, tests: list[Sql]) -> Sql:
    if did.sum is None:
        return frame.one(func.count(), source, tests)
    amount = frame.json(events.c.properties, (did.sum,)).number
    return frame.tester.dialect.rounded(frame.one(func.coalesce(func.sum(amount), 0), source, tests))


def _key(frame: Frame) -> Sql:
    """The enrollment's key, or the one it would get; an empty one equals nothing (S8)."""
    frame.uses.add("en")
    key = case((frame.enrollment.c.id.is_not(None), frame.enrollment.c.key), else_=frame.tester.columns.fixed("key"))
    return func.nullif(key, "")


def mailed(frame: Frame, mailed: c.Mailed, at: Context) -> Sql:
    m = frame.alias(t.messages)
    source, mine = frame.of_lead(m, mailed.by_account)
    when = {
        # A mail whose outcome is not known counts as sent (S25), from the instant it was let go.
        "sent": case((m.c.sent_at.is_not(None), m.c.sent_at), (m.c.state == text_of("unknown"), m.c.released_at)),
        "clicked": m.c.clicked_at,
        "opened": m.c.opened_at,
        "bounced": m.c.bounced_at,
        "replied": m.c.replied_at,
    }[mailed.what]
    tests = [*mine, when.is_not(None), when <= frame.as_of()]
    if mailed.mail == "any":
        tests.append(m.c.kind == text_of("mail"))
    else:
        tests.append(m.c.kind.in_(("mail", "confirm")))
        tests.append(or_(m.c.template == text_of(mailed.mail), m.c.step == text_of(mailed.mail)))
    if mailed.of == "campaign" and mailed.campaign is not None:
        tests.append(m.c.campaign == text_of(mailed.campaign))
    elif mailed.of == "enrollment" and at.of_enrollment and not mailed.by_account:
        mine_now = frame.tester.columns.fixed("enrollment")
        tests.append(or_(mine_now.is_(None), m.c.enrollment_id == mine_now))
    if mailed.within is not None:
        tests.append(when > frame.tester.columns.need(mailed.within.negated(), "at"))
        _window_edge(frame, source, tests, when, mailed.within, at)
    return frame.exists(source, *tests)


def _window_edge(frame: Frame, source: FromClause, tests: list[Sql], when: Sql, within: Duration, at: Context) -> None:
    if at.nested:
        frame.tester.edges.append((literal_column("1"), Poll(NESTED_POLL)))
        return
    frame.tester.edges.append((frame.one(func.min(when), source, tests), Crossing(within.negated())))
