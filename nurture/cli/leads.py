"""`nurture leads show|list`: who is there, and all that is known of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.console import JsonOption, ProjectOption, print_json
from nurture.errors import NotFound

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(help="Leads: look at them.", no_args_is_help=True)
LeadArgument = Annotated[str, typer.Argument(metavar="LEAD", help="An address, an external id or an id.")]


@app.command("list")
def list_some(
    stage: Annotated[str | None, typer.Option("--stage", metavar="NAME", help="Only those who stand in it.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", metavar="NAME", help="Only those who have it.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", metavar="ADDRESS", help="Only this owner's.")] = None,
    before: Annotated[int | None, typer.Option("--before", metavar="ID", help="Go on below this id.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")] = 100,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """The newest leads."""
    import msgspec

    from nurture.cli.opening import opened
    from nurture.store.listing import list_leads

    with opened(project) as at, at.database.read() as tx:
        found = list_leads(tx, stage=stage, tag=tag, owner=owner, before=before, limit=limit)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    from rich.console import Console

    made = _table("id", "external id", "address", "source", "owner", "stages", "since")
    for line in found:
        stages = ", ".join(line.stages.values())
        texts = (line.external_id, line.email, line.source, line.owner, stages, f"{line.created_at:%Y-%m-%d}")
        made.add_row(str(line.id), *(_text(text) for text in texts))
    Console().print(made)
    if len(found) == limit:
        typer.echo(f"more may follow: --before {found[-1].id}")


@app.command("show")
def show(lead: LeadArgument, as_json: JsonOption = False, project: ProjectOption = None) -> None:
    """All that is known of one lead: fields, stages, tags, scores, consents, events, enrollments, messages."""
    import msgspec

    from nurture.cli.opening import opened
    from nurture.clock import WallClock
    from nurture.store.identities import find_lead
    from nurture.store.profile import read_profile

    with opened(project) as at, at.database.read() as tx:
        found = find_lead(tx, lead)
        profile = read_profile(tx, at.project, found, WallClock().now()) if found is not None else None
    if profile is None:
        raise NotFound("there is no such lead", hint="LEAD is an address, an external id or an id")
    plain: dict[str, Any] = msgspec.to_builtins(profile)
    if as_json:
        print_json(plain)
    else:
        _print(plain)


def _print(profile: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console()
    head = profile["external_id"] or profile["attributes"].get("email") or profile["id"]
    console.print(_text(f"Lead {head} (id {profile['id']}), since {profile['created_at'][:10]}"))
    fields = _table("field", "value")
    for name, value in profile["attributes"].items():
        fields.add_row(_text(name), _text(value))
    for funnel, stands in profile["stages"].items():
        fields.add_row(_text(f"stage in {funnel}"), _text(f"{stands['stage']} since {stands['since'][:10]}"))
    if profile["tags"]:
        fields.add_row("tags", _text(", ".join(profile["tags"])))
    for name, value in profile["scores"].items():
        fields.add_row(_text(f"score {name}"), _text(f"{value:g}"))
    for topic, consent in profile["consents"].items():
        fields.add_row(_text(f"consent {topic}"), _text(f"{consent['state']} since {consent['since'][:10]}"))
    console.print(fields)
    for title, columns in _LISTS.items():
        if profile[title]:
            listed = _table(*columns, title=title)
            for item in profile[title]:
                listed.add_row(*(_text(item[name]) for name in columns))
            console.print(listed)


_LISTS = {
    "events": ("at", "name", "properties"),
    "enrollments": ("entered_at", "campaign", "key", "state", "reason", "step"),
    "messages": ("released_at", "template", "step", "state", "reason"),
}


def _table(*columns: str, title: str | None = None) -> Table:
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="dim", title=title, title_justify="left")
    for column in columns:
        made.add_column(column.replace("_", " "), overflow="fold")
    return made


def _text(value: object) -> Any:
    """What a lead wrote is text, never markup of ours."""
    from rich.text import Text

    shown = "" if value is None else str(value)
    return Text("".join(c if c.isprintable() else "\ufffd" for c in shown))
