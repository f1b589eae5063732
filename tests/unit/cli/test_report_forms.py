from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from rich.console import Console

import nurture
from nurture.cli.report_forms import bar, cell, percent, table, to_csv, to_html
from nurture.funnel.metrics import FunnelReport, Overall, SourceFigures, StageFigures

REPORT = FunnelReport(
    stages=(
        StageFigures("mql", 8000, 8000, 842, 0.10525, None, None, 7158),
        StageFigures("sql", 0, 0, 0, None, 1.5, 2, 0),
    ),
    overall=Overall(8000, 842, 0.10525, 14.72, 49.17),
    by_source=(SourceFigures("=cmd", 7940, 828, 0.1, (0.09, 0.11)), SourceFigures("", 60, 14, 0.25, (0.1, 0.4))),
    bottleneck="mql",
    odd=("b91c",),
)


@pytest.mark.parametrize(("share", "text"), [(0.10525, "10.525 %"), (1.0, "100 %"), (0.0, "0 %"), (None, "–")])
def test_a_share_is_written_as_percent(share: float | None, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(("share", "text"), [(1, "████"), (0.5, "██"), (0.0001, "▏"), (0, "")])
def test_a_bar_is_as_long_as_its_share_and_never_unseen(share: float, text: str) -> None:
    assert bar(share, 4) == text


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_names_every_stage_source_and_odd_lead(width: int) -> None:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(table(REPORT, "Funnel main", width))
    text = console.export_text()
    assert all(word in text for word in ("mql", "sql", "10.525 %", "7,158", "(empty)", "b91c"))
    assert "…" not in text


def test_csv_has_a_row_for_each_stage_the_whole_and_each_source() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(REPORT))))
    assert [row["kind"] for row in rows] == ["stage", "stage", "overall", "source", "source"]
    assert (rows[2]["won"], rows[2]["conversion"]) == ("842", "0.10525")


def test_x15_a_cell_is_no_formula() -> None:
    assert [row[1] for row in csv.reader(io.StringIO(to_csv(REPORT)))][4] == "'=cmd"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\0"])
def test_x15_every_start_a_spreadsheet_obeys_is_quoted(start: str) -> None:
    assert cell(start + "1") == f"'{start}1"


def test_a_negative_number_stays_a_number() -> None:
    assert cell(-1.5) == "-1.5"


def test_the_page_fetches_nothing_and_runs_nothing() -> None:
    page = to_html(REPORT, "Funnel <main>", "today")
    assert not any(word in page for word in ("http:", "https:", "<script", "<link", "@import", "url("))


def test_names_in_the_page_are_text() -> None:
    assert "Funnel &lt;main&gt;" in to_html(REPORT, "Funnel <main>", "today")


def test_x15_whatever_writes_a_table_writes_plain_cells() -> None:
    sources = [path.read_text("utf-8") for path in Path(nurture.__file__).parent.rglob("*.py")]
    writing = [source for source in sources if "csv.writer(" in source]
    assert len(writing) >= 3
    assert all("plain_cell(" in source for source in writing)
