"""The one meaning of a condition: what it compiles to.

Every function takes a condition and the context it stands in, and returns an expression over the aliases `b` (the row),
`l` (its lead), `en` (its enrollment), `ev` (its event) and `ac` (the lead's account) that is true or false, never NULL.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    Alias,
    FromClause,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
)

from nurture.campaign import condition as c
from nurture.campaign.duration import Duration
from nurture.campaign.project import Project
from nurture.store import tables as t
from nurture.store.conditions_edges import DECAY_POLL, NESTED_POLL, Crossing, Poll
from nurture.store.conditions_tests import NOW, Tester
from nurture.store.conditions_values import (
    MISSING,
    Sql,
    Value,
    all_of,
    any_of,
    instant_column,
    number_column,
    plainly,
    text_column,
    text_of,
)

_LEAD_COLUMNS = {
    "email": "email",
    "external_id": "external_id",
    "first_name": "first_name",
    "last_name": "last_name",
    "name": "name",
    "phone": "phone",
    "country": "country",
    "locale": "locale",
    "timezone": "zone",
    "source": "source",
    "owner": "owner",
}
_DEAL_TEXTS = ("external_id", "pipeline", "stage", "currency", "owner", "outcome", "reason")
OPEN = ("waiting", "parked")


@dataclass(frozen=True)
class Context:
    """Where a condition stands. `events` is the event that Fields of scope `event` test; `of_enrollment` is false in
    segments and scores, which know none; `nested` where one row has many values; `segments` are those being read."""

    events: Alias | None = None
    deals: Alias | None = None
    of_enrollment: bool = True
    nested: bool = False
    segments: tuple[str, ...] = ()
    stages: tuple[str, ...] | None = None  # the stages named beside an `in_stage_for`


@dataclass
class Compiler:
    """Compiles the conditions of one statement. `uses` gathers which of `en`, `ev`, `ac` it must join."""

    project: Project
    tester: Tester
    uses: set[str] = field(default_factory=set)
    lead: Alias = field(default_factory=lambda: t.leads.alias("l"))
    enrollment: Alias = field(default_factory=lambda: t.enrollments.alias("en"))
    event: Alias = field(default_factory=lambda: t.events.alias("ev"))
    account: Alias = field(default_factory=lambda: t.accounts.alias("ac"))

    def sql(self, condition: c.Condition, at: Context = Context()) -> Sql:
        match condition:
            case c.All(items):
                return self._all(items, at)
            case c.Any(items):
                return any_of([self.sql(item, at) for item in items])
            case c.Not(item):
                return not_(self.sql(item, at))
            case c.Field():
                return self._field(condition, at)
            case c.InStage():
                return self._in_stage(condition)
            case c.InStageFor():
                return self._in_stage_for(condition, at)
            case c.Did():
                return self._did(condition, at)
            case c.ScoreIs(name, tests):
                value = number_column(self._score(name, at))
                return all_of([self.tester.holds(value, test, "number") for test in tests])
            case c.Tagged(name):
                tag = self._alias(t.lead_tags)
                return self._exists(tag, tag.c.lead_id == self.lead.c.id, tag.c.tag == text_of(name))
            case c.InSegment(name):
                return self._in_segment(name, at)
            case c.Consented(topic):
                return self._consented(topic)
            case c.Mailed():
                return self._mailed(condition, at)
            case c.DealIs():
                return self._deal(condition, at)
            case c.Enrolled():
                return self._enrolled(condition)

    # --- the tree

    def _all(self, items: tuple[c.Condition, ...], at: Context) -> Sql:
        """All hold; `in_stage_for` speaks of the stages named beside it."""
        named = [stage for item in items if isinstance(item, c.InStage) for stage in self._stages(item)]
        beside = replace(at, stages=tuple(named)) if any(isinstance(item, c.InStage) for item in items) else at
        return all_of(
            [self.sql(item, beside if isinstance(item, c.InStageFor) else replace(at, stages=None)) for item in items]
        )

    def _in_segment(self, name: str, at: Context) -> Sql:
        """A segment inside itself, or one that is gone, holds for nobody."""
        segment = self.project.segments.get(name)
        if segment is None or name in at.segments:
            return false()
        return self.sql(segment, replace(at, of_enrollment=False, stages=None, segments=(*at.segments, name)))

    # --- properties

    def _field(self, condition: c.Field, at: Context) -> Sql:
        if condition.scope == "deal" and at.deals is None:
            deal = self._alias(t.deals)
            inside = self._field(condition, replace(at, deals=deal, nested=True))
            return self._exists(deal, deal.c.lead_id == self.lead.c.id, inside)
        value = self._value(condition, at)
        return all_of([self.tester.holds(value, test, condition.type, nested=at.nested) for test in condition.tests])

    def _value(self, condition: c.Field, at: Context) -> Value:
        path, name = condition.path, condition.path[0] if condition.path else ""
        match condition.scope:
            case "lead" if len(path) == 1 and name in _LEAD_COLUMNS:
                return text_column(self.lead.c[_LEAD_COLUMNS[name]])
            case "lead" if path == ("created_at",):
                return instant_column(self.lead.c.created_at)
            case "lead":
                return self._json(self.lead.c.attributes, path)
            case "account":
                self.uses.add("ac")
                if path == ("external_id",):
                    return text_column(self.account.c.external_id)
                return self._json(self.account.c.attributes, path)
            case "entry":
                self.uses |= {"en", "ev"}
                entered = self.enrollment.c.id.is_not(None)
                return self._json(case((entered, self.enrollment.c.entry), else_=self.event.c.properties), path)
            case "event" if at.events is not None:
                return self._json(at.events.c.properties, path)
            case "event":
                self.uses.add("ev")
                return self._json(self.event.c.properties, path)
            case "deal" if at.deals is not None:
                return self._deal_value(at.deals, name)
            case _:
                return MISSING

    def _deal_value(self, deal: Alias, name: str) -> Value:
        if name == "amount":
            return number_column(deal.c.amount)
        if name in ("opened_at", "closed_at"):
            return instant_column(deal.c[name])
        return text_column(deal.c[name]) if name in _DEAL_TEXTS else MISSING

    def _json(self, document: Sql, path: tuple[str, ...]) -> Value:
        return self.tester.dialect.json(document, path)

    # --- what they did

    def _did(self, did: c.Did, at: Context) -> Sql:
        """Only events already given their place in order exist, and only up to the row's instant."""
        events = self._alias(t.events)
        source, mine = self._of_lead(events, did.by_account)
        tests = [*mine, events.c.seq.is_not(None), events.c.at <= self._as_of()]
        if did.event == "any":
            tests.append(self.tester.dialect.position(events.c.name, ".") == 0)
        else:
            tests.append(events.c.name == text_of(did.event))
        if did.within is not None:
            tests.append(events.c.at > self.tester.columns.need(did.within.negated(), "at"))
        if did.since_entry:
            # By `at`, as counting is (S1); the event that opened the enrollment is not what came after it.
            self.uses.add("en")
            tests += [
                events.c.at >= self.enrollment.c.entered_at,
                events.c.id != func.coalesce(self.enrollment.c.entry_event, 0),
            ]
        if did.same is not None:
            tests.append(plainly(self._json(events.c.properties, (did.same,)).text == self._key()))
        if did.where is not None:
            tests.append(self.sql(did.where, replace(at, events=events, nested=True, stages=None)))
        if did.within is not None:
            self._window_edge(source, tests, events.c.at, did.within, at)
        return self._how_often(did, source, events, tests)

    def _how_often(self, did: c.Did, source: FromClause, events: Alias, tests: list[Sql]) -> Sql:
        bounded = did.at_least is not None or did.at_most is not None
        least = None if did.at_least is None else float(did.at_least)
        if not bounded or (did.sum is None and did.at_most is None and least is not None and 0 < least <= 1):
            return self._exists(source, *tests, own=events)
        if did.sum is None:
            total: Sql = self._one(func.count(), source, tests)
        else:
            amount = self._json(events.c.properties, (did.sum,)).number
            total = self.tester.dialect.rounded(self._one(func.coalesce(func.sum(amount), 0), source, tests))
        bounds = []
        if did.at_least is not None:
            bounds.append(c.Test("at_least", did.at_least))
        if did.at_most is not None:
            bounds.append(c.Test("at_most", did.at_most))
        return all_of([self.tester.holds(number_column(total), bound, "number") for bound in bounds])

    def _key(self) -> Sql:
        """The enrollment's key, or the one it would get; an empty one equals nothing (S8)."""
        self.uses.add("en")
        key = case((self.enrollment.c.id.is_not(None), self.enrollment.c.key), else_=self.tester.columns.fixed("key"))
        return func.nullif(key, "")

    def _mailed(self, mailed: c.Mailed, at: Context) -> Sql:
        m = self._alias(t.messages)
        source, mine = self._of_lead(m, mailed.by_account)
        when = {
            # A mail whose outcome is not known counts as sent (S25), from the instant it was let go.
            "sent": case((m.c.sent_at.is_not(None), m.c.sent_at), (m.c.state == text_of("unknown"), m.c.released_at)),
            "clicked": m.c.clicked_at,
            "opened": m.c.opened_at,
            "bounced": m.c.bounced_at,
            "replied": m.c.replied_at,
        }[mailed.what]
        tests = [*mine, when.is_not(None), when <= self._as_of()]
        if mailed.mail == "any":
            tests.append(m.c.kind == text_of("mail"))
        else:
            tests.append(m.c.kind.in_(("mail", "confirm")))
            tests.append(or_(m.c.template == text_of(mailed.mail), m.c.step == text_of(mailed.mail)))
        if mailed.of == "campaign" and mailed.campaign is not None:
            tests.append(m.c.campaign == text_of(mailed.campaign))
        elif mailed.of == "enrollment" and at.of_enrollment and not mailed.by_account:
            mine_now = self.tester.columns.fixed("enrollment")
            tests.append(or_(mine_now.is_(None), m.c.enrollment_id == mine_now))
        if mailed.within is not None:
            tests.append(when > self.tester.columns.need(mailed.within.negated(), "at"))
            self._window_edge(source, tests, when, mailed.within, at)
        return self._exists(source, *tests, own=m)

    def _window_edge(self, source: FromClause, tests: list[Sql], when: Sql, within: Duration, at: Context) -> None:
        if at.nested:
            self.tester.edges.append((literal_column("1"), Poll(NESTED_POLL)))
            return
        self.tester.edges.append((self._one(func.min(when), source, tests), Crossing(within.negated())))

    # --- where they stand

    def _stages(self, condition: c.InStage) -> tuple[str, ...]:
        """The stages meant: those named, and the range of the funnel that its ends belong to."""
        end = condition.at_least or condition.before
        if end is None:
            return condition.names
        funnel = self.project.funnel_of(end)
        if funnel is None:
            return condition.names
        names = funnel.names()
        first = names.index(condition.at_least) if condition.at_least in names else 0
        last = len(names)
        if condition.before is not None:
            last = names.index(condition.before) if condition.before in names else 0
        return (*condition.names, *names[first:last])

    def _in_stage(self, condition: c.InStage) -> Sql:
        stage = self._alias(t.lead_stages)
        source, mine = self._of_lead(stage, condition.by_account)
        return self._exists(source, *mine, stage.c.stage.in_(self._stages(condition)), own=stage)

    def _in_stage_for(self, condition: c.InStageFor, at: Context) -> Sql:
        stage = self._alias(t.lead_stages)
        mine = [stage.c.lead_id == self.lead.c.id]
        if at.stages is not None:
            mine.append(stage.c.stage.in_(at.stages))
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
                tests.append(getattr(stage.c.since, compare)(self.tester.columns.need(back, "at")))
                self._stage_edges(stage, mine, Crossing(back, strict))
        return self._exists(stage, *mine, *tests)

    def _stage_edges(self, stage: Alias, mine: list[Sql], edge: Crossing) -> None:
        """One per funnel: a lead stands in at most one stage of each."""
        for funnel in self.project.funnels:
            since = self._one(func.min(stage.c.since), stage, [*mine, stage.c.funnel == text_of(funnel)])
            self.tester.edges.append((since, edge))

    def _score(self, name: str, at: Context) -> Sql:
        """The part from events, decayed to the row's instant, and the points of conditions while they hold."""
        score = self.project.scores.get(name)
        if score is None:
            return literal(0.0)
        dialect, s = self.tester.dialect, self._alias(t.lead_scores)
        mine = [s.c.lead_id == self.lead.c.id, s.c.score == text_of(name)]
        value: Sql = s.c.value
        if score.half_life is not None:
            seconds = dialect.seconds(s.c.at, self._as_of())
            value = dialect.halved(value, seconds, float(half_life_seconds(score.half_life)))
            self.tester.edges.append((self._one(func.count(), s, [*mine, s.c.value != 0]), Poll(DECAY_POLL)))
        total: Sql = func.coalesce(self._one(func.max(value), s, mine), 0.0)
        inside = replace(at, of_enrollment=False, stages=None)
        for rule in score.rules:
            if rule.condition is not None:
                total = total + case(
                    (self.sql(rule.condition, inside), literal(float(rule.points))), else_=literal(0.0)
                )
        total = dialect.rounded(total)
        if score.at_most is not None:
            total = case((total > score.at_most, literal(float(score.at_most))), else_=total)
        return total

    def _consented(self, topic: str) -> Sql:
        """Granted and not run out, and nothing stands against it."""
        consent, block = self._alias(t.consents), self._alias(t.suppressions)
        ends = self._one(
            func.min(consent.c.expires_at),
            consent,
            [consent.c.lead_id == self.lead.c.id, consent.c.topic == text_of(topic)],
        )
        self.tester.edges.append((ends, Crossing(NOW)))
        granted = self._exists(
            consent,
            consent.c.lead_id == self.lead.c.id,
            consent.c.topic == text_of(topic),
            consent.c.state == text_of("granted"),
            or_(consent.c.expires_at.is_(None), consent.c.expires_at > self._as_of()),
        )
        blocked = self._exists(
            block,
            block.c.address_hash == self.lead.c.address_hash,
            block.c.scope.in_(("all", "marketing", f"topic:{topic}")),
        )
        return and_(granted, not_(blocked), not_(func.coalesce(self.lead.c.restricted, true())))

    def _deal(self, condition: c.DealIs, at: Context) -> Sql:
        deal = self._alias(t.deals)
        tests = [deal.c.lead_id == self.lead.c.id]
        if condition.stages:
            tests.append(deal.c.stage.in_(condition.stages))
        if condition.pipeline is not None:
            tests.append(deal.c.pipeline == text_of(condition.pipeline))
        if condition.open is not None:
            is_open = deal.c.outcome == text_of("open")
            tests.append(is_open if condition.open else not_(is_open))
        amount = number_column(deal.c.amount)
        tests += [self.tester.holds(amount, test, "number", nested=True) for test in condition.amount]
        return self._exists(deal, *tests)

    def _enrolled(self, condition: c.Enrolled) -> Sql:
        """Other enrollments: the row's own is not among them."""
        other = self._alias(t.enrollments)
        source, mine = self._of_lead(other, condition.by_account)
        states = {"in_campaign": OPEN, "finished": ("finished",), "reached_goal": ("goal",)}[condition.what]
        own = func.coalesce(self.tester.columns.fixed("enrollment"), 0)
        return self._exists(
            source,
            *mine,
            other.c.campaign == text_of(condition.campaign),
            other.c.state.in_(states),
            other.c.id != own,
            own=other,
        )

    # --- shared

    def _as_of(self) -> Sql:
        return self.tester.columns.fixed("as_of")

    def _alias(self, table: Any) -> Alias:
        alias: Alias = table.alias(self.tester.fresh(table.name[0]))
        return alias

    def _of_lead(self, rows: Alias, by_account: bool) -> tuple[FromClause, list[Sql]]:
        """The rows of the lead; with `by_account`, of everyone in its company, the lead too."""
        if not by_account:
            return rows, [rows.c.lead_id == self.lead.c.id]
        member = self._alias(t.leads)
        ours = or_(member.c.id == self.lead.c.id, member.c.account_id == self.lead.c.account_id)
        return member.join(rows, rows.c.lead_id == member.c.id), [ours]

    def _exists(self, source: FromClause, *tests: Sql, own: Alias | None = None) -> Sql:
        return exists(select(literal_column("1")).select_from(source).where(*tests).correlate_except(*_froms(source)))

    def _one(self, value: Sql, source: FromClause, tests: list[Sql]) -> Sql:
        return select(value).select_from(source).where(*tests).correlate_except(*_froms(source)).scalar_subquery()


def half_life_seconds(half_life: Duration) -> int:
    """Decay is not a matter of calendars: a day is 24 hours, a month 30 days, a working day a day."""
    return half_life.seconds + 86_400 * (half_life.days + half_life.workdays + 30 * half_life.months)


def _froms(source: FromClause) -> list[Any]:
    """A statement's own tables: everything else in it is the row's."""
    return [source, *getattr(source, "_from_objects", [])]
