"""What is live, at hand without waiting: pages must not stand behind a database that is busy."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from nurture.clock import Stopwatch
from nurture.engine.consent import ConsentRules
from nurture.errors import NurtureError

log = structlog.get_logger(__name__)

FRESH = 1.0  # seconds until it is read again


class LiveRules:
    """Answers at once with what was read last; reads again beside the request once that is older than a second. So a
    deploy is seen two requests and a second later, and no page waits for it."""

    def __init__(self, read: Callable[[], ConsentRules]) -> None:
        self._read = read
        self._watch = Stopwatch()
        self._known = read()
        self._at = 0.0
        self._reading = threading.Lock()

    def __call__(self) -> ConsentRules:
        if self._watch.seconds() - self._at > FRESH and self._reading.acquire(blocking=False):
            threading.Thread(target=self._again, name="live rules", daemon=True).start()
        return self._known

    def _again(self) -> None:
        try:
            self._known = self._read()
        except NurtureError as error:
            log.warning("rules.unreadable", error=error.message)  # what was read last still holds
        finally:
            self._at = self._watch.seconds()
            self._reading.release()
