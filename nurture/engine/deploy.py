"""Making campaigns live: versions stored under their hash with their templates, in one transaction (campaigns.md §8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from nurture.campaign.plan import EnterDate, EnterMatch, EnterSchedule, EnterStage, Plan, canonical, version
from nurture.campaign.project import Project
from nurture.engine import arm
from nurture.engine.enter import Candidate, enter
from nurture.engine.live import Live
from nurture.engine.turn import Turn
from nurture.mail.template import template_hash
from nurture.store import stages, timers, versions
from nurture.store.database import Transaction
from nurture.store.scope import Scope


@dataclass(frozen=True, slots=True)
class Change:
    """What a deploy does to one campaign: `new`, `changed`, `same` or `retired`."""

    campaign: str
    what: str
    version: str
    before: str | None = None


def deploy(
    tx: Transaction,
    project: Project,
    plans: Mapping[str, Plan],
    templates: Mapping[str, Mapping[str, str]],
    now: datetime,
) -> list[Change]:
    """Make this project, these campaigns and templates the live ones. Campaigns whose file is gone are retired. Those
    that look at leads at instants of their own have the worker walk all leads once (a sweep)."""
    versions.save_project(tx, project, now)
    versions.save_templates(tx, {name: (template_hash(files), files) for name, files in templates.items()}, now)
    changes = []
    standing = versions.deployed(tx)
    for name in sorted(plans):
        plan = plans[name]
        digest = version(plan)
        before = versions.save_campaign(tx, plan, digest, canonical(plan), now)
        what = "new" if before is None else "same" if before == digest else "changed"
        changes.append(Change(name, what, digest, before))
        revived = before is not None and standing[name].state == "draft" and plan.state != "draft"
        if _sweeps(plan) and plan.state != "draft" and (what != "same" or revived):
            versions.ask_sweep(tx, name, first=before is None or revived, now=now)
    for name in versions.retire_others(tx, plans):
        changes.append(Change(name, "retired", standing[name].version, standing[name].version))
    return changes


def _sweeps(plan: Plan) -> bool:
    return isinstance(plan.enter, (EnterMatch, EnterDate, EnterSchedule)) or (
        isinstance(plan.enter, EnterStage) and plan.enter.existing
    )


def sweep_batch(tx: Transaction, live: Live, scope: Scope, now: datetime, limit: int = 1_000) -> int:
    """Walk on with the sweeps of this scope, about `limit` leads; how many sweeps were looked at, 0 where there are
    none."""
    walked = looked = 0
    while walked < limit and (sweep := timers.next_sweep(tx, scope)) is not None:
        page = timers.sweep_page(tx, sweep, limit)
        if page and sweep.campaign in live.campaigns:
            sweep_leads(tx, live, sweep.campaign, page, now, first=sweep.first)
        walked += len(page)
        looked += 1
    return looked


def sweep_leads(
    tx: Transaction, live: Live, campaign: str, lead_ids: Sequence[int], now: datetime, *, first: bool
) -> None:
    """Arm these leads for a campaign just deployed. At its first deploy those enter for whom `existing: enter` says so;
    a new version keeps who was true and takes as known who is true now (S12)."""
    turn = Turn(tx, live)
    turn.load(lead_ids)
    plan = live.plan(campaign)
    at = dict.fromkeys(lead_ids, now)
    if isinstance(plan.enter, EnterStage):
        if first and plan.enter.existing:
            there = stages.standing_in(tx, plan.enter.stage, lead_ids)
            enter(turn, [Candidate(campaign, lead, now, now, "") for lead in there])
    else:
        existing = first and isinstance(plan.enter, EnterMatch) and plan.enter.existing
        arm.arm(turn, at, [campaign], existing=existing, keep=not first)
    turn.flush()
