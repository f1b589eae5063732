"""`nurture versions`, `rollback`: what is live and what was, and making that live again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.console import JsonOption, ProjectOption, print_json
from nurture.cli.deploying import YesEnterOption, YesOption, make_live
from nurture.errors import UserError

if TYPE_CHECKING:
    from nurture.store.database import Transaction
    from nurture.store.deploys import Stay


def versions(
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were live before, with their days.")
    ] = False,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Campaigns as they are live: version, state, who is inside. With --all every version they had, newest first, for
    'nurture rollback'."""
    import msgspec

    from nurture.cli.opening import opened
    from nurture.store.versions import current, deployed, in_flight

    with opened(project) as at, at.database.read() as tx:
        if everything:
            return _history(tx, as_json)
        found, inside, whole = deployed(tx), in_flight(tx), current(tx)
    all_paused = whole is not None and whole.paused
    rows: list[dict[str, Any]] = []
    for name, d in found.items():
        older = {v: count for (c, v), count in inside.items() if c == name and v != d.version}
        told = {**msgspec.to_builtins(d), "paused": d.paused or all_paused}
        rows.append({**told, "inside": inside.get((name, d.version), 0), "inside_older": older})
    if as_json:
        print_json(rows)
        return
    _show_versions(rows)


def _show_versions(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        typer.echo("nothing is deployed yet; run 'nurture deploy'")
        return
    made = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("campaign", "version", "state", "inside", "on older ones", "deployed"):
        made.add_column(name, justify="right" if name == "inside" else "left", no_wrap=name != "on older ones")
    for row in rows:
        state = "paused" if row["paused"] and row["state"] == "live" else row["state"]
        older = ", ".join(f"{count:,} on {version}" for version, count in row["inside_older"].items())
        made.add_row(
            row["name"], row["version"], state, f"{row['inside']:,}", older, row["deployed_at"][:16].replace("T", " ")
        )
    Console().print(made)


def _history(tx: Transaction, as_json: bool) -> None:
    from nurture.store.deploys import history, stays
    from nurture.store.versions import in_flight

    found, inside = stays(history(tx)), in_flight(tx)
    rows = [(stay, inside.get((stay.campaign, stay.version), 0)) for stay in found]
    if as_json:
        print_json(
            [
                {
                    "name": s.campaign,
                    "version": s.version,
                    "deploy": s.number,
                    "since": s.since.isoformat(),
                    "until": s.until.isoformat() if s.until else None,
                    "inside": count,
                }
                for s, count in rows
            ]
        )
    elif not rows:
        typer.echo("nothing is deployed yet; run 'nurture deploy'")
    else:
        _show_history(rows)


def _show_history(rows: list[tuple[Stay, int]]) -> None:
    from rich.console import Console
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("campaign", "version", "deploy", "live from", "until", "inside"):
        made.add_column(name, justify="right" if name in ("deploy", "inside") else "left", no_wrap=True)
    last = ""
    for stay, count in sorted(rows, key=lambda row: (row[0].campaign, -row[0].number)):
        until = f"{stay.until:%Y-%m-%d %H:%M}" if stay.until else "now"
        name = stay.campaign if stay.campaign != last else ""
        made.add_row(name, stay.version, str(stay.number), f"{stay.since:%Y-%m-%d %H:%M}", until, f"{count:,}")
        last = stay.campaign
    Console().print(made)


def rollback(
    campaign: Annotated[
        str | None, typer.Argument(metavar="CAMPAIGN", help="Its name; without it, everything.", show_default=False)
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="VERSION",
            help="The version, as far as needed to tell it; without CAMPAIGN a deploy's number.",
        ),
    ] = None,
    yes: YesOption = False,
    yes_enter: YesEnterOption = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Make an older version live again, with the templates it had: the one before, or that of --to. All it needs is in
    the database. Shows, refuses and asks as a deploy does. Without CAMPAIGN, campaigns, templates and config.yaml as
    the deploy before had them. The files stay as they are: put them back too, or the next deploy brings them live."""
    from nurture.cli.opening import opened
    from nurture.engine import rollback as engine

    if campaign is None and to is not None and not to.isdigit():
        raise UserError(
            f"'{to}' is not the number of a deploy", hint="name its campaign, or look at nurture versions --all"
        )
    with opened(project) as at:
        with at.database.read() as tx:
            if campaign is None:
                target = engine.whole(tx, None if to is None else int(to))
            else:
                target = engine.one(tx, campaign, to)
        if not as_json:
            typer.echo(f"back to: {target.said}")
        make_live(at.database, target, yes=yes, yes_enter=yes_enter, as_json=as_json, hint=_INSTEAD)
    if not as_json:
        typer.echo("note: the files still say otherwise; put them back too, or the next deploy makes them live")


_INSTEAD = "put the older text back into its file, say there where they go, and deploy it"
