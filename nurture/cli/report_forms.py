"""A funnel report as a table on a terminal, as CSV and as one HTML page that needs nothing else."""

from __future__ import annotations

import csv
import io
from html import escape

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nurture.funnel.metrics import FunnelReport, SourceFigures, StageFigures

_BAR = 24  # characters of a full bar
_EIGHTHS = " ▏▎▍▌▋▊▉"
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\0")


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
    if share > 0 and not eighths:
        eighths = 1
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def table(report: FunnelReport, title: str) -> RenderableType:
    parts: list[RenderableType] = [Text(title, style="bold"), _stage_table(report), Text(_summary(report))]
    if report.by_source:
        parts += [Text(), _source_table(report)]
    if report.odd:
        named = ", ".join(report.odd[:5]) + (f" and {len(report.odd) - 5} more" if len(report.odd) > 5 else "")
        parts += [Text(), Text(f"{len(report.odd)} won before the first contact, left out of times: {named}", "yellow")]
    return Group(*parts)


def _stage_table(report: FunnelReport) -> Table:
    made = Table(box=None, pad_edge=False, header_style="dim")
    made.add_column("stage")
    made.add_column("", no_wrap=True, min_width=_BAR)
    for name in ("entered", "now here", "open", "went on", "conversion", "median days", "90 % within"):
        made.add_column(name, justify="right", no_wrap=True)
    widest = max((s.entered for s in report.stages), default=0) or 1
    for s in report.stages:
        name = Text(s.stage, style="bold yellow" if s.stage == report.bottleneck else "")
        made.add_row(name, Text(bar(s.entered / widest), style="cyan"), *_stage_cells(s))
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


def _source_table(report: FunnelReport) -> Table:
    made = Table(box=None, pad_edge=False, header_style="dim")
    made.add_column("source")
    made.add_column("", no_wrap=True, min_width=_BAR)
    for name in ("entered", "won", "conversion", "95 % between"):
        made.add_column(name, justify="right", no_wrap=True)
    best = max((s.conversion or 0.0 for s in report.by_source), default=0.0) or 1.0
    for s in report.by_source:
        strip = Text(bar((s.conversion or 0.0) / best), style="green")
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
    """A cell no spreadsheet takes for a formula (CWE-1236); nothing for None."""
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_RISKY) else text


def to_csv(report: FunnelReport) -> str:
    """Stages, the whole and sources as rows of one table; shares are 0–1."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["kind", "name", "entered", "now_here", "open", "advanced", "won", "conversion", "low", "high"]
        + ["median_days", "p90_days", "mean_days"]
    )

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
    widest = max((s.entered for s in report.stages), default=0) or 1
    best = max((s.conversion or 0.0 for s in report.by_source), default=0.0) or 1.0
    stages = "".join(
        f"<tr{' class=narrow' if s.stage == report.bottleneck else ''}><th scope=row>{escape(s.stage)}</th>"
        f"<td class=bar>{_svg(s.entered / widest, 'a')}</td>"
        + "".join(f"<td>{c}</td>" for c in _stage_cells(s))
        + "</tr>"
        for s in report.stages
    )
    sources = "".join(
        f"<tr><th scope=row>{escape(s.source) or '<i>(empty)</i>'}</th>"
        f"<td class=bar>{_svg((s.conversion or 0.0) / best, 'b')}</td>"
        f"<td>{s.entered:,}</td><td>{s.won:,}</td><td>{percent(s.conversion)}</td><td>{_interval(s)}</td></tr>"
        for s in report.by_source
    )
    odd = (
        f"<p>{len(report.odd)} won before the first contact, left out of times: {escape(', '.join(report.odd))}</p>"
        if report.odd
        else ""
    )
    o = report.overall
    return _PAGE.format(
        title=escape(title),
        made=escape(made),
        won=f"{o.won:,}",
        entered=f"{o.entered:,}",
        conversion=percent(o.conversion),
        median=days(o.median_cycle_days),
        mean=days(o.mean_cycle_days),
        bottleneck=escape(report.bottleneck or "–"),
        stages=stages,
        sources=sources,
        odd=odd,
    )


def _svg(share: float, kind: str) -> str:
    width = max(0.0, min(1.0, share)) * 100
    return (
        f'<svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="t" width="100" height="8"/>'
        f'<rect class="{kind}" width="{width:.2f}" height="8"/></svg>'
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title><style>
:root{{color-scheme:light dark;--ink:#1d2630;--soft:#5d6975;--line:#e3e7eb;--paper:#fff;--a:#2f6f9f;--b:#3c8a5f;--warn:#b4641a}}
@media(prefers-color-scheme:dark){{:root{{--ink:#e8ecef;--soft:#9aa5af;--line:#333c45;--paper:#161b20;--a:#6fb0dd;--b:#75c598;
--warn:#e7a35c}}}}
body{{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:64rem;margin:2rem auto;padding:0 1rem}}
h1{{font-size:1.5rem;margin:0}}p,dt{{color:var(--soft)}}h2{{font-size:1.05rem;margin:2rem 0 .5rem}}
dl{{display:flex;flex-wrap:wrap;gap:1rem 2.5rem;margin:1.5rem 0}}dt{{font-size:.85rem}}dd{{margin:0;font-size:1.5rem;font-weight:600}}
.wide{{overflow-x:auto}}table{{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}}
th,td{{padding:.4rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}}
th:first-child{{text-align:left;padding-left:0}}thead th{{font-size:.8rem;font-weight:500;color:var(--soft)}}
tbody th{{font-weight:500}}.bar{{width:35%;min-width:8rem}}svg{{width:100%;height:.7rem;display:block;border-radius:3px}}
.t{{fill:var(--line)}}.a{{fill:var(--a)}}.b{{fill:var(--b)}}.narrow th{{color:var(--warn)}}
</style></head><body><h1>{title}</h1><p>{made}</p>
<dl><div><dt>entered</dt><dd>{entered}</dd></div><div><dt>won</dt><dd>{won}</dd></div>
<div><dt>conversion</dt><dd>{conversion}</dd></div><div><dt>median days to win</dt><dd>{median}</dd></div>
<div><dt>mean days</dt><dd>{mean}</dd></div><div><dt>fewest get through</dt><dd>{bottleneck}</dd></div></dl>
<h2>Stages</h2><div class=wide><table><thead><tr><th>stage<th><th>entered<th>now here<th>open<th>went on<th>conversion
<th>median days<th>90&nbsp;% within</tr></thead><tbody>{stages}</tbody></table></div>
<h2>Sources</h2><div class=wide><table><thead><tr><th>source<th><th>entered<th>won<th>conversion<th>95&nbsp;% between</tr></thead>
<tbody>{sources}</tbody></table></div>{odd}</body></html>
"""
