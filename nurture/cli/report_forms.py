"""A funnel report as a table on a terminal, as CSV and as one HTML page that needs nothing else."""

from __future__ import annotations

import csv
import io

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nurture.cli.pages import page
from nurture.engine.cells import plain_cell
from nurture.funnel.metrics import FunnelReport, SourceFigures, StageFigures

_BAR = 24  # characters of a full bar, where there is room
_STAGE_COLUMNS, _SOURCE_COLUMNS = 62, 54  # characters that the figures take beside name and bar
_EIGHTHS = " ▏▎▍▌▋▊▉"


def percent(share: float | None, digits: int = 3) -> str:
    """`10.525 %`, without zeros at the end; a dash where there is none."""
    if share is None:
        return "–"
    text = f"{share * 100:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + " %"


def days(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def bar(share: float, width: int = _BAR) -> str:
    """A bar in eighths of a character; something seen for every share above nothing."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    if share > 0 and width and not eighths:
        eighths = 1
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def table(report: FunnelReport, title: str, width: int = 100) -> RenderableType:
    """The report for a terminal of `width` characters; bars get what the figures leave."""
    parts: list[RenderableType] = [
        Text(title, style="bold"),
        Text(),
        _stage_table(report, width),
        Text(),
        Text(_summary(report)),
    ]
    if report.by_source:
        parts += [Text(), _source_table(report, width)]
    if report.odd:
        named = ", ".join(report.odd[:5]) + (f" and {len(report.odd) - 5} more" if len(report.odd) > 5 else "")
        parts += [Text(), Text(f"{len(report.odd)} won before the first contact, left out of times: {named}", "yellow")]
    return Group(*parts)


def _room(width: int, taken: int, names: list[str]) -> int:
    return max(0, min(_BAR, width - taken - max(map(len, names), default=0)))


def _with_bars(first: str, *figures: str) -> Table:
    made = Table(box=None, pad_edge=False, header_style="dim")
    made.add_column(first, no_wrap=True, vertical="bottom")
    made.add_column("", no_wrap=True)
    for name in figures:
        made.add_column(name, justify="right", no_wrap=True, vertical="bottom")
    return made


def _stage_table(report: FunnelReport, width: int) -> Table:
    made = _with_bars(
        "stage", "entered", "now\nhere", "open", "went\non", "conver-\nsion", "median\ndays", "90 %\nwithin"
    )
    room = _room(width, _STAGE_COLUMNS, [s.stage for s in report.stages])
    widest = max((s.entered for s in report.stages), default=0) or 1
    for s in report.stages:
        label = Text(s.stage, style="bold yellow" if s.stage == report.bottleneck else "")
        made.add_row(label, Text(bar(s.entered / widest, room), style="cyan"), *_stage_cells(s))
    return made


def _stage_cells(s: StageFigures) -> list[str]:
    return [
        f"{s.entered:,}",
        f"{s.now_here:,}",
        f"{s.open:,}",
        f"{s.advanced:,}",
        percent(s.conversion),
        days(s.median_days),
        days(s.p90_days),
    ]


def _source_table(report: FunnelReport, width: int) -> Table:
    made = _with_bars("source", "entered", "won", "conversion", "95 % between")
    room = _room(width, _SOURCE_COLUMNS, [s.source for s in report.by_source])
    best = max((s.conversion or 0.0 for s in report.by_source), default=0.0) or 1.0
    for s in report.by_source:
        strip = Text(bar((s.conversion or 0.0) / best, room), style="green")
        label = Text(s.source) if s.source else Text("(empty)", style="dim")
        made.add_row(label, strip, f"{s.entered:,}", f"{s.won:,}", percent(s.conversion), _interval(s))
    return made


def _interval(s: SourceFigures) -> str:
    return "–" if s.interval is None else f"{percent(s.interval[0], 1)} – {percent(s.interval[1], 1)}"


def _summary(report: FunnelReport) -> str:
    o = report.overall
    text = f"{o.won:,} of {o.entered:,} won ({percent(o.conversion)})"
    if o.median_cycle_days is not None:
        text += f", after {days(o.median_cycle_days)} days at the median and {days(o.mean_cycle_days)} on average"
    if report.bottleneck:
        text += f"; fewest get through '{report.bottleneck}'"
    return text + "."


def cell(value: object) -> str:
    """A cell no spreadsheet takes for a formula; nothing for None."""
    text = "" if value is None else str(value)
    return plain_cell(text) if isinstance(value, str) else text


def to_csv(report: FunnelReport) -> str:
    """Stages, the whole and sources as rows of one table; shares are 0–1."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    counted = ("entered", "now_here", "open", "advanced", "won")
    writer.writerow(["kind", "name", *counted, "conversion", "low", "high", "median_days", "p90_days", "mean_days"])

    for s in report.stages:
        counts = [s.entered, s.now_here, s.open, s.advanced, None, s.conversion, None, None]
        writer.writerow(["stage", cell(s.stage), *map(cell, [*counts, s.median_days, s.p90_days, None])])
    o = report.overall
    counts = [o.entered, None, None, None, o.won, o.conversion, None, None]
    writer.writerow(["overall", "", *map(cell, [*counts, o.median_cycle_days, None, o.mean_cycle_days])])
    for f in report.by_source:
        low, high = f.interval or (None, None)
        counts = [f.entered, None, None, None, f.won, f.conversion, low, high]
        writer.writerow(["source", cell(f.source), *map(cell, [*counts, None, None, None])])
    return out.getvalue()


def to_html(report: FunnelReport, title: str, made: str) -> str:
    """One page without script or anything fetched; reads in the dark, on a phone and on paper. `made` says when."""
    return page(
        "funnel.html",
        title=title,
        made=made,
        report=report,
        widest=max((s.entered for s in report.stages), default=0) or 1,
        best=max((s.conversion or 0.0 for s in report.by_source), default=0.0) or 1.0,
        percent=percent,
        days=days,
        interval=_interval,
        stage_cells=_stage_cells,
    )
