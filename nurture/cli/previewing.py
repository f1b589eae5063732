"""`nurture preview` and `send-test`: a mail for a person's eyes."""

from __future__ import annotations

import os
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
    from nurture.delivery.specimen import Specimen
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

    found = _print(template, lead, locale, project)
    path = out or Path(tempfile.mkdtemp(prefix="nurture-preview-")) / f"{template.replace('/', '-')}.html"
    write_file(path, _page(template, found))
    if as_json:
        print_json({"file": str(path), "subject": found.subject, "html": found.html, "text": found.text})
        return
    typer.echo(f"{found.subject}\n{path}")
    if out is None:
        open_in_browser(path)


def _print(
    template: str,
    lead: str | None,
    locale: str | None,
    project: Path | None,
    *,
    recipient: str | None = None,
    marked: bool = False,
) -> Specimen:
    """Raises NotFound for a template or lead that is not there, UserError for one that cannot be printed."""
    from nurture.campaign.problems import ProjectProblems, did_you_mean, errors
    from nurture.campaign.read import read_campaigns
    from nurture.clock import WallClock
    from nurture.delivery.specimen import in_locale, made_up_lead, specimen, use_of
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
        hint = did_you_mean(template, names) or f"there are: {', '.join(names)}"
        raise NotFound(f"there is no template '{template}'", hint=hint)
    campaigns = read_campaigns(folder.campaigns, language.project)
    use = use_of(template, campaigns.plans, campaigns.tests)
    now = WallClock().now()
    entry: dict[str, Any] | None = None
    account: dict[str, Any] = {}
    who = made_up_lead(language.project, locale, now)
    if lead is not None:
        who, entry, account = _known(lead, use.plan.campaign if use.plan else None, project)
        if locale is not None:
            who = in_locale(who, locale)
    return specimen(
        language.project,
        template_of(template, texts),
        use,
        who,
        entry,
        now,
        account=account,
        recipient=recipient,
        marked=marked,
    )


def _live_page(template: str, lead: str | None, locale: str | None, project: Path | None) -> str:
    """The page. Where the mail cannot be printed, raises what `check` says of the templates, with place and line."""
    from nurture.campaign.problems import ProjectProblems, errors
    from nurture.clock import machine_now
    from nurture.engine.checking import check_project
    from nurture.settings import read_language

    try:
        return _page(template, _print(template, lead, locale, project))
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


def _page(template: str, mail: Specimen) -> str:
    """One file that needs nothing else; the mail stands in frames that run no script."""
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    page = files("nurture.cli").joinpath("preview.html").read_text(encoding="utf-8")
    return environment.from_string(page).render(template=template, mail=mail)


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
    mail = _print(template, lead, locale, project, recipient=checked, marked=True)
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
