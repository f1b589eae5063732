"""What conditions are compiled in: the row's aliases, the context one stands in, the few shapes of a subquery."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Alias, FromClause, exists, literal_column, or_, select

from nurture.campaign import condition as c
from nurture.campaign.project import Project
from nurture.store import tables as t
from nurture.store.conditions_tests import Tester
from nurture.store.conditions_values import Sql, Value


@dataclass(frozen=True)
class Context:
    """Where a condition stands. `events` is the event that Fields of scope `event` test, `deals` the deal;
    `of_enrollment` is false in segments and scores, which know none; `nested` where one row has many values; `segments`
    are those being read."""

    events: Alias | None = None
    deals: Alias | None = None
    of_enrollment: bool = True
    nested: bool = False
    segments: tuple[str, ...] = ()


@dataclass
class Frame(ABC):
    """One statement. `uses` gathers which of `en`, `ev` and `ac` it must join to the rows `b` and their leads `l`."""

    project: Project
    tester: Tester
    uses: set[str] = field(default_factory=set)
    lead: Alias = field(default_factory=lambda: t.leads.alias("l"))
    enrollment: Alias = field(default_factory=lambda: t.enrollments.alias("en"))
    event: Alias = field(default_factory=lambda: t.events.alias("ev"))
    account: Alias = field(default_factory=lambda: t.accounts.alias("ac"))

    @abstractmethod
    def sql(self, condition: c.Condition, at: Context) -> Sql:
        """The condition as an expression that is true or false."""

    def json(self, document: Sql, path: tuple[str, ...]) -> Value:
        return self.tester.dialect.json(document, path)

    def as_of(self) -> Sql:
        return self.tester.columns.fixed("as_of")

    def alias(self, table: Any) -> Alias:
        alias: Alias = table.alias(self.tester.fresh(table.name[0]))
        return alias

    def of_lead(self, rows: Alias, by_account: bool) -> tuple[FromClause, list[Sql]]:
        """The rows of the lead; with `by_account`, of everyone in its company, the lead too."""
        if not by_account:
            return rows, [rows.c.lead_id == self.lead.c.id]
        member = self.alias(t.leads)
        ours = or_(member.c.id == self.lead.c.id, member.c.account_id == self.lead.c.account_id)
        return member.join(rows, rows.c.lead_id == member.c.id), [ours]

    def exists(self, source: FromClause, *tests: Sql) -> Sql:
        return exists(select(literal_column("1")).select_from(source).where(*tests).correlate_except(*_froms(source)))

    def one(self, value: Sql, source: FromClause, tests: list[Sql]) -> Sql:
        return select(value).select_from(source).where(*tests).correlate_except(*_froms(source)).scalar_subquery()


def _froms(source: FromClause) -> list[Any]:
    """A statement's own tables: everything else in it is the row's."""
    return [source, *getattr(source, "_from_objects", [])]
