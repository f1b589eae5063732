"""`nurture report funnel|pipeline|forecast`: figures on the terminal, as JSON, CSV or a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.console import JsonOption, ProjectOption, print_json, write_file
from nurture.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.funnel.metrics import FunnelReport

app = typer.Typer(help="Figures: how leads come through the funnel, what the pipeline holds.", no_args_is_help=True)

CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
HtmlOption = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page that stands alone.")]
PipelineOption = Annotated[str | None, typer.Option("--pipeline", metavar="NAME", help="A sales pipeline.")]


@app.command("funnel")
def funnel(
    name: Annotated[str | None, typer.Option("--funnel", metavar="NAME", help="Another funnel than the first.")] = None,
    pipeline: PipelineOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
    html: HtmlOption = None,
    project: ProjectOption = None,
) -> None:
    """How leads come through a funnel: who entered each stage, who went on, how long it took, where they came from.
    Times of a stage count those still in it as not yet through."""
    _report(name, pipeline, as_json=as_json, as_csv=as_csv, html=html, project=project)


@app.command("pipeline")
def pipeline(
    name: PipelineOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
    html: HtmlOption = None,
    project: ProjectOption = None,
) -> None:
    """How deals come through a sales pipeline; the project's first unless named."""
    _report(None, name or "", as_json=as_json, as_csv=as_csv, html=html, project=project)


def _report(
    funnel: str | None, pipeline: str | None, *, as_json: bool, as_csv: bool, html: Path | None, project: Path | None
) -> None:
    import msgspec

    from nurture.cli import report_forms as forms
    from nurture.cli.opening import opened
    from nurture.clock import WallClock
    from nurture.engine.report import funnel_report

    now = WallClock().now()
    with opened(project) as at, at.database.read() as tx:
        if pipeline == "":
            pipeline = next(iter(at.project.pipelines), "")
        report = funnel_report(tx, at.project, now, funnel=funnel, pipeline=pipeline)
        named = pipeline if pipeline is not None else funnel or next(iter(at.project.funnels))
        title = f"{'Pipeline' if pipeline is not None else 'Funnel'} {named}"
    if html is not None:
        _write(html, report, title, now)
    if as_json:
        print_json(msgspec.to_builtins(report))
    elif as_csv:
        typer.echo(forms.to_csv(report), nl=False)
    elif html is None:
        from rich.console import Console

        console = Console()
        console.print(forms.table(report, title, console.width))


def _write(path: Path, report: FunnelReport, title: str, now: datetime) -> None:
    from nurture.cli.report_forms import to_html

    write_file(path, to_html(report, title, f"as of {now:%Y-%m-%d %H:%M} UTC"))
    typer.echo(f"written to {path}", err=True)


@app.command("forecast")
def forecast(name: PipelineOption = None, as_json: JsonOption = False, project: ProjectOption = None) -> None:
    """What the open deals of a pipeline are worth, weighted by the probability of their stages."""
    import msgspec

    from nurture.cli.opening import opened
    from nurture.engine.report import pipeline_forecast

    with opened(project) as at, at.database.read() as tx:
        chosen = name or next(iter(at.project.pipelines), None)
        if chosen is None:
            raise NotFound("the project has no pipelines", hint="write `pipelines:` in config.yaml")
        found = pipeline_forecast(tx, at.project, chosen)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for one in found:
        left = f"; {one.left_out:,} without an amount or a probability are not weighted" if one.left_out else ""
        typer.echo(f"{one.deals:,} open, {one.total:,.2f} {one.currency}, weighted {one.weighted:,.2f}{left}")
    if not found:
        typer.echo(f"no open deals in '{chosen}'")
