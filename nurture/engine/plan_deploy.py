"""What a deploy would change, before anything changes: steps, who stands where and what becomes of them, who would
enter at once, and what forbids it (campaigns.md §8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from nurture.campaign import plan as steps
from nurture.campaign.condition import Condition
from nurture.campaign.plan import EnterMatch, EnterSchedule, EnterStage, Plan, Send, version
from nurture.campaign.problems import Problem, errors
from nurture.campaign.project import Project
from nurture.engine.checking import check_in_flight
from nurture.journey.timing import zone_name
from nurture.mail.template import template, template_hash, template_names
from nurture.store import in_flight, versions
from nurture.store.conditions import Asker, Row
from nurture.store.database import Transaction
from nurture.store.in_flight import Standing
from nurture.store.versions import Deployed

_PAGE = 1_000
FEW = 100  # leads; an audience below that grows without a question


class StepChange(msgspec.Struct, frozen=True):
    """`what` is added, removed or changed."""

    step: str
    what: Literal["added", "removed", "changed"]


class Group(msgspec.Struct, frozen=True):
    """`count` enrollments of `version` stand on `step`; `becomes` says in words what the deploy does to them."""

    version: str
    step: str
    count: int
    parked: int
    becomes: str


class CampaignPlan(msgspec.Struct, frozen=True):
    """One campaign. `what`: new, changed, same, retired. `enters`: how many would enter at once by `existing: enter`;
    None where nobody does so."""

    campaign: str
    what: Literal["new", "changed", "same", "retired"]
    state: str
    version: str
    before: str | None = None
    state_before: str | None = None
    steps: tuple[StepChange, ...] = ()
    settings: tuple[str, ...] = ()  # what besides the steps is different: enter, goal, exits…
    standing: tuple[Group, ...] = ()
    enters: int | None = None
    reaches: int | None = None  # leads whom its entry lets in, where a condition says who; None where it is the same
    reached: int | None = None  # the same by the live version
    mails: int = 0  # sends that one lead can get


class DeployPlan(msgspec.Struct, frozen=True):
    """`refused` says why it may not be deployed, in words; empty where it may. `first`: nothing was deployed before."""

    first: bool
    campaigns: tuple[CampaignPlan, ...]
    templates: dict[str, str]  # name → added, removed or changed
    project: tuple[str, ...]  # sections of config.yaml that differ
    refused: tuple[str, ...]
    enters: int = 0
    blast: int = 0
    growth: float = 0.5

    @property
    def changes(self) -> bool:
        moved = any(c.what != "same" or c.state != c.state_before for c in self.campaigns)
        return self.first or moved or bool(self.templates or self.project)

    @property
    def grown(self) -> tuple[CampaignPlan, ...]:
        """Campaigns that would reach many more leads than before (trust R19)."""
        return tuple(c for c in self.campaigns if c.state == "live" and self._grows(c))

    def _grows(self, c: CampaignPlan) -> bool:
        if c.reaches is None or c.reaches < FEW:
            return False
        return c.reached is not None and c.reaches > c.reached * (1 + self.growth)


def files_of(texts: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Every template of a project with the files it needs, by name. Raises TemplateBroken."""
    return {name: template(name, texts).files for name in template_names(texts)}


def plan_deploy(
    tx: Transaction, project: Project, plans: Mapping[str, Plan], files: Mapping[str, Mapping[str, str]], now: datetime
) -> DeployPlan:
    """Weigh these campaigns and templates (each with the files it needs) against what is live. Nothing is written."""
    current = versions.current(tx)
    live = versions.deployed(tx)
    standing = in_flight.standing(tx)
    pairs = {(s.campaign, s.version) for s in standing} | {(d.name, d.version) for d in live.values()}
    old = versions.plans(tx, sorted(pairs))
    found = [
        _campaign(
            tx, project, name, plans.get(name), live.get(name), old, [s for s in standing if s.campaign == name], now
        )
        for name in sorted({*plans, *live})
    ]
    walked = {pair: plan for pair, plan in old.items() if pair in {(s.campaign, s.version) for s in standing}}
    refused = [*_stranded(plans, standing, old), *_sent_again(tx, plans, walked)]
    refused += _template_trouble(project, plans, walked, files)
    return DeployPlan(
        first=current is None,
        campaigns=tuple(c for c in found if c is not None),
        templates=_templates(tx, files),
        project=() if current is None else _sections(current.project, project),
        refused=tuple(refused),
        enters=sum(c.enters or 0 for c in found if c is not None),
        blast=project.alerts.blast,
        growth=project.alerts.growth,
    )


def _campaign(
    tx: Transaction,
    project: Project,
    name: str,
    plan: Plan | None,
    live: Deployed | None,
    old: Mapping[tuple[str, str], Plan],
    standing: Sequence[Standing],
    now: datetime,
) -> CampaignPlan | None:
    if plan is None:
        assert live is not None
        if live.state == "retired":
            return None
        groups = tuple(_group(s, "finishes on its version") for s in standing)
        return CampaignPlan(name, "retired", "retired", live.version, live.version, live.state, standing=groups)
    digest = version(plan)
    before = old.get((name, live.version)) if live is not None else None
    what: Literal["new", "changed", "same"] = "new" if live is None else "same" if live.version == digest else "changed"
    return CampaignPlan(
        name,
        what,
        plan.state,
        digest,
        live.version if live is not None else None,
        live.state if live is not None else None,
        steps=tuple(_step_changes(before, plan)) if before is not None and what == "changed" else (),
        settings=tuple(_settings(before, plan)) if before is not None and what == "changed" else (),
        standing=tuple(_group(s, _becomes(plan, digest, s)) for s in standing),
        enters=_enters(tx, project, plan, live, now),
        reaches=None if what == "same" else _reaches(tx, project, plan, now),
        reached=_reaches(tx, project, before, now) if before is not None and what == "changed" else None,
        mails=sum(isinstance(step, Send) for step in plan.steps),
    )


def _group(s: Standing, becomes: str) -> Group:
    return Group(s.version, s.step, s.count, s.parked, becomes)


def _becomes(plan: Plan, digest: str, s: Standing) -> str:
    if s.version == digest:
        return "goes on"
    match plan.on_change:
        case "exit":
            return "leaves"
        case "migrate":
            target = _target(plan, s)
            if target is None:
                return "has nowhere to go"
            return "moves to the new version" + (f", to step '{target}'" if target != s.step else "")
        case "drain":
            return "finishes on its version"
        case _:
            return "finishes on its version"


def _target(plan: Plan, s: Standing) -> str | None:
    """The step of the new version for those who stand there."""
    if plan.index(s.step) is not None:
        return s.step
    names = next((m.map for m in plan.migrations if s.version.startswith(m.source)), {})
    to = names.get(s.step)
    return to if to is not None and plan.index(to) is not None else None


# --- what differs


def _step_changes(before: Plan, after: Plan) -> Iterable[StepChange]:
    was = {step.id: _shape(before, step) for step in before.steps}
    now = {step.id: _shape(after, step) for step in after.steps}
    for step in after.steps:
        if step.id not in was:
            yield StepChange(step.id, "added")
        elif was[step.id] != now[step.id]:
            yield StepChange(step.id, "changed")
    for step in before.steps:
        if step.id not in now:
            yield StepChange(step.id, "removed")


def _shape(plan: Plan, step: steps.AnyStep) -> dict[str, Any]:
    """What the step does, without where the flow goes next: a step put in behind it does not change it. Conditions
    stand for their numbers."""
    made: dict[str, Any] = msgspec.to_builtins(step)

    def said(number: int) -> Any:
        return msgspec.to_builtins(plan.conditions[number])

    for name in ("next", "then", "otherwise", "body"):
        made.pop(name, None)
    for name in ("only_if", "while_"):
        if made.get(name) is not None:
            made[name] = said(made[name])
    match step:
        case steps.Branch():
            made["arms"] = [said(number) for number, _ in step.arms]
        case steps.Split():
            made["arms"] = [(name, share) for name, share, _ in step.arms]
        case steps.WaitFor() if step.trigger.match is not None:
            made["trigger"] = said(step.trigger.match)
    return made


_SETTINGS = ("topic", "on_withdrawal", "on_change", "pin_templates", "enter", "only_if", "again", "window")


def _settings(before: Plan, after: Plan) -> Iterable[str]:
    for name in _SETTINGS:
        if getattr(before, name) != getattr(after, name):
            yield name
    for name in ("goal", "exits"):
        if _ends(before, name) != _ends(after, name):
            yield name


def _ends(plan: Plan, name: str) -> list[Any]:
    """Goal or exits with their conditions in place of numbers."""
    value = getattr(plan, name)
    found = []
    for item in (value,) if name == "goal" and value is not None else value or ():
        condition: Condition | None = None if item.trigger.match is None else plan.conditions[item.trigger.match]
        trigger = msgspec.structs.replace(item.trigger, match=None)
        found.append((msgspec.structs.replace(item, trigger=trigger), condition))
    return found


def _sections(before: Project, after: Project) -> tuple[str, ...]:
    return tuple(name for name in Project.__struct_fields__ if getattr(before, name) != getattr(after, name))


def _templates(tx: Transaction, files: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    was = in_flight.live_template_hashes(tx)
    now = {name: template_hash(texts) for name, texts in files.items()}
    said = {name: "added" if name not in was else "changed" for name, digest in now.items() if was.get(name) != digest}
    return dict(sorted({**said, **{name: "removed" for name in was if name not in now}}.items()))


# --- what forbids it


def _stranded(
    plans: Mapping[str, Plan], standing: Sequence[Standing], old: Mapping[tuple[str, str], Plan]
) -> Iterable[str]:
    for s in standing:
        plan = plans.get(s.campaign)
        moved = plan is not None and plan.on_change == "migrate" and s.version != version(plan)
        if plan is None or not moved or _target(plan, s) is not None:
            continue
        yield (
            f"{s.campaign}: {s.count:,} stand on step '{s.step}' of version {s.version}, which is no longer there; "
            f"say where they go: migrations: [{{from: {s.version}, map: {{{s.step}: NEW_STEP}}}}]"
        )


def _sent_again(tx: Transaction, plans: Mapping[str, Plan], walked: Mapping[tuple[str, str], Plan]) -> Iterable[str]:
    """A send that was given another id, with nothing that says so: who had the mail would get it once more."""
    for (name, digest), before in walked.items():
        plan = plans.get(name)
        if plan is None or plan.on_change != "migrate" or version(plan) == digest:
            continue
        mapped = next((m.map for m in plan.migrations if digest.startswith(m.source)), {})
        fresh = [s for s in plan.steps if isinstance(s, Send) and before.index(s.id) is None]
        for step in fresh:
            if step.id in mapped.values():
                continue
            names = {variant for variant, _ in step.variants}
            gone = [
                s.id
                for s in before.steps
                if isinstance(s, Send) and plan.index(s.id) is None and names & {variant for variant, _ in s.variants}
            ]
            count = in_flight.had_mail(tx, name, digest, gone) if gone else 0
            if count:
                yield (
                    f"{name}: {count:,} had the mail of step '{gone[0]}' and would get it again as '{step.id}'; "
                    f"say that it is the same: migrations: [{{from: {digest}, map: {{{gone[0]}: {step.id}}}}}]"
                )


def _template_trouble(
    project: Project,
    plans: Mapping[str, Plan],
    walked: Mapping[tuple[str, str], Plan],
    files: Mapping[str, Mapping[str, str]],
) -> list[str]:
    """A template that versions still walked need, and that is gone or no longer serves them."""
    staying = {
        f"{name} {digest}": plan
        for (name, digest), plan in walked.items()
        if name not in plans or (version(plans[name]) != digest and plans[name].on_change in ("pin", "drain"))
    }
    found = [
        f"{who}: leads still walk it, and its template '{name}' is gone"
        for who, plan in staying.items()
        for name in sorted(plan.templates() - files.keys())
        if not plan.pin_templates
    ]
    problems: list[Problem] = errors(
        check_in_flight(project, {n: p for n, p in staying.items() if not p.pin_templates}, files)
    )
    return [*found, *(str(problem) for problem in problems)]


# --- who would enter at once


def _enters(tx: Transaction, project: Project, plan: Plan, live: Deployed | None, now: datetime) -> int | None:
    """How many leads the next pass would open an enrollment for, by `existing: enter`, or a mailing at its instant; at
    most so many, since goals, exits and `only_if` are asked then."""
    first = live is None or (live.state == "draft" and plan.state != "draft")
    if not first or plan.state != "live":
        return None
    match plan.enter:
        case EnterStage(stage=stage, existing=True):
            return in_flight.count_in_stage(tx, stage)
        case EnterMatch(condition=condition, existing=True):
            return _count_matching(tx, project, [condition], now)
        case EnterSchedule():
            return _reaches(tx, project, plan, now)
        case _:
            return None


def _reaches(tx: Transaction, project: Project, plan: Plan, now: datetime) -> int | None:
    """How many leads the conditions of its entry hold for now; None where an event, a stage or a person lets them in
    and no condition narrows that."""
    match plan.enter:
        case EnterMatch(condition=condition):
            asked = [condition, *([plan.only_if] if plan.only_if is not None else [])]
        case EnterSchedule():
            asked = [plan.only_if] if plan.only_if is not None else []
            if not asked:
                return in_flight.count_leads(tx)
        case _:
            if plan.only_if is None:
                return None
            asked = [plan.only_if]
    return _count_matching(tx, project, asked, now)


def _count_matching(tx: Transaction, project: Project, conditions: Sequence[Condition], now: datetime) -> int:
    asker, found, after = Asker(project), 0, 0
    while page := in_flight.lead_page(tx, after, _PAGE):
        rows = [Row(lead=lead, as_of=now, zone=zone_name(zone, project.zone)) for lead, zone in page]
        found += sum(all(answer) for answer in asker.ask(tx, conditions, rows))
        after = page[-1][0]
    return found
