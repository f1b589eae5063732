"""Templates in competition: which of them takes all from now on (`pick`).

Judged by the first `after` mails, or those of the time `up_to`, and by these alone: mails sent after the verdict have
had less time to bring anybody to the goal, and would turn it round again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from nurture.campaign.plan import Plan, Send
from nurture.engine.live import Live
from nurture.journey.timing import shift
from nurture.store import facts
from nurture.store.database import Transaction
from nurture.store.facts import Tried


def winners(tx: Transaction, live: Live, plans: Iterable[Plan], now: datetime) -> dict[str, dict[str, str]]:
    """By campaign and step, the template that has won; of what was committed before (S34). A tie goes by the name."""
    found: dict[str, dict[str, str]] = {}
    for plan in plans:
        picking = [step for step in plan.steps if isinstance(step, Send) and step.pick is not None]
        if not picking:
            continue
        begun = facts.first_sent(tx, plan.campaign, [step.id for step in picking])
        for step in picking:
            template = _winner(tx, live, plan, step, begun.get(step.id), now)
            if template is not None:
                found.setdefault(plan.campaign, {})[step.id] = template
    return found


def _winner(tx: Transaction, live: Live, plan: Plan, step: Send, begun: datetime | None, now: datetime) -> str | None:
    if begun is None or step.pick is None:
        return None
    over = shift(begun, step.pick.up_to, live.project.zone) if step.pick.up_to is not None else None
    results = facts.tried(tx, plan.campaign, step.id, step.pick.after, over)
    if sum(r.sent for r in results) < step.pick.after and (over is None or now < over):
        return None
    names = {name for name, _ in step.variants}
    by_goal = step.pick.by == "goal"
    ranked = sorted((r for r in results if r.template in names), key=lambda r: (-_rate(r, by_goal), r.template))
    return ranked[0].template if ranked else None


def _rate(result: Tried, by_goal: bool) -> float:
    return (result.goals if by_goal else result.clicked) / result.sent
