"""`nurture outbox`: what is to leave, what has left, and saying what became of what nobody knows."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from nurture.cli.console import JsonOption, ProjectOption, print_json
from nurture.errors import NotFound, UserError

app = typer.Typer(help="What is to leave, and what became of it.", no_args_is_help=True)


class State(StrEnum):
    PENDING = "pending"
    CLAIMED = "claimed"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    SENT = "sent"
    RESEND = "resend"


@app.command("list")
def list_messages(
    state: Annotated[State | None, typer.Option("--state", help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many at most.")] = 1_000,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Messages, newest first."""
    import msgspec

    from nurture.cli.opening import opened
    from nurture.store import outbox

    with opened(project) as at, at.database.read() as tx:
        found = outbox.listed(tx, state.value if state is not None else None, limit)
    rows: list[dict[str, Any]] = msgspec.to_builtins(found)
    if as_json:
        print_json(rows)
        return
    _print(rows, state)
    if len(rows) == limit:
        typer.echo(f"these are the newest {limit:,}; --limit N shows more")


def _print(rows: list[dict[str, Any]], state: State | None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from nurture.cli.telling import printable

    if not rows:
        typer.echo(f"no message is {state.value}" if state is not None else "no message was ever released")
        return
    made = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("id", "address", "template", "state", "released"):
        made.add_column(name, justify="right" if name == "id" else "left", overflow="fold", no_wrap=name == "id")
    for row in rows:
        shown = row["state"] + (f" ({row['reason']})" if row["reason"] else "")
        style = {"unknown": "yellow", "failed": "red", "sent": "green"}.get(row["state"], "")
        values = (row["address"] or "", row["template"] or row["kind"], row["released_at"][:16].replace("T", " "))
        made.add_row(str(row["id"]), printable(values[0]), values[1], Text(printable(shown), style), values[2])
    Console().print(made)


@app.command("resolve")
def resolve(
    message: Annotated[int, typer.Argument(metavar="ID", help="The message's id.")],
    verdict: Annotated[Verdict, typer.Argument(metavar="sent|resend", help="It arrived, or it is to go once more.")],
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Say what became of an unknown message: it was 'sent', or it is to go again under the same Message-ID."""
    from nurture.cli.opening import opened
    from nurture.clock import WallClock
    from nurture.store import outbox
    from nurture.store.in_flight import message_state

    with opened(project) as at, at.database.write() as tx:
        state = message_state(tx, message)
        if state is None:
            raise NotFound(f"there is no message {message}")
        if not outbox.resolve(tx, message, verdict.value, WallClock().now()):
            raise UserError(f"message {message} is {state}; only an unknown one can be resolved")
    if as_json:
        print_json({"id": message, "resolved": verdict.value})
    else:
        typer.echo(f"message {message} " + ("counts as sent" if verdict is Verdict.SENT else "will be sent again"))
