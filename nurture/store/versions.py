"""Campaigns, their versions, templates, and the one row that says what is live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import func, select, tuple_, update

from nurture.campaign.plan import Plan, load
from nurture.campaign.project import Project
from nurture.store.database import Transaction, insert_rows, upserting
from nurture.store.tables import (
    SHARDS,
    campaigns,
    deployment,
    enrollments,
    shards,
    sweeps,
    templates,
    versions,
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is live as a whole. `generation` moves on with every deploy, pause and resume."""

    generation: int
    project: Project
    paused: bool
    pause_spares_service: bool


@dataclass(frozen=True, slots=True)
class Deployed:
    """A campaign as it is live: its state and priority are the campaign's, the rest is its live version's."""

    name: str
    title: str
    state: str
    priority: int
    version: str
    paused: bool
    deployed_at: datetime

    @property
    def enters(self) -> bool:
        """Whether anybody may enter now."""
        return self.state == "live" and not self.paused

    @property
    def stands(self) -> bool:
        """Paused: enrollments stand still; goals and exits count."""
        return self.state == "paused" or self.paused


def generation(tx: Transaction) -> int:
    """The present generation; 0 where nothing was ever deployed."""
    return tx.execute(select(deployment.c.generation)).scalar() or 0


def current(tx: Transaction) -> Deployment | None:
    """The live project, None before the first deploy."""
    row = tx.execute(
        select(
            deployment.c.generation,
            deployment.c.project,
            deployment.c.paused_at,
            deployment.c.pause_spares_service,
        )
    ).first()
    if row is None:
        return None
    return Deployment(row[0], msgspec.json.decode(row[1], type=Project), row[2] is not None, row[3])


def deployed(tx: Transaction) -> dict[str, Deployed]:
    """Every campaign ever deployed, by name."""
    c = campaigns.c
    rows = tx.execute(
        select(c.name, c.title, c.state, c.priority, c.live_version, c.paused_at, c.deployed_at).order_by(c.name)
    )
    return {r[0]: Deployed(r[0], r[1], r[2], r[3], r[4], r[5] is not None, r[6]) for r in rows}


def plans(tx: Transaction, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Plan]:
    """The plans of these (campaign, version) pairs, in one statement."""
    v = versions.c
    pairs = list(wanted)
    query = select(v.campaign, v.version, v.plan).where(tuple_(v.campaign, v.version).in_(pairs))
    return {(row[0], row[1]): load(row[2].encode()) for row in tx.execute(query)} if pairs else {}


def in_flight(tx: Transaction) -> dict[tuple[str, str], int]:
    """How many enrollments are open on each (campaign, version)."""
    c = enrollments.c
    rows = tx.execute(
        select(c.campaign, c.version, func.count())
        .where(c.state.in_(("waiting", "parked")))
        .group_by(c.campaign, c.version)
    )
    return {(r[0], r[1]): r[2] for r in rows}


def save_project(tx: Transaction, project: Project, now: datetime) -> int:
    """Make the project the live one; the new generation."""
    body = msgspec.json.encode(project).decode()
    moved = tx.execute(
        update(deployment).values(project=body, deployed_at=now, generation=deployment.c.generation + 1)
    ).rowcount
    if not moved:
        insert_rows(tx, deployment, [{"id": 1, "generation": 1, "project": body, "deployed_at": now}])
        insert_rows(tx, shards, [{"shard": n} for n in range(SHARDS)])
    return generation(tx)


def save_campaign(tx: Transaction, plan: Plan, version: str, plan_json: bytes, now: datetime) -> str | None:
    """Make this version the live one of its campaign; the version that was live before, None at the first deploy."""
    known = tx.execute(
        select(versions.c.version).where(versions.c.campaign == plan.campaign, versions.c.version == version)
    ).first()
    if known is None:
        row = {"campaign": plan.campaign, "version": version, "plan": plan_json.decode(), "deployed_at": now}
        insert_rows(tx, versions, [row])
    else:
        # The hash binds what an enrollment walks. `migrations` are no part of it, and may come with a way back.
        where = (versions.c.campaign == plan.campaign, versions.c.version == version)
        tx.execute(update(versions).where(*where).values(plan=plan_json.decode()))
    before = tx.execute(select(campaigns.c.live_version).where(campaigns.c.name == plan.campaign)).scalar()
    values = {
        "title": plan.title,
        "state": plan.state,
        "priority": plan.priority,
        "live_version": version,
        "deployed_at": now,
    }
    if before is None:
        insert_rows(tx, campaigns, [{"name": plan.campaign, "baseline_at": now, **values}])
    else:
        tx.execute(update(campaigns).where(campaigns.c.name == plan.campaign).values(**values))
    return before


def retire_others(tx: Transaction, names: Iterable[str]) -> list[str]:
    """Campaigns whose file is gone take no entries any more; those inside finish. Their names."""
    gone = [n for n, d in deployed(tx).items() if n not in set(names) and d.state != "retired"]
    for name in gone:
        tx.execute(update(campaigns).where(campaigns.c.name == name).values(state="retired"))
    return gone


def save_templates(tx: Transaction, files: Mapping[str, tuple[str, Mapping[str, str]]], now: datetime) -> None:
    """Make these templates, name → (hash, files), the live ones; others are live no more."""
    tx.execute(update(templates).values(live=False).where(templates.c.live))
    for name, (digest, body) in files.items():
        row = {"name": name, "hash": digest, "files": dict(body), "live": True, "deployed_at": now}
        tx.execute(
            upserting(tx, templates)
            .values(row)
            .on_conflict_do_update(index_elements=["name", "hash"], set_={"live": True})
        )


def live_templates(tx: Transaction) -> dict[str, str]:
    """The live hash of every template."""
    return {r[0]: r[1] for r in tx.execute(select(templates.c.name, templates.c.hash).where(templates.c.live))}


def template_files(tx: Transaction, name: str, digest: str) -> dict[str, str] | None:
    """All files of one stored template version."""
    return tx.execute(select(templates.c.files).where(templates.c.name == name, templates.c.hash == digest)).scalar()


def ask_sweep(tx: Transaction, campaign: str, *, first: bool, now: datetime) -> None:
    """Have the worker walk all leads once for this campaign (arming its timers, its baseline)."""
    insert_rows(
        tx,
        sweeps,
        [{"campaign": campaign, "shard": n, "after_lead": 0, "first": first, "asked_at": now} for n in range(SHARDS)],
    )


def note_guarded(tx: Transaction, campaign: str, why: str, now: datetime) -> None:
    """The campaign was paused for what came of its mails; those up to now are not counted again."""
    tx.execute(update(campaigns).where(campaigns.c.name == campaign).values(guarded_at=now, stopped=why))


def note_stopped(tx: Transaction, campaign: str, why: str) -> None:
    """The campaign was paused by itself, until a person lets it go on."""
    tx.execute(update(campaigns).where(campaigns.c.name == campaign).values(stopped=why))


def stopped(tx: Transaction) -> dict[str, str]:
    """Campaigns that were paused by themselves and stand, with the reason."""
    c = campaigns.c
    query = select(c.name, c.stopped).where(c.stopped.is_not(None), c.paused_at.is_not(None)).order_by(c.name)
    return {row[0]: row[1] for row in tx.execute(query)}


def paused_already(tx: Transaction, campaign: str | None) -> bool:
    """Whether the campaign, or with None everything, stands at this instant; another worker may have seen to it."""
    query = select(deployment.c.paused_at)
    if campaign is not None:
        query = select(campaigns.c.paused_at).where(campaigns.c.name == campaign)
    return tx.execute(query).scalar() is not None


def allow(tx: Transaction, campaign: str, mails: int) -> None:
    """A person agrees to so many mails of the campaign beyond the blast limit (trust R19)."""
    tx.execute(update(campaigns).where(campaigns.c.name == campaign).values(allowance=mails))


def use_allowance(tx: Transaction, campaign: str, wanted: int) -> int:
    """Take up to so many mails from what a person has agreed to; how many there were."""
    c = campaigns.c
    query = select(c.allowance).where(c.name == campaign)
    if tx.dialect.name == "postgresql":
        query = query.with_for_update()
    used = min(wanted, tx.execute(query).scalar() or 0)
    if used:
        tx.execute(update(campaigns).where(c.name == campaign).values(allowance=c.allowance - used))
    return used


def set_paused(tx: Transaction, campaign: str | None, now: datetime | None, *, spare_service: bool = False) -> int:
    """Pause (with an instant) or resume (None) one campaign, or everything; how many rows that changed."""
    if campaign is not None:
        values = {"paused_at": now} if now is not None else {"paused_at": None, "stopped": None}
        changed = tx.execute(update(campaigns).where(campaigns.c.name == campaign).values(values)).rowcount
        tx.execute(update(deployment).values(generation=deployment.c.generation + 1))
        return changed
    return tx.execute(
        update(deployment).values(
            paused_at=now, pause_spares_service=spare_service, generation=deployment.c.generation + 1
        )
    ).rowcount
