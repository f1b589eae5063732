"""How often strangers may use what sends mail (trust X18): counts per network and in all, in windows of one hour."""

from __future__ import annotations

from collections import Counter

from nurture.clock import Stopwatch

_WINDOW = 3_600.0  # seconds


class Throttle:
    """Lets `each` uses an hour pass per name, `total` of all names. Forgets at the end of each window."""

    def __init__(self, each: int, total: int) -> None:
        self._each, self._total = each, total
        self._watch = Stopwatch()
        self._window = 0
        self._counts: Counter[str] = Counter()

    def allows(self, name: str) -> bool:
        """Whether one more use may pass; it is counted."""
        window = int(self._watch.seconds() // _WINDOW)
        if window != self._window:
            self._window = window
            self._counts.clear()
        if self._counts[name] >= self._each or self._counts.total() >= self._total:
            return False
        self._counts[name] += 1
        return True
