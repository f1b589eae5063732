"""The one ASGI app: tracking API, public pages, forms, REST, health.

It answers with and without the path of `base_url`, because a proxy may strip it. It sets no cookie and never redirects.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from nurture.errors import StoreUnavailable
from nurture.web.access import Keys
from nurture.web.api import create_api
from nurture.web.forms import FormRoutes
from nurture.web.health import HealthRoutes
from nurture.web.ingest import IngestRoutes
from nurture.web.live import LiveRules
from nurture.web.methods import Methods
from nurture.web.page import Pages
from nurture.web.personal import Personal
from nurture.web.public import PublicRoutes
from nurture.web.services import Services
from nurture.web.tracking import TrackingRoutes


def create_app(services: Services, more: Sequence[BaseRoute] = ()) -> Starlette:
    """The app over these services; `more` are routes of other parts (dashboard, webhooks), asked before REST."""
    services = replace(services, rules=LiveRules(services.rules))
    pages, keys = Pages(), Keys(services.database, services.clock)
    personal = Personal(services)
    handlers = _handlers(services, pages)
    api = create_api(services, keys)
    api.add_exception_handler(404, handlers[404])
    routes: list[BaseRoute] = [
        *IngestRoutes(services, keys).routes(),
        *PublicRoutes(services, pages, personal).routes(),
        *TrackingRoutes(services, pages, personal).routes(),
        *FormRoutes(services, pages, personal).routes(),
        *HealthRoutes(services).routes(),
        *more,
        Mount("/", api),
    ]
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    app.add_middleware(Methods, routes=routes)
    app.add_middleware(BasePath, path=urlsplit(services.base_url).path)
    return app


class BasePath:
    """Takes the path of `base_url` off what comes in, where it is there."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._path and scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith(self._path + "/"):
                scope = {**scope, "path": path[len(self._path) :], "raw_path": None}
        await self._app(scope, receive, send)


def _handlers(
    services: Services, pages: Pages
) -> dict[int | type[Exception], Callable[[Request, Exception], Awaitable[Response]]]:
    async def missing(request: Request, _error: Exception) -> Response:
        if request.url.path.startswith("/v1/"):
            body = {"success": False, "code": "not_found", "message": "there is nothing at this address"}
            return JSONResponse(body, 404)
        project = services.project
        return pages.show(project, pages.language(project), "missing", status=404)

    async def unavailable(_request: Request, _error: Exception) -> Response:
        project = services.project
        return pages.show(project, pages.language(project), "busy", status=503, headers={"Retry-After": "60"})

    async def broken(request: Request, _error: Exception) -> Response:
        if request.url.path.startswith("/v1/"):
            return JSONResponse({"success": False, "code": "broken", "message": "this failed here; try again"}, 500)
        project = services.project
        return pages.show(project, pages.language(project), "busy", status=500)

    return {404: missing, StoreUnavailable: unavailable, 500: broken}
