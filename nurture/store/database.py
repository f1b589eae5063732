"""Opening a database and holding a transaction: the only place that knows how the two databases differ in this.

SQLite: one file, short transactions. Its driver's defaults lose updates silently (a counter reached 51 of 200), so
transactions are begun by us, writers with BEGIN IMMEDIATE (trust R6). WAL is used from 3.51.3 on only (before it, two
connections could corrupt a file: the WAL-reset bug); below, the file is kept with a rollback journal.
PostgreSQL: psycopg, READ COMMITTED; every write that depends on what was read is guarded by the row's own value.
"""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, Engine, Table, create_engine, event, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import StaticPool

from nurture.errors import LostRace, StoreUnavailable, UserError
from nurture.store.many import inserting
from nurture.store.suppression_journal import Line, SuppressionJournal

Transaction = Connection
log = structlog.get_logger()

WAL_IS_SAFE = (3, 51, 3)
BUSY_TIMEOUT_MS = 10_000
_JOURNAL_LIMIT = 32 * 1024 * 1024  # bytes a journal file keeps after a large transaction
# Serialization failure, deadlock, a lock that was not to be had in time: nothing was changed, and it may try again.
_OVERTAKEN = ("40001", "40P01", "55P03")
PATIENCE = "20s"  # for a row that another transaction holds: longer than any of ours lasts, so its client is stopped
FROZEN = "60s"  # a transaction whose client is still for so long (a stopped machine) is ended, and its rows are free
_DECODER = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()


def _dump(value: Any) -> str:
    return _ENCODER.encode(value).decode()


class Database:
    """An open database. `read()` and `write()` give transactions; a write commits at the end of its block or, on any
    error, changes nothing."""

    def __init__(self, engine: Engine, journal: SuppressionJournal | None = None) -> None:
        self.engine = engine
        self.journal = journal  # remembers who said no, outside the database (trust C25)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @property
    def path(self) -> Path | None:
        """The file of a SQLite database; None for PostgreSQL and for memory."""
        name = self.engine.url.database
        return Path(name) if self.is_sqlite and name else None

    def room(self) -> int | None:
        """Bytes that are free for a SQLite file to grow; None where it lies elsewhere, or in memory."""
        if self.path is None or not self.path.exists():
            return None
        return shutil.disk_usage(self.path.parent).free

    @property
    def missing(self) -> bool:
        """Whether the file of a SQLite database is not there; using it would make it."""
        return self.path is not None and not self.path.exists()

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that may write. Raises StoreUnavailable when the disk is full, the file read-only or the
        server gone; nothing was changed then."""
        told: list[Line] = []
        with _edge(), self.engine.connect() as connection:
            connection = connection.execution_options(writes=True, told=told)
            with connection.begin():
                yield connection
                if self.journal is not None and told:
                    _remember(self.journal, told)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that sees one state and writes nothing."""
        with _edge(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def at_once(self) -> Iterator[Transaction]:
        """Statements that commit one by one, for PostgreSQL: between them nothing is held that others wait for."""
        with _edge(), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        self.engine.dispose()


def _remember(journal: SuppressionJournal, told: Sequence[Line]) -> None:
    """A no must not fail for want of its second copy: the next start of a worker adds what is missing, or says that it
    cannot."""
    try:
        journal.append(told)
    except StoreUnavailable as error:
        log.error("suppressions.journal_unwritten", lines=len(told), error=error.message)


def tell(tx: Transaction, lines: Sequence[Line]) -> None:
    """Have the suppression journal, where there is one, say this when the transaction commits."""
    told = tx.get_execution_options().get("told")
    if told is not None:
        told.extend(lines)


@contextmanager
def _edge() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) in _OVERTAKEN:
            raise LostRace("another transaction was at the same rows") from error
        # A server that fails over looks the same: the batch is lost, and the next look decides it anew (trust R20).
        raise StoreUnavailable(
            f"the database cannot be used now: {str(error.orig).strip()}",
            hint="nothing was changed; free the disk or start the server, then try again",
        ) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StoreUnavailable("the connection to the database was lost") from error
        raise


def open_database(url: str, *, durable: bool = True, pool_size: int = 10) -> Database:
    """Open `sqlite:///FILE`, `sqlite://` (memory, one connection) or `postgresql://…`; nothing is created.

    `durable=False` is for throw-away files of the simulator: no waiting for the disk.
    """
    try:
        parsed = make_url(url)
    except Exception as error:
        raise UserError(
            f"'{url}' is not a database address", hint="write sqlite:///nurture.db or postgresql://user@host/name"
        ) from error
    match parsed.get_backend_name():
        case "sqlite":
            return Database(_sqlite(parsed, durable))
        case "postgresql" | "postgres":
            return Database(_postgres(parsed, pool_size))
        case other:
            raise UserError(f"no driver for a '{other}' database", hint="use sqlite:/// or postgresql://")


def _postgres(url: URL, pool_size: int) -> Engine:
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            json_serializer=_dump,
            json_deserializer=_DECODER.decode,
            hide_parameters=True,  # a failed statement is logged, the people in it are not (trust X16)
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
        )
    except ModuleNotFoundError as error:
        raise UserError(
            "this installation cannot speak to PostgreSQL", hint="run: pip install 'nurture[postgres]'"
        ) from error

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.autocommit = True
        connection.execute(f"SET idle_in_transaction_session_timeout = '{FROZEN}'")
        connection.execute(f"SET lock_timeout = '{PATIENCE}'")
        connection.autocommit = False

    return engine


def _sqlite(url: URL, durable: bool) -> Engine:
    memory = not url.database or url.database == ":memory:"
    options: dict[str, Any] = {"poolclass": StaticPool} if memory else {"pool_size": 10, "max_overflow": 20}
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        json_serializer=_dump,
        json_deserializer=_DECODER.decode,
        hide_parameters=True,
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
        **options,
    )

    @event.listens_for(engine, "do_connect")
    def make(*_: object) -> None:
        """A new file is for its owner alone; its journals take after it."""
        if not memory:
            with suppress(OSError):  # there already, or where nothing can be made: opening it says so
                os.close(os.open(str(url.database), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT}")
        if not durable:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = MEMORY")
        else:
            connection.execute("PRAGMA synchronous = FULL")
            if not memory:
                # TRUNCATE spares the directory's fsync that DELETE needs at each commit.
                mode = "WAL" if sqlite3.sqlite_version_info >= WAL_IS_SAFE else "TRUNCATE"
                connection.execute(f"PRAGMA journal_mode = {mode}")
        _add_functions(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _add_functions(connection: sqlite3.Connection) -> None:
    """What PostgreSQL has and SQLite lacks or does for ASCII only."""
    connection.create_function("fold", 1, lambda s: s.lower() if isinstance(s, str) else s, deterministic=True)
    connection.create_function("half_lives", 2, lambda s, h: math.exp2(-s / h) if h else 1.0, deterministic=True)


def upserting(tx: Transaction, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT in the database's own dialect, which may say what to do about rows that are there."""
    return postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)


def insert_rows(tx: Transaction, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert many rows with one prepared statement; an empty list is nothing. All rows name the same columns."""
    if rows:
        names = tuple(rows[0])
        statement, defaults = inserting(table, names)
        statement.run(tx, [(*(row[name] for name in names), *defaults) for row in rows])


def insert_returning_ids(tx: Transaction, table: Table, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert many rows and return their ids in the order given."""
    if not rows:
        return []
    if tx.dialect.name == "sqlite":
        # Its RETURNING promises no order, so SQLAlchemy would insert row by row: 2,000 statements where 1,000 leads
        # enter two campaigns. There is one writer, and the ids it would give are known.
        first = _next_id(tx, table)
        insert_rows(tx, table, [{"id": first + n, **row} for n, row in enumerate(rows)])
        return list(range(first, first + len(rows)))
    result = tx.execute(insert(table).returning(table.c.id, sort_by_parameter_order=True), list(rows))
    return [row[0] for row in result]


def reserve_ids(tx: Transaction, table: Table, count: int) -> list[int]:
    """That many ids nobody else is given, rising, for rows that must know their id before they are written."""
    if tx.dialect.name == "sqlite":
        first = _next_id(tx, table)
        return list(range(first, first + count))
    sequence = func.nextval(func.pg_get_serial_sequence(table.name, "id"))
    return sorted(tx.execute(select(sequence).select_from(func.generate_series(1, count))).scalars())


def _next_id(tx: Transaction, table: Table) -> int:
    """The id that SQLite would give next; of a table that never gives one twice, after all it ever gave."""
    last = tx.execute(select(func.max(table.c.id))).scalar() or 0
    if table.dialect_options["sqlite"]["autoincrement"]:
        ever = tx.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).scalar()
        last = max(last, ever or 0)
    return int(last) + 1
