"""The value a condition rests on, as SQL beside its answer: what `why` says was seen.

Only where there is one value to name: of a list's elements, or of many deals, there is none.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Text, cast, func, null, type_coerce

from nurture.campaign import condition as c
from nurture.store import tables as t
from nurture.store.conditions_doings import how_much
from nurture.store.conditions_frame import Context
from nurture.store.conditions_sql import Compiler
from nurture.store.conditions_standing import score, stages
from nurture.store.conditions_values import PostgresJson, Sql, SqliteJson, Value, text_of
from nurture.store.types import instant_text

_TOP = Context()
_NOTHING = type_coerce(null(), Text)
_LONGEST = 120  # characters of a value; a list may be long


def seen(compiler: Compiler, condition: c.Condition) -> Sql:
    """The value behind the condition's answer; NULL where none is there, or none can be named."""
    match condition:
        case c.Field(scope="deal"):
            return _NOTHING
        case c.Field():
            return _written(compiler, compiler.value(condition, _TOP))
        case c.InStage():
            return _stages(compiler, condition)
        case c.InStageFor(beside=beside):
            return _since(compiler, beside)
        case c.Did():
            return how_much(compiler, condition, _TOP)
        case c.ScoreIs(name):
            return score(compiler, name, _TOP)
        case c.Consented(topic):
            row = compiler.alias(t.consents)
            mine = [row.c.lead_id == compiler.lead.c.id, row.c.topic == text_of(topic)]
            return compiler.one(func.max(row.c.state), row, mine)
        case c.Enrolled(campaign=campaign, by_account=False):
            row = compiler.alias(t.enrollments)
            mine = [row.c.lead_id == compiler.lead.c.id, row.c.campaign == text_of(campaign)]
            return compiler.one(func.max(row.c.state), row, mine)
        case _:
            return _NOTHING


def _written(compiler: Compiler, value: Value) -> Sql:
    if value.instant is not None:
        return compiler.tester.dialect.written(value.instant)
    match value:
        case SqliteJson():
            return func.coalesce(value.text, func.json_extract(value.document, value.path))
        case PostgresJson():
            return func.coalesce(value.text, cast(value.document, Text))
        case _:
            return value.text


def _stages(compiler: Compiler, condition: c.InStage) -> Sql:
    """Where the lead stands in the funnels that the condition speaks of."""
    row = compiler.alias(t.lead_stages)
    source, mine = compiler.of_lead(row, condition.by_account)
    funnels = {f.name for one in stages(compiler, condition) if (f := compiler.project.funnel_of(one)) is not None}
    return compiler.one(func.max(row.c.stage), source, [*mine, row.c.funnel.in_(sorted(funnels))])


def _since(compiler: Compiler, beside: c.InStage | None) -> Sql:
    row = compiler.alias(t.lead_stages)
    mine = [row.c.lead_id == compiler.lead.c.id]
    if beside is not None:
        mine.append(row.c.stage.in_(stages(compiler, beside)))
    return compiler.tester.dialect.written(compiler.one(func.min(row.c.since), row, mine))


def read_seen(value: Any) -> str | None:
    """A value as the driver gives it, in words."""
    match value:
        case None:
            return None
        case datetime():
            return instant_text(value)
        case Decimal() | float():
            return f"{float(value):.6f}".rstrip("0").rstrip(".")
        case _:
            text = str(value)
            return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
