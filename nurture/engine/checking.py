"""Campaigns and templates checked together: what a step prints must be there, and know no name it is not given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from nurture.campaign import plan
from nurture.campaign.cases import CampaignTest
from nurture.campaign.condition import Condition, Field, walk
from nurture.campaign.declared import account_fields, event_properties, lead_fields
from nurture.campaign.plan import Plan
from nurture.campaign.problems import Problem
from nurture.campaign.project import Project, Shape
from nurture.campaign.read import Campaigns, read_campaigns
from nurture.campaign.spec import CampaignSpec
from nurture.mail.check import check_all, check_subject, check_template
from nurture.mail.known import ENROLLMENT_FIELDS, Known
from nurture.mail.template import template_names


@dataclass(frozen=True)
class Checked:
    """A project's campaigns and templates. `plans` holds those whose files have no error; `templates` every name."""

    plans: dict[str, Plan]
    tests: list[CampaignTest]
    problems: list[Problem]
    templates: list[str]

    @property
    def broken(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)


@dataclass(frozen=True)
class _Use:
    """How a template is printed: by which campaign, and as what."""

    known: Known
    marketing: bool = False
    subject_given: bool = False


def check_project(
    project: Project,
    campaigns: Mapping[str, str],
    templates: Mapping[str, str],
    *,
    folder: str = "templates/",
    today: date | None = None,
) -> Checked:
    """Everything that can be known before a deploy. `campaigns` are texts by file, `templates` by their path below
    `folder`; both as they lie in the project. Without `today` no date is said to be past."""
    names = template_names(templates)
    read = read_campaigns(campaigns, project, dict.fromkeys(names), today)
    found = [*read.problems, *_check_templates(project, read, names, templates, folder)]
    return Checked(read.plans, read.tests, check_all(found), names)


def check_in_flight(
    project: Project,
    plans: Mapping[str, Plan],
    files: Mapping[str, Mapping[str, str]],
    *,
    folder: str = "templates/",
    why: str = "which leads still walk",
) -> list[Problem]:
    """Templates against versions that are still walked: a changed template must serve them too (campaigns.md §8).

    `plans` are by whatever names the version to the reader; it stands before each message. `files` are every
    template's, by its name; `why` says what the versions have to do with it.
    """
    found: list[Problem] = []
    for version, walked in plans.items():
        known = _known(project, _entry(project, walked.enter), walked)
        for step in walked.steps:
            if not isinstance(step, plan.Send | plan.Notify):
                continue
            service = not isinstance(step, plan.Send) or step.service
            for name in [step.template] if isinstance(step, plan.Notify) else [name for name, _ in step.variants]:
                if name in files:
                    use = _Use(known, not service, isinstance(step, plan.Send) and step.subject is not None)
                    found += [_named(p, version, why) for p in _check(name, use, project, files[name], folder)]
    return check_all(found)


def _named(problem: Problem, version: str, why: str) -> Problem:
    return Problem(
        problem.mark,
        problem.code,
        f"{problem.message} (in {version}, {why})",
        problem.severity,
        problem.hint,
        problem.snippet,
    )


def _check_templates(
    project: Project, read: Campaigns, names: list[str], templates: Mapping[str, str], folder: str
) -> list[Problem]:
    uses: dict[str, list[_Use]] = {name: [] for name in names}
    found: list[Problem] = []
    for spec in read.specs.values():
        known = _known(project, _entry(project, spec.enter), spec)
        for step in spec.every_step():
            match step.step:
                case plan.Send() as send:
                    for name, _ in send.variants:
                        _note(uses, name, _Use(known, not send.service, send.subject is not None))
                    if send.subject is not None:
                        found += check_subject(send.subject, known, step.mark)
                case plan.Notify() as notify:
                    _note(uses, notify.template, _Use(known))
    for name in names:
        # One that nothing prints yet is still read, with everything allowed that could be there.
        for use in uses[name] or [_Use(_known(project, None, None))]:
            found += _check(name, use, project, templates, folder)
    return found


def _note(uses: dict[str, list[_Use]], name: str, use: _Use) -> None:
    """Remember a use, each kind once; a template that is not there is somebody else's problem."""
    if name in uses and use not in uses[name]:
        uses[name].append(use)


def _check(name: str, use: _Use, project: Project, templates: Mapping[str, str], folder: str) -> list[Problem]:
    return check_template(
        name,
        templates,
        use.known,
        marketing=use.marketing,
        project_locale=project.locale,
        subject_given=use.subject_given,
        tracking=project.tracking is True,
        folder=folder,
    )


def _entry(project: Project, enter: plan.Enter) -> dict[str, Shape] | None:
    """What the entry event may hold: nothing where no event opens the enrollment, anything (None) where a person gives
    it or the event is not declared."""
    match enter:
        case plan.EnterEvent(event=event, where=where):
            return event_properties(project, event, _forms(where))
        case plan.EnterStage():
            return event_properties(project, "stage.entered")
        case plan.EnterManual():
            return None
    return {}


def _forms(where: Condition | None) -> list[str]:
    """The forms a `where` on `form.submitted` lets in."""
    fields = [c for c in walk(where) if isinstance(c, Field) and c.path == ("form",)] if where is not None else []
    values = [test.value for field in fields for test in field.tests if test.op in ("is", "in")]
    return [str(one) for value in values for one in (value if isinstance(value, tuple) else (value,))]


def _known(project: Project, entry: dict[str, Shape] | None, campaign: CampaignSpec | Plan | None) -> Known:
    fields = dict(ENROLLMENT_FIELDS)
    if campaign is not None:
        steps = campaign.steps if isinstance(campaign, Plan) else [spec.step for spec in campaign.every_step()]
        fields["data"] = {step.webhook: None for step in steps if isinstance(step, plan.Call)}
    return Known(
        lead=lead_fields(project),
        account=account_fields(project),
        entry=entry,
        enrollment=fields,
        topics=tuple(project.topics),
        forms={form.name: tuple(form.fields) for form in project.forms.values()},
    )
