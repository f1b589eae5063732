"""`nurture closures`: ways out that are closed because mail servers refuse what we send."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from nurture.cli.console import JsonOption, ProjectOption, counted, print_json
from nurture.errors import NotFound

app = typer.Typer(help="Ways out that mail servers' refusals have closed.", no_args_is_help=True)


@app.command("list")
def list_closures(as_json: JsonOption = False, project: ProjectOption = None) -> None:
    """What is closed, until when, and the server's own words. Mails for it wait; they are tried again by themselves."""
    from nurture.cli.opening import opened
    from nurture.store import closures

    with opened(project) as at, at.database.read() as tx:
        found = list(closures.standing(tx).values())
    if as_json:
        rows: list[dict[str, Any]] = [
            {name: getattr(c, name) for name in ("scope", "name", "since", "until", "rule", "reason")} for c in found
        ]
        print_json([{**row, "since": row["since"].isoformat(), "until": row["until"].isoformat()} for row in rows])
        return
    for c in found:
        typer.echo(f"{c.scope} {c.name}, until {c.until:%Y-%m-%d %H:%M} UTC: {c.reason} (rule {c.rule})")
    if not found:
        typer.echo("every way is open")


@app.command("open")
def open_closures(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="As 'closures list' names it; all if none.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """The cause is mended: try at once."""
    from nurture.cli.opening import opened
    from nurture.store import closures

    with opened(project) as at, at.database.write() as tx:
        ways = [way for way in closures.standing(tx) if name is None or way[1] == name]
        if name is not None and not ways:
            raise NotFound(f"no way named '{name}' is closed", hint="'nurture closures list' shows what is")
        closures.reopen(tx, ways)
    if as_json:
        print_json({"opened": [f"{scope} {way}" for scope, way in ways]})
    else:
        typer.echo(f"{counted(len(ways), 'way')} opened; waiting mails go when they are due")
