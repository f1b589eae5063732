"""`nurture privacy …`: what people may ask of whoever keeps data about them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import JsonOption, ProjectOption, counted, named_values, print_json, project_root
from nurture.errors import NotFound, UserError

if TYPE_CHECKING:
    from nurture.app import App
    from nurture.store.database import Transaction

app = typer.Typer(help="A person's rights: see, restrict, erase; and how long data is kept.", no_args_is_help=True)
LeadArgument = Annotated[str, typer.Argument(metavar="LEAD", help="An address, an external id or an id.")]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", help="For the record, such as a ticket's number; no names, no addresses.")
]


@app.command()
def export(
    lead: LeadArgument,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Into this file, not the screen.")] = None,
    as_csv: Annotated[
        Path | None, typer.Option("--csv", metavar="DIR", help="Besides, one CSV a section into this folder.")
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Everything known of one lead, as JSON: fields, events, consents with their wording, mails, scores with rules."""
    import json

    from nurture.engine.exporting import export as gather
    from nurture.engine.exporting import tables

    at = open_project(project)
    with at.database.write() as tx:
        found = find(tx, lead)
        said = gather(tx, found, at.settings.project, at.processing, at.clock.now(), _operator())
    assert said is not None, "the lead was found in this transaction"
    text = json.dumps(said, ensure_ascii=False, indent=2)
    if out is not None:
        write_private(out, text + "\n")
    else:
        typer.echo(text)
    if as_csv is not None:
        as_csv.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, table in tables(said).items():
            write_private(as_csv / f"{name}.csv", table)


@app.command()
def erase(
    lead: LeadArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Take one lead out for good. Mails that wait are cancelled; the address stays suppressed by its keyed hash."""
    from nurture.engine import privacy
    from nurture.engine.turn import Turn
    from nurture.store.erasing import scrub

    reason = privacy.checked(reason)
    at = open_project(project)
    live = at.live()
    if live is None:
        raise UserError("nothing is deployed yet", hint="run 'nurture deploy'")
    with at.database.read() as tx:
        found = find(tx, lead)
    if not yes and not typer.confirm(f"Erase lead {found} for good? This cannot be undone."):
        raise typer.Exit(1)
    with at.database.write() as tx:
        done = privacy.erase(Turn(tx, live), found, _operator(), at.clock.now(), reason)
    scrub(at.database)
    if as_json:
        print_json({"lead": found, "enrollments": done.enrollments, "messages": done.messages})
        return
    typer.echo(
        f"lead {found} is erased: {counted(done.enrollments, 'enrollment')} ended, "
        f"{counted(done.messages, 'mail')} cancelled"
    )
    if done.address:
        typer.echo("the address stays suppressed by its keyed hash; files you imported from are yours to clean")


@app.command()
def rectify(
    lead: LeadArgument,
    values: Annotated[
        list[str],
        typer.Option("--set", metavar="NAME=VALUE", help="What is right; 'NAME=' takes a value away. May repeat."),
    ],
    reason: ReasonOption = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Correct what is known of a lead, the address too (GDPR Art. 16). What they agreed to stays proven."""
    from nurture.engine import privacy

    given = {name: value or None for name, value in named_values(values).items()}
    at = open_project(project)
    with at.database.write() as tx:
        found = find(tx, lead)
        changed = privacy.rectify(tx, found, given, at.rules(), _operator(), at.clock.now(), reason)
    if as_json:
        print_json({"lead": found, "changed": changed})
    else:
        typer.echo(f"lead {found}: {', '.join(changed)} corrected" if changed else f"lead {found} was right already")


@app.command()
def restrict(
    lead: LeadArgument,
    lift: Annotated[bool, typer.Option("--lift", help="Use the data again.")] = False,
    reason: ReasonOption = None,
    project: ProjectOption = None,
) -> None:
    """Keep a lead's data and use it for nothing: no mail, no score (GDPR Art. 18)."""
    from nurture.engine import privacy

    at = open_project(project)
    with at.database.write() as tx:
        found = find(tx, lead)
        changed = privacy.restrict(tx, found, not lift, _operator(), at.clock.now(), reason)
    state = "used again" if lift else "kept and not used"
    typer.echo(f"lead {found} is {state}" + ("" if changed else ", as before"))


@app.command()
def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Take away what was kept as long as `privacy.retention` in config.yaml says."""
    from nurture.engine import retention as keeping
    from nurture.store.erasing import scrub

    at = open_project(project)
    limits = keeping.retention_of(at.settings.privacy.retention)
    zone = at.settings.project.zone
    found = keeping.run(at.database, at.live(), at.keyring, limits, zone, at.clock.now(), dry=dry_run)
    if not dry_run:
        scrub(at.database)
    if as_json:
        print_json(keeping.plain(found))
        return
    for kept in found:
        verb = "would go" if dry_run else "gone"
        typer.echo(f"{kept.kind:<10} kept {kept.limit!s:<6} older than {kept.before:%Y-%m-%d}: {kept.count:,} {verb}")
    without = [kind for kind in keeping.KINDS if kind not in limits]
    if without:
        typer.echo(f"kept without end: {', '.join(without)}")


@app.command()
def receive(
    lead: LeadArgument,
    what: Annotated[str, typer.Argument(metavar="WHAT", help="data, erase, rectify, restrict, object or opt-out.")],
    on: Annotated[
        datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="The day it came, if not today.")
    ] = None,
    law: Annotated[
        str | None, typer.Option("--law", help="gdpr or ccpa, if the lead's country does not tell: whose dates hold.")
    ] = None,
    reason: ReasonOption = None,
    project: ProjectOption = None,
) -> None:
    """Note a request that came by letter or telephone. An objection to marketing (object) and opting out of sale and
    sharing (opt-out) hold at once; the others are then to be done, each with its own command."""
    from nurture.engine import requests
    from nurture.journey.timing import at_local
    from nurture.store import rights

    if what not in requests.ANSWERS:
        raise UserError(f"'{what}' cannot be asked for", hint=f"one of: {', '.join(requests.ANSWERS)}")
    at = open_project(project)
    now = at.clock.now()
    came = now if on is None else at_local(on, at.settings.project.zone)
    if came > now:
        raise UserError("a request cannot come in the future", hint="--on takes a day that has been")
    with at.database.write() as tx:
        found = find(tx, lead)
        whose = requests.law_of(rights.country_of(tx, found), law)
        requests.receive(tx, found, what, whose, _operator(), came, reason, at.rules(), now)
    typer.echo(f"noted; 'nurture privacy requests' tells by when: {what} for lead {found} ({whose})")


@app.command("requests")
def list_requests(
    everything: Annotated[bool, typer.Option("--all", help="Those done or lapsed too, of 24 months.")] = False,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Requests that are open, the most pressing first, with the day each must be done by."""
    import msgspec

    from nurture.engine.requests import requests
    from nurture.journey.timing import local

    at = open_project(project)
    zone = at.settings.project.zone
    with at.database.read() as tx:
        found = requests(tx, zone, at.clock.now())
    shown = sorted((r for r in found if everything or r.state in ("open", "overdue")), key=lambda r: r.due)
    if as_json:
        print_json(msgspec.to_builtins(shown))
        return
    for one in shown:
        days = {"asked": one.at, "acknowledge by": one.acknowledge_by, "due": one.due, "done": one.done_at}
        said = ", ".join(f"{word} {local(day, zone):%Y-%m-%d}" for word, day in days.items() if day is not None)
        typer.echo(f"{one.state:<8} {one.what:<8} lead {one.lead} ({one.law}): {said}")
    if not shown:
        typer.echo("no request is open" if not everything else "nobody asked for anything in 24 months")


@app.command()
def ropa(
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Into this file, not the screen.")] = None,
    project: ProjectOption = None,
) -> None:
    """A draft of the record of processing activities (GDPR Art. 30), as Markdown, from config.yaml."""
    from nurture.engine.ropa import record

    at = open_project(project)
    text = record(at.settings.project, at.processing)
    if out is not None:
        write_private(out, text)
    else:
        typer.echo(text, nl=False)


def open_project(project: Path | None) -> App:
    from nurture.app import open_app
    from nurture.store import migrate

    at = open_app(project_root(project))
    migrate.check(at.database)
    return at


def find(tx: Transaction, ref: str) -> int:
    from nurture.store.identities import find_lead

    found = find_lead(tx, ref)
    if found is None:
        raise NotFound("there is no such lead", hint="LEAD is an address, an external id or an id")
    return found


def _operator() -> str:
    """Who is at the keyboard, as the machine knows them."""
    import getpass

    try:
        return f"operator {getpass.getuser()}"
    except (KeyError, OSError):
        return "operator"


def write_private(path: Path, text: str) -> None:
    """The file holds personal data: only its owner may read it (trust X22)."""
    try:
        path.touch(mode=0o600)
        path.write_text(text, "utf-8", newline="")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
