"""The history of deploys: what was live when, as a whole and by campaign. Rows are added, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select

from nurture.campaign.project import Project
from nurture.store import versions
from nurture.store.database import Transaction, insert_rows
from nurture.store.tables import campaigns, deployment, deploys, templates


class Standing(msgspec.Struct, frozen=True):
    """A campaign as a deploy left it."""

    version: str
    title: str = ""
    state: str = "live"
    priority: int = 50


@dataclass(frozen=True, slots=True)
class Deploy:
    """`number` counts up from 1; `templates` are name → hash."""

    number: int
    at: datetime
    campaigns: dict[str, Standing]
    templates: dict[str, str]


@dataclass(frozen=True, slots=True)
class Stay:
    """A version that was live from deploy `number` on; `until` None: it still is."""

    campaign: str
    version: str
    number: int
    since: datetime
    until: datetime | None


def note(tx: Transaction, now: datetime) -> None:
    """Keep what is live now, unless the last deploy left the very same."""
    c = campaigns.c
    found = tx.execute(select(c.name, c.live_version, c.title, c.state, c.priority).order_by(c.name))
    row: dict[str, Any] = {
        "project": tx.execute(select(deployment.c.project)).scalar(),
        "campaigns": {r[0]: {"version": r[1], "title": r[2], "state": r[3], "priority": r[4]} for r in found},
        "templates": dict(sorted(versions.live_templates(tx).items())),
    }
    d = deploys.c
    last = tx.execute(select(d.project, d.campaigns, d.templates).order_by(d.id.desc()).limit(1)).first()
    if last is None or tuple(last) != tuple(row.values()):
        insert_rows(tx, deploys, [{"at": now, **row}])


def history(tx: Transaction) -> list[Deploy]:
    """Every deploy, oldest first."""
    d = deploys.c
    rows = tx.execute(select(d.id, d.at, d.campaigns, d.templates).order_by(d.id))
    return [Deploy(r[0], r[1], msgspec.convert(r[2], dict[str, Standing]), r[3]) for r in rows]


def project_of(tx: Transaction, number: int) -> Project:
    """The project that this deploy made live."""
    body = tx.execute(select(deploys.c.project).where(deploys.c.id == number)).scalar_one()
    return msgspec.json.decode(body, type=Project)


def stays(found: list[Deploy]) -> list[Stay]:
    """The versions of each campaign in the order they were live, campaigns by name."""
    made: dict[str, list[Stay]] = {}
    for deploy in found:
        for name, one in deploy.campaigns.items():
            known = made.setdefault(name, [])
            if known and known[-1].version == one.version:
                continue
            if known:
                last = known[-1]
                known[-1] = Stay(name, last.version, last.number, last.since, deploy.at)
            known.append(Stay(name, one.version, deploy.number, deploy.at, None))
    return [stay for name in sorted(made) for stay in made[name]]


def stored_templates(tx: Transaction, wanted: dict[str, str]) -> dict[str, dict[str, str]]:
    """The files of these templates, name → hash; those that are not stored are left out."""
    t = templates.c
    rows = tx.execute(select(t.name, t.hash, t.files).where(t.name.in_(list(wanted))))
    return {name: files for name, digest, files in rows if wanted[name] == digest}
