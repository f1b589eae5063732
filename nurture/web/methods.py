"""Which methods an address takes: the others are refused before anything of the request is read (trust X20)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send


class Methods:
    """Answers OPTIONS, and 405 for a method that no route of this address takes; `Allow` names those that one does. An
    address without a route is left to the app."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = list(_flat(routes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (taken := self._taken(scope["path"])) and scope["method"] not in taken:
            status = 204 if scope["method"] == "OPTIONS" else 405
            await Response(status_code=status, headers={"Allow": ", ".join(sorted(taken))})(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _taken(self, path: str) -> set[str]:
        fitting = (route for route in self._routes if route.path_regex.match(path))
        return {method for route in fitting for method in route.methods or ()}


def _flat(routes: Sequence[BaseRoute]) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, Mount):
            yield from _flat(route.routes or ())
        elif isinstance(route, Route):
            yield route
