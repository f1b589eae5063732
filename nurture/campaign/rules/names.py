"""N308, N315, N334, N606, N607: names of campaigns, mails and templates, judged once everything is read."""

from __future__ import annotations

from collections.abc import Iterable

from nurture.campaign import plan
from nurture.campaign.problems import did_you_mean
from nurture.campaign.reading.context import Reference
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec

RULES = (
    Rule(
        "N308",
        "error",
        "A campaign that does not exist.",
        fails=(
            """\
campaign: hello
topic: offers
enter: {manual: true}
steps: [{enroll: welcom}]
""",
            """\
campaign: welcome
topic: offers
enter: {manual: true}
steps: [{send: hi}]
""",
        ),
        passes=(
            """\
campaign: hello
topic: offers
enter: {manual: true}
steps: [{enroll: welcome}]
""",
            """\
campaign: welcome
topic: offers
enter: {manual: true}
steps: [{send: hi}]
""",
        ),
    ),
    Rule(
        "N315",
        "error",
        "A condition on a mail that this campaign does not send.",
        fails=(
            """\
campaign: hello
topic: offers
enter: {manual: true}
steps:
  - send: hello
  - send: more
    if: {mail: {replied: helo}}
""",
        ),
        passes=(
            """\
campaign: hello
topic: offers
enter: {manual: true}
steps:
  - send: hello
  - send: more
    if: {mail: {replied: hello}}
""",
        ),
    ),
    Rule(
        "N606",
        "error",
        "A test expects a mail that this campaign does not send, or a template where the step has an id.",
        fails=(
            """\
campaign: hello
topic: offers
enter: {manual: true}
steps: [{send: hello}]
tests:
  - name: gets it
    lead: {consents: [offers]}
    events: [{at: 0h, enroll: {}}]
    expect: {sent: [helo at 0h]}
""",
        ),
        passes=(
            """\
campaign: hello
topic: offers
enter: {manual: true}
steps: [{send: hello}]
tests:
  - name: gets it
    lead: {consents: [offers]}
    events: [{at: 0h, enroll: {}}]
    expect: {sent: [hello at 0h]}
""",
        ),
    ),
    Rule(
        "N607",
        "error",
        "Two tests of one name: `nurture test` could not tell which failed.",
        fails=(
            """\
campaign: hello
topic: offers
enter: {manual: true}
steps: [{send: hello}]
tests:
  - name: gets it
    lead: {consents: [offers]}
    events: [{at: 0h, enroll: {}}]
    expect: {sent: [hello at 0h]}
  - name: gets it
    lead: {consents: [offers]}
    events: [{at: 0h, enroll: {}}]
    expect: {sent: [hello at 0h]}
""",
        ),
        passes=(
            """\
campaign: hello
topic: offers
enter: {manual: true}
steps: [{send: hello}]
tests:
  - name: gets it
    lead: {consents: [offers]}
    events: [{at: 0h, enroll: {}}]
    expect: {sent: [hello at 0h]}
""",
        ),
    ),
)

BUILT_IN = ("consent/confirm",)


def check_own(spec: CampaignSpec, findings: Findings) -> None:
    """Mails this campaign's conditions and tests name must be mails it sends."""
    if not spec.complete:
        return  # the mail may be sent by a step that could not be read
    sent, told = _mails(spec), _told(spec)
    for ref in spec.references:
        if ref.kind == "own mail" and ref.name not in sent:
            hint = "only mails of this campaign count here; 'of: all' counts every campaign's"
            _unknown(ref, "N315", "mail of this campaign", sent, findings, hint)
        if ref.kind == "expected" and ref.name not in told.values():
            if ref.name in told:
                hint = f"write '{told[ref.name]}', the step's id, in place of its template"
                findings.add(ref.mark, "N606", f"the step that sends '{ref.name}' has an id", hint)
            else:
                _unknown(ref, "N606", "mail or notice of this campaign", told.values(), findings)


def check_test_names(spec: CampaignSpec, findings: Findings) -> None:
    """`nurture test PATTERN` and its answers tell tests apart by name."""
    seen: dict[str, int] = {}
    for test in spec.tests:
        if test.name in seen:
            message = f"two tests are called '{test.name}'; the first is on line {seen[test.name]}"
            findings.add(test.mark, "N607", message)
        seen.setdefault(test.name, test.mark.line)


def check_campaigns(specs: list[CampaignSpec], known: set[str], findings: Findings) -> None:
    for ref in (ref for spec in specs for ref in spec.references if ref.kind == "campaign"):
        if ref.name not in known:
            _unknown(ref, "N308", "campaign", sorted(known), findings)


def check_templates(specs: list[CampaignSpec], templates: set[str] | None, findings: Findings) -> None:
    """Every template a step prints is there; every mail a condition names is somebody's."""
    mails = {name for spec in specs for name in _mails(spec)} | (templates or set())
    complete = all(spec.complete for spec in specs)
    for ref in (ref for spec in specs for ref in spec.references):
        if ref.kind == "template" and templates is not None and ref.name not in {*templates, *BUILT_IN}:
            hint = did_you_mean(ref.name, templates) or f"write templates/{ref.name}.html"
            findings.add(ref.mark, "N334", f"there is no template '{ref.name}'", hint)
        if ref.kind == "mail" and ref.name not in mails and ref.name != "any" and complete:
            _unknown(ref, "N315", "mail", sorted(mails), findings)


def _mails(spec: CampaignSpec) -> list[str]:
    """Templates and step ids of the mails a campaign sends."""
    sends = [step.step for step in spec.every_step() if isinstance(step.step, plan.Send)]
    names = [name for send in sends for name in (send.id, *(template for template, _ in send.variants))]
    return list(dict.fromkeys(names))


def _told(spec: CampaignSpec) -> dict[str, str]:
    """What tests call each mail and notice: the step's id, by its id and by the templates it prints."""
    told: dict[str, str] = {}
    for step in (s.step for s in spec.every_step()):
        if isinstance(step, plan.Send):
            told |= {template: step.id for template, _ in step.variants if template not in told}
        elif isinstance(step, plan.Notify):
            told.setdefault(step.template, step.id)
        if isinstance(step, plan.Send | plan.Notify):
            told[step.id] = step.id
    return told


def _unknown(ref: Reference, code: str, what: str, known: Iterable[str], findings: Findings, hint: str = "") -> None:
    names = list(dict.fromkeys(known))
    there = f"there are: {', '.join(names[:12])}{', …' if len(names) > 12 else ''}" if names and not hint else hint
    near = did_you_mean(ref.name, names)
    kind, of, whose = what.partition(" of ")
    message = f"unknown {kind} '{ref.name}'{of}{whose}"
    findings.add(ref.mark, code, message, " ".join(part for part in (near, there) if part))
