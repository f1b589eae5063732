"""What came of a campaign over all leads: who is in it, how it ended for them, its mails, and what was decided against,
each with its reason and the rule behind it."""

from __future__ import annotations

from dataclasses import dataclass

from nurture.campaign.plan import Plan
from nurture.engine.explain import WHY_KEPT, WHY_NOT_ENTERED
from nurture.engine.rule_of import rule_of
from nurture.store import versions
from nurture.store.database import Transaction
from nurture.store.timeline import Line
from nurture.store.why import Count, came_of


@dataclass(frozen=True, slots=True)
class Reckoned:
    """One count in words. `rule` is as the live version has it."""

    count: Count
    text: str
    why: str
    rule: str


@dataclass(frozen=True, slots=True)
class Outcome:
    version: str
    lines: list[Reckoned]


def what_came_of(tx: Transaction, name: str) -> Outcome:
    """Of a campaign that was deployed."""
    deployed = versions.deployed(tx)[name]
    plan = versions.plans(tx, [(name, deployed.version)])[name, deployed.version]
    return Outcome(deployed.version, [_reckoned(plan, deployed, one) for one in came_of(tx, name)])


def _reckoned(plan: Plan, deployed: versions.Deployed, count: Count) -> Reckoned:
    reason = count.reason or ""
    line = Line(deployed.deployed_at, 0, count.what, count.reason, None, plan.campaign, count.about, None, {})
    match count.what:
        case "enrollment":
            return Reckoned(count, _ENDS.get(reason, reason), "", "")
        case "mail":
            return Reckoned(count, f"mail {count.about}: {reason}", "", "")
        case "not_entered":
            why = WHY_NOT_ENTERED.get(reason, "")
            if reason.startswith("cancelled by "):
                why = "'unless' happened before it had been quiet long enough"
            return Reckoned(count, f"did not enter: {reason}", why, rule_of(plan, line))
        case "refused":
            return Reckoned(count, f"mail at '{count.about}' refused: {reason}", WHY_KEPT.get(reason, ""), "")
        case _:
            text = f"step '{count.about}' {count.what}: {reason}"
            return Reckoned(count, text, WHY_KEPT.get(reason, ""), rule_of(plan, line))


_ENDS = {"waiting": "in it now", "parked": "in it now, set aside until a deploy mends it", "finished": "finished"}
