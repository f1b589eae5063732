"""The pages a mail links to: unsubscribe, double opt-in, preferences.

Looking never changes anything: GET, HEAD and OPTIONS ask, POST acts (trust E4). Nothing redirects (RFC 8058 §3.1; trust
E3), and leaving takes one press (trust C15). A token nobody made gets the page that a real one gets (trust X7).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nurture.campaign.project import Project
from nurture.engine.confirming import asked_with
from nurture.engine.privacy import Asked
from nurture.engine.tracking import HYGIENE
from nurture.errors import StoreUnavailable
from nurture.journey.timing import local, zone_name
from nurture.lead.consent import LEFT, OPEN_DATE, TRACKING
from nurture.lead.permission import MARKETING
from nurture.mail.links import Payload, Purpose
from nurture.store.consents import Person
from nurture.web.bodies import Fields, TooLarge, read_fields
from nurture.web.even import LINKS, evenly
from nurture.web.page import Pages, masked, topic_words
from nurture.web.personal import NOBODY, Personal, Visit
from nurture.web.services import Services

ONE_CLICK = [("List-Unsubscribe", "One-Click")]
FORM_USE = "page form"
ASKED: Mapping[str, Asked] = {"data": "data", "erase": "erase"}
METHODS = ["GET", "POST"]  # HEAD comes with GET, OPTIONS is answered by web.methods
Handler = Callable[[Request], Awaitable[Response]]


class PublicRoutes:
    """The routes, over the endpoint's services."""

    def __init__(self, services: Services, pages: Pages, personal: Personal) -> None:
        self._services = services
        self._pages = pages
        self._personal = personal

    def routes(self) -> list[Route]:
        return [
            Route("/u/{token}", answered(self._services, self._pages, self._unsubscribe), methods=METHODS),
            Route("/c/{token}", answered(self._services, self._pages, self._confirm), methods=METHODS),
            Route("/p/{token}", answered(self._services, self._pages, self._preferences), methods=METHODS),
            Route("/d/{token}", answered(self._services, self._pages, self._data), methods=METHODS),
            Route("/e/{token}", answered(self._services, self._pages, self._erase), methods=METHODS),
        ]

    # --- unsubscribe ---

    async def _unsubscribe(self, request: Request) -> Response:
        token = request.path_params["token"]
        lead, topic, message = self._services.links.read_unsubscribe(token) or (NOBODY, "", 0)
        if request.method != "POST":
            return await self._show(request, lead, "unsubscribe", "unsubscribe", form=self._form(token))
        fields = await read_fields(request)
        if fields == ONE_CLICK:  # of the mail's topic; the page offers the rest (trust C18)
            return await self._unsubscribed(request, lead, topic or None, message, "one_click")
        done = dict(fields or [])
        if not self._is_own(token, done):
            status = 403 if "do" in done or "form" in done else 400
            return await self._show(request, lead, "refused", status=status)
        everything = done.get("do") == "all"
        chosen = None if everything else topic or None
        return await self._unsubscribed(request, lead, chosen, message, "page", everything=everything)

    async def _unsubscribed(
        self,
        request: Request,
        lead: int,
        topic: str | None,
        message: int | str,
        method: str,
        *,
        everything: bool = False,
    ) -> Response:
        visit = self._personal.visit(request, "/u")
        await self._personal.run(lambda: self._personal.unsubscribe(lead, topic, message, visit, method))
        page = "unsubscribed_all" if everything else "unsubscribed"
        context: dict[str, Any] = {
            "form": self._form(request.path_params["token"]),
            "preferences": self._services.links.preferences(lead),
        }
        return await self._show(request, lead, page, "unsubscribed", **context)

    # --- double opt-in ---

    async def _confirm(self, request: Request) -> Response:
        token = request.path_params["token"]
        payload = self._services.links.read(Purpose.CONFIRM, token)
        lead, topic, asked = _confirm_parts(payload)
        await self._personal.heed_gpc(request, lead, "/c")
        person = await self._personal.run(lambda: self._personal.person(lead))
        locale = person.locale if person else None
        names = [c.topic for c in asked_with(person, topic)] if person else []
        project = self._services.project
        words = topic_words(project, names or ([topic] if topic in project.topics else []), locale)
        if request.method != "POST":
            texts = self._pages.texts(self._language(locale), "confirm")
            context: dict[str, Any] = {
                "text": texts["text" if words else "plain"],
                "topics": words,
                "form": self._form(token),
            }
            return await self._show(request, lead, "confirm", "confirm", **context)
        fields = dict(await read_fields(request) or [])
        if not self._is_own(token, fields) and _is_foreign(request, self._services):
            return await self._show(request, lead, "refused", status=403)
        if fields.get("do") == "receipt":
            return await self._receipt(request, lead)
        visit = self._personal.visit(request, "/c")
        wording = {word["name"]: word["wording"] for word in words}
        granted = await self._personal.run(
            lambda: self._personal.confirm(lead, topic, asked, visit, wording, locale or project.locale)
        )
        if not granted:
            return await self._show(request, lead, "too_late")
        return await self._show(request, lead, "confirmed", "confirmed", form=self._form(token))

    async def _receipt(self, request: Request, lead: int) -> Response:
        """A copy of what was agreed to, for the person to keep (trust C5). Nothing changes by it."""
        receipt = await self._personal.run(lambda: self._personal.receipt(lead))
        if receipt is None:
            return await self._show(request, lead, "too_late")
        headers = {**self._pages.headers, "Content-Disposition": 'attachment; filename="consent-receipt.jsonld"'}
        return Response(msgspec.json.format(msgspec.json.encode(receipt)), 200, headers, "application/ld+json")

    # --- preferences ---

    async def _preferences(self, request: Request) -> Response:
        token = request.path_params["token"]
        payload = self._services.links.read(Purpose.PREFERENCES, token)
        lead = payload[0] if payload and isinstance(payload[0], int) else NOBODY
        await self._personal.heed_gpc(request, lead, "/p")
        notes: tuple[str, ...] = ()
        saved = False
        if request.method == "POST":
            fields = await read_fields(request) or []
            if not self._is_own(token, dict(fields)):
                return await self._show(request, lead, "refused", status=403)
            notes = await self._choose(request, lead, fields)
            if (asked := ASKED.get(dict(fields).get("do", ""))) is not None:
                await self._personal.run(lambda: self._personal.ask(lead, asked))
                return await self._show(request, lead, "asked")
            saved = True
        person = await self._personal.run(lambda: self._personal.person(lead))
        return await self._show_choices(request, lead, person, notes, saved)

    async def _choose(self, request: Request, lead: int, fields: Fields) -> tuple[str, ...]:
        visit = self._personal.visit(request, "/p")
        person = await self._personal.run(lambda: self._personal.person(lead))
        locale = person.locale if person else None
        act = self._acts(lead, visit).get(dict(fields).get("do", ""))
        if act is not None:
            await self._personal.run(act)
            return ()
        offered = {choice["name"]: choice["wording"] for choice in self._choices(person)}
        shown = [value for name, value in fields if name == "shown" and value in offered]
        wanted = [value for name, value in fields if name == "topic"]
        language = locale or self._services.project.locale
        mailed = await self._personal.run(lambda: self._personal.choose(lead, shown, wanted, visit, offered, language))
        return (self._pages.texts(self._language(locale), "saved")["mail"],) if mailed else ()

    def _acts(self, lead: int, visit: Visit) -> dict[str, Callable[[], None]]:
        """What a button of the page does at once, by the button's value."""
        mine = self._personal
        return {
            "all": lambda: mine.leave_everything(lead, visit),
            "pause-1": lambda: mine.pause(lead, 1),
            "pause-3": lambda: mine.pause(lead, 3),
            "unpause": lambda: mine.pause(lead, 0),
            "profiling-off": lambda: mine.object_to_profiling(lead, True, visit),
            "profiling-on": lambda: mine.object_to_profiling(lead, False, visit),
            "open-date-off": lambda: mine.object_to_open_date(lead, True, visit),
            "open-date-on": lambda: mine.object_to_open_date(lead, False, visit),
        }

    async def _show_choices(
        self, request: Request, lead: int, person: Person | None, notes: tuple[str, ...], saved: bool
    ) -> Response:
        texts = self._pages.texts(self._language(person.locale if person else None), "preferences")
        saved_texts = self._pages.texts(self._language(person.locale if person else None), "saved")
        address = masked(person.email) if person else ""
        context: dict[str, Any] = {
            "choices": self._choices(person),
            "address": texts["for"].format(address=address) if address else "",
            "form": self._form(request.path_params["token"]),
            "saved": f"{saved_texts['title']}. {saved_texts['text']}" if saved else "",
            "notes": notes,
            "paused": texts["paused"].format(day=self._paused_until(person, texts)) if self._rests(person) else "",
            "profiles": bool(self._services.project.scores),
            "unprofiled": person is not None and person.unprofiled,
            "open_date": self._services.project.tracking == HYGIENE,
            "open_date_off": _objected(person, OPEN_DATE),
        }
        return await self._show(request, lead, "preferences", "preferences", **context)

    def _rests(self, person: Person | None) -> bool:
        until = person.paused_until if person is not None else None
        return until is not None and until > self._services.clock.now()

    def _paused_until(self, person: Person | None, texts: Mapping[str, str]) -> str:
        """The day a pause ends, in the person's own zone and words."""
        assert person is not None
        assert person.paused_until is not None, "asked only while a pause runs"
        project = self._services.project
        day = local(person.paused_until, zone_name(person.zone, project.zone))
        return texts["day"].format(day=day.day, month=texts["months"].split()[day.month - 1], year=day.year)

    def _choices(self, person: Person | None) -> list[dict[str, Any]]:
        """Topics with what holds now; tracking only where the project does any and somebody asked for it."""
        project = self._services.project
        locale = person.locale if person else None
        choices: list[dict[str, Any]] = list(topic_words(project, list(project.topics), locale))
        if project.tracking is True:
            texts = self._pages.texts(self._language(locale), "preferences")
            choices += [{"name": name, "title": texts[name], "wording": texts[name]} for name in TRACKING]
        closed = person is not None and MARKETING in person.scopes
        for choice in choices:
            row = person.consents.get(choice["name"]) if person else None
            choice["on"] = (
                row is not None and row.state == "granted" and not (closed and choice["name"] not in TRACKING)
            )
        return choices

    # --- a person's data, by a fresh link ---

    async def _data(self, request: Request) -> Response:
        token = request.path_params["token"]
        lead, asked, mark = _rights_parts(self._services.links.read(Purpose.DATA, token))
        if request.method != "POST":
            return await self._show(request, lead, "data", "press", form=self._form(token))
        if not self._is_own(token, dict(await read_fields(request) or [])):
            return await self._show(request, lead, "refused", status=403)
        data = await self._personal.run(lambda: self._personal.data_of(lead, asked, mark))
        if data is None:
            return await self._show(request, lead, "too_late")
        headers = {**self._pages.headers, "Content-Disposition": 'attachment; filename="my-data.json"'}
        return Response(msgspec.json.format(msgspec.json.encode(data)), 200, headers, "application/json")

    async def _erase(self, request: Request) -> Response:
        token = request.path_params["token"]
        lead, asked, mark = _rights_parts(self._services.links.read(Purpose.ERASE, token))
        if request.method != "POST":
            return await self._show(request, lead, "erase", "press", form=self._form(token))
        if not self._is_own(token, dict(await read_fields(request) or [])):
            return await self._show(request, lead, "refused", status=403)
        language = self._language(await self._personal.run(lambda: self._personal.language_of(lead)))
        done = await self._personal.run(lambda: self._personal.erase(lead, asked, mark))
        return self._pages.show(self._services.project, language, "erased" if done else "too_late")

    # --- shared ---

    def _form(self, token: str) -> str:
        """The page's own mark, without which its buttons do nothing (trust X9)."""
        return self._services.keyring.mac(FORM_USE, token)[:32]

    def _is_own(self, token: str, fields: dict[str, str]) -> bool:
        return self._services.keyring.verify(FORM_USE, token, fields.get("form", ""), length=32)

    def _language(self, locale: str | None) -> str:
        return self._pages.language(self._services.project, locale)

    async def _show(
        self, request: Request, lead: int, page: str, template: str = "message", status: int = 200, **context: Any
    ) -> Response:
        try:
            locale = await self._personal.run(lambda: self._personal.language_of(lead))
        except StoreUnavailable:
            locale = None  # the page stays up, in the project's language (trust R7)
        project = self._services.project
        return self._pages.show(
            project, self._pages.language(project, locale), page, template=template, status=status, **context
        )


def answered(services: Services, pages: Pages, handler: Handler, step: float = LINKS) -> Handler:
    """`handler`, its buttons at even times, with an answer for bodies too large and for a database not to be had."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except TooLarge:
            return _plain(services.project, pages, "too_large", 413)
        except StoreUnavailable:
            return _plain(services.project, pages, "busy", 503, {"Retry-After": "60"})

    return evenly(handle, step if services.even else 0)


def _plain(project: Project, pages: Pages, page: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return pages.show(project, pages.language(project), page, status=status, headers=headers)


def _confirm_parts(payload: Payload | None) -> tuple[int, str, int | str]:
    match payload:
        case (int(lead), str(topic), (int() | str()) as asked):
            return lead, topic, asked
    return NOBODY, "", -1


def _rights_parts(payload: Payload | None) -> tuple[int, int, str]:
    match payload:
        case (int(lead), int(asked), str(mark)):
            return lead, asked, mark
    return NOBODY, 0, ""


def _objected(person: Person | None, purpose: str) -> bool:
    row = person.consents.get(purpose) if person is not None else None
    return row is not None and row.state in LEFT


def _is_foreign(request: Request, services: Services) -> bool:
    """Whether a browser says that another site's page sent this."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("origin")
    if origin is None:
        return False
    own = {urlsplit(services.base_url).netloc, request.headers.get("host", "")}
    return urlsplit(origin).netloc not in own
