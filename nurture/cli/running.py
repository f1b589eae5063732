"""`nurture run`, `worker`, `serve`: the parts that stay up."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.console import ProjectOption, project_root

if TYPE_CHECKING:
    from nurture.app import App

PortOption = Annotated[int, typer.Option("--port", help="Port of the endpoint.", min=1, max=65535)]
HostOption = Annotated[str, typer.Option("--host", help="Address to listen on; this machine only by default.")]


def run(port: PortOption = 8025, host: HostOption = "127.0.0.1", project: ProjectOption = None) -> None:
    """Worker and endpoint in one process, the embedded default."""
    _loop(_run(_open(project), host, port, work=True, serve=True))


def serve(port: PortOption = 8025, host: HostOption = "127.0.0.1", project: ProjectOption = None) -> None:
    """The endpoint alone: events in, unsubscribe and preference pages, the REST interface."""
    _loop(_run(_open(project), host, port, work=False, serve=True))


def worker(
    once: Annotated[bool, typer.Option("--once", help="Do all that is due now, and end.")] = False,
    project: ProjectOption = None,
) -> None:
    """The worker alone. Any number of them on PostgreSQL, one on a SQLite file."""
    app = _open(project)
    if once:
        _loop(_once(app))
    else:
        _loop(_run(app, "", 0, work=True, serve=False))


def _loop(work: Coroutine[Any, Any, None]) -> None:
    """Run it on uvloop, which a worker's connections and an endpoint's requests are both faster on."""
    try:
        from uvloop import run
    except ImportError:  # there is none for Windows
        asyncio.run(work)
    else:
        run(work)


def _open(project: ProjectOption) -> App:
    import structlog

    from nurture.app import open_app
    from nurture.exposure import exposed
    from nurture.folder import read_folder
    from nurture.logs import set_up

    set_up()
    root = project_root(project)
    app = open_app(root)
    app.check()
    names = app.settings.allow_recipients
    if names is not None:
        typer.echo(f"STAGING: mails go to nobody but {', '.join(names)} (allow_recipients in config.yaml)", err=True)
    for one in exposed(read_folder(root), app.database.path):
        structlog.get_logger().warning("files.exposed", why=one.text, do=one.hint)
    return app


async def _once(app: App) -> None:
    from nurture.worker import Worker, settle_in, signals

    settle_in()
    worker = Worker(app)
    with signals(worker):
        await worker.once()


async def _run(app: App, host: str, port: int, *, work: bool, serve: bool) -> None:
    """Until a signal: the endpoint stops taking requests first, then the worker drains."""
    from nurture.service import told
    from nurture.serving import Endpoint
    from nurture.worker import Worker, alone, settle_in, signals

    settle_in()
    worker = Worker(app)
    if work:
        with alone(app.database):
            pass  # refused before the endpoint takes requests that nobody would react to
    endpoint = Endpoint(app, host, port) if serve else None
    with signals(worker):
        if endpoint is not None:
            await endpoint.start()
        try:
            async with told(os.environ, os.getpid(), worker.standing):
                await (worker.run() if work else worker.stopped())
        finally:
            if endpoint is not None:
                await endpoint.stop()
