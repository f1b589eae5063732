"""The language's front door: texts in, plans, tests and problems out.

Nothing here opens a file; a file's name is only what problems call it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from nurture.campaign.cases import CampaignTest
from nurture.campaign.compile import compile_campaign
from nurture.campaign.plan import Plan
from nurture.campaign.problems import Mark, Problem
from nurture.campaign.project import Project
from nurture.campaign.reading.campaign import read_spec
from nurture.campaign.reading.context import Context, Reference
from nurture.campaign.reading.kinds import Got, Key, Record
from nurture.campaign.reading.project import build_project
from nurture.campaign.reading.sections import LANGUAGE
from nurture.campaign.rules import judge, judge_project
from nurture.campaign.source import Findings, Node, read_tree
from nurture.campaign.source import Mapping as MappingNode
from nurture.campaign.spec import CampaignSpec


@dataclass(frozen=True)
class Reading:
    """One campaign file. `plan` is None where the file has an error; warnings leave it."""

    plan: Plan | None
    tests: tuple[CampaignTest, ...]
    problems: list[Problem]


@dataclass(frozen=True)
class Campaigns:
    """All campaign files of a project. `plans` holds those without errors, by name; `specs` every one that could be
    read; `references` the templates they name, with their places."""

    plans: dict[str, Plan] = field(default_factory=dict)
    tests: list[CampaignTest] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    specs: dict[str, CampaignSpec] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)


@dataclass(frozen=True)
class ProjectReading:
    """config.yaml with segments.yaml. `got` holds the sections that were read; None where the file has no shape."""

    project: Project
    problems: list[Problem]
    got: Got | None = None


def read_campaign(file: str, text: str, project: Project) -> Reading:
    """One campaign by itself: what other campaigns and templates decide is not judged."""
    findings = Findings()
    spec = read_spec(file, text, project, findings)
    if spec is not None:
        judge(spec, project, findings)
    problems = findings.problems
    broken = spec is None or any(p.severity == "error" for p in problems)
    plan = None if broken or spec is None else compile_campaign(spec)
    return Reading(plan, spec.tests if spec else (), problems)


def read_campaigns(
    files: Mapping[str, str],
    project: Project,
    templates: Mapping[str, object] | None = None,
    today: date | None = None,
) -> Campaigns:
    """All campaigns, with the rules that need more than one of them. `templates` holds the project's by name; without
    it nothing is said about templates that are missing, and without `today` nothing about dates gone by."""
    findings = Findings()
    specs: dict[str, CampaignSpec] = {}
    names: set[str] = set()  # also of those with problems, so that a mistake in one is not said of another
    for file in sorted(files):
        spec = read_spec(file, files[file], project, findings)
        if spec is None:
            names |= _name_of(file, files[file])
            continue
        judge(spec, project, findings)
        if not spec.name:
            continue
        if spec.name in specs:
            first = specs[spec.name].mark
            findings.add(spec.mark, "N335", f"the campaign '{spec.name}' is also in {first.file}:{first.line}")
            continue
        specs[spec.name] = spec
    known = None if templates is None else set(templates)
    judge_project(list(specs.values()), project, findings, names | set(specs), known, today)
    problems = findings.problems
    broken = {p.mark.file for p in problems if p.severity == "error"}
    plans = {name: compile_campaign(spec) for name, spec in specs.items() if spec.mark.file not in broken}
    tests = [test for spec in specs.values() for test in spec.tests]
    references = [ref for spec in specs.values() for ref in spec.references if ref.kind == "template"]
    return Campaigns(plans, tests, problems, specs, references)


def _name_of(file: str, text: str) -> set[str]:
    tree = read_tree(file, text, Findings())
    name = tree.get("campaign") if isinstance(tree, MappingNode) else None
    return {name.text} if name is not None and hasattr(name, "text") else set()


def read_project(
    config: tuple[str, str],
    segments: tuple[str, str] | None = None,
    machine: Mapping[str, Key] | None = None,
    prepare: Callable[[Node, Findings], Node] | None = None,
) -> ProjectReading:
    """The language's part of config.yaml (file name, text), and of segments.yaml beside it. `machine` are the sections
    of the machine's own, which are read along; `prepare` may put values into the config's tree before it is read."""
    findings = Findings()
    tree = read_tree(*config, findings)
    more = read_tree(*segments, findings) if segments is not None and segments[1].strip() else None
    if tree is None:
        if not findings.found:
            findings.add(Mark(config[0]), "N100", "the file is empty", "it begins with 'project: NAME'")
        return ProjectReading(Project(), findings.problems)
    if prepare is not None:
        tree = prepare(tree, findings)
    record = Record("config.yaml", {**LANGUAGE, **(machine or {})})
    got = record.collect(tree, Context(findings), "config.yaml")
    if got is None:
        return ProjectReading(Project(), findings.problems)
    project = build_project(got, more, findings)
    return ProjectReading(project, findings.problems, got)
