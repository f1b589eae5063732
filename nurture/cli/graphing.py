"""`nurture graph`: a campaign as a drawing, with those who stand on its steps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import JsonOption, ProjectOption, counted, open_folder, open_in_browser, print_json, write_file
from nurture.cli.opening import as_it_is
from nurture.errors import NurtureError

if TYPE_CHECKING:
    from nurture.campaign.spec import CampaignSpec


def graph(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its name in the project, or its file.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.svg", help="Write it there and open no browser.")
    ] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """A campaign as a drawing (SVG): its steps, its arms, and how many leads stand where, if it is deployed."""
    import tempfile

    from nurture.campaign.flow import lay_out
    from nurture.cli.flow_svg import svg
    from nurture.cli.simulating import choose

    chosen = choose(campaign, project)
    spec = chosen.spec
    standing, elsewhere = _standing(spec, project)
    if as_json:
        steps = [{"id": step.step.id, "standing": standing.get(step.step.id, 0)} for step in spec.every_step()]
        print_json({"campaign": spec.name, "steps": steps, "on_removed_steps": elsewhere})
        return
    inside = counted(sum(standing.values()), "lead") + " inside" if standing else "nobody inside"
    subtitle = inside + (f", {elsewhere:,} more on steps this file no longer has" if elsewhere else "")
    drawn = svg(lay_out(spec), spec.title or spec.name, subtitle, standing)
    path = out or Path(tempfile.mkdtemp(prefix="nurture-graph-")) / f"{spec.name}.svg"
    write_file(path, drawn)
    typer.echo(str(path))
    if out is None:
        open_in_browser(path)


def _standing(spec: CampaignSpec, project: Path | None) -> tuple[dict[str, int], int]:
    """How many stand on each step that is drawn, of all versions; and how many on steps the file no longer has.
    Nobody where there is no database yet: a drawing needs none, and makes none."""
    from nurture.store.in_flight import standing

    counts: Counter[str] = Counter()
    try:
        with as_it_is(open_folder(project)) as database:
            if not database.missing:
                with database.read() as tx:
                    for one in standing(tx):
                        if one.campaign == spec.name:
                            counts[one.step] += one.count
    except NurtureError as error:
        typer.echo(f"drawn without counts: {error.message}", err=True)
    drawn = {step.step.id for step in spec.every_step()}
    here = {step: count for step, count in counts.items() if step in drawn}
    return here, counts.total() - sum(here.values())
