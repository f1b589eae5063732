"""The one meaning of a condition: what it compiles to.

Each becomes an expression over the aliases `b` (the row),
`l` (its lead), `en` (its enrollment), `ev` (its event) and `ac` (the lead's account) that is true or false, never NULL.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Alias, case, false, not_

from nurture.campaign import condition as c
from nurture.store import tables as t
from nurture.store.conditions_doings import done, mailed
from nurture.store.conditions_frame import Context, Frame
from nurture.store.conditions_standing import consented, enrolled, has_deal, in_stage, in_stage_for, score
from nurture.store.conditions_values import (
    MISSING,
    Sql,
    Value,
    all_of,
    any_of,
    instant_column,
    number_column,
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
_TOP = Context()


@dataclass
class Compiler(Frame):
    """Compiles the conditions of one statement."""

    def sql(self, condition: c.Condition, at: Context = _TOP) -> Sql:
        match condition:
            case c.All(items):
                return all_of([self.sql(item, at) for item in items])
            case c.Any(items):
                return any_of([self.sql(item, at) for item in items])
            case c.Not(item):
                return not_(self.sql(item, at))
            case c.Field():
                return self._field(condition, at)
            case c.InStage():
                return in_stage(self, condition)
            case c.InStageFor():
                return in_stage_for(self, condition)
            case c.Did():
                return done(self, condition, at)
            case c.ScoreIs(name, tests):
                value = number_column(score(self, name, at))
                return all_of([self.tester.holds(value, test, "number") for test in tests])
            case c.Tagged(name):
                tag = self.alias(t.lead_tags)
                return self.exists(tag, tag.c.lead_id == self.lead.c.id, tag.c.tag == text_of(name))
            case c.InSegment(name):
                return self._in_segment(name, at)
            case c.Consented(topic):
                return consented(self, topic)
            case c.Mailed():
                return mailed(self, condition, at)
            case c.DealIs():
                return has_deal(self, condition)
            case c.Enrolled():
                return enrolled(self, condition)

    def _in_segment(self, name: str, at: Context) -> Sql:
        """A segment inside itself, or one that is gone, holds for nobody."""
        segment = self.project.segments.get(name)
        if segment is None or name in at.segments:
            return false()
        return self.sql(segment, replace(at, of_enrollment=False, segments=(*at.segments, name)))

    # --- properties

    def _field(self, condition: c.Field, at: Context) -> Sql:
        if condition.scope == "deal" and at.deals is None:
            deal = self.alias(t.deals)
            inside = self._field(condition, replace(at, deals=deal, nested=True))
            return self.exists(deal, deal.c.lead_id == self.lead.c.id, inside)
        value = self.value(condition, at)
        return all_of([self.tester.holds(value, test, condition.type, nested=at.nested) for test in condition.tests])

    def value(self, condition: c.Field, at: Context) -> Value:
        path, name = condition.path, condition.path[0] if condition.path else ""
        match condition.scope:
            case "lead" if len(path) == 1 and name in _LEAD_COLUMNS:
                return text_column(self.lead.c[_LEAD_COLUMNS[name]])
            case "lead" if path == ("created_at",):
                return instant_column(self.lead.c.created_at)
            case "lead":
                return self.json(self.lead.c.attributes, path)
            case "account":
                self.uses.add("ac")
                if path == ("external_id",):
                    return text_column(self.account.c.external_id)
                return self.json(self.account.c.attributes, path)
            case "entry":
                self.uses |= {"en", "ev"}
                entered = self.enrollment.c.id.is_not(None)
                return self.json(case((entered, self.enrollment.c.entry), else_=self.event.c.properties), path)
            case "event" if at.events is not None:
                return self.json(at.events.c.properties, path)
            case "event":
                self.uses.add("ev")
                return self.json(self.event.c.properties, path)
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
