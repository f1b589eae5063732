from __future__ import annotations

import pytest

from nurture.campaign.condition import Moment
from nurture.campaign.duration import Duration
from nurture.campaign.reading.context import Context
from nurture.campaign.reading.kinds import Kind
from nurture.campaign.reading.scalars import Clock, Date, Flag, Name, Number, Share, Span, Zone
from nurture.campaign.reading.weekdays import Days
from nurture.campaign.reading.windows import Between
from nurture.campaign.source import Findings, Mapping, read_tree
from nurture.campaign.window import ClockTime


def read(kind: Kind, written: str) -> tuple[object, Findings]:
    findings = Findings()
    tree = read_tree("c.yaml", f"k: {written}", findings)
    assert isinstance(tree, Mapping)
    return kind.read(tree.entries[0][1], Context(findings)), findings


GOOD = [
    (Span(), "15m", Duration(seconds=900)),
    (Span(), "3mo", Duration(months=3)),
    (Span(), "1d12h", Duration(days=1, seconds=43200)),
    (Span(), "5bd", Duration(workdays=5)),
    (Span(signed=True), "-30d", Duration(days=30, sign=-1)),
    (Clock(), '"09:00"', ClockTime(540)),
    (Clock(), "9:30", ClockTime(570)),
    (Clock(end=True), '"24:00"', ClockTime(1440)),
    (Between(), '"09:00-20:00"', (ClockTime(540), ClockTime(1200))),
    (Between(), '"22:00-06:00"', (ClockTime(1320), ClockTime(360))),
    (Days(), "mon-fri", (0, 1, 2, 3, 4)),
    (Days(), "fri-mon", (0, 4, 5, 6)),
    (Days(), "[mon, wed]", (0, 2)),
    (Days(), "tue", (1,)),
    (Date(), "2026-11-27", Moment("2026-11-27")),
    (Date(), "2026-11-27T09:30", Moment("2026-11-27T09:30")),
    (Date(), "2026-11-27 09:30", Moment("2026-11-27T09:30")),
    (Date(), "2026-03-02T10:00:00+01:00", Moment("2026-03-02T10:00:00+01:00")),
    (Share(), "25%", 25.0),
    (Share(), "33.3%", 33.3),
    (Number(), "+10", 10),
    (Number(), "-5", -5),
    (Number(), "1.5", 1.5),
    (Number(whole=True), "010", 10),
    (Flag(), "true", True),
    (Flag(), "false", False),
    (Zone(), "Europe/Paris", "Europe/Paris"),
    (Zone(("lead",)), "lead", "lead"),
    (Name(), "cart/reminder", "cart/reminder"),
]


@pytest.mark.parametrize(("kind", "written", "value"), GOOD, ids=lambda value: str(value)[:40])
def test_what_an_author_writes_is_what_is_meant(kind: Kind, written: str, value: object) -> None:
    assert read(kind, written)[0] == value


BAD = [
    (Span(), "3", "N201", "write '3d'"),
    (Span(), "3 days", "N201", "write '3d'"),
    (Span(), "2 Weeks", "N201", "write '2w'"),
    (Span(), "5D", "N201", "write '5d'"),
    (Span(), "10 minutes", "N201", "write '10m'"),
    (Span(), "-3d", "N201", "write '3d'"),
    (Span(), "99999999999999999999d", "N201", "write it as"),
    (Span(), "999999999d", "N201", ""),
    (Span(), "1" * 5000 + "d", "N201", "write it as"),
    (Clock(), "9am", "N203", "write '09:00'"),
    (Clock(), "5pm", "N203", "write '17:00'"),
    (Clock(), "12am", "N203", "write '00:00'"),
    (Clock(), "9.30", "N203", "write '09:30'"),
    (Clock(), '"24:00"', "N203", "write it as"),
    (Clock(), "noon", "N203", "write it as"),
    (Days(), "Monday", "N204", "write 'mon'"),
    (Days(), "weekdays", "N204", "weekdays are mon"),
    (Date(), "27/11/2026", "N202", "'2026-11-27'"),
    (Date(), "2026-13-01", "N202", "no such day"),
    (Date(), "tomorrow", "N202", "write it as"),
    (Share(), "0.5", "N205", "write '50%'"),
    (Share(), "25", "N205", "write '25%'"),
    (Share(), "120%", "N205", "write a share"),
    (Number(), "1,5", "N206", "write '1.5'"),
    (Number(), "30€", "N206", "write '30'"),
    (Number(), "nan", "N206", ""),
    (Number(least=0, most=100), "101", "N212", ""),
    (Flag(), "yes", "N208", "write 'true'"),
    (Zone(), "Europe/Pari", "N210", "did you mean 'Europe/Paris'?"),
    (Name(dots=False), "a.b", "N209", "use '_'"),
    (Name(), "[a]", "N110", ""),
    (Name(), "", "N111", ""),
]


@pytest.mark.parametrize(("kind", "written", "code", "hint"), BAD, ids=lambda value: str(value)[:40])
def test_a_wrong_word_is_told_with_what_to_write(kind: Kind, written: str, code: str, hint: str) -> None:
    value, findings = read(kind, written)
    assert value is None
    assert [p.code for p in findings.problems] == [code]
    assert hint in findings.problems[0].hint


def test_minutes_where_months_are_likely_meant_are_a_warning_only() -> None:
    value, findings = read(Span(long=True), "6m")
    assert value == Duration(seconds=360)
    assert [(p.code, p.severity) for p in findings.problems] == [("N220", "warning")]


def test_an_hour_in_minutes_is_nobodys_months() -> None:
    assert read(Span(long=True), "90m")[1].problems == []
