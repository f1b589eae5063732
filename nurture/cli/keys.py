"""`nurture keys`: what other programs sign in with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from nurture.cli.console import JsonOption, ProjectOption, print_json
from nurture.errors import NotFound, UserError

app = typer.Typer(help="Keys of other programs: what each of them may do.", no_args_is_help=True)


@app.command("create")
def create(
    scope: Annotated[
        list[str],
        typer.Option("--scope", metavar="SCOPE", help="ingest, read, consent, leads, erase, admin; may repeat."),
    ],
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="Whose it is, for the list.")] = "",
    lasts: Annotated[
        str | None, typer.Option("--expires", metavar="WHEN", help="After a duration (90d), or on a date.")
    ] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Make a key. It is shown once and kept nowhere: write it down now."""
    from nurture.cli.opening import opened
    from nurture.clock import WallClock
    from nurture.store.keys import create_key

    now = WallClock().now()
    with opened(project) as at:
        expires_at = _expiry(lasts, now, at.project.zone)
        with at.database.write() as tx:
            key = create_key(tx, scope, now, name=name, expires_at=expires_at)
    if as_json:
        print_json({"key": key})
    else:
        typer.echo(key)
        typer.echo("This is the only time it is shown.", err=True)


def _expiry(text: str | None, now: datetime, zone: str) -> datetime | None:
    from nurture.campaign.duration import read_duration
    from nurture.journey.timing import read_moment, shift

    if text is None:
        return None
    span = read_duration(text)
    found = shift(now, span, zone) if span is not None else read_moment(text, zone)
    if found is None:
        raise UserError(f"'{text}' is neither a duration nor a date", hint="write 90d or 2027-01-31")
    if found <= now:
        raise UserError(f"'{text}' has passed")
    return found


@app.command("list")
def list_all(as_json: JsonOption = False, project: ProjectOption = None) -> None:
    """Every key by its beginning: whose, what it may do, when it was used."""
    import msgspec

    from nurture.cli.opening import opened
    from nurture.clock import WallClock
    from nurture.store.keys import list_keys

    with opened(project) as at, at.database.read() as tx:
        found = list_keys(tx)
    now = WallClock().now()
    if as_json:
        print_json([{**msgspec.to_builtins(key), "valid": key.valid(now)} for key in found])
        return
    if not found:
        typer.echo("there are no keys; 'nurture keys create --scope ingest' makes one")
        return
    from rich.console import Console
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("id", "key", "name", "scopes", "made", "used", "state"):
        made.add_column(title, overflow="fold")
    for key in found:
        state = "revoked" if key.revoked_at else "valid" if key.valid(now) else "expired"
        used = f"{key.used_at:%Y-%m-%d}" if key.used_at else "never"
        scopes = ", ".join(key.scopes)
        made.add_row(str(key.id), f"nk_{key.prefix}…", key.name, scopes, f"{key.created_at:%Y-%m-%d}", used, state)
    Console().print(made)


@app.command("revoke")
def revoke(
    key: Annotated[int, typer.Argument(metavar="ID", help="Its id, as 'nurture keys list' shows it.")],
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """End a key at once."""
    from nurture.cli.opening import opened
    from nurture.clock import WallClock
    from nurture.store.keys import list_keys, revoke_key

    with opened(project) as at, at.database.write() as tx:
        if key not in (known.id for known in list_keys(tx)):
            raise NotFound(f"there is no key {key}", hint="'nurture keys list' shows them")
        ended = revoke_key(tx, key, WallClock().now())
    if as_json:
        print_json({"id": key, "revoked": True, "changed": ended})
    else:
        typer.echo(f"key {key} is revoked" if ended else f"key {key} was revoked before")


@app.command("webhook")
def webhook(
    name: Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its name in config.yaml.")],
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """What a webhook's receiver verifies our calls with (Standard Webhooks)."""
    import base64

    from nurture.cli.opening import opened

    with opened(project) as at:
        if name not in at.project.webhooks:
            known = ", ".join(at.project.webhooks) or "none are declared"
            raise NotFound(f"config.yaml has no webhook '{name}'", hint=f"known: {known}")
        secret = "whsec_" + base64.b64encode(at.keyring().webhook_secret(name)).decode("ascii")
    if as_json:
        print_json({"webhook": name, "secret": secret})
    else:
        typer.echo(secret)
