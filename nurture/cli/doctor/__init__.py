"""`nurture doctor`: what keeps this project from working, and what to do about it.

`records`, `signed`, and the `judge_…` of other modules judge what was found; `names`, `policies`, `host` and `server`
go and ask. Each finding says what to do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import JsonOption, ProjectOption, print_json, project_root
from nurture.cli.doctor.finding import Finding, broken, failed, look, ok, show
from nurture.errors import EXIT_USER, UserError

if TYPE_CHECKING:
    from nurture.campaign.plan import Plan
    from nurture.cli.doctor.names import Names
    from nurture.folder import Folder
    from nurture.settings import Settings

NameserverOption = Annotated[
    list[str] | None, typer.Option("--nameserver", metavar="ADDRESS[:PORT]", help="Ask this one; may be repeated.")
]


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Ask no mail server, no DNS and no web server.")] = False,
    nameserver: NameserverOption = None,
    sends_from: Annotated[
        list[str] | None,
        typer.Option("--sends-from", metavar="ADDRESS", help="Mails leave from this IP address; may be repeated."),
    ] = None,
    probe: Annotated[
        str | None, typer.Option("--probe", metavar="ADDRESS", help="Only send a mail there, to see how it arrives.")
    ] = None,
    signed: Annotated[
        Path | None, typer.Option("--signed", metavar="FILE.eml", help="Only judge a mail as it arrived.")
    ] = None,
    records: Annotated[
        bool, typer.Option("--records", help="Only print what DNS should say, as lines of a zone file.")
    ] = False,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Look at config, database, disk, mail server, the sender's domain, the unsubscribe host, clocks, and at what
    stands still. Each finding says what to do. Ends with 1 if something is broken."""
    if sum([probe is not None, signed is not None, records]) > 1:
        raise UserError("--probe, --signed and --records each do one thing alone", hint="give one of them")
    leaving = _checked(sends_from or ())
    if probe is not None:
        _send_probe(probe, project, as_json)
        return
    if records:
        _print_records(leaving, project, as_json)
        return
    if signed is not None:
        found = list(_arrived(signed, offline, nameserver or ()))
    else:
        found = list(_examine(project, offline, nameserver or (), leaving))
    if as_json:
        print_json([{"level": f.level, "topic": f.topic, "text": f.text, "hint": f.hint} for f in found])
    else:
        show(found)
    if any(f.level == "error" for f in found):
        raise typer.Exit(EXIT_USER)


def _checked(addresses: Iterable[str]) -> list[str]:
    import ipaddress

    try:
        return [str(ipaddress.ip_address(text)) for text in addresses]
    except ValueError as error:
        raise UserError(str(error).replace("does not appear to be", "is not"), hint="such as 192.0.2.25") from None


def _examine(
    project: Path | None, offline: bool, nameservers: Sequence[str], leaving: Sequence[str]
) -> Iterator[Finding]:
    from nurture.campaign.problems import ProjectProblems
    from nurture.cli.doctor import project as here
    from nurture.cli.doctor import store
    from nurture.folder import read_folder
    from nurture.settings import database_url, load_settings

    folder = read_folder(project_root(project))
    yield here.interpreter()
    checked = here.check(folder, os.environ)
    yield here.files(folder, checked)
    settings = None
    try:
        settings = load_settings(folder, os.environ)
    except ProjectProblems as error:
        for p in error.problems:
            yield broken("config", f"{p.mark.file}:{p.mark.line}: {p.message}", p.hint or "'nurture check' shows it")
    else:
        yield ok("config", "every setting is there")
    try:
        url = database_url(folder, os.environ)
    except ProjectProblems:
        url = None
    path = Path(url.removeprefix("sqlite:///")) if url and url.startswith("sqlite:///") else None
    yield from here.readable(folder, path)
    yield from here.disk(here.rooms(_places(folder, path, settings)))
    if url is not None:
        yield from store.database(url, settings)
    if settings is not None and not offline:
        yield from _outside(settings, folder, checked.plans.values(), nameservers, leaving)


def _places(folder: Folder, database: Path | None, settings: Settings | None) -> Iterator[tuple[str, Path]]:
    """What grows, and where it lies."""
    if database is not None:
        yield "the database", database.parent
    yield "the journals", folder.root
    if settings is not None and settings.maildir is not None:
        yield "returned mail", settings.maildir


def _outside(
    settings: Settings, folder: Folder, plans: Iterable[Plan], nameservers: Sequence[str], leaving: Sequence[str]
) -> Iterator[Finding]:
    """What other people's machines see of us."""
    from nurture.cli.doctor import domain, host, server
    from nurture.clock import machine_now
    from nurture.delivery.dkim import read_key

    if settings.transport != "smtp":
        text = f"mails go to a {settings.transport}, not to people"
        yield look(
            "mail", text, "'transport: smtp' sends them; then the domain and the host of links are looked at, too"
        )
        return
    yield from server.mail_server(settings, machine_now())
    names = _names(nameservers)
    if isinstance(names, Finding):
        yield names
        return
    who = domain.senders_of(settings, folder, plans)
    try:
        keys = [read_key(d.domain, d.selector, d.key) for d in settings.dkim]
    except UserError as error:
        yield broken("dkim", error.message, error.hint or "mend 'dkim' in config.yaml")
    else:
        yield from domain.sender(settings, who, keys, names, leaving)
    yield from host.unsubscribe_host(settings.base_url, names, machine_now)


def _names(nameservers: Sequence[str]) -> Names | Finding:
    """DNS, or that this machine has none."""
    from nurture.cli.doctor.names import SILENT, Names, Silent

    try:
        return Names(nameservers)
    except Silent as error:
        return failed("dns", error, SILENT)


def _arrived(file: Path, offline: bool, nameservers: Sequence[str]) -> Iterator[Finding]:
    """A received mail, and the public keys of its signatures."""
    from nurture.cli.doctor import records
    from nurture.cli.doctor import signed as received
    from nurture.cli.doctor.names import SILENT, Silent

    try:
        mail = received.read(file.read_bytes())
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    yield from received.judge(mail)
    if offline:
        return
    names = _names(nameservers)
    if isinstance(names, Finding):
        yield names
        return
    for selector, domain in dict.fromkeys((s.selector, s.domain) for s in received.speaking(mail)):
        try:
            yield from records.judge_foreign_key(selector, domain, names.txt(f"{selector}._domainkey.{domain}"))
        except Silent as error:
            yield failed("dkim", error, SILENT)


def _print_records(leaving: Sequence[str], project: Path | None, as_json: bool) -> None:
    from nurture.cli.doctor import publishing
    from nurture.folder import read_folder
    from nurture.settings import load_settings

    wanted = publishing.wanted(load_settings(read_folder(project_root(project)), os.environ), leaving)
    if as_json:
        print_json([{"name": r.name, "type": "TXT", "text": r.text, "about": r.about} for r in wanted])
    else:
        typer.echo("\n".join(publishing.zone(wanted)))


def _send_probe(to: str, project: Path | None, as_json: bool) -> None:
    from nurture.app import open_app
    from nurture.cli.doctor.probe import probe
    from nurture.cli.handing import hand_over
    from nurture.clock import machine_now
    from nurture.lead.address import AddressRefused, check_address

    checked = check_address(to)
    if isinstance(checked, AddressRefused):
        raise UserError(f"this address cannot be written to: {checked.reason}")
    app = open_app(project_root(project))
    try:
        reply = hand_over(app.transport, probe(app, checked, machine_now()))
    finally:
        app.database.close()
    if as_json:
        print_json({"sent": True, "to": checked, "answer": reply.text})
        return
    typer.echo(f"sent to {checked}; the server said: {reply.text}")
    typer.echo("save it as it arrived, with all headers, then: nurture doctor --signed FILE.eml")
