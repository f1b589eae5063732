"""The arithmetic of funnels: conversion with its uncertainty, times with those still under way, the bottleneck.

Journeys go in, figures come out; nothing here knows where they are kept. Times are in fractional days.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec

SECONDS_A_DAY = 86_400.0
_Z95 = 1.959963984540054  # two-sided 95 % of the normal distribution


class Visit(msgspec.Struct, frozen=True):
    """A lead, or a deal, entered a stage of known place in the order at an instant."""

    stage: int
    at: datetime


class Journey(msgspec.Struct, frozen=True):
    """One lead's way through a funnel, or one deal's through a pipeline.

    `visits` are in the order they happened. `won` are the instants of its won deals, in any order; `lost_at` ends a
    deal's journey without winning. `name` is what a report may call it by. `here` is the stage it stands in by the
    stage table, which a won deal does not move.
    """

    name: str
    visits: tuple[Visit, ...]
    source: str = ""
    won: tuple[datetime, ...] = ()
    lost_at: datetime | None = None
    here: int | None = None
    untimed: tuple[int, ...] = ()
    began: datetime | None = None

    @property
    def first(self) -> datetime | None:
        """The first contact known."""
        return self.began or (self.visits[0].at if self.visits else None)


class StageFigures(msgspec.Struct, frozen=True):
    """`advanced`: went on to any later stage, or was won; from a stage that is left, came back. `conversion`: their
    share, 0–1, none where nobody entered.

    `open`: entered and neither advanced, nor lost, nor moved back. `median_days` and `p90_days` are Kaplan–Meier:
    those still open count as not yet through, and there is none where so many never get through.
    """

    stage: str
    entered: int
    now_here: int
    advanced: int
    conversion: float | None
    median_days: float | None
    p90_days: float | None
    open: int


class Overall(msgspec.Struct, frozen=True):
    """Times are of the won alone, from the first stage known to the first winning after it."""

    entered: int
    won: int
    conversion: float | None
    median_cycle_days: float | None
    mean_cycle_days: float | None


class SourceFigures(msgspec.Struct, frozen=True):
    """`interval` is the 95 % Wilson interval of `conversion`. `cost_per_lead` is none where no cost is known."""

    source: str
    entered: int
    won: int
    conversion: float | None
    interval: tuple[float, float] | None
    cost_per_lead: float | None = None


class FunnelReport(msgspec.Struct, frozen=True):
    """`odd` names, in order, whom the times leave out because they were won before their first contact."""

    stages: tuple[StageFigures, ...]
    overall: Overall
    by_source: tuple[SourceFigures, ...]
    bottleneck: str | None
    odd: tuple[str, ...] = ()


def share(part: int, whole: int) -> float | None:
    """`part` of `whole` as 0–1; none of nothing."""
    return part / whole if whole else None


def wilson(part: int, whole: int) -> tuple[float, float] | None:
    """The 95 % interval of a share by Wilson's score (JASA 22, 1927); never outside 0–1, sound for small numbers."""
    if not whole:
        return None
    p, z2 = part / whole, _Z95 * _Z95
    middle = (p + z2 / (2 * whole)) / (1 + z2 / whole)
    reach = _Z95 * math.sqrt(p * (1 - p) / whole + z2 / (4 * whole * whole)) / (1 + z2 / whole)
    # At the ends the formula is exact, floating point is not.
    low = 0.0 if part == 0 else max(0.0, middle - reach)
    high = 1.0 if part == whole else min(1.0, middle + reach)
    return low, high


def time_until(durations: Iterable[tuple[float, bool]], share_through: float) -> float | None:
    """The time after which `share_through` (0–1) are through, by Kaplan–Meier (JASA 53, 1958).

    Each duration says whether it ended (True) or was still running when last seen. None where the estimate never gets
    there. Where one ended and another was last seen at the same time, the ended one counts first.
    """
    ended: dict[float, int] = defaultdict(int)
    seen: dict[float, int] = defaultdict(int)
    for duration, through in durations:
        (ended if through else seen)[duration] += 1
    at_risk = sum(ended.values()) + sum(seen.values())
    surviving = 1.0
    for moment in sorted({*ended, *seen}):
        if ended[moment]:
            surviving *= 1 - ended[moment] / at_risk
            # Products of many factors miss a plain half by a last bit.
            if surviving <= 1 - share_through + 1e-12:
                return moment
        at_risk -= ended[moment] + seen[moment]
    return None


def bottleneck(stages: Sequence[StageFigures]) -> str | None:
    """The stage that fewest get through for certain: the lowest upper end of the Wilson interval of its conversion.

    The upper end, so that a stage three leads have seen does not outshout one that loses thousands. The last stage is
    an end, not a bottleneck, unless winning is what leads out of it. The earlier of equals; none where nobody entered.
    """
    candidates = [s for i, s in enumerate(stages) if s.entered and (i < len(stages) - 1 or s.advanced)]
    if not candidates and len(stages) == 1 and stages[0].entered:
        candidates = list(stages)
    return min(candidates, key=_upper_end).stage if candidates else None


def _upper_end(stage: StageFigures) -> float:
    interval = wilson(stage.advanced, stage.entered)
    return interval[1] if interval else 1.0


def days_between(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() / SECONDS_A_DAY


def won_at(journey: Journey, last: int | None) -> tuple[bool, datetime | None]:
    """Whether it was won, and when: its first winning at or after the first visit, by a deal or by the stage `last`.

    Won without an instant means odd: all its deals were won before the first contact.
    """
    first = journey.first
    arrivals = [v.at for v in journey.visits if last is not None and v.stage == last]
    winnings = [*journey.won, *arrivals]
    if not winnings:
        return False, None
    possible = [at for at in winnings if first is None or at >= first]
    return True, min(possible, default=None)


def report(
    stages: Sequence[str],
    journeys: Iterable[Journey],
    now: datetime,
    *,
    last_wins: bool,
    left: Collection[int] = (),
) -> FunnelReport:
    """The figures of a funnel as of `now`.

    `last_wins`: arriving in the last stage is winning. That holds for a funnel of several stages; in a pipeline, and
    in a funnel of one stage, only a won deal wins. Who comes into a stage that is `left` has gone, wherever it stands
    in the order: it is not what wins, and no bottleneck.
    """
    kept = [place for place in range(len(stages)) if place not in left]
    tally = _Tally(len(stages), kept[-1] if last_wins and len(kept) > 1 else None, now, left)
    for journey in journeys:
        tally.add(journey)
    figures = tuple(tally.stage(i, name) for i, name in enumerate(stages))
    return FunnelReport(
        figures, tally.overall(), tally.sources(), bottleneck([figures[k] for k in kept]), tuple(tally.odd)
    )


class _Tally:
    def __init__(self, stages: int, last: int | None, now: datetime, left: Collection[int]) -> None:
        self._last = last
        self._left = left
        self._now = now
        self._entered = [0] * stages
        self._here = [0] * stages
        self._advanced = [0] * stages
        self._open = [0] * stages
        self._durations: list[list[tuple[float, bool]]] = [[] for _ in range(stages)]
        self._by_source: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._cycles: list[float] = []
        self.odd: list[str] = []

    def add(self, journey: Journey) -> None:
        won, when = won_at(journey, self._last)
        source = self._by_source[journey.source]
        source[0] += 1
        source[1] += won
        if journey.here is not None:
            self._here[journey.here] += 1
        odd = won and when is None
        if odd:
            self.odd.append(journey.name)
        if when is not None and journey.first is not None:
            self._cycles.append(days_between(journey.first, when))
        visited = {v.stage for v in journey.visits}
        for stage in sorted(visited):
            self._visit(journey, stage, won, None if odd else when, timed=not odd)
        for stage in {*journey.untimed} - visited:
            onward = won or any(self._is_onward(stage, v) for v in visited)
            self._entered[stage] += 1
            self._advanced[stage] += onward
            self._open[stage] += not onward and journey.lost_at is None

    def _is_onward(self, stage: int, to: int) -> bool:
        """Whether going to that stage from this one is a step forward; out of one that is left, coming back is."""
        return to not in self._left and (to > stage or stage in self._left)

    def _visit(self, journey: Journey, stage: int, won: bool, when: datetime | None, *, timed: bool) -> None:
        """A lead that came back counts once; its time is that of the first stay."""
        place = next(i for i, v in enumerate(journey.visits) if v.stage == stage)
        later = journey.visits[place + 1 :]
        came = journey.visits[place].at
        onward = [v.at for v in later if self._is_onward(stage, v.stage)]
        if when is not None and when >= came and stage != self._last:
            onward.append(when)
        advanced = bool(onward) or (won and stage != self._last and stage not in self._left)
        left = [v.at for v in later if v.stage != stage and not self._is_onward(stage, v.stage)] + (
            [journey.lost_at] if journey.lost_at else []
        )
        back = bool(left) and journey.here != stage
        self._entered[stage] += 1
        self._advanced[stage] += advanced
        self._open[stage] += not advanced and not back
        if not timed:
            return
        through = min(onward, default=None)
        end = min(left, default=None)
        if through is not None and (end is None or through <= end):
            self._durations[stage].append((days_between(came, through), True))
        else:
            self._durations[stage].append((max(0.0, days_between(came, end or self._now)), False))

    def stage(self, index: int, name: str) -> StageFigures:
        entered, advanced = self._entered[index], self._advanced[index]
        durations = self._durations[index]
        return StageFigures(
            stage=name,
            entered=entered,
            now_here=self._here[index],
            advanced=advanced,
            conversion=share(advanced, entered),
            median_days=time_until(durations, 0.5),
            p90_days=time_until(durations, 0.9),
            open=self._open[index],
        )

    def overall(self) -> Overall:
        entered = sum(n for n, _ in self._by_source.values())
        won = sum(n for _, n in self._by_source.values())
        return Overall(
            entered=entered,
            won=won,
            conversion=share(won, entered),
            median_cycle_days=statistics.median(self._cycles) if self._cycles else None,
            mean_cycle_days=statistics.fmean(self._cycles) if self._cycles else None,
        )

    def sources(self) -> tuple[SourceFigures, ...]:
        """Most leads first, then by name."""
        ordered = sorted(self._by_source.items(), key=lambda item: (-item[1][0], item[0]))
        return tuple(
            SourceFigures(name, entered, won, share(won, entered), wilson(won, entered))
            for name, (entered, won) in ordered
        )
