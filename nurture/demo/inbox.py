"""The inbox: every mail the demo sent, kept in memory, and the pages on which one reads them."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvicorn
from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from nurture.app import App
from nurture.campaign.project import Project
from nurture.demo.letter import Letter
from nurture.demo.setting import Setting
from nurture.errors import UserError
from nurture.journey.timing import local
from nurture.store import outbox

A_PAGE = 50  # mails in the list at once
_LINK = re.compile(r"(https?://[^\s<>()\"]+)")
_NEWEST = 5_000  # messages looked up for the names of their campaigns


class Inbox:
    """All mails that came, oldest first. `names` are the people behind the addresses."""

    def __init__(self, app: App, names: dict[str, str]) -> None:
        self._app = app
        self._names = names
        self._letters: list[Letter] = []
        self._known = 0  # letters whose campaign was looked up
        self._given = 0  # letters that `arrived` has given

    @property
    def project(self) -> Project:
        return self._app.settings.project

    def accept(self, sender: str, recipients: tuple[str, ...], raw: bytes) -> None:
        """Keep a mail; the mail server's side."""
        at, links = self._app.clock.now(), self._app.links
        message = links.read_verp(sender.rpartition("@")[0]) or 0
        for recipient in recipients:
            name = self._names.get(recipient, "")
            number = len(self._letters) + 1
            self._letters.append(Letter(number, at, sender, recipient, raw, message, name=name))

    def letters(self) -> Sequence[Letter]:
        """All of them, with the names of their campaigns."""
        if self._known < len(self._letters):
            with self._app.database.read() as tx:
                rows = {row["id"]: row for row in outbox.listed(tx, limit=_NEWEST)}
            for place, letter in enumerate(self._letters[self._known :], start=self._known):
                row = rows.get(letter.message, {})
                campaign, template = row.get("campaign") or "", row.get("template") or ""
                self._letters[place] = replace(letter, campaign=campaign, template=template)
            self._known = len(self._letters)
        return self._letters

    def arrived(self) -> list[Letter]:
        """Those that came since this was last asked."""
        new = list(self.letters()[self._given :])
        self._given = len(self._letters)
        return new


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

    def __init__(self, inbox: Inbox, setting: Setting) -> None:
        self._inbox = inbox
        self._setting = setting
        self._project = inbox.project
        self._policy = (
            f"default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self' {setting.base_url}; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        self._pages = _templates(self._project)
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._index),
                Route("/inbox.css", self._style),
                Route("/mail/{number:int}", self._mail),
                Route("/mail/{number:int}/html", self._html),
            ]
        )

    async def start(self) -> None:
        """Listen; returns when pages are served."""
        config = uvicorn.Config(
            self.app(),
            host="127.0.0.1",
            port=self._setting.inbox_port,
            log_level="error",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._serve(self._server))
        while not self._server.started:
            if self._task.done():
                raise UserError(f"cannot listen on port {self._setting.inbox_port}") from self._task.exception()
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
        return Response(_file("inbox.css"), media_type="text/css", headers={"Cache-Control": "no-cache"})

    def _letter(self, request: Request) -> Letter | None:
        letters, number = self._inbox.letters(), request.path_params["number"]
        return letters[number - 1] if 1 <= number <= len(letters) else None

    def _show(self, search: Search, letter: Letter | None, view: str = "html") -> Response:
        letters = self._inbox.letters()
        found = [each for each in reversed(letters) if search.fits(each)]
        pages = max(1, -(-len(found) // A_PAGE))
        search = replace(search, page=min(max(1, search.page), pages))
        start = (search.page - 1) * A_PAGE
        page = self._pages.get_template("inbox.html").render(
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
            sender=self._project.sender.name,
        )
        headers = {"Content-Security-Policy": self._policy, "Referrer-Policy": "no-referrer"}
        return HTMLResponse(page, headers=headers)


def write_mails(inbox: Inbox, folder: Path) -> Path:
    """Every mail as a file, to be read when the inbox is shut; the list of them is the answer."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = inbox.letters()
    for letter in letters:
        (folder / _name_of(letter)).write_text(letter.html or letter.text, "utf-8")
    page = _templates(inbox.project).get_template("mails.html")
    listed = folder / "index.html"
    listed.write_text(page.render(rows=letters[::-1], css=_file("inbox.css"), name_of=_name_of), "utf-8")
    return listed


def _name_of(letter: Letter) -> str:
    return f"{letter.number:04}.{'html' if letter.html else 'txt'}"


def _file(name: str) -> str:
    return files("nurture.demo").joinpath("pages", name).read_text("utf-8")


def _templates(project: Project) -> Environment:
    made = Environment(
        loader=FunctionLoader(_file),
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
