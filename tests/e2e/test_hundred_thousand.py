"""A hundred thousand leads with one mail due each: memory that does not grow with them, each mail exactly once, and a
number of statements that depends on batches, never on leads."""

from __future__ import annotations

import asyncio
import collections
import sys
from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from nurture.delivery.dispatch import BATCH
from nurture.store.tables import attempts, messages
from nurture.worker import Worker
from tests.delivery.recording import RecordingTransport
from tests.delivery.server import ScriptedServer
from tests.faults.project import Project, opened
from tests.heard import hear

FEW, MANY = 20_000, 100_000
MOST_MB = 200  # resident; the aim is 150, measured with another process's memory beside it
GROWTH_MB = 25  # what five times as many leads may cost more

ONE_MAIL = """
campaign: one-mail
topic: offers
state: live
enter: {event: go}
steps:
  - send: one
"""

# The command itself; its last line is the largest memory it had, in kilobytes. Not `ru_maxrss`: that remembers the size
# of the process it was started by.
_WEIGHED = """
from pathlib import Path
from nurture.cli import main
try:
    main()
finally:
    print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0], flush=True)
"""


async def peak_mb(project: Project) -> float:
    """Let a worker do all that is due; the most memory it had."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _WEIGHED, "--project", str(project.root), "worker", "--once"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, logged = await process.communicate()
    hear(logged)
    assert process.returncode == 0
    return int(told.split()[-1]) / 1024


async def weigh(root: Path, leads: int) -> float:
    async with ScriptedServer() as server:
        with opened(root, "sqlite:///nurture.db", server.port, leads, ONE_MAIL) as project:
            peak = await peak_mb(project)
            received = collections.Counter(mail.recipients for mail in server.received)
            assert len(received) == leads
            assert set(received.values()) == {1}
            with project.app.database.read() as tx:
                states = tx.execute(select(messages.c.state, func.count()).group_by(messages.c.state)).all()
                tries = tx.execute(select(func.count()).select_from(attempts)).scalar_one()
    assert [tuple(row) for row in states] == [("sent", leads)]
    assert tries == leads
    return peak


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_hundred_thousand_mails_arrive_once_each_and_memory_does_not_grow_with_them(tmp_path: Path) -> None:
    few = await weigh(tmp_path / "few", FEW)
    many = await weigh(tmp_path / "many", MANY)
    assert many - few < GROWTH_MB, (few, many)
    assert many < MOST_MB, (few, many)


async def statements(root: Path, leads: int) -> int:
    """How many statements it takes to play and send for so many leads."""
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1

    with opened(root, "sqlite:///nurture.db", 9, leads, ONE_MAIL) as project:
        app = project.app
        app.transport = lambda: RecordingTransport(chunk=BATCH)  # type: ignore[method-assign]
        event.listen(app.database.engine, "before_cursor_execute", count)
        await Worker(app).once()
        event.remove(app.database.engine, "before_cursor_execute", count)
        with app.database.read() as tx:
            assert tx.execute(select(func.count()).where(messages.c.state == "sent")).scalar_one() == leads
    return seen


@pytest.mark.slow
async def test_a_lead_more_in_a_batch_costs_no_statement_more(tmp_path: Path) -> None:
    assert await statements(tmp_path / "half", BATCH // 2) == await statements(tmp_path / "whole", BATCH)


@pytest.mark.slow
async def test_every_further_batch_costs_the_same_number_of_statements(tmp_path: Path) -> None:
    one, two, three = [await statements(tmp_path / str(n), n * BATCH) for n in (1, 2, 3)]
    assert three - two == two - one
