"""`nurture preview` and `send-test`: a mail for a person's eyes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.console import (
    JsonOption,
    ProjectOption,
    open_folder,
    open_in_browser,
    print_json,
    project_root,
    write_file,
)
from nurture.cli.enrolling import LEAD_HINT, NOBODY
from nurture.errors import NotFound, UserError

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.campaign.project import Project
    from nurture.delivery.samples import Use
    from nurture.delivery.specimen import Printer, Specimen
    from nurture.mail.findings import Finding
    from nurture.mail.template import Template
    from nurture.store.facts import KnownLead

TemplateArgument = Annotated[str, typer.Argument(metavar="TEMPLATE", help="Its name, such as cart/reminder.")]
LeadOption = Annotated[
    str | None, typer.Option("--lead", metavar="LEAD", help="For this lead; for a made-up one if not given.")
]
LocaleOption = Annotated[str | None, typer.Option("--locale", metavar="LOCALE", help="In this language.")]


def preview(
    template: TemplateArgument,
    lead: LeadOption = None,
    locale: LocaleOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.html", help="Write it there and open no browser.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="A page that follows the files, until Ctrl-C.")] = False,
    port: Annotated[int, typer.Option("--port", help="Of that page; any free one if not given.", max=65535)] = 0,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """A mail as its readers see it, in the browser: wide and on a phone, and as plain text."""
    import tempfile

    if watch:
        from nurture.cli.live_preview import serve

        if out is not None or as_json:
            raise UserError("--watch shows a page that follows the files", hint="leave --out and --json out")
        serve(project_root(project), lambda: _live_page(template, lead, locale, project), port)
        return

    found = _prints(template, lead, locale, project)
    wrong = _findings(found)
    path = out or Path(tempfile.mkdtemp(prefix="nurture-preview-")) / f"{template.replace('/', '-')}.html"
    write_file(path, _page(template, found, wrong))
    if as_json:
        print_json({"file": str(path), **_json(found, wrong)})
        return
    typer.echo(f"{found[0].subject}\n{path}")
    for mail, told in zip(found, wrong, strict=True):
        for one in told:
            typer.echo(f"{mail.letter.locale or template}: {one.level} {one.check}: {one.text}")
    if out is None:
        open_in_browser(path)


@dataclass(frozen=True)
class _Order:
    """A template, and for whom it is printed."""

    project: Project
    template: Template
    use: Use
    who: KnownLead
    entry: dict[str, Any] | None
    account: dict[str, Any]
    now: datetime

    @cached_property
    def _printer(self) -> Printer:
        from nurture.delivery.specimen import Printer

        return Printer(self.project, self.template, self.use)

    def specimen(self, locale: str | None, *, recipient: str | None = None, marked: bool = False) -> Specimen:
        """Raises UserError for a mail that cannot be printed."""
        from nurture.delivery.samples import in_locale

        who = self.who if locale is None else in_locale(self.who, locale)
        return self._printer.print(who, self.entry, self.now, account=self.account, recipient=recipient, marked=marked)


def _order(template: str, lead: str | None, project: Path | None) -> _Order:
    """Raises NotFound for a template or lead that is not there."""
    from nurture.campaign.problems import ProjectProblems, errors, unknown
    from nurture.campaign.read import read_campaigns
    from nurture.clock import WallClock
    from nurture.delivery.samples import made_up_lead, use_of
    from nurture.mail.builtin import with_builtin
    from nurture.mail.template import template as template_of
    from nurture.mail.template import template_names
    from nurture.settings import read_language

    folder = open_folder(project)
    language = read_language(folder, os.environ)
    wrong = errors(language.problems)
    if wrong:
        raise ProjectProblems(wrong)
    texts = with_builtin(folder.templates)
    names = template_names(texts)
    if template not in names:
        raise unknown("template", template, names)
    campaigns = read_campaigns(folder.campaigns, language.project)
    use = use_of(template, language.project, campaigns.plans, campaigns.tests)
    now = WallClock().now()
    entry: dict[str, Any] | None = None
    account: dict[str, Any] = {}
    who = made_up_lead(language.project, None, now)
    if lead is not None:
        who, entry, account = _known(lead, use.plan.campaign if use.plan else None, project)
    return _Order(language.project, template_of(template, texts), use, who, entry, account, now)


def _prints(template: str, lead: str | None, locale: str | None, project: Path | None) -> list[Specimen]:
    """The mail in this locale, else in every one there is, the lead's own first."""
    order = _order(template, lead, project)
    if locale is not None:
        return [order.specimen(locale)]
    own = order.specimen(None)
    others = [name for name in order.template.variants() if name not in ("", own.letter.locale)]
    return [own, *(order.specimen(name) for name in others)]


def _live_page(template: str, lead: str | None, locale: str | None, project: Path | None) -> str:
    """The page. Where the mail cannot be printed, raises what `check` says of the templates, with place and line."""
    from nurture.campaign.problems import ProjectProblems, errors
    from nurture.clock import machine_now
    from nurture.engine.checking import check_project
    from nurture.settings import read_language

    try:
        found = _prints(template, lead, locale, project)
        return _page(template, found, _findings(found))
    except UserError as error:
        folder = open_folder(project)
        language = read_language(folder, os.environ)
        checked = check_project(language.project, folder.campaigns, folder.templates, today=machine_now().date())
        wrong = [found for found in errors(checked.problems) if found.mark.file.startswith("templates/")]
        if wrong:
            raise ProjectProblems(wrong) from error
        raise


def _known(
    lead: str, campaign: str | None, project: Path | None
) -> tuple[KnownLead, dict[str, Any] | None, dict[str, Any]]:
    """The lead, what its latest enrollment in the campaign began with, and its company."""
    from nurture.cli.opening import opened
    from nurture.store.facts import account_attributes, load_leads
    from nurture.store.identities import find_lead
    from nurture.store.in_flight import latest_entry

    with opened(project) as at, at.database.read() as tx:
        found = find_lead(tx, lead)
        if found is None:
            raise NotFound(NOBODY, hint=LEAD_HINT)
        known = load_leads(tx, at.project, [found])[found]
        entry = latest_entry(tx, found, campaign) if campaign is not None else None
        account = account_attributes(tx, [known.account]).get(known.account, {}) if known.account is not None else {}
    return known, entry, account


def _findings(mails: Sequence[Specimen]) -> list[list[Finding]]:
    """What is wrong with each."""
    from nurture.mail.findings import findings
    from nurture.mail.translated import untranslated

    copied = untranslated({mail.letter.locale: mail.letter for mail in mails})
    return [findings(mail.letter) + copied[mail.letter.locale] for mail in mails]


def _json(mails: Sequence[Specimen], wrong: Sequence[list[Finding]]) -> dict[str, Any]:
    """The first mail, and what is wrong with each."""
    import msgspec

    first = mails[0]
    told = {mail.letter.locale: found for mail, found in zip(mails, wrong, strict=True)}
    return {
        "subject": first.subject,
        "html": first.html,
        "text": first.text,
        "headers": [list(pair) for pair in first.headers],
        "findings": msgspec.to_builtins(told),
    }


def _page(template: str, mails: Sequence[Specimen], wrong: Sequence[list[Finding]]) -> str:
    """One file that needs nothing else; the mails stand in frames that run no script."""
    from nurture.cli.pages import page
    from nurture.cli.palette import PALETTE
    from nurture.mail.scheme import SCHEMES, in_scheme

    return page(
        "preview.html",
        template=template,
        mails=mails,
        told=wrong,
        palette=PALETTE,
        schemes=lambda html: [(scheme, in_scheme(html, scheme)) for scheme in SCHEMES],
    )


# --- send-test


def send_test(
    template: TemplateArgument,
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="Who gets it.")],
    lead: LeadOption = None,
    locale: LocaleOption = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Send one real mail, marked as a test. It is in no statistic, and its links open nothing."""
    from nurture.app import open_app
    from nurture.cli.handing import hand_over
    from nurture.lead.address import AddressRefused, check_address

    checked = check_address(to)
    if isinstance(checked, AddressRefused):
        raise UserError(f"this address cannot be written to: {checked.reason}")
    mail = _order(template, lead, project).specimen(locale, recipient=checked, marked=True)
    app = open_app(project_root(project))
    if app.allowed is not None and not app.allowed(checked):
        app.database.close()
        raise UserError("this address is outside 'allow_recipients': test mode", hint="add its domain in config.yaml")
    try:
        reply = hand_over(app.transport, mail.printed.mail)
    finally:
        app.database.close()
    if as_json:
        print_json({"sent": True, "to": checked, "subject": mail.subject, "answer": reply.text})
    else:
        typer.echo(f"sent to {checked}: {mail.subject}\nthe server said: {reply.text}")
