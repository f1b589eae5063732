"""The first report: how leads come through a funnel, or deals through a pipeline. Read in one transaction."""

from __future__ import annotations

from datetime import datetime

from nurture.campaign.problems import unknown
from nurture.campaign.project import Project
from nurture.errors import NotFound
from nurture.funnel import metrics
from nurture.funnel.metrics import FunnelReport
from nurture.funnel.pipeline import Expected, OpenDeal, forecast
from nurture.store.database import Transaction
from nurture.store.deals import open_deals_in
from nurture.store.metrics import funnel_journeys, pipeline_journeys


def funnel_report(
    tx: Transaction, project: Project, now: datetime, *, funnel: str | None = None, pipeline: str | None = None
) -> FunnelReport:
    """The figures of a funnel (the project's first unless named), or of a sales pipeline where one is named.

    A lead is won that has a won deal, or that came into the last of several stages, those that are `left` aside; a deal
    is won when it is closed so.
    Shares are 0–1, times fractional days. Raises NotFound for a name that is not in the project.
    """
    if pipeline is not None:
        known = project.pipelines.get(pipeline)
        if known is None:
            raise _unknown("pipeline", pipeline, list(project.pipelines))
        names = [stage.name for stage in known.stages]
        return metrics.report(names, pipeline_journeys(tx, pipeline, names), now, last_wins=False)
    name = funnel if funnel is not None else next(iter(project.funnels), None)
    if name is None or name not in project.funnels:
        raise _unknown("funnel", name or "", list(project.funnels))
    stages = project.funnels[name].names()
    left = [place for place, stage in enumerate(project.funnels[name].stages) if stage.left]
    return metrics.report(stages, funnel_journeys(tx, name, stages), now, last_wins=True, left=left)


def _unknown(what: str, name: str, known: list[str]) -> NotFound:
    if not known:
        return NotFound(f"the project has no {what}s", hint=f"write `{what}s:` in config.yaml")
    return unknown(what, name, known)


def pipeline_forecast(tx: Transaction, project: Project, pipeline: str) -> tuple[Expected, ...]:
    """What the open deals of a pipeline are worth, by currency. Raises NotFound for a name not in the project."""
    known = project.pipelines.get(pipeline)
    if known is None:
        raise _unknown("pipeline", pipeline, list(project.pipelines))
    standing = [OpenDeal(d.stage, d.amount, d.currency) for d in open_deals_in(tx, pipeline)]
    return forecast(known, standing, project.currency)
