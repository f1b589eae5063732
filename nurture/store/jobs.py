"""The jobs of a fleet of workers: Procrastinate's tables, and what there is to do for them.

Its tables stand in a schema of their own beside ours. Nothing in them is worth keeping: a job says no more than "look
at these shards" or "look at this lane", and whatever is lost is found again by the next tick. So another release's
tables are not migrated but made anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any

from sqlalchemy import Select, column, exists, func, literal_column, or_, select, text
from sqlalchemy.exc import IntegrityError

from nurture.errors import SchemaMismatch, UserError
from nurture.store.database import Database, Transaction
from nurture.store.tables import enrollments, events, messages, shards, sweeps, timers

SCHEMA = "nurture_jobs"
# The only functions of Procrastinate that are called on our connections, which look for tables elsewhere.
_CALLED_BY_US = (
    "procrastinate_defer_jobs_v1(procrastinate_job_to_defer_v1[])",
    "procrastinate_finish_job_v1(bigint, procrastinate_job_status, boolean)",
)


def address(database: Database) -> str:
    """The database as psycopg itself reads it, password and all."""
    return database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def install(tx: Transaction) -> bool:
    """Procrastinate's tables are there, as the installed release wants them; whether they had to be made."""
    wanted = _mark()
    if _present(tx) == wanted:
        return False
    tx.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
    tx.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    before = tx.execute(text("SELECT current_setting('search_path')")).scalar_one()
    tx.execute(text("SELECT set_config('search_path', :path, true)"), {"path": SCHEMA})
    # Several statements at once, which only the driver itself takes.
    driver: Any = tx.connection.driver_connection
    driver.execute(_schema())
    for function in _CALLED_BY_US:
        tx.execute(text(f"ALTER FUNCTION {function} SET search_path = {SCHEMA}"))
    tx.execute(text(f"COMMENT ON SCHEMA {SCHEMA} IS '{wanted}'"))
    tx.execute(text("SELECT set_config('search_path', :path, true)"), {"path": before})
    return True


def check(tx: Transaction) -> None:
    """Nothing where the tables are those of the installed release. Raises SchemaMismatch otherwise."""
    present = _present(tx)
    if present != _mark():
        what = "has no tables for the jobs of workers" if present is None else "has another release's tables for jobs"
        raise SchemaMismatch(f"the database {what}", hint="stop the workers and run 'nurture db upgrade'")


def _present(tx: Transaction) -> str | None:
    query = text("SELECT obj_description(to_regnamespace(:name), 'pg_namespace')")
    found: str | None = tx.execute(query, {"name": SCHEMA}).scalar()
    return found


def _mark() -> str:
    return f"procrastinate {hashlib.sha256(_schema().encode()).hexdigest()[:16]}"


def _schema() -> str:
    try:
        return (resources.files("procrastinate.sql") / "schema.sql").read_text("utf-8")
    except ModuleNotFoundError as error:
        raise UserError(
            "workers on PostgreSQL share their work by Procrastinate, which is not installed",
            hint="run: pip install 'nurture[postgres]'",
        ) from error


def due_shards(tx: Transaction, now: datetime) -> list[int]:
    """Shards in which an event is new, or a timer, an enrollment or a sweep is due. Each shard is a look at the head of
    four indexes, so that nothing due costs nothing, whatever waits."""
    n = shards.c.shard
    due = or_(
        exists().where(events.c.shard == n, events.c.seq.is_(None)),
        exists().where(enrollments.c.shard == n, enrollments.c.state == "waiting", enrollments.c.wake <= now),
        exists().where(timers.c.shard == n, timers.c.due.is_not(None), timers.c.due <= now),
        exists().where(sweeps.c.shard == n),
    )
    return [row[0] for row in tx.execute(select(n).where(due).order_by(n))]


def due_lanes(tx: Transaction, now: datetime, most: int) -> list[tuple[str, int]]:
    """(lane, how many, counted up to `most`) of the messages that are pending and may go. From lane to lane through
    ix_messages_pending: grouping would read every pending row."""
    c = messages.c
    first = select(func.min(c.lane).label("lane")).where(c.state == "pending").cte("lanes", recursive=True)
    following = select(func.min(c.lane)).where(c.state == "pending", c.lane > first.c.lane).scalar_subquery()
    lanes = first.union_all(select(following).where(first.c.lane.is_not(None)))
    lane = lanes.c.lane
    page: Select[Any] = (
        select(literal_column("1")).where(c.state == "pending", c.lane == lane, c.due <= now).limit(most)
    )
    count = select(func.count()).select_from(page.correlate(lanes).subquery()).correlate(lanes).scalar_subquery()
    found = select(lane, count.label("count")).where(lane.is_not(None)).subquery()
    # Calls of webhooks are made by every worker's own tick: their rows are claimed one by one, and no pace is kept.
    mails = found.c.lane.not_like("webhook:%")
    query = select(found.c.lane, found.c.count).where(found.c.count > 0, mails).order_by(column("lane"))
    return [(row[0], row[1]) for row in tx.execute(query)]


@dataclass(frozen=True, slots=True)
class Job:
    """A look at something. Of one `lock` at most one job waits or runs."""

    queue: str
    task: str
    lock: str
    arguments: dict[str, Any]


_DEFER = text(
    f"""
    SELECT cardinality({SCHEMA}.procrastinate_defer_jobs_v1(ARRAY(
        SELECT CAST(ROW(w.queue, w.task, 0, w.lock, w.lock, CAST(w.arguments AS jsonb), NULL)
                    AS {SCHEMA}.procrastinate_job_to_defer_v1)
        FROM unnest(CAST(:queues AS text[]), CAST(:tasks AS text[]), CAST(:locks AS text[]), CAST(:arguments AS text[]))
             AS w(queue, task, lock, arguments)
        WHERE NOT EXISTS (
            SELECT 1 FROM {SCHEMA}.procrastinate_jobs j WHERE j.lock = w.lock AND j.status IN ('todo', 'doing'))
    )))
    """  # noqa: S608 — a constant of this module
)


def defer(database: Database, wanted: Sequence[Job]) -> int:
    """Put up those of these jobs whose lock has none yet; how many. One statement, committed by itself: a worker that
    stops in the middle of its tick holds nothing that others wait for."""
    if not wanted:
        return 0
    values = {
        "queues": [job.queue for job in wanted],
        "tasks": [job.task for job in wanted],
        "locks": [job.lock for job in wanted],
        "arguments": [json.dumps(job.arguments) for job in wanted],
    }
    try:
        with database.at_once() as tx:
            return tx.execute(_DEFER, values).scalar() or 0
    except IntegrityError:
        return 0  # another worker's tick was quicker by a moment; what it left out comes with the next


def servants(tx: Transaction, silent: float) -> int:
    """How many serve a queue and have said so within the last `silent` seconds."""
    query = text(
        f"SELECT count(*) FROM {SCHEMA}.procrastinate_workers"  # noqa: S608 — a constant of this module
        " WHERE last_heartbeat >= now() - make_interval(secs => :silent)"
    )
    return tx.execute(query, {"silent": silent}).scalar() or 0


_STALLED = text(
    f"""
    SELECT count(CAST({SCHEMA}.procrastinate_finish_job_v1(j.id, 'failed', true) AS text))
    FROM {SCHEMA}.procrastinate_jobs j LEFT JOIN {SCHEMA}.procrastinate_workers w ON w.id = j.worker_id
    WHERE j.status = 'doing' AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => :silent))
    """  # noqa: S608 — a constant of this module
)


def drop_stalled(database: Database, silent: float) -> int:
    """Take away the jobs of workers that have not said for `silent` seconds that they live; how many. What they were
    about is put up again by the tick, as a job with another number: a worker that wakes up later cannot end it."""
    with database.at_once() as tx:
        return tx.execute(_STALLED, {"silent": silent}).scalar() or 0
