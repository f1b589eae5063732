"""`nurture consent`: what a lead agreed to, and that nobody changed the proof."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from nurture.cli.console import JsonOption, ProjectOption, counted, print_json
from nurture.cli.enrolling import LEAD_HINT, NOBODY, LeadArgument
from nurture.errors import EXIT_USER, NotFound

app = typer.Typer(help="Consent: what was agreed to, and the proof of it.", no_args_is_help=True)
_TIMES = ("recorded_at", "occurred_at")
_SHOWN = ("method", "source", "page", "wording", "wording_version", "locale", "actor", "ip", "jurisdiction", "evidence")


@app.command("show")
def show(lead: LeadArgument, as_json: JsonOption = False, project: ProjectOption = None) -> None:
    """What a lead agreed to and what it took back: each entry of the ledger, with the wording as it was shown."""
    import msgspec

    from nurture.cli.opening import opened
    from nurture.store import consents, ledger
    from nurture.store.identities import find_lead

    with opened(project) as at, at.database.read() as tx:
        found = find_lead(tx, lead)
        if found is None:
            raise NotFound(NOBODY, hint=LEAD_HINT)
        person = consents.people(tx, [found])[found]
        entries: list[dict[str, Any]] = msgspec.to_builtins(ledger.entries_of(tx, found))
    states = {topic: msgspec.to_builtins(row) for topic, row in sorted(person.consents.items())}
    if as_json:
        print_json({"lead": found, "consents": states, "suppressed": person.scopes, "entries": entries})
        return
    for topic, row in states.items():
        until = f", until {row['expires_at'][:10]}" if row["expires_at"] else ""
        basis = f" ({row['basis']})" if row["basis"] else ""
        typer.echo(f"{topic}: {row['state']} since {row['since'][:10]}{basis}{until}")
    for scope, reason in person.scopes.items():
        typer.echo(f"suppressed: {scope} ({reason})")
    if not states:
        typer.echo("nothing was ever said about consent")
    _print(entries)


def _print(entries: list[dict[str, Any]]) -> None:
    from rich.console import Console

    from nurture.cli.telling import printable

    console = Console(highlight=False, soft_wrap=True)
    for entry in entries:
        console.print()
        at = str(entry.get("occurred_at") or entry.get("recorded_at") or "")[:19].replace("T", " ")
        title = f"{at} UTC  {entry['topic'] or 'everything'}: {entry['event']}"
        console.print(title, style="bold", markup=False, end="")
        console.print(
            f"  entry {entry['id']} ({entry['subject']}, number {entry['ordinal']})", style="dim", markup=False
        )
        for name in _SHOWN:
            if entry.get(name):
                console.print(f"  {name.replace('_', ' '):<16}{printable(str(entry[name]))}", markup=False)


@app.command("verify")
def verify(
    lead: Annotated[
        str | None,
        typer.Argument(metavar="LEAD", help="Only what concerns this lead; the whole ledger is read all the same."),
    ] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Read the whole consent ledger for tampering. Ends with 1 and names the entries if it finds any."""
    import msgspec

    from nurture.cli.opening import opened
    from nurture.store import ledger_check
    from nurture.store.identities import find_lead
    from nurture.store.in_flight import count_ledger

    with opened(project) as at:
        keyring = at.keyring()
        with at.database.read() as tx:
            wanted = find_lead(tx, lead) if lead is not None else None
            if lead is not None and wanted is None:
                raise NotFound(NOBODY, hint=LEAD_HINT)
            found = ledger_check.verify(tx, keyring)
            entries = count_ledger(tx)
    if wanted is not None:
        found = [one for one in found if one.lead in (None, wanted)]
    if as_json:
        print_json({"entries": entries, "tampered": [{**msgspec.to_builtins(one), "text": str(one)} for one in found]})
    elif found:
        for one in found:
            typer.echo(str(one))
        typer.echo(f"{counted(len(found), 'finding')}; {entries:,} entries were read", err=True)
    else:
        typer.echo(f"{entries:,} entries are as they were written")
    if found:
        raise typer.Exit(EXIT_USER)
