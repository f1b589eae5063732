"""`nurture preview --watch`: the mail in a page of this machine's own that follows the files it is made of."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from html import escape
from importlib.resources import files
from pathlib import Path

import typer
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from nurture.cli.console import open_in_browser
from nurture.cli.watching import EVERY, Quiet, look
from nurture.errors import NurtureError, UserError

_HOST = "127.0.0.1"
_HEADERS = {
    # A mail's own styles and pictures, our one script, and nothing else; the mail's frames run no script at all.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; "
    "img-src https: http: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_SCRIPT = """\
const shown = document.currentScript.dataset.state;
new EventSource("/changes").onmessage = (event) => { if (event.data !== shown) location.reload(); };
"""


class LivePreview:
    """The page, and a stream that tells each new state of the project's files. `page` makes the page anew."""

    def __init__(self, root: Path, page: Callable[[], str]) -> None:
        self._root = root
        self._page = page
        self._turn = 0
        self._changed = asyncio.Condition()

    @property
    def state(self) -> str:
        """Differs after every change, and in every process."""
        return f"{os.getpid()}-{self._turn}"

    def app(self) -> Starlette:
        routes = [Route("/", self._show), Route("/live.js", self._script), Route("/changes", self._changes)]
        # Else a stranger's page, under a name that leads here, could read the mail.
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[_HOST, "localhost"])
        return Starlette(routes=routes, middleware=[hosts], lifespan=self._watching)

    @asynccontextmanager
    async def _watching(self, _app: Starlette) -> AsyncIterator[None]:
        quiet = Quiet(look(self._root))
        task = asyncio.create_task(self._watch(quiet))
        yield
        task.cancel()

    async def _watch(self, quiet: Quiet) -> None:
        while True:
            await asyncio.sleep(EVERY)
            if quiet.see(await asyncio.to_thread(look, self._root)):
                async with self._changed:
                    self._turn += 1
                    self._changed.notify_all()

    async def _show(self, _request: Request) -> Response:
        state = self.state  # before the files are read: what changes meanwhile is shown next
        page = await asyncio.to_thread(self._made)
        return HTMLResponse(f'{page}<script src="/live.js" data-state="{state}"></script>\n', headers=_HEADERS)

    def _made(self) -> str:
        try:
            return self._page()
        except NurtureError as error:
            words = str(error) or error.message
            return _broken(f"{words}\n{error.hint}" if error.hint else words)
        except Exception as error:  # a tool that is open all day outlives a fault of ours
            return _broken(f"this is our fault, not yours ({type(error).__name__}: {error})")

    async def _script(self, _request: Request) -> Response:
        return Response(_SCRIPT, media_type="text/javascript", headers=_HEADERS)

    async def _changes(self, _request: Request) -> Response:
        return StreamingResponse(self._states(), media_type="text/event-stream", headers=_HEADERS)

    async def _states(self) -> AsyncIterator[str]:
        while True:
            told = self.state
            yield f"data: {told}\n\n"
            async with self._changed:
                await self._changed.wait_for(lambda told=told: self.state != told)  # type: ignore[misc]


def _broken(words: str) -> str:
    page = files("nurture.cli").joinpath("preview_broken.html").read_text(encoding="utf-8")
    return page.replace("WORDS", escape(words))


def serve(root: Path, page: Callable[[], str], port: int) -> None:
    """Show the page until Ctrl-C. `port` 0 is any free one. Raises UserError where the port is taken."""
    with socket.socket() as place:
        try:
            place.bind((_HOST, port))
        except OSError as error:
            raise UserError(f"cannot listen on {_HOST}:{port}", hint="leave --port out for any free one") from error
        address = f"http://{_HOST}:{place.getsockname()[1]}/"
        typer.echo(f"{address} follows the files; Ctrl-C ends it")
        open_in_browser(address)
        config = uvicorn.Config(
            LivePreview(root, page).app(),
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=0,  # a page that is open holds its stream for ever
        )
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[place])
