"""Workers as processes of their own, that can be killed, stopped and told to end."""

from __future__ import annotations

import asyncio
import collections
import re
import signal
import sys
import uuid
from asyncio.subprocess import Process
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import func, select, text

from nurture.store.database import open_database
from nurture.store.tables import enrollments, messages
from tests.delivery.server import ScriptedServer
from tests.faults.project import Project
from tests.heard import hear

_SUBJECT = re.compile(rb"^Subject: (.*)\r$", re.MULTILINE)

# The command itself, with leases of a few seconds.
_SHORT_LEASES = """
import datetime, sys
from nurture.delivery import dispatch
dispatch.LEASE, dispatch.RENEW = datetime.timedelta(seconds={seconds}), {seconds} / 4
from nurture.cli import main
main()
"""


@contextmanager
def a_database(server_url: str) -> Iterator[str]:
    """An empty database beside the one named, gone afterwards."""
    server = open_database(server_url)
    name = f"workers_{uuid.uuid4().hex[:12]}"
    outside = server.engine.execution_options(isolation_level="AUTOCOMMIT")
    with outside.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    try:
        yield server.engine.url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    finally:
        with outside.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.close()


class Crew:
    """Workers; those that still live when the block ends are killed, whatever happened in it."""

    def __init__(self) -> None:
        self._all: list[Process] = []
        self._draining: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._all:
            if process.returncode is None:
                process.kill()
                await process.wait()
        await asyncio.gather(*self._draining)

    async def start(self, root: Path, *, lease: float | None = None) -> Process:
        """A worker of this project folder that has begun to work; `lease` is that of its messages, in seconds."""
        if lease is None:
            command = [str(Path(sys.executable).with_name("nurture"))]
        else:
            command = [sys.executable, "-c", _SHORT_LEASES.format(seconds=lease)]
        process = await asyncio.create_subprocess_exec(
            *command, "--project", str(root), "worker", stderr=asyncio.subprocess.PIPE
        )
        self._all.append(process)
        assert process.stderr is not None
        told = []
        async for line in process.stderr:
            told.append(line.decode())
            hear(line)
            if b"worker.started" in line:
                break
        else:
            raise AssertionError(f"the worker ended before it began to work: {''.join(told)[-2000:]}")
        self._draining.append(asyncio.create_task(_drain(process.stderr)))
        return process


async def _drain(stream: asyncio.StreamReader) -> None:
    async for line in stream:
        hear(line)


async def end(*running: Process) -> None:
    """Ask them to end; they do, in good order."""
    for process in running:
        process.send_signal(signal.SIGTERM)
    assert [await process.wait() for process in running] == [0] * len(running)


def states(project: Project) -> tuple[dict[str, int], int]:
    """Messages by state, and how many enrollments have finished."""
    with project.app.database.read() as tx:
        found = _pairs(tx.execute(select(messages.c.state, func.count()).group_by(messages.c.state)).all())
        done = tx.execute(select(func.count()).where(enrollments.c.state == "finished")).scalar_one()
    return found, done


def _pairs(rows: Iterable[Any]) -> dict[Any, int]:
    return {row[0]: row[1] for row in rows}


def by_worker(project: Project) -> dict[str | None, int]:
    """How many messages each worker took up last."""
    with project.app.database.read() as tx:
        return _pairs(tx.execute(select(messages.c.worker, func.count()).group_by(messages.c.worker)).all())


async def finished(project: Project, leads: int) -> None:
    """Wait until every lead has come to the end and every message to an end of its own."""
    while True:
        found, done = states(project)
        if done == leads and not set(found) - {"sent", "unknown"}:
            return
        await asyncio.sleep(0.5)


def received(server: ScriptedServer) -> Mapping[str, int]:
    """How often each subject was accepted."""
    return collections.Counter(_SUBJECT.search(mail.data)[1].decode() for mail in server.received)  # type: ignore[index]


def unknown(project: Project) -> set[str]:
    """Subjects of the messages listed as unknown."""
    names = {lead: f"lead{n}" for n, lead in enumerate(project.leads)}
    number = {"one": 1, "two": 2}
    with project.app.database.read() as tx:
        rows = tx.execute(
            select(messages.c.template, messages.c.lead_id).where(
                messages.c.kind == "mail", messages.c.state == "unknown"
            )
        ).all()
    return {f"Number {number[template]} for {names[lead]}" for template, lead in rows}


def once_each(project: Project, server: ScriptedServer, leads: int) -> set[str]:
    """Nothing was accepted twice, and everything once but for what is listed as unknown; that is returned."""
    accepted, listed = received(server), unknown(project)
    assert not {subject: n for subject, n in accepted.items() if n > 1}
    expected = {f"Number {n} for lead{i}" for n in (1, 2) for i in range(leads)}
    assert accepted.keys() <= expected
    assert expected - accepted.keys() <= listed
    return listed
