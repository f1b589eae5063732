"""What was live, to be made live again: one campaign in an older version, or everything as a deploy had it.

Versions and templates are stored when they are deployed and stay, so nothing but the database is needed (trust R12).
It goes the way of every deploy: weighed against who stands where, refused where somebody would be lost or mailed twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from nurture.campaign.plan import Migration, Plan
from nurture.campaign.plan import version as version_of
from nurture.campaign.problems import errors
from nurture.campaign.project import Project
from nurture.engine.checking import check_in_flight
from nurture.errors import NotFound, UserError
from nurture.store import deploys, versions
from nurture.store.database import Transaction
from nurture.store.deploys import Deploy, Standing, Stay


class Target(msgspec.Struct, frozen=True):
    """What is to be live. `said` names it; `refused` says why it cannot be, whoever stands where."""

    project: Project
    plans: dict[str, Plan]
    files: dict[str, dict[str, str]]
    said: str
    refused: tuple[str, ...] = ()


def whole(tx: Transaction, number: int | None) -> Target:
    """Campaigns, templates and config as the deploy before the last one had them, or that of a number. Raises UserError
    where there is none."""
    found = deploys.history(tx)
    if number is None:
        if len(found) < 2:
            raise UserError("there is no deploy before this one; nothing was changed")
        number = found[-2].number
    chosen = next((one for one in found if one.number == number), None)
    if chosen is None:
        raise NotFound(f"there is no deploy {number}", hint="nurture versions --all lists them")
    standing = {name: one for name, one in chosen.campaigns.items() if one.state != "retired"}
    plans = _plans(tx, standing)
    said = f"everything as deploy {chosen.number} of {chosen.at:%Y-%m-%d %H:%M} had it"
    refused = _templates_gone(tx, chosen.templates)
    files = deploys.stored_templates(tx, chosen.templates)
    return Target(deploys.project_of(tx, chosen.number), _with_way_back(tx, plans), files, said, tuple(refused))


def one(tx: Transaction, campaign: str, version: str | None) -> Target:
    """One campaign in the version before its present one, or in that whose name begins so, with the templates it had
    then; everything else stays as it is. Raises UserError where there is none."""
    found = deploys.history(tx)
    stay = _chosen([s for s in deploys.stays(found) if s.campaign == campaign], campaign, version)
    then = _last_with(found, stay)
    live, present = versions.deployed(tx), versions.current(tx)
    assert present is not None
    standing = {n: Standing(d.version, d.title, d.state, d.priority) for n, d in live.items() if d.state != "retired"}
    was = then.campaigns[campaign]
    kept = standing.get(campaign, was)  # paused or not, its title: as it is now; a retired one as it was
    standing[campaign] = Standing(stay.version, kept.title, kept.state, kept.priority)
    plans = _plans(tx, standing)
    wanted = versions.live_templates(tx)
    own = {name: digest for name, digest in then.templates.items() if name in plans[campaign].templates()}
    files = deploys.stored_templates(tx, {**wanted, **own})
    refused = [*_templates_gone(tx, own), *_misfits(tx, then, present.project, plans[campaign], files)]
    said = f"'{campaign}' in version {stay.version}, live from {stay.since:%Y-%m-%d %H:%M}"
    return Target(present.project, _with_way_back(tx, plans), files, said, tuple(refused))


def _chosen(stays: list[Stay], campaign: str, version: str | None) -> Stay:
    """The latest stay of the version named, else of the one before the present one."""
    if not stays:
        raise NotFound(f"there is no campaign '{campaign}'", hint="nurture versions lists them")
    older = [s for s in stays if s.version != stays[-1].version]
    if version is None:
        if not older:
            raise UserError(f"'{campaign}' has only had one version; nothing was changed")
        return older[-1]
    named = [s for s in stays if s.version.startswith(version)]
    if not named:
        known = ", ".join(dict.fromkeys(s.version for s in older)) or "none but the present one"
        raise NotFound(f"'{campaign}' has had no version {version}", hint=f"older ones: {known}")
    if len({s.version for s in named}) > 1:
        raise UserError(f"'{version}' begins several versions of '{campaign}'; write more of it")
    if named[-1].version == stays[-1].version:
        raise UserError(f"'{campaign}' is in version {named[-1].version} already; nothing was changed")
    return named[-1]


def _last_with(found: Iterable[Deploy], stay: Stay) -> Deploy:
    """The last deploy of that stay: a template may have been mended while the version was live."""
    inside = [
        d
        for d in found
        if d.number >= stay.number and (stay.until is None or d.at < stay.until) and stay.campaign in d.campaigns
    ]
    return next(d for d in reversed(inside) if d.campaigns[stay.campaign].version == stay.version)


def _plans(tx: Transaction, standing: Mapping[str, Standing]) -> dict[str, Plan]:
    stored = versions.plans(tx, [(name, one.version) for name, one in standing.items()])
    return {
        name: msgspec.structs.replace(
            plan, title=standing[name].title, state=standing[name].state, priority=standing[name].priority
        )
        for (name, _), plan in stored.items()
    }


def _with_way_back(tx: Transaction, plans: Mapping[str, Plan]) -> dict[str, Plan]:
    """Where the version that is left had been told where steps go, the same way leads back."""
    live = versions.deployed(tx)
    stored = versions.plans(tx, [(name, live[name].version) for name in plans if name in live])
    made = {}
    for name, older in plans.items():
        plan = older
        present = live[name].version if name in live else ""
        newer, old = stored.get((name, present)), version_of(plan)
        maps = [m.map for m in newer.migrations if old.startswith(m.source)] if newer is not None else []
        back = {to: source for m in maps for source, to in m.items()}
        if back and present != old:
            kept = tuple(m for m in plan.migrations if not present.startswith(m.source))
            plan = msgspec.structs.replace(plan, migrations=(*kept, Migration(present, back)))
        made[name] = plan
    return made


def _templates_gone(tx: Transaction, wanted: dict[str, str]) -> list[str]:
    stored = deploys.stored_templates(tx, wanted)
    return [f"the template '{name}' of then is no longer stored" for name in sorted(wanted) if name not in stored]


def _misfits(
    tx: Transaction, then: Deploy, project: Project, plan: Plan, files: Mapping[str, Mapping[str, str]]
) -> list[str]:
    """What config.yaml no longer has for the version, and its templates no longer know."""
    who = {f"{plan.campaign} {version_of(plan)}": plan}
    wrong = errors(check_in_flight(project, who, files, why="which would be live again"))
    return [*_names_gone(deploys.project_of(tx, then.number), project, plan), *map(str, wrong)]


_NAMED = ("topics", "pipelines", "scores", "segments", "teams", "channels", "webhooks", "holidays", "forms")


def _names_gone(then: Project, now: Project, plan: Plan) -> list[str]:
    """What the version names and config.yaml had then and has no longer."""
    used = set(_texts(msgspec.to_builtins(plan)))
    lost = {name: kind.removesuffix("s") for kind in _NAMED for name in {*getattr(then, kind)} - {*getattr(now, kind)}}
    stages = [{name for funnel in each.funnels.values() for name in funnel.names()} for each in (then, now)]
    lost |= dict.fromkeys(stages[0] - stages[1], "stage")
    return [
        f"{plan.campaign}: it uses the {kind} '{name}', which config.yaml no longer has"
        for name, kind in sorted(lost.items())
        if name in used
    ]


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, inner in value.items():
                yield from _texts(key)
                yield from _texts(inner)
        case list() | tuple():
            for inner in value:
                yield from _texts(inner)
