"""What is live: campaigns, their versions and templates, deploys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from nurture.store.tables import column


class CampaignRow(SQLModel, table=True):
    """What is deployed under a name. `paused_at` is set and cleared by pause and resume, without a deploy."""

    __tablename__ = "campaigns"
    name: str = column.text(primary_key=True)
    title: str = column.text(default="")
    state: str = column.text(default="live")
    priority: int = 50
    live_version: str = column.text()
    deployed_at: datetime = column.instant()
    paused_at: datetime | None = column.instant(default=None)
    baseline_at: datetime | None = column.instant(default=None)  # first deploy; match entries take their baseline then
    guarded_at: datetime | None = column.instant(default=None)  # paused by engine.guard; later mails are judged anew
    stopped: str | None = column.text(default=None)  # why engine.guard or engine.limits paused it; cleared by a resume
    allowance: int = 0  # mails a person has agreed to beyond the blast limit; used up by the wire gate


class VersionRow(SQLModel, table=True):
    __tablename__ = "versions"
    campaign: str = column.text(primary_key=True)
    version: str = column.text(primary_key=True)
    plan: str = column.text()  # canonical JSON
    deployed_at: datetime = column.instant()


class TemplateRow(SQLModel, table=True):
    """All files of a template under their common hash. `live` is moved by deploy."""

    __tablename__ = "templates"
    name: str = column.text(primary_key=True)
    hash: str = column.text(primary_key=True)
    files: dict[str, str] = column.json(nullable=False)
    live: bool = True
    deployed_at: datetime = column.instant()


class DeploymentRow(SQLModel, table=True):
    """One row (id 1): the live project and a generation that every deploy, pause and resume moves on, so that workers
    know when to read again."""

    __tablename__ = "deployment"
    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    generation: int = 0
    project: str = column.text()  # canonical JSON of campaign.project.Project
    deployed_at: datetime = column.instant()
    paused_at: datetime | None = column.instant(default=None)  # everything paused
    pause_spares_service: bool = False


class DeployRow(SQLModel, table=True):
    """What each deploy or rollback made live, as a whole, so that it can be made live again. Written by deploy where it
    changed anything; never changed."""

    __tablename__ = "deploys"
    id: int | None = column.key()  # the number people name
    at: datetime = column.instant()
    project: str = column.text()  # canonical JSON
    campaigns: dict[str, Any] = column.json(nullable=False)  # name → version, title, state, priority
    templates: dict[str, str] = column.json(nullable=False)  # name → hash


campaigns = CampaignRow.__table__  # type: ignore[attr-defined]
versions = VersionRow.__table__  # type: ignore[attr-defined]
templates = TemplateRow.__table__  # type: ignore[attr-defined]
deployment = DeploymentRow.__table__  # type: ignore[attr-defined]
deploys = DeployRow.__table__  # type: ignore[attr-defined]
