"""`/r/{token}` and `/o/{token}`: counted links and the counting picture (trust C20, C21, X10).

A redirect goes only to what was stored when the mail was printed, and is looked at once more. Nothing is kept of who
has withdrawn, though the link leads on.
"""

from __future__ import annotations

import base64
import contextlib

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nurture.engine import tracking
from nurture.engine.tracking import Visitor
from nurture.errors import StoreUnavailable
from nurture.mail.links import Purpose
from nurture.mail.tracked import leads_out
from nurture.web.access import client_address
from nurture.web.even import LINKS, evenly
from nurture.web.page import Pages
from nurture.web.personal import Personal
from nurture.web.public import answered
from nurture.web.services import Services

NOTHING = 0  # no message has this number; a token nobody made is looked up like any other
_PICTURE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")  # a clear point, GIF
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}


class TrackingRoutes:
    """The routes, over the endpoint's services."""

    def __init__(self, services: Services, pages: Pages, personal: Personal) -> None:
        self._services = services
        self._pages = pages
        self._personal = personal

    def routes(self) -> list[Route]:
        opened = answered(self._services, self._pages, self._opened)
        step = LINKS if self._services.even else 0  # who agrees to be counted does not show
        return [
            Route("/r/{token}", answered(self._services, self._pages, self._follow), methods=["GET"]),
            Route("/o/{token}", evenly(opened, step, frozenset({"GET"})), methods=["GET"]),
        ]

    async def _follow(self, request: Request) -> Response:
        match self._services.links.read(Purpose.CLICK, request.path_params["token"]):
            case (int(message), int(position)):
                pass
            case _:
                message, position = NOTHING, 0
        page = await self._personal.run(lambda: self._page(request, message, position))
        if page is None or not leads_out(page):
            project = self._services.project
            return self._pages.show(project, self._pages.language(project), "missing", status=404)
        return Response(status_code=302, headers={**_HEADERS, "Location": page})

    async def _opened(self, request: Request) -> Response:
        """Always the picture: whether the token is one of ours does not show (trust X7)."""
        match self._services.links.read(Purpose.OPEN, request.path_params["token"]):
            case (int(message),):
                pass
            case _:
                message = NOTHING
        with contextlib.suppress(StoreUnavailable):  # a picture is no reason to fail
            await self._personal.run(lambda: self._count(request, message))
        return Response(_PICTURE, 200, _HEADERS, "image/gif")

    def _page(self, request: Request, message: int, position: int) -> str | None:
        with self._services.database.write() as tx:
            now = self._services.clock.now()
            return tracking.follow(tx, self._services.project, message, position, self._visitor(request), now)

    def _count(self, request: Request, message: int) -> None:
        with self._services.database.write() as tx:
            now = self._services.clock.now()
            tracking.opened(tx, self._services.project, message, self._visitor(request), now)

    def _visitor(self, request: Request) -> Visitor:
        address = client_address(request, self._services.trusted_proxies)
        mark = self._services.keyring.mac("visitor", address)[:16] if address else None
        agent, scanner = request.headers.get("user-agent", ""), self._services.scanners.whose(address)
        return Visitor(mark, agent, request.method == "HEAD", scanner)
