"""The pages of the inbox: all mails in a list, one of them as its reader sees it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, Protocol
from urllib.parse import urlencode

import uvicorn
from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from nurture.campaign.project import Project
from nurture.errors import UserError
from nurture.inbox.letter import Letter
from nurture.journey.timing import local

A_PAGE = 50  # mails in the list at once
_LINK = re.compile(r"(https?://[^\s<>()\"]+)")


class Mailbox(Protocol):
    """Where the mails come from."""

    @property
    def project(self) -> Project: ...

    def letters(self) -> Sequence[Letter]:
        """All of them, oldest first."""
        ...


@dataclass(frozen=True)
class Search:
    """What of the inbox is shown. Empty fields ask for nothing."""

    person: str = ""
    language: str = ""
    campaign: str = ""
    page: int = 1

    def fits(self, letter: Letter) -> bool:
        wanted = self.person.casefold()
        if wanted and wanted not in f"{letter.name} {letter.recipient} {letter.subject}".casefold():
            return False
        return self.language in ("", letter.language) and self.campaign in ("", letter.campaign)

    def query(self, **change: Any) -> str:
        """The search as the end of an address, `?` included; nothing where nothing is asked."""
        fields = {"person": self.person, "language": self.language, "campaign": self.campaign, "page": self.page}
        said = {name: value for name, value in (fields | change).items() if value not in ("", 1, "html")}
        return f"?{urlencode(said)}" if said else ""


# A mail is shown in a frame that may load nothing and run nothing, whatever stands in it.
_MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
_VIEWS = ("html", "text", "source")
_TITLES = {"en": "English", "fr": "French", "ro": "Romanian"}


class InboxPages:
    """The inbox in a browser, on a port of its own, on this machine only."""

    def __init__(self, inbox: Mailbox, port: int, base_url: str, words: Sequence[str]) -> None:
        """`base_url` is where the links of the mails lead; `words` are paragraphs for who has chosen no mail yet."""
        self._inbox = inbox
        self._port = port
        self._words = words
        self._policy = (
            f"default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self' {base_url}; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        self._page = templates(inbox.project).get_template("inbox.html")
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    def app(self) -> Starlette:
        # Else a stranger's page, under a name that leads here, could read the mails.
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
        return Starlette(
            middleware=[hosts],
            routes=[
                Route("/", self._index),
                Route("/inbox.css", self._style),
                Route("/mail/{number:int}", self._mail),
                Route("/mail/{number:int}/html", self._html),
            ],
        )

    async def start(self) -> None:
        """Listen; returns when pages are served."""
        config = uvicorn.Config(
            self.app(),
            host="127.0.0.1",
            port=self._port,
            log_level="error",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._serve(self._server))
        while not self._server.started:
            if self._task.done():
                raise UserError(f"cannot listen on port {self._port}") from self._task.exception()
            await asyncio.sleep(0.02)

    async def _serve(self, server: uvicorn.Server) -> None:
        with contextlib.suppress(SystemExit):  # uvicorn ends the process where it cannot listen
            await server._serve()

    async def stop(self) -> None:
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task

    # --- pages ---

    async def _index(self, request: Request) -> Response:
        return self._show(_search(request), None)

    async def _mail(self, request: Request) -> Response:
        letter = self._letter(request)
        if letter is None:
            return PlainTextResponse("There is no such mail.", 404)
        view = request.query_params.get("view", "html")
        if view not in _VIEWS or (view == "html" and not letter.html):
            view = "text"
        return self._show(_search(request), letter, view)

    async def _html(self, request: Request) -> Response:
        letter = self._letter(request)
        if letter is None:
            return PlainTextResponse("There is no such mail.", 404)
        # A link in the mail opens beside the inbox, as in a mail program.
        page = letter.html.replace("<head>", '<head><base target="_blank">', 1)
        return HTMLResponse(page, headers={"Content-Security-Policy": _MAIL_POLICY, "Referrer-Policy": "no-referrer"})

    async def _style(self, _request: Request) -> Response:
        return Response(style(), media_type="text/css", headers={"Cache-Control": "no-cache"})

    def _letter(self, request: Request) -> Letter | None:
        number = request.path_params["number"]
        return next((letter for letter in self._inbox.letters() if letter.number == number), None)

    def _show(self, search: Search, letter: Letter | None, view: str = "html") -> Response:
        letters = self._inbox.letters()
        found = [each for each in reversed(letters) if search.fits(each)]
        pages = max(1, -(-len(found) // A_PAGE))
        search = replace(search, page=min(max(1, search.page), pages))
        start = (search.page - 1) * A_PAGE
        page = self._page.render(
            search=search,
            pages=pages,
            found=len(found),
            total=len(letters),
            rows=found[start : start + A_PAGE],
            languages=sorted({each.language for each in letters if each.language}),
            campaigns=sorted({each.campaign for each in letters if each.campaign}),
            letter=letter,
            view=view,
            titles=_TITLES,
            sender=self._inbox.project.sender.name,
            words=self._words,
        )
        headers = {"Content-Security-Policy": self._policy, "Referrer-Policy": "no-referrer"}
        return HTMLResponse(page, headers=headers)


def style() -> str:
    """The look of the inbox, as CSS."""
    return _file("inbox.css")


def _file(name: str) -> str:
    return files("nurture.inbox").joinpath(name).read_text("utf-8")


def templates(project: Project, file: Callable[[str], str] = _file) -> Environment:
    """Pages about letters; times are the project's."""
    made = Environment(
        loader=FunctionLoader(file),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["linked"] = linked
    made.globals["zone"] = project.zone
    made.globals["local"] = lambda letter: local(letter.at, project.zone)
    return made


def linked(text: str) -> Markup:
    """Plain text with its addresses made links."""
    link = Markup('<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>')
    pieces = _LINK.split(text)  # addresses are every second piece
    return Markup("").join(link.format(piece) if n % 2 else escape(piece) for n, piece in enumerate(pieces))


def _search(request: Request) -> Search:
    asked = request.query_params
    page = asked.get("page", "")
    return Search(
        asked.get("person", "").strip()[:100],
        asked.get("language", ""),
        asked.get("campaign", ""),
        int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1,
    )
