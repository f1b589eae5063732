"""The tests of campaigns.md §4 on one value, as SQL.

A date without a time is a day in the lead's zone: a value of that form is compared by days, and a bound of that form
means the whole day. Everything is true or false, never NULL; on a missing value it is false, but for `set: false`,
`is_not` and `not_in`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, case, exists, false, func, literal_column, not_, select

from nurture.campaign.condition import FieldType, Moment, Relative, Scalar, Test
from nurture.campaign.duration import Duration
from nurture.store.batch import Columns, is_day
from nurture.store.conditions_edges import NESTED_POLL, Anniversary, Crossing, Edge, Poll
from nurture.store.conditions_values import Dialect, Sql, Value, any_of, plainly, text_of

_COMPARE: dict[str, Callable[[Any, Any], Sql]] = {
    "is": operator.eq,
    "before": operator.lt,
    "less_than": operator.lt,
    "after": operator.gt,
    "more_than": operator.gt,
    "at_least": operator.ge,
    "at_most": operator.le,
}
NOW = Duration()


@dataclass
class Tester:
    """Compiles tests for one statement; gathers the columns of `b` they need and the edges they have."""

    dialect: Dialect
    columns: Columns
    edges: list[tuple[Sql, Edge]] = field(default_factory=list)
    names: int = 0

    def fresh(self, stem: str) -> str:
        """A name no other part of the statement has."""
        self.names += 1
        return f"{stem}{self.names}"

    def holds(self, value: Value, test: Test, type: FieldType = "text", *, nested: bool = False) -> Sql:
        """`nested`: the value is one of many of this row, so its edges cannot be told one by one."""
        marks: list[tuple[Sql, Edge]] = []
        found = plainly(self._test(value, test, type, marks))
        if marks and nested:
            self.edges.append((literal_column("1"), Poll(NESTED_POLL)))
        else:
            self.edges.extend(marks)
        return found

    def _test(self, value: Value, test: Test, type: FieldType, marks: list[tuple[Sql, Edge]]) -> Sql:
        given: Any = test.value
        match test.op:
            case "set":
                return value.present if given else not_(value.present)
            case "is_not":
                return not_(plainly(self._compare(value, "is", given, type, marks)))
            case "in":
                return self._one_of(value, given, type, marks)
            case "not_in":
                return not_(plainly(self._one_of(value, given, type, marks)))
            case "between":
                low, high = given
                return and_(
                    self._compare(value, "at_least", low, type, marks),
                    self._compare(value, "at_most", high, type, marks),
                )
            case "contains" | "starts_with" | "ends_with":
                return self._part(value, test.op, str(given), type)
            case "any":
                return self._element(value, test)
            case "in_last" | "in_next":
                return self._near(value, test.op, given.offset, marks)
            case "anniversary_in":
                return self._anniversary(value, given.offset, marks)
            case op:
                return self._compare(value, op, given, type, marks)

    def _compare(self, value: Value, op: str, given: Scalar, type: FieldType, marks: list[tuple[Sql, Edge]]) -> Sql:
        if isinstance(given, str) and type == "date":
            given = Moment(given)
        compare = _COMPARE[op]
        match given:
            case Relative() | Moment():
                return self._dated(value, op, given, marks)
            case bool():
                return false() if op != "is" else value.truth if given else not_(value.truth)
            case int() | float():
                return compare(value.number, self.dialect.literal(given))
            case _ if op == "is":
                return value.text == text_of(given)
            case _:
                return compare(self.dialect.ordered(value.text), text_of(given))

    def _one_of(self, value: Value, given: tuple[Scalar, ...], type: FieldType, marks: list[tuple[Sql, Edge]]) -> Sql:
        if type != "date" and all(isinstance(one, str) for one in given):
            return value.text.in_(given)
        return any_of([plainly(self._compare(value, "is", one, type, marks)) for one in given])

    def _part(self, value: Value, op: str, given: str, type: FieldType) -> Sql:
        part, fold = given.lower(), self.dialect.fold
        if type == "list" and op == "contains":
            rows, element = self.dialect.elements(value, self.fresh("x"))
            return exists(select(1).select_from(rows).where(fold(element.text) == text_of(part)).correlate_except(rows))
        text, size = fold(value.text), len(part)
        match op:
            case "contains":
                return self.dialect.position(text, part) > 0
            case "starts_with":
                return func.substr(text, 1, size) == text_of(part)
            case _:
                # Without the first test a start below 1 gives a shorter text on PostgreSQL, and counts from the end on
                # SQLite.
                start = func.length(text) - (size - 1)
                return and_(start >= 1, func.substr(text, start, size) == text_of(part))

    def _element(self, value: Value, test: Test) -> Sql:
        rows, element = self.dialect.elements(value, self.fresh("x"))
        tests = [
            self.holds(self.dialect.inner(element, one.path), inner, one.type, nested=True)
            for one in test.element
            for inner in one.tests
        ]
        return exists(select(1).select_from(rows).where(*tests).correlate_except(rows))

    # --- dates

    def _dated(self, value: Value, op: str, given: Relative | Moment, marks: list[tuple[Sql, Edge]]) -> Sql:
        source = given.offset if isinstance(given, Relative) else given
        whole = isinstance(given, Moment) and is_day(given)
        if isinstance(given, Relative):
            # v < B(t) and v >= B(t) turn when B goes past v; the other two when it comes to it; `is` at both.
            for strict in (False, True) if op == "is" else (op in ("before", "less_than", "at_least"),):
                self._mark(value, given.offset, strict, marks)
        if value.instant is not None:
            return self._bounded(value.instant, op, source, whole, timed=True)
        text = self.dialect.ordered(value.string)
        by_day = _COMPARE[op](text, self.columns.need(source, "day"))
        by_instant = self._bounded(text, op, source, whole, timed=False)
        return self._by_form(value, by_day, by_instant)

    def _bounded(self, moment: Sql, op: str, source: Duration | Moment, whole: bool, *, timed: bool) -> Sql:
        start = self.columns.need(source, "at" if timed else "instant")
        if not whole:
            return _COMPARE[op](moment, start)
        end = self.columns.need(source, "day_end_at" if timed else "day_end")
        match op:
            case "before" | "less_than":
                return moment < start
            case "after" | "more_than":
                return moment >= end
            case "at_least":
                return moment >= start
            case "at_most":
                return moment < end
            case _:
                return and_(moment >= start, moment < end)

    def _by_form(self, value: Value, by_day: Sql, by_instant: Sql) -> Sql:
        return case(
            (self.dialect.is_day(value.string), by_day),
            (self.dialect.is_instant(value.string), by_instant),
        )

    def _near(self, value: Value, op: str, length: Duration, marks: list[tuple[Sql, Edge]]) -> Sql:
        """In (now - length, now] or in [now, now + length]; a day counts while any of it does."""
        need, last = self.columns.need, op == "in_last"
        far = length.negated() if last else length
        self._mark(value, far, False, marks)
        self._mark(value, NOW, not last, marks)
        if value.instant is not None:
            moment, now, edge = value.instant, need(NOW, "at"), need(far, "at")
            return and_(moment > edge, moment <= now) if last else and_(moment >= now, moment <= edge)
        text = self.dialect.ordered(value.string)
        now, edge = need(NOW, "instant"), need(far, "instant")
        by_instant = and_(text > edge, text <= now) if last else and_(text >= now, text <= edge)
        days = [need(far, "day"), need(NOW, "day")] if last else [need(NOW, "day"), need(far, "day")]
        return self._by_form(value, text.between(days[0], days[1]), by_instant)

    def _anniversary(self, value: Value, ahead: Duration, marks: list[tuple[Sql, Edge]]) -> Sql:
        """A later year's day, from today to `ahead`. 29 February is the 28th in other years (S14); an instant keeps its
        clock time in UTC."""
        need = self.columns.need
        text = value.string if value.instant is None else self.dialect.written(value.instant)
        marks.append((text, Anniversary(ahead)))
        text = self.dialect.ordered(text)
        month_day = func.substr(text, 6, 5)
        by_day, by_instant = [], []
        for source in (NOW, ahead):
            kept = case((month_day == "02-29", need(source, "leap")), else_=month_day)
            day = self.dialect.ordered(func.substr(need(source, "day"), 1, 4) + text_of("-") + kept)
            by_day.append(and_(day > text, day.between(need(NOW, "day"), need(ahead, "day"))))
            start, end = need(NOW, "day_start"), need(ahead, "day_end")
            year = func.substr(start if source is NOW else end, 1, 4)
            then = self.dialect.ordered(year + text_of("-") + kept + func.substr(text, 11))
            by_instant.append(and_(then > text, then >= start, then < end))
        return case(
            (self.dialect.is_day(text), any_of(by_day)),
            (self.dialect.is_instant(text), any_of(by_instant)),
        )

    def _mark(self, value: Value, offset: Duration, strict: bool, marks: list[tuple[Sql, Edge]]) -> None:
        marks.append((value.string if value.instant is None else value.instant, Crossing(offset, strict)))
