"""A draft played over what the database knows to have happened: what it would have done (campaigns.md S34, S35).

The same engine on another clock. The draft is played together with the other campaigns that are live, so that caps,
stages and `in_campaign` are as they would have been; only the draft is told of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from nurture.campaign.plan import Plan
from nurture.campaign.project import Project
from nurture.engine.rehearse import Rehearsal, Scripted
from nurture.engine.replay import Outcome, outcome_of
from nurture.store import versions
from nurture.store.database import Database, Transaction
from nurture.store.deeds import deeds
from nurture.store.past import lay_out

# What a reader of the figures must know.
LIMITS = (
    "fields and tags of leads have no history: they are today's from the start, changes told as events aside",
    "mails that really went out are not played, nor what came of them: opens, clicks, bounces, complaints, replies; "
    "so nobody is inside a campaign, or has used up a cap, at the start",
)


def backtest(
    live: Database,
    project: Project,
    plan: Plan,
    since: datetime,
    until: datetime,
    progress: Callable[[datetime], None] | None = None,
) -> Outcome:
    """What this campaign would have done from `since` to `until`, had it been deployed then. The database is read in
    one transaction and not written."""
    with Rehearsal(project, {}, since) as stage:
        with live.read() as tx:
            stage.plans = {**others(tx, plan.campaign), plan.campaign: plan}
            with stage.database.write() as to:
                past = lay_out(tx, to, project, since)
            done = deeds(tx, past, until)
        stage.leads = list(past.names)
        places = {lead: n for n, lead in enumerate(stage.leads)}
        script = [Scripted(d.at, places[d.lead], d.name, d.properties, d.told) for d in done]
        stage.perform(script, until, progress, newcomers=frozenset(past.newcomers))
        return outcome_of(stage, plan, past.names, script, until)


def others(tx: Transaction, name: str) -> Mapping[str, Plan]:
    """The campaigns that are live beside this one."""
    known = {d.name: d.version for d in versions.deployed(tx).values() if d.enters and d.name != name}
    found = versions.plans(tx, sorted(known.items()))
    return {campaign: plan for (campaign, _), plan in found.items()}
