"""The mails of the next seven days, with what is live and with what is to be deployed (campaigns.md §8).

Those inside, and those whom a date, a mailing or a condition will let in, are copied into a throw-away database twice,
and the simulator plays them on. No event is made up: who would enter by doing something is in neither column.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from nurture.campaign.plan import EnterDate, EnterMatch, EnterSchedule, EnterStage, Plan
from nurture.campaign.project import Project
from nurture.engine.deploy import deploy
from nurture.engine.plan_deploy import DeployPlan
from nurture.engine.rehearse import Rehearsal
from nurture.store import copying, versions
from nurture.store.database import Database, Transaction

AHEAD = timedelta(days=7)
MOST = 20_000  # leads played; of more, every n-th: about a minute on a small machine
_INSIDE = 3 / 4  # at least this share of them is for leads inside: they are sure to get something
_LONG = 2_000  # leads; fewer are played in a moment, and nobody need be told how far it is
Progress = Callable[[str, float], None]


class DaySends(msgspec.Struct, frozen=True):
    """Mails of a campaign on a day of the project's zone. The first and the last day are not whole ones."""

    day: str
    campaign: str
    before: int
    after: int


class Forecast(msgspec.Struct, frozen=True):
    """`played` of `leads` were played; where that is not all of them, the numbers are estimates."""

    sends: tuple[DaySends, ...] = ()
    leads: int = 0
    played: int = 0

    @property
    def factor(self) -> float:
        """How many leads each of the played stands for."""
        return self.leads / self.played if self.played else 1.0


def forecast(
    database: Database,
    project: Project,
    plans: Mapping[str, Plan],
    files: Mapping[str, Mapping[str, str]],
    weighed: DeployPlan,
    now: datetime,
    progress: Progress,
) -> Forecast:
    """Play the campaigns that a deploy changes, before and after it; all of them where config.yaml differs. Nothing is
    written to the database itself."""
    touched = [
        c.campaign for c in weighed.campaigns if weighed.project or c.what != "same" or c.state != c.state_before
    ]
    if not touched:
        return Forecast()
    with database.read() as tx:
        started = versions.current(tx) is not None
        weights, leads = _sample(tx, touched, _own_instants(tx, plans, touched))
        with_others = copying.with_colleagues(tx, list(weights))
    if len(with_others) < _LONG:
        progress = _quiet
    after = copying.copy(database, with_others, now)
    before = copying.twin(after)
    try:
        was = _play(before, project, with_others, now, _heard(progress, "before", now)) if started else []
        with after.write() as stage:
            deploy(stage, project, plans, files, now)
        will = _play(after, project, with_others, now, _heard(progress, "after", now))
    finally:
        before.close()
        after.close()
    zone = ZoneInfo(project.zone)
    sends = _by_day(touched, _count(was, weights, zone), _count(will, weights, zone), now, zone)
    return Forecast(sends, leads, len(weights))


def _own_instants(tx: Transaction, plans: Mapping[str, Plan], touched: Collection[str]) -> bool:
    """Whether leads enter one of these campaigns, as it is or as it will be, without doing anything."""
    live = versions.deployed(tx)
    known = versions.plans(tx, [(name, live[name].version) for name in touched if name in live])
    entries = [plan.enter for plan in (*known.values(), *(plans[name] for name in touched if name in plans))]
    return any(
        isinstance(enter, (EnterMatch, EnterDate, EnterSchedule)) or (isinstance(enter, EnterStage) and enter.existing)
        for enter in entries
    )


def _sample(tx: Transaction, touched: Collection[str], everybody: bool) -> tuple[dict[int, float], int]:
    """Leads to play, each with how many it stands for, and how many there are. Evenly over the ids, so over the times
    they came."""
    inside = copying.inside(tx, touched)
    known = set(inside)
    outside = [lead for lead in copying.everybody(tx) if lead not in known] if everybody else []
    room = max(MOST - len(outside), int(MOST * _INSIDE))
    chosen = _every(inside, room)
    others = _every(outside, MOST - len(chosen))
    weights = dict.fromkeys(chosen, len(inside) / max(1, len(chosen)))
    weights |= dict.fromkeys(others, len(outside) / max(1, len(others)))
    return weights, len(inside) + len(outside)


def _every(leads: Sequence[int], most: int) -> list[int]:
    if len(leads) <= most:
        return list(leads)
    return [leads[n * len(leads) // most] for n in range(most)]


def _play(
    database: Database, project: Project, leads: Sequence[int], now: datetime, progress: Callable[[datetime], None]
) -> list[tuple[int, str, datetime]]:
    with database.read() as tx:
        walked = {(c.name, c.version) for c in versions.deployed(tx).values()} | set(versions.in_flight(tx))
        plans = {f"{name} {digest}": plan for (name, digest), plan in versions.plans(tx, sorted(walked)).items()}
    with Rehearsal(project, plans, now, database=database) as stage:
        stage.go_on(leads, now + AHEAD, progress)
        with database.read() as tx:
            return copying.sent_since(tx, now)


def _quiet(phase: str, share: float) -> None:
    """Nobody is told."""


def _heard(progress: Progress, phase: str, now: datetime) -> Callable[[datetime], None]:
    return lambda at: progress(f"the next 7 days, {phase}", min(1.0, (at - now) / AHEAD))


def _count(
    sent: Sequence[tuple[int, str, datetime]], weights: Mapping[int, float], zone: ZoneInfo
) -> Mapping[tuple[str, str], float]:
    found: defaultdict[tuple[str, str], float] = defaultdict(float)
    for lead, campaign, at in sent:
        if lead in weights:  # a colleague who is only asked about counts where it is played for itself
            found[at.astimezone(zone).date().isoformat(), campaign] += weights[lead]
    return found


def _by_day(
    touched: Collection[str],
    before: Mapping[tuple[str, str], float],
    after: Mapping[tuple[str, str], float],
    now: datetime,
    zone: ZoneInfo,
) -> tuple[DaySends, ...]:
    """Every day of the campaigns that change, and of others whose mails do (by a cap they share)."""
    both = {pair: (round(before.get(pair, 0)), round(after.get(pair, 0))) for pair in {*before, *after}}
    shown = {campaign for (_, campaign), (was, will) in both.items() if campaign in touched or was != will}
    first, last = (at.astimezone(zone).date() for at in (now, now + AHEAD))
    days = [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
    return tuple(
        DaySends(day, campaign, *both.get((day, campaign), (0, 0))) for campaign in sorted(shown) for day in days
    )
