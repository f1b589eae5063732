"""Conditions, asked: one statement for a batch of rows and any number of questions.

The worker, the simulator and the tests all ask here, so a rehearsal cannot read a condition differently. What each
condition means is in `conditions_sql`; campaigns.md §4 of the reference says it in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, Literal, TypeVar

from sqlalchemy import Row as SqlRow
from sqlalchemy import literal_column, select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from nurture.campaign.condition import Condition, ScoreIs, Test
from nurture.campaign.project import Project
from nurture.store.batch import Calendar, Columns, Row
from nurture.store.conditions_edges import Edge
from nurture.store.conditions_seen import read_seen, seen
from nurture.store.conditions_sql import Compiler
from nurture.store.conditions_tests import Tester
from nurture.store.conditions_values import PostgresDialect, SqliteDialect
from nurture.store.database import Transaction

__all__ = ["Asked", "Asker", "Row", "Sight", "ask", "ask_edges", "score_values"]

CHUNK = 1_000  # rows a statement; above it PostgreSQL gets slower again
QUESTIONS = 200  # a statement, each with its edges; PostgreSQL returns 1,664 columns at most
KEPT = 500  # compiled statements; batches ask ever other choices of the same conditions

T = TypeVar("T")
Asked = tuple[tuple[bool, ...], datetime | None]
Extra = Literal["", "edges", "values"]  # what a statement brings beside the answers
Sight = tuple[bool, str | None]  # an answer, and the value it rests on; None where there is none, or no one value


@dataclass(frozen=True)
class Statement:
    """A compiled statement: text, its constants, and what the computed columns and the answers mean."""

    text: str
    constants: dict[str, object]
    columns: Columns
    questions: int
    edges: tuple[Edge, ...]


@dataclass
class Asker:
    """Asks conditions of one live project and keeps what it compiled: a batch then costs one parameter. A deploy brings
    another project, and with it another Asker."""

    project: Project
    calendar: Calendar = field(default_factory=Calendar)
    _statements: dict[tuple[tuple[Condition, ...], bool, Extra], Statement] = field(default_factory=dict)

    def ask(self, tx: Transaction, questions: Sequence[Condition], rows: Sequence[Row]) -> list[tuple[bool, ...]]:
        """The answers, in the order of the rows and of the questions. A lead that is gone answers false to all."""
        if not questions or not rows:
            return [()] * len(rows)
        if len(questions) > QUESTIONS:
            return _beside(self.ask(tx, some, rows) for some in _parts(questions))
        statement = self._statement(tx, questions, "")
        nobody = (False,) * statement.questions
        answers = [nobody] * len(rows)
        for n, found in self._answers(tx, statement, rows):
            answers[n] = tuple(map(bool, found[2:]))
        return answers

    def ask_edges(self, tx: Transaction, questions: Sequence[Condition], rows: Sequence[Row]) -> list[Asked]:
        """The answers, and the first instant after the row's own at which time alone may change one of them; None where
        it cannot. The instant may be early, never late."""
        if not questions or not rows:
            return [((), None)] * len(rows)
        if len(questions) > QUESTIONS:
            parts = [self.ask_edges(tx, some, rows) for some in _parts(questions)]
            return [_joined(row) for row in zip(*parts, strict=True)]
        statement = self._statement(tx, questions, "edges")
        answers: list[Asked] = [((False,) * statement.questions, None)] * len(rows)
        end = 2 + statement.questions
        for n, found in self._answers(tx, statement, rows):
            row = rows[n]
            instants = [
                instant
                for edge, base in zip(statement.edges, found[end:], strict=True)
                if base is not None and (instant := edge.after(base, row.as_of, row.zone, self.calendar)) is not None
            ]
            answers[n] = (tuple(map(bool, found[2:end])), min(instants, default=None))
        return answers

    def look(self, tx: Transaction, questions: Sequence[Condition], rows: Sequence[Row]) -> list[tuple[Sight, ...]]:
        """The answers, each with the value it rests on, in words. For `why`: it reads more than answering does."""
        if not questions or not rows:
            return [()] * len(rows)
        if len(questions) > QUESTIONS:
            return _beside(self.look(tx, some, rows) for some in _parts(questions))
        statement = self._statement(tx, questions, "values")
        sights: list[tuple[Sight, ...]] = [((False, None),) * statement.questions] * len(rows)
        end = 2 + statement.questions
        for n, found in self._answers(tx, statement, rows):
            sights[n] = tuple(zip(map(bool, found[2:end]), map(read_seen, found[end:]), strict=True))
        return sights

    def _answers(self, tx: Transaction, statement: Statement, rows: Sequence[Row]) -> Iterator[tuple[int, SqlRow[Any]]]:
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            batch = statement.columns.payload(chunk, self.calendar)
            # The compiled text goes to the driver as it is: no value in it needs SQLAlchemy's types.
            for found in tx.exec_driver_sql(statement.text, {**statement.constants, "batch": batch}).fetchall():
                if found[1] is not None:
                    yield start + found[0], found

    def _statement(self, tx: Transaction, questions: Sequence[Condition], extra: Extra) -> Statement:
        sqlite = tx.dialect.name == "sqlite"
        key = (tuple(questions), sqlite, extra)
        found = self._statements.get(key)
        if found is None:
            if len(self._statements) >= KEPT:
                self._statements.clear()
            found = self._statements[key] = compile_questions(self.project, key[0], sqlite=sqlite, extra=extra)
        return found


def _parts(questions: Sequence[Condition]) -> list[Sequence[Condition]]:
    return [questions[i : i + QUESTIONS] for i in range(0, len(questions), QUESTIONS)]


def _beside(parts: Iterable[list[tuple[T, ...]]]) -> list[tuple[T, ...]]:
    """The answers to all questions, row by row."""
    return [tuple(chain.from_iterable(row)) for row in zip(*parts, strict=True)]


def _joined(parts: Sequence[Asked]) -> Asked:
    answers = tuple(answer for some, _ in parts for answer in some)
    return answers, min((edge for _, edge in parts if edge is not None), default=None)


def compile_questions(project: Project, questions: tuple[Condition, ...], *, sqlite: bool, extra: Extra) -> Statement:
    """One SELECT over `b`: its place, the lead's id, one column per question, then one per edge or per value seen."""
    columns = Columns(sqlite)
    tester = Tester(SqliteDialect() if sqlite else PostgresDialect(), columns)
    compiler = Compiler(project, tester)
    answers = [compiler.sql(question) for question in questions]
    edges = tester.edges if extra == "edges" else []
    values = [seen(compiler, question) for question in questions] if extra == "values" else []
    lead, enrollment, event, account = compiler.lead, compiler.enrollment, compiler.event, compiler.account
    # Left joins throughout keep the planners from starting at the large tables.
    source = columns.relation().outerjoin(lead, lead.c.id == columns.fixed("lead"))
    if "en" in compiler.uses:
        source = source.outerjoin(enrollment, enrollment.c.id == columns.fixed("enrollment"))
    if "ev" in compiler.uses:
        source = source.outerjoin(event, event.c.id == columns.fixed("event"))
    if "ac" in compiler.uses:
        source = source.outerjoin(account, account.c.id == lead.c.account_id)
    picked = [answer.label(f"a{i}") for i, answer in enumerate(answers)]
    bases = [base.label(f"e{i}") for i, base in enumerate([*(base for base, _ in edges), *values])]
    statement = select(literal_column("b.n"), lead.c.id, *picked, *bases).select_from(source)
    dialect = SQLiteDialect_pysqlite(paramstyle="named") if sqlite else PGDialect_psycopg()  # type: ignore[no-untyped-call]
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    constants = {name: value for name, value in compiled.params.items() if name != "batch"}
    return Statement(str(compiled), constants, columns, len(answers), tuple(edge for _, edge in edges))


def ask(
    tx: Transaction, project: Project, questions: Sequence[Condition], rows: Sequence[Row]
) -> list[tuple[bool, ...]]:
    """`Asker.ask` for once: it compiles at every call, so whoever asks again keeps an Asker."""
    return Asker(project).ask(tx, questions, rows)


def ask_edges(tx: Transaction, project: Project, questions: Sequence[Condition], rows: Sequence[Row]) -> list[Asked]:
    """`Asker.ask_edges` for once."""
    return Asker(project).ask_edges(tx, questions, rows)


def score_values(tx: Transaction, project: Project, rows: Sequence[Row]) -> list[dict[str, float]]:
    """Of each row every score of the project as a condition sees it at that instant: decayed, with the points of
    conditions, within `at_most`. In hundredths."""
    questions = [ScoreIs(name, (Test("at_least", 0),)) for name in project.scores]
    return [
        {q.name: round(float(value or 0), 2) for q, (_, value) in zip(questions, sights, strict=True)}
        for sights in Asker(project).look(tx, questions, rows)
    ]
