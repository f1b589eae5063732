"""What a test expected and what happened, side by side, the first difference marked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from nurture.campaign.condition import Moment
from nurture.campaign.duration import Duration
from nurture.engine.trial import instant
from nurture.journey.timing import local, shift

if TYPE_CHECKING:
    from nurture.campaign.cases import Happens
    from nurture.campaign.project import Project
    from nurture.engine.trial import Verdict

Pair = tuple[str, str]  # expected, actual
_NOTHING = "–"


def compared(verdict: Verdict, project: Project) -> Table:
    """One row a thing that was expected, and for mails and notices one row each."""
    made = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    for name in ("    ", "", "expected", "actual"):
        made.add_column(name, no_wrap=not name.strip(), overflow="fold")
    marked = False
    for name, pairs in _differing(verdict, project):
        for n, (expected, actual) in enumerate(pairs):
            differs = expected != actual
            first = differs and not marked
            marked = marked or differs
            style = "red" if differs else "dim"
            arrow = Text("   >", "bold red") if first else Text("")
            made.add_row(arrow, Text(name if not n else ""), Text(expected, style), Text(actual, style))
    return made


def _differing(verdict: Verdict, project: Project) -> list[tuple[str, list[Pair]]]:
    """Those aspects of the test that came out otherwise, each as its rows."""
    failed = {text.partition(":")[0].split()[0] for text in verdict.differences}
    expect, actual = verdict.test.expect, verdict.actual
    if actual is None:
        return []
    zone = str(verdict.test.lead.fields.get("timezone") or project.zone)
    why = f" (not entered: {', '.join(actual.not_entered)})" if actual.not_entered else ""
    refused = expect.refused or {}
    listed: dict[str, list[Pair]] = {
        "entered": [(str(expect.entered).lower(), _entered(expect.entered, actual.entered) + why)],
        "not_entered": [(str(expect.not_entered), ", ".join(actual.not_entered) or "never asked")],
        "sent": _mails(expect.sent or (), actual.sent, verdict.start, zone),
        "notified": _mails(expect.notified or (), actual.notified, verdict.start, zone),
        "refused": [(f"{m}: {r}", f"{m}: {actual.refused.get(m, 'not refused')}") for m, r in refused.items()],
        "stage": [_sets(expect.stages or (), actual.stages)],
        "tags": [_sets(expect.tags or (), actual.tags)],
        "consents": [_sets(expect.consents or (), actual.consents)],
        "scores": [(f"{n} {v:g}", f"{n} {actual.scores.get(n, 0.0):g}") for n, v in (expect.scores or {}).items()],
        "ended": [(expect.ended or "", actual.ended or "never entered")],
    }
    return [(name, pairs) for name, pairs in listed.items() if name in failed]


def _entered(expected: bool | int | None, actual: int) -> str:
    """In the words the test used: true or false where it asked only whether, else how often."""
    return str(bool(actual)).lower() if isinstance(expected, bool) else str(actual)


def _sets(expected: Sequence[str], actual: Sequence[str]) -> Pair:
    return ", ".join(sorted(expected)) or "none", ", ".join(sorted(actual)) or "none"


def _mails(
    expected: Sequence[Happens], actual: Sequence[tuple[str, datetime]], start: datetime, zone: str
) -> list[Pair]:
    """Instants as the test writes them: durations from the start, or local dates where it has such."""
    dated = any(isinstance(h.at, Moment) for h in expected)

    def shown(one: tuple[str, datetime] | None) -> str:
        if one is None:
            return _NOTHING
        name, at = one
        return f"{name} at {_date(at, zone) if dated else since(start, at, zone)}"

    wanted = [(h.name, instant(h.at, start, zone)) for h in expected]
    return [(shown(one), shown(other)) for one, other in zip_longest(wanted, actual)]


def _date(at: datetime, zone: str) -> str:
    return f"{local(at, zone):%Y-%m-%dT%H:%M:%S}".removesuffix(":00")


def since(start: datetime, at: datetime, zone: str) -> str:
    """How campaign files write it: calendar days on the lead's clock, then hours, minutes, seconds."""
    if at < start:
        return f"-{since(at, start, zone)}"
    days = (local(at, zone).date() - local(start, zone).date()).days
    while shift(start, Duration(days=days), zone) > at:
        days -= 1
    rest = int((at - shift(start, Duration(days=days), zone)).total_seconds())
    return str(Duration(days=days, seconds=rest))
