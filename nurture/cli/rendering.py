"""`nurture render --matrix`: every mail, for every sample lead, in every language, as files for a review."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import JsonOption, ProjectOption, counted, open_folder, print_json
from nurture.errors import EXIT_USER, NurtureError, UserError

if TYPE_CHECKING:
    from nurture.campaign.project import Project
    from nurture.cli.contact_sheet import Sheet
    from nurture.delivery.matrix import Cell, Edition
    from nurture.delivery.samples import Sample
    from nurture.folder import Folder
    from nurture.mail.findings import Finding

# Where a project of a playbook keeps its sample leads.
_SAMPLES, _SAMPLES_MAPPING = Path("data/leads.csv"), Path("mappings/leads.yaml")


def render(
    matrix: Annotated[Path, typer.Option("--matrix", metavar="OUT", help="The folder they are written to.")],
    templates: Annotated[
        list[str] | None, typer.Argument(metavar="TEMPLATE", help="Of these mails; of all if none.")
    ] = None,
    leads: Annotated[
        Path | None,
        typer.Option("--leads", metavar="FILE", help="Sample leads; else data/leads.csv, the tests', or made-up ones."),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="MAP.yaml", help="Says what the columns of --leads are.")
    ] = None,
    locales: Annotated[
        list[str] | None, typer.Option("--locale", metavar="LOCALE", help="In this language alone; may repeat.")
    ] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only mails that are not as they are deployed.")] = False,
    at: Annotated[
        str | None, typer.Option("--at", metavar="T", help="The day they are printed on, if not the tests' own.")
    ] = None,
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Also as PNG, by Chromium.")] = True,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Every mail as HTML, plain text and pictures, on one page to look through, with what is wrong with it and how it
    differs from what is deployed. Sends nothing. Ends with 1 if something is wrong that should not be sent."""
    from nurture.cli.contact_sheet import Sheet
    from nurture.delivery.matrix import Wanted, cells, gone

    folder, here = _here(project, templates or [])
    before = _deployed(folder)
    if changed and before is None:
        typer.echo("nothing is deployed here, so every mail is new", err=True)
    now = _moment(at, here.project)
    wanted = Wanted(
        templates or (), locales or (), _leads(folder.root, here.project, leads, mapping, now), now, changed
    )
    sheet = Sheet(matrix, here.project, gone(here, before))
    made = [sheet.add(cell) for cell in _watched(cells(here, before, wanted))]
    if pictures and made:
        _picture(sheet)
    told = sheet.finish()
    if as_json:
        print_json(told)
    else:
        _tell(made, sheet)
    if any(finding.level == "error" for cell in made for finding in cell.findings):
        raise typer.Exit(EXIT_USER)


def _here(project: Path | None, templates: Sequence[str]) -> tuple[Folder, Edition]:
    """What lies in the folder. Raises ProjectProblems for errors in config.yaml and campaigns, NotFound for a template
    that is not there."""
    from nurture.campaign.problems import ProjectProblems, errors, unknown
    from nurture.campaign.read import read_campaigns
    from nurture.delivery.matrix import edition
    from nurture.settings import read_language

    folder = open_folder(project)
    language = read_language(folder, os.environ)
    campaigns = read_campaigns(folder.campaigns, language.project)
    wrong = errors([*folder.problems, *language.problems, *campaigns.problems])
    if wrong:
        raise ProjectProblems(wrong)
    here = edition(language.project, campaigns.plans, folder.templates, campaigns.tests)
    for name in templates:
        if name not in here.templates:
            raise unknown("template", name, here.templates)
    return folder, here


def _deployed(folder: Folder) -> Edition | None:
    """What is live; None where there is no database, or none that can be read: a review needs none, and makes none."""
    from nurture.cli.opening import as_it_is
    from nurture.delivery.matrix import deployed_edition

    try:
        with as_it_is(folder) as database:
            if database.missing:
                return None
            with database.read() as tx:
                return deployed_edition(tx)
    except NurtureError as error:
        typer.echo(f"not compared with what is deployed: {error.message}", err=True)
        return None


def _moment(text: str | None, project: Project) -> datetime | None:
    from nurture.cli.simulating import moment

    return moment(text, project, "--at")


def _leads(
    root: Path, project: Project, leads: Path | None, mapping: Path | None, now: datetime | None
) -> Sequence[Sample] | None:
    """The leads of a table, None for those of tests. Rows that cannot be used are named."""
    from nurture.cli.imports import read_mapping_file
    from nurture.delivery.samples import of_players
    from nurture.engine.history import read_players

    if mapping is not None and leads is None:
        raise UserError("--mapping belongs to --leads")
    if leads is None:
        if not (root / _SAMPLES).is_file() or not (root / _SAMPLES_MAPPING).is_file():
            return None
        leads, mapping = root / _SAMPLES, root / _SAMPLES_MAPPING
    found = read_players(project, leads, read_mapping_file(mapping) if mapping is not None else None)
    for file, line, reason in found.refused:
        typer.echo(f"{file}:{line}: not used: {reason}", err=True)
    if not found.players:
        raise UserError(f"{leads} holds no lead that could be used")
    return of_players(project, found.players, now)


def _watched(cells: Iterable[Cell]) -> Iterator[Cell]:
    """The cells; on a terminal one sees which is being made."""
    from rich.console import Console

    with Console(stderr=True).status("printing") as status:
        for cell in cells:
            status.update(f"printing {cell.template}")
            yield cell


def _picture(sheet: Sheet) -> None:
    """Pictures of all, or why there are none."""
    from nurture.cli.camera import browser, camera
    from nurture.cli.imports import progress

    path = browser()
    if path is None:
        typer.echo(
            "no pictures: there is no Chromium or Chrome here; install one, or name it in NURTURE_BROWSER", err=True
        )
        return
    try:
        with camera(path) as shooting, progress() as heard:
            sheet.picture(shooting, heard)
    except UserError as error:
        typer.echo(f"pictures are missing: {error.message}", err=True)


def _tell(made: Sequence[Cell], sheet: Sheet) -> None:
    """Each finding once for a mail, with how many of its cells have it; then the sums."""
    of_mail: dict[str, list[Cell]] = defaultdict(list)
    for cell in made:
        of_mail[cell.template].append(cell)
    for name, cells in of_mail.items():
        found: dict[Finding, list[Cell]] = defaultdict(list)
        for cell in cells:
            for finding in cell.findings:
                found[finding].append(cell)
        for finding, having in found.items():
            typer.echo(f"{name}: {finding.level} {finding.check}: {finding.text}{_where(having, cells)}")
    marks = [f"{n:,} {mark}" for mark in ("new", "changed", "same") if (n := sum(c.mark == mark for c in made))]
    errors, warnings = (sum(f.level == level for c in made for f in c.findings) for level in ("error", "warning"))
    what = f"{counted(len(of_mail), 'template')} as {counted(len(made), 'mail')}"
    typer.echo(f"{what} ({', '.join(marks) or 'none'}): {counted(errors, 'error')}, {counted(warnings, 'warning')}")
    typer.echo(str(sheet.index))


def _where(having: Sequence[Cell], cells: Sequence[Cell]) -> str:
    """In which of a mail's cells; nothing where it is all of them."""
    if len(having) == len(cells):
        return ""
    locales = ", ".join(dict.fromkeys(cell.locale for cell in having))
    return f" ({locales}: {len(having)} of {len(cells)})"
