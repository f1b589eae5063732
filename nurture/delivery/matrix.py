"""Every mail of a project, for every sample lead, in every language: what a review looks at before a deploy.

Each cell is printed by the same press that prints for the wire, judged, and compared with what the campaign prints as
it is deployed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from nurture.campaign.cases import CampaignTest
from nurture.campaign.plan import Plan
from nurture.campaign.project import Project
from nurture.delivery.samples import (
    Sample,
    Use,
    address_alone,
    confirmed_topics,
    in_locale,
    made_up,
    of_tests,
    uses_of,
    with_what_is_read,
)
from nurture.delivery.specimen import Printer, Specimen
from nurture.errors import UserError
from nurture.mail.builtin import builtin_mails
from nurture.mail.check import CONFIRMATION
from nurture.mail.findings import Finding, findings
from nurture.mail.template import Template, choose, template, template_names
from nurture.mail.translated import untranslated
from nurture.store import versions
from nurture.store.database import Transaction

Mark = Literal["new", "changed", "same"]
_WRAPPING = ("Content-Type", "Message-ID", "MIME-Version")


@dataclass(frozen=True)
class Edition:
    """Campaigns and mails as files have them, or as they are deployed. `templates` are whole mails, by name."""

    project: Project
    plans: Mapping[str, Plan]
    templates: Mapping[str, Template]
    tests: Sequence[CampaignTest] = ()


@dataclass(frozen=True)
class Cell:
    """One mail: how it came out, what is wrong with it and how it differs from what is deployed. `mail` is None where
    it cannot be printed. `topic` is what a confirmation asks about, `file` the path without an ending."""

    template: str
    campaign: str
    step: str
    topic: str
    sample: str
    locale: str
    file: str
    mail: Specimen | None
    mark: Mark
    difference: str = ""
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """Which cells are made: of these templates and locales, all where none is named. `leads` None takes each
    campaign's tests, else made-up ones; `at` the day they are printed on."""

    templates: Collection[str] = ()
    locales: Collection[str] = ()
    leads: Sequence[Sample] | None = None
    at: datetime | None = None
    changed: bool = False


def edition(
    project: Project, plans: Mapping[str, Plan], files: Mapping[str, str], tests: Sequence[CampaignTest]
) -> Edition:
    """What lies in the folder. `files` are its templates', by path. Raises TemplateBroken."""
    mails = {name: template(name, files) for name in template_names(files)}
    return Edition(project, plans, _with_confirmation(project, mails), tests)


def deployed_edition(tx: Transaction) -> Edition | None:
    """What is live, None before the first deploy."""
    now = versions.current(tx)
    if now is None:
        return None
    live = {name: c.version for name, c in versions.deployed(tx).items() if c.state != "retired"}
    plans = {campaign: plan for (campaign, _), plan in versions.plans(tx, live.items()).items()}
    found = {name: versions.template_files(tx, name, digest) for name, digest in versions.live_templates(tx).items()}
    mails = {name: Template(name, files) for name, files in found.items() if files}
    return Edition(now.project, plans, _with_confirmation(now.project, mails))


def _with_confirmation(project: Project, mails: dict[str, Template]) -> dict[str, Template]:
    """Who has no mail of their own that asks for a yes sends ours, with their words in it."""
    if CONFIRMATION in mails or not confirmed_topics(project):
        return mails
    return dict(sorted({**mails, CONFIRMATION: Template(CONFIRMATION, dict(builtin_mails()[CONFIRMATION]))}.items()))


def gone(here: Edition, before: Edition | None) -> list[str]:
    """Mails that are live, and no longer among the files."""
    return sorted(set(before.templates if before else ()) - set(here.templates))


def cells(here: Edition, before: Edition | None, wanted: Wanted) -> Iterator[Cell]:
    """Every cell that is wanted, by template, use, lead and language."""
    for name in wanted.templates or here.templates:
        uses = uses_of(name, here.project, here.plans, here.tests) or [Use()]
        for use in uses:
            press = _Row(here, before, here.templates[name], use, _place(name, use, uses))
            for sample in _samples(here, use, wanted):
                found = press.cells(sample, _locales(here, here.templates[name], wanted))
                yield from (cell for cell in found if not wanted.changed or cell.mark != "same")


def _place(name: str, use: Use, uses: Sequence[Use]) -> str:
    """Where the files of a use lie: named by its campaign, and by its step where the campaign has several."""
    if use.plan is None or use.step is None:
        return f"{name}/{use.topic or 'unused'}"
    alone = sum(other.plan is use.plan for other in uses) == 1
    step = "" if alone else "." + re.sub(r"[^\w-]+", "-", use.step.id)
    return f"{name}/{use.plan.campaign}{step}"


def _samples(here: Edition, use: Use, wanted: Wanted) -> list[Sample]:
    if wanted.leads is not None:
        found = list(wanted.leads)
    elif tested := of_tests(here.project, use, here.tests, wanted.at):
        found = [*tested, address_alone(here.project, wanted.at)]
    else:
        found = made_up(here.project, wanted.at)
    return [with_what_is_read(here.project, use.plan, sample) for sample in found] if use.plan is not None else found


def _locales(here: Edition, mail: Template, wanted: Wanted) -> list[str]:
    """The languages that somebody may get: the file without one serves the project's own."""
    variants = mail.variants()
    own = choose(here.project.locale, variants, here.project.locale)
    found = [name or here.project.locale for name in variants if name or (own is not None and not own.locale)]
    return [name for name in sorted(set(found)) if not wanted.locales or name in wanted.locales]


class _Row:
    """A template as one use prints it, and as it was printed."""

    def __init__(self, here: Edition, before: Edition | None, mail: Template, use: Use, place: str) -> None:
        self._use = use
        self._template = mail
        self._place = place
        self._printer = Printer(here.project, mail, use)
        self._before, self._as_before = _printer_before(here, before, mail, use)

    def cells(self, sample: Sample, locales: Iterable[str]) -> list[Cell]:
        """The mail for one lead in these languages, judged also against each other."""
        made = [self._cell(sample, locale) for locale in locales]
        copied = untranslated({cell.locale: cell.mail.letter for cell in made if cell.mail is not None})
        for cell in made:
            cell.findings.extend(copied.get(cell.locale, ()))
        return made

    def _cell(self, sample: Sample, locale: str) -> Cell:
        mail, wrong = _printed(self._printer, sample, locale)
        mark, difference = self._compared(mail, sample, locale)
        return Cell(
            template=self._template.name,
            campaign=_campaign(self._use)[0],
            step=self._use.step.id if self._use.step else "",
            topic=self._use.topic,
            sample=sample.title,
            locale=locale,
            file=f"{self._place}/{sample.name}.{locale}",
            mail=mail,
            mark=mark,
            difference=difference,
            findings=wrong if mail is None else findings(mail.letter),
        )

    def _compared(self, mail: Specimen | None, sample: Sample, locale: str) -> tuple[Mark, str]:
        if self._before is None:
            return "new", ""
        if self._as_before:
            return "same", ""
        earlier, _ = _printed(self._before, sample, locale)
        difference = differ(earlier, mail)
        return ("changed", difference) if difference else ("same", "")


def _printer_before(here: Edition, before: Edition | None, mail: Template, use: Use) -> tuple[Printer | None, bool]:
    """What printed this for the same campaign as it is deployed, and whether nothing of it has changed."""
    old = before.templates.get(mail.name) if before is not None else None
    if before is None or old is None:
        return None, False
    uses = uses_of(mail.name, before.project, before.plans, ())
    mine = [u for u in uses or [Use()] if _campaign(u) == _campaign(use)]
    if not mine:
        return None, False
    known = next((u for u in mine if u.step and use.step and u.step.id == use.step.id), mine[0])
    same_use = (known.plan, known.step) == (use.plan, use.step)
    alike = same_use and old.hash == mail.hash and before.project == here.project
    return Printer(before.project, old, known), alike


def _campaign(use: Use) -> tuple[str, str]:
    """What prints it: a campaign, or a topic."""
    return (use.plan.campaign if use.plan else "", use.topic)


def _printed(printer: Printer, sample: Sample, locale: str) -> tuple[Specimen | None, list[Finding]]:
    lead = in_locale(sample.lead, locale)
    try:
        return printer.print(lead, None, sample.now, test=sample.test), []
    except UserError as error:
        return None, [Finding("error" if sample.expected else "warning", "print", error.message)]


# --- differences


def differ(before: Specimen | None, after: Specimen | None) -> str:
    """How a mail changed, as a unified diff: of its words and headers, else of its HTML. Empty where it did not."""
    if before is None or after is None:
        return "" if before is after else f"it can{'not' if after is None else ''} be printed now\n"
    words = _diff(_told(before), _told(after))
    return words or _diff(before.html.splitlines(), after.html.splitlines())


def _told(mail: Specimen) -> list[str]:
    """Headers but for those of the wrapping, then the words."""
    head = [f"{name}: {value}" for name, value in mail.headers if name not in _WRAPPING]
    return [*head, f"Preheader: {mail.letter.preheader}", "", *mail.text.splitlines()]


def _diff(before: list[str], after: list[str]) -> str:
    lines = difflib.unified_diff(before, after, "deployed", "here", lineterm="", n=2)
    return "".join(f"{line}\n" for line in lines)
