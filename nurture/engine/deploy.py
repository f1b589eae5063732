"""Making campaigns live: versions stored under their hash with their templates, in one transaction (trust R12)."""

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
from nurture.engine.writing import Decided, leave, write
from nurture.journey import causes
from nurture.journey.facts import Facts
from nurture.mail.template import template_hash
from nurture.store import deploys, enrollments, stages, tallies, timers, versions
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
    that look at leads at instants of their own, and those whose new version concerns who is inside, have the worker
    walk all leads once (a sweep). Who was parked is looked at again."""
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
        was = standing[name].state if before is not None else None
        first = before is None or (was == "draft" and plan.state != "draft")
        returned = was == "retired" and plan.state in ("live", "paused")
        arms = _sweeps(plan) and plan.state != "draft" and (what != "same" or first or returned)
        if arms or (what == "changed" and plan.on_change in ("migrate", "exit")):
            versions.ask_sweep(tx, name, first=first, now=now)
        if was == "paused" and plan.state != "paused":
            enrollments.wake_paused(tx, name, now)
    gone = versions.retire_others(tx, plans)
    changes += [Change(name, "retired", standing[name].version, standing[name].version) for name in gone]
    deploys.note(tx, now)
    _unpark(tx, now)
    return changes


def _unpark(tx: Transaction, now: datetime) -> None:
    """What parked them may be mended; where it is not they park again."""
    found = [(e, decision) for e in enrollments.parked(tx) if (decision := causes.unparked(e, now)) is not None]
    enrollments.write(tx, [decision.after for _, decision in found], {})
    enrollments.record(tx, [(e, record, now) for e, decision in found for record in decision.records])


def pause(tx: Transaction, campaign: str | None, now: datetime, *, spare_service: bool = False) -> int:
    """Stand still, one campaign or all (None): nothing enters, goals and exits count (S26). `spare_service`: service
    mail goes on. How many rows say so."""
    return versions.set_paused(tx, campaign, now, spare_service=spare_service)


def resume(tx: Transaction, campaign: str | None, now: datetime, *, yes_send: int | None = None) -> int:
    """Go on: who stood because of the pause is looked at at once, late as it then is; how many. A person has looked at
    it: the blast limit counts anew, after `yes_send` mails that are agreed to (trust R19)."""
    versions.set_paused(tx, campaign, None)
    tallies.forget(tx, tallies.ALL if campaign is None else tallies.CAMPAIGN, campaign or "")
    if campaign is not None:
        versions.allow(tx, campaign, yes_send or 0)
    return enrollments.wake_paused(tx, campaign, now)


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
    a new version keeps who was true and takes as known who is true now (S12), and brings those inside over as its
    `on_change` says (S33)."""
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
    _change_versions(turn, campaign, lead_ids, now)
    turn.flush()


def _change_versions(turn: Turn, campaign: str, lead_ids: Sequence[int], now: datetime) -> None:
    """Those of these leads that walk an older version: with `migrate` they go on by step id on the new one (where that
    has no place for them they finish on their own), with `exit` they leave; else they finish where they are."""
    plan, digest = turn.live.plan(campaign), turn.live.campaigns[campaign].version
    if plan.on_change not in ("migrate", "exit"):
        return
    found = enrollments.outdated(turn.tx, campaign, digest, lead_ids)
    if plan.on_change == "exit":
        return leave(turn, [(e, "new version", now) for e in found])
    done = enrollments.done_steps(turn.tx, [e.id for e in found])
    decided = []
    for e in found:
        told = Facts(lead=turn.leads[e.lead].facts, project=turn.live.project)
        decision = causes.migrated(plan, digest, e, told, now, done.get(e.id, ()))
        if decision is not None:
            decided.append(Decided(e, decision, now))
    write(turn, decided)
