"""How fast each mailbox provider is written to: lanes that slow down when told to and recover by themselves (E17).

Pure: instants are monotonic seconds given by the caller, and only their differences count. A lane belongs to the
provider, not to the domain, since limits do; one lane's trouble never holds another's mails.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from nurture.mail.provider import provider_of


@dataclass(frozen=True, slots=True)
class Pace:
    """What a provider is written to at most. `rate` is mails a second, None unlimited; `burst` may go at once."""

    rate: float | None = None
    burst: int = 20
    connections: int = 10

    def share(self, slots: int, held: int = 1) -> Pace:
        """`held` of `slots` equal parts, so that a fleet keeps the limit without a shared counter."""
        rate = None if self.rate is None else self.rate * held / slots
        return Pace(rate, max(1, self.burst * held // slots), max(1, self.connections * held // slots))


@dataclass(frozen=True, slots=True)
class Cut:
    """What a throttling reply asks for: no mail for `hold` seconds, then at most `rate` a second for `lasting` seconds.

    Without a rate the lane's own recent rate is halved.
    """

    rate: float | None = None
    lasting: float = 1800.0
    hold: float = 0.0


SLOWEST = 1 / 60  # mails a second; below that a lane is suspended, not slowed
WINDOW = 60.0  # seconds over which a lane's own rate is observed
ONE_STORM = 10.0  # seconds in which further throttle replies belong to the same event: mails were already under way
STEP_UP = 300.0  # seconds between two doublings on the way back
FIRST_SUSPENSION = 30.0
LONGEST_SUSPENSION = 3600.0


class Lane:
    """One provider's pace, as allowed by configuration and by what the provider lately said."""

    def __init__(self, name: str, pace: Pace, at: float) -> None:
        self.name = name
        self.pace = pace
        self._tokens = float(pace.burst)
        self._filled_at = at
        self._limit: float | None = None  # rate while throttled, None: the configured one
        self._step_at = 0.0  # when the limit doubles next
        self._closed_until = at
        self._cut_at: float | None = None
        self._failures = 0
        self._taken: deque[tuple[float, int]] = deque()  # of the last minute, and their sum
        self._taken_sum = 0

    def rate(self, at: float) -> float | None:
        """Mails a second allowed now; None is unlimited."""
        self._recover(at)
        if self._limit is None:
            return self.pace.rate
        return self._limit if self.pace.rate is None else min(self._limit, self.pace.rate)

    def connections(self, at: float) -> int:
        """How many connections at once: one while the lane is slowed or has just failed."""
        return 1 if self.rate(at) != self.pace.rate or self._failures else self.pace.connections

    def suspended(self, at: float) -> float:
        """Seconds until the lane opens again, 0 when it is open."""
        return max(0.0, self._closed_until - at)

    def take(self, wanted: int, at: float) -> int:
        """How many of the wanted mails may go now; they count as gone."""
        if at < self._closed_until or wanted <= 0:
            return 0
        rate = self._fill(at)
        granted = wanted if rate is None else min(wanted, int(self._tokens + 1e-9))
        if self._failures:
            granted = min(granted, 1)  # after a failure one mail tries the way
        if granted:
            self._tokens -= granted if rate is not None else 0
            self._note(granted, at)
        return granted

    def give_back(self, unused: int, at: float) -> None:
        """Mails taken that did not go after all: withdrawn, or returned untouched."""
        self._fill(at)
        self._tokens = min(self._tokens + unused, self._burst())
        self._note(-unused, at)

    def room(self, at: float) -> int | None:
        """How many mails may go now; None is as many as there are."""
        if at < self._closed_until:
            return 0
        rate = self._fill(at)
        return None if rate is None else int(self._tokens + 1e-9)

    def resize(self, pace: Pace, at: float, *, fresh: bool) -> None:
        """Another share of the provider's pace is held from now on. A `fresh` one has nothing saved up: whoever held it
        before may have used that."""
        self._fill(at)
        self.pace = pace
        self._tokens = 0.0 if fresh and pace.rate is not None else min(self._tokens, float(pace.burst))

    def next_at(self, at: float) -> float:
        """The earliest instant at which one mail may go."""
        opens = max(at, self._closed_until)
        rate = self._fill(at)
        if rate is None or self._tokens >= 1:
            return opens
        return max(opens, at + (1 - self._tokens) / rate)

    def throttled(self, cut: Cut, at: float) -> bool:
        """The provider asked to slow down. False where this is the echo of a cut that was just made."""
        if self._cut_at is not None and at - self._cut_at < ONE_STORM:
            return False
        current = self.rate(at)
        lowered = cut.rate if cut.rate is not None else (current if current is not None else self._observed(at)) / 2
        self._limit = max(SLOWEST, lowered if current is None else min(lowered, current))
        self._cut_at = at
        self._closed_until = max(self._closed_until, at + cut.hold)
        self._step_at = at + cut.hold + cut.lasting
        self._tokens, self._filled_at = 0.0, at
        return True

    def unreachable(self, at: float) -> float:
        """No connection, or none that lives: the lane closes for a time that doubles. Returns the seconds."""
        if at < self._closed_until:
            return self._closed_until - at
        self._failures += 1
        seconds = min(FIRST_SUSPENSION * 2 ** (self._failures - 1), LONGEST_SUSPENSION)
        self._closed_until = at + seconds
        return float(seconds)

    def answered(self) -> None:
        """The provider took or refused a mail in good order: the way is open."""
        self._failures = 0

    def _recover(self, at: float) -> None:
        while self._limit is not None and at >= self._step_at:
            self._limit *= 2
            self._step_at += STEP_UP
            ceiling = self.pace.rate if self.pace.rate is not None else float(self.pace.burst)
            if self._limit >= ceiling:
                self._limit = None

    def _fill(self, at: float) -> float | None:
        """Add the tokens of the time gone by. Returns the present rate."""
        rate = self.rate(at)
        if rate is not None:
            self._tokens = min(self._tokens + max(0.0, at - self._filled_at) * rate, self._burst())
        else:
            self._tokens = self._burst()
        self._filled_at = max(self._filled_at, at)
        return rate

    def _burst(self) -> float:
        """While slowed nothing is saved up: what was not sent in a minute is not sent at once in the next."""
        return float(self.pace.burst) if self._limit is None else 1.0

    def _note(self, count: int, at: float) -> None:
        self._taken.append((at, count))
        self._taken_sum += count
        self._observed(at)

    def _observed(self, at: float) -> float:
        """Mails a second over the last minute."""
        while self._taken and self._taken[0][0] <= at - WINDOW:
            self._taken_sum -= self._taken.popleft()[1]
        return max(0, self._taken_sum) / WINDOW


class Lanes:
    """A lane for each provider met, with its own pace or the common one."""

    def __init__(self, common: Pace, paces: Mapping[str, Pace] | None = None) -> None:
        self._common = common
        self._paces = dict(paces or {})
        self._lanes: dict[str, Lane] = {}
        self._held: dict[str, int] = {}

    def named(self, name: str, at: float) -> Lane:
        """The lane of a provider, made when first asked for."""
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name, self._paces.get(name, self._common), at)
        return lane

    def of(self, address: str, at: float) -> Lane:
        """The lane an address belongs to."""
        return self.named(provider_of(address), at)

    @property
    def paced(self) -> bool:
        """Whether any limit is configured."""
        return self._common.rate is not None or any(pace.rate is not None for pace in self._paces.values())

    @contextmanager
    def hold(self, name: str, slots: int, now: Callable[[], float]) -> Iterator[Lane]:
        """The lane, with one more of the provider's `slots` in this worker's hands until the end of the block."""
        lane = self.named(name, now())
        self._resize(lane, 1, slots, now())
        try:
            yield lane
        finally:
            self._resize(lane, -1, slots, now())

    def _resize(self, lane: Lane, by: int, slots: int, at: float) -> None:
        held = self._held[lane.name] = self._held.get(lane.name, 0) + by
        if held:
            pace = self._paces.get(lane.name, self._common)
            lane.resize(pace.share(slots, held), at, fresh=by > 0 and held == 1)

    def shut(self, at: float) -> list[str]:
        """Names of lanes that take no mail now. One that was never met is open."""
        return [name for name, lane in self._lanes.items() if lane.next_at(at) > at]

    def slowed(self, at: float) -> list[Lane]:
        """Lanes that are closed or below their pace, for health and metrics."""
        return [lane for lane in self._lanes.values() if lane.suspended(at) or lane.rate(at) != lane.pace.rate]
