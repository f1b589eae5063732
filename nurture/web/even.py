"""Answers that come at even times: how long one took does not tell what was found (trust X7).

A known address in a form is other work than a new one, and a link of somebody who is gone is less work than one of
somebody who is here. Both are answered when the step ends in which they were done. Nobody waits in a thread meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from nurture.clock import Stopwatch

# Seconds of a step. A link's token cannot be guessed, and an unsubscribe is to be answered within 50 ms; an address can
# be guessed by anybody who sees a form.
LINKS, FORMS = 0.04, 0.25

Handler = Callable[[Request], Awaitable[Response]]


def evenly(handler: Handler, step: float, methods: frozenset[str] = frozenset({"POST"})) -> Handler:
    """`handler`, answering requests of these methods at whole steps after they came. Looking is not held up: there the
    work itself is the same."""

    async def handle(request: Request) -> Response:
        watch = Stopwatch()
        answer = await handler(request)
        if step and request.method in methods:
            await asyncio.sleep(rest(watch.seconds(), step))
        return answer

    return handle


def rest(took: float, step: float) -> float:
    """Seconds from then to the end of the step."""
    return step - took % step
