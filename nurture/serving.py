"""The endpoint as a part that starts and stops with the rest of the process."""

from __future__ import annotations

import asyncio
import contextlib

import structlog
import uvicorn

from nurture.app import App
from nurture.errors import UserError
from nurture.web.app import create_app
from nurture.web.hooks import Hooks
from nurture.web.patience import MOST_CONNECTIONS, Patience
from nurture.web.services import Services

log = structlog.get_logger()

GRACE = 10  # seconds a request under way is given


class Endpoint:
    """uvicorn in this process's loop. Signals are the worker's: it is told to stop, and stops taking requests first."""

    def __init__(self, app: App, host: str, port: int) -> None:
        self.app = app
        self.host = host
        self.port = port
        self.ingest = app.ingest()
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    def services(self) -> Services:
        app = self.app
        return Services(
            database=app.database,
            clock=app.clock,
            links=app.links,
            keyring=app.keyring,
            base_url=app.settings.base_url,
            ingest=self.ingest,
            rules=app.rules,
            move=app.move,
            erase=app.erase,
            processing=app.processing,
            scanners=app.scanners,
            trusted_proxies=app.settings.trusted_proxies,
            forms_per_hour=app.settings.limits.forms_per_network,
            forms_in_all=app.settings.limits.forms,
        )

    def hooks(self) -> Hooks:
        app = self.app
        return Hooks(
            providers=app.settings.providers,
            database=app.database,
            clock=app.clock,
            live=app.live,
            feedback=app.feedback,
            trusted_proxies=app.settings.trusted_proxies,
        )

    async def start(self) -> None:
        """Listen; returns when requests are taken. Raises UserError where the port is taken."""
        self.ingest.start()
        config = uvicorn.Config(
            create_app(self.services(), self.hooks().routes()),
            host=self.host,
            port=self.port,
            log_level="warning",
            access_log=False,  # paths hold tokens
            server_header=False,
            proxy_headers=False,  # web.access judges whose word on addresses is taken (trust C3)
            date_header=True,
            http=Patience,
            ws="none",
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=GRACE,
            timeout_keep_alive=20,
            lifespan="off",
        )
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._task = asyncio.create_task(self._serve(self._server))
        while not self._server.started:
            if self._task.done():
                error = self._task.exception()
                raise UserError(
                    f"cannot listen on {self.host}:{self.port}", hint="another program may have the port; use --port"
                ) from error
            await asyncio.sleep(0.02)
        log.info("endpoint.started", host=self.host, port=self.port)

    async def _serve(self, server: uvicorn.Server) -> None:
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await server._serve()
        except SystemExit as error:  # uvicorn ends the process where it cannot listen
            raise UserError("cannot listen") from error

    async def stop(self) -> None:
        """Requests under way are answered; what was taken in is written."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
        await asyncio.to_thread(self.ingest.stop)
        log.info("endpoint.stopped")
