"""One scripted lead in a file of its own, for `nurture simulate --lead`: a campaign's test without `expect`."""

from __future__ import annotations

from dataclasses import replace

from nurture.campaign.cases import DEFAULT_START, DEFAULT_UNTIL, CampaignTest, Expect
from nurture.campaign.problems import Mark, Problem
from nurture.campaign.project import Project
from nurture.campaign.reading.cases import TEST
from nurture.campaign.reading.context import Context, Scene
from nurture.campaign.reading.kinds import Got, Record
from nurture.campaign.source import Findings, Mapping, read_tree
from nurture.campaign.spec import CampaignSpec

_KEYS = {name: key for name, key in TEST.keys.items() if name != "expect"}
_SCRIPT = Record("a scripted lead", {**_KEYS, "name": replace(TEST.keys["name"], required=False)})


def read_script(
    file: str, text: str, project: Project, campaign: CampaignSpec
) -> tuple[CampaignTest | None, list[Problem]]:
    """The lead and what happens to it, typed by the project's declarations; None where it has an error."""
    findings = Findings()
    tree = read_tree(file, text, findings)
    if tree is None:
        if not findings.problems:
            findings.add(Mark(file), "N100", "the file is empty", "such as 'lead: {email: anna@example.com}'")
        return None, findings.problems
    scene = Scene(campaign.name, enrolled=True, entry=campaign.entry)
    at = Context(findings, project).within(scene)
    got = _SCRIPT.collect(_whole(tree), at, "a scripted lead") if isinstance(tree, Mapping) else _SCRIPT.read(tree, at)
    problems = findings.problems
    if got is None or got["lead"] is None or any(p.severity == "error" for p in problems):
        return None, problems
    return _script(file, got, campaign), problems


def _whole(tree: Mapping) -> Mapping:
    """A test that was copied out of a campaign may keep its `expect`: nothing is compared here."""
    return Mapping(tree.mark, tuple((key, value) for key, value in tree.entries if key.text != "expect"))


def _script(file: str, got: Got, campaign: CampaignSpec) -> CampaignTest:
    return CampaignTest(
        campaign=campaign.name,
        name=got["name"] or file,
        mark=Mark(file),
        lead=got["lead"],
        expect=Expect(),
        start=got.get("start", DEFAULT_START),
        until=got.get("until", DEFAULT_UNTIL),
        account=got["account"],
        deals=got.get("deals", ()),
        answers=got.get("answers", {}),
        events=got.get("events", ()),
    )
