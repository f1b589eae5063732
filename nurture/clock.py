"""The only reader of wall time, monotonic time and chance.

Two kinds of time are kept apart. *Campaign time* (`Clock`) may be virtual or sped up: every due time, window and cap
is measured on it. *Machine time* (`Stopwatch`, `machine_now`) is the hardware's: leases, time-outs, `Date:` headers
(trust R10).
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Campaign time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC, microseconds; never goes backwards within one clock."""
        ...


class WallClock:
    """Campaign time that is the machine's. After a backward step of the wall clock it stands still until caught up."""

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        self._latest = max(self._latest, datetime.now(UTC))
        return self._latest


class VirtualClock:
    """Campaign time that moves only when told to; the simulator's and the tests'."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock starts at an aware instant")
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move forward by an exact duration and return the new instant."""
        return self.jump(self._now + by)

    def jump(self, to: datetime) -> datetime:
        """Move to an instant not before the present one and return it."""
        if to < self._now:
            raise ValueError(f"a clock does not go back: {to} is before {self._now}")
        self._now = to.astimezone(UTC)
        return self._now


class FastClock:
    """Campaign time that runs `factor` times as fast as the machine's, from `start` on; the demo's."""

    def __init__(self, start: datetime, factor: float) -> None:
        self._start = start.astimezone(UTC)
        self._factor = factor
        self._origin = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=(time.monotonic() - self._origin) * self._factor)


def machine_now() -> datetime:
    """The machine's wall time in UTC, for `Date:` headers, leases and logs; never for campaign decisions."""
    return datetime.now(UTC)


class Stopwatch:
    """Seconds of monotonic machine time since it was made."""

    def __init__(self) -> None:
        self._origin = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self._origin


class Dice:
    """Chance with a seed, for retry jitter only; no rule of a campaign may throw it (S36)."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311 — jitter, not secrets

    def between(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)
