"""What a lead says of itself is never fetched (trust X23): the worker speaks to its mail server and its database.

Two witnesses: Python's audit hook hears every connection and every name that is looked up; a listener on loopback
stands behind the addresses in the leads' fields, and hears what libraries that are not Python would ask for.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from nurture.clock import machine_now
from nurture.store import casting
from nurture.store.casting import Cast
from nurture.worker import Worker
from tests.delivery.server import ScriptedServer
from tests.faults import project as projects
from tests.faults.project import Project

_ears: list[list[tuple[str, object]]] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _ears and event in ("socket.connect", "socket.getaddrinfo", "urllib.Request", "subprocess.Popen", "os.system"):
        where = arguments[1] if event == "socket.connect" else arguments[:2]
        for ear in _ears:
            ear.append((event, where))


@contextmanager
def connections() -> Iterator[list[tuple[str, object]]]:
    """Every connection begun, name looked up and program started in this process meanwhile."""
    if not getattr(sys, "_nurture_hears", False):
        sys.addaudithook(_hear)  # for good: Python takes none away again
        sys._nurture_hears = True  # type: ignore[attr-defined]
    heard: list[tuple[str, object]] = []
    _ears.append(heard)
    try:
        yield heard
    finally:
        _ears.remove(heard)


CONFIG = projects.CONFIG + "attributes: {{site: url, note: text, cv: text}}\n"
TEMPLATE = """---
subject: About {{ lead.site }} and {{ lead.note }}
---
<p style="color: #333">{{ lead.note }} {{ lead.cv }} {{ lead.site }} <a href="{{ lead.site }}">your site</a></p>
<p>{{ sender.postal_address }} <a href="{{ links.unsubscribe }}">Unsubscribe</a></p>
"""
LEADS = 5


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> str:
    return "sqlite:///nurture.db" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def deploy(root: Path, database: str, mail: int, trap: int, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A campaign whose mail puts fields of the lead wherever an address may stand."""
    monkeypatch.setattr(projects, "TEMPLATE", TEMPLATE.replace("{", "{{").replace("}", "}}"))
    project = projects.make(root, database, mail, 0, config=CONFIG)
    address = f"http://127.0.0.1:{trap}"
    fields = {
        "site": f"{address}/site.png?x=1",
        "note": f"<img src='{address}/note'> file:///etc/passwd \\\\127.0.0.1\\share",
        "cv": f"<script src={address}/cv.js></script> http://169.254.169.254/latest/meta-data/",
    }
    now = machine_now()
    with project.app.database.write() as tx:
        cast = [
            Cast(fields={"email": f"lead{n}@mail.example", **fields}, consents=["offers"], external_id=f"{address}/{n}")
            for n in range(LEADS)
        ]
        ids = casting.put(tx, project.app.settings.project, cast, now, project.app.keyring)
        projects.go(project.app, tx, ids, now)
    return project


async def test_x23_the_worker_speaks_to_its_mail_server_and_its_database_only(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(100))
        writer.close()

    trap = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with trap, ScriptedServer() as server:
        project = deploy(tmp_path / "p", database, server.port, trap.sockets[0].getsockname()[1], monkeypatch)
        with connections() as heard:
            while len(server.received) < LEADS:
                await Worker(project.app).once()
        project.app.database.close()
    assert all(b"site.png" in mail.data for mail in server.received), "the addresses are in the mails"
    assert asked == []
    assert {where for event, where in heard if event != "socket.getaddrinfo"} <= allowed(database, server.port)
    assert {host for event, (host, *_) in heard if event == "socket.getaddrinfo"} <= {"127.0.0.1", "localhost"}


def allowed(database: str, mail: int) -> set[object]:
    """Where a worker of this project may connect to."""
    url = make_url(database)
    return {("127.0.0.1", mail)} | ({(url.host, url.port or 5432)} if url.host else set())


def test_x23_the_ear_hears_a_connection() -> None:
    with socket.socket() as listener, socket.socket() as caller, connections() as heard:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        caller.connect(listener.getsockname())
        assert heard == [("socket.connect", listener.getsockname())]
