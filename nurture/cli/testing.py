"""`nurture test`: the tests written in campaigns, on a virtual clock."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.console import JsonOption, ProjectOption, counted, print_json, project_root, write_file
from nurture.errors import EXIT_USER, UserError

if TYPE_CHECKING:
    from rich.console import Console

    from nurture.campaign.cases import CampaignTest
    from nurture.campaign.problems import Problem
    from nurture.campaign.project import Project
    from nurture.campaign.read import Campaigns
    from nurture.engine.trial import Verdict

UNPLAYED = "its campaign has errors, so it was not played"


@dataclass
class _Played:
    """`verdicts` stand beside their tests, None where the campaign has errors; `took` in seconds likewise."""

    project: Project
    campaigns: Campaigns
    problems: list[Problem]
    verdicts: list[tuple[CampaignTest, Verdict | None]] = field(default_factory=list)
    took: list[float] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return sum(verdict is None or not verdict.passed for _, verdict in self.verdicts)


def run_tests(
    pattern: Annotated[
        str, typer.Argument(metavar="PATTERN", help="Part of a campaign's or a test's name; all if none.")
    ] = "",
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Also say which steps and branches no test reaches.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE.xml", help="Also write JUnit XML there, for CI.")
    ] = None,
    as_json: JsonOption = False,
    project: ProjectOption = None,
) -> None:
    """Play the tests of campaigns on a virtual clock. Ends with 1 if one of them fails."""
    read = _read(project)
    chosen = _chosen(read.campaigns.tests, pattern)
    if pattern and not chosen:
        raise UserError(f"no campaign and no test is named like '{pattern}'", hint=_names(read.campaigns))
    for problem in read.problems:
        typer.echo(str(problem), err=True)
    _play(read, chosen, quiet=as_json)
    if junit is not None:
        _write_junit(read, junit)
    if as_json:
        print_json([_json(test, verdict) for test, verdict in read.verdicts])
    else:
        _report(read, pattern, coverage)
    if read.failed or read.problems:
        raise typer.Exit(EXIT_USER)


def _read(project: Path | None) -> _Played:
    """The campaigns and their errors. What is wrong with templates is `check`'s to tell: no test prints one."""
    from nurture.campaign.problems import ProjectProblems, errors
    from nurture.campaign.read import read_campaigns
    from nurture.folder import read_folder
    from nurture.settings import read_language

    folder = read_folder(project_root(project))
    language = read_language(folder, os.environ)
    wrong = errors(language.problems)
    if wrong:
        raise ProjectProblems(wrong)
    campaigns = read_campaigns(folder.campaigns, language.project)
    return _Played(language.project, campaigns, errors([*folder.problems, *campaigns.problems]))


def _chosen(tests: Sequence[CampaignTest], pattern: str) -> list[CampaignTest]:
    sought = pattern.casefold()
    return [t for t in tests if sought in t.campaign.casefold() or sought in t.name.casefold()]


def _names(campaigns: Campaigns) -> str:
    return f"campaigns here: {', '.join(campaigns.specs)}" if campaigns.specs else "there are no campaigns here"


def _play(read: _Played, tests: Sequence[CampaignTest], *, quiet: bool) -> None:
    from nurture.clock import Stopwatch
    from nurture.engine.trial import run

    for one in _watched(tests, quiet=quiet):
        watch = Stopwatch()
        plan = read.campaigns.plans.get(one.campaign)
        read.verdicts.append((one, run(read.project, plan, one) if plan is not None else None))
        read.took.append(watch.seconds())


def _watched(tests: Sequence[CampaignTest], *, quiet: bool) -> Iterator[CampaignTest]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield from tests
        return
    yield from track(tests, description="playing", console=console, transient=True)


def _differences(verdict: Verdict | None) -> tuple[str, ...]:
    return (UNPLAYED,) if verdict is None else verdict.differences


def _write_junit(read: _Played, file: Path) -> None:
    from nurture.cli.junit import Case, junit

    cases = [
        Case(test.campaign, test.name, test.mark.file, test.mark.line, seconds, _differences(verdict))
        for (test, verdict), seconds in zip(read.verdicts, read.took, strict=True)
    ]
    write_file(file, junit(cases))


def _json(test: CampaignTest, verdict: Verdict | None) -> dict[str, Any]:
    differences = _differences(verdict)
    return {
        "campaign": test.campaign,
        "test": test.name,
        "passed": not differences,
        "difference": "; ".join(differences) or None,
    }


# --- for a person


def _report(read: _Played, pattern: str, coverage: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for test, verdict in read.verdicts:
        if verdict is None:
            _line(console, "bold red", "FAIL", f"{test.campaign}: {test.name}")
            console.print(f"     {UNPLAYED}", markup=False)
        elif not verdict.passed:
            _failure(console, read.project, test, verdict)
    if coverage:
        _coverage(console, read, pattern)
    count = len(read.verdicts)
    total = f"{counted(count, 'test')} of {counted(len({t.campaign for t, _ in read.verdicts}), 'campaign')}"
    result = "no tests are written" if not count else f"{read.failed} failed" if read.failed else "all passed"
    style = "bold red" if read.failed or read.problems else "bold green"
    console.print(f"{total}: ", markup=False, end="")
    console.print(result, style=style, end="")
    console.print(f" in {sum(read.took):.1f} s", markup=False)


def _line(console: Console, style: str, word: str, text: str) -> None:
    console.print(word, style=style, end="")
    console.print(f" {text}", markup=False)


def _failure(console: Console, project: Project, test: CampaignTest, verdict: Verdict) -> None:
    from nurture.cli.comparing import compared

    _line(console, "bold red", "FAIL", f"{test.campaign}: {test.name}")
    console.print(f"     {test.mark.file}:{test.mark.line}", style="dim", markup=False)
    console.print(compared(verdict, project))


def _coverage(console: Console, read: _Played, pattern: str) -> None:
    from nurture.engine.coverage import count, gaps, missed

    through: dict[str, set[str]] = {}
    for test, verdict in read.verdicts:
        through.setdefault(test.campaign, set()).update(verdict.reached if verdict is not None else ())
    wanted = [s for name, s in read.campaigns.specs.items() if name in through or not pattern]
    total = missing = 0
    for spec in wanted:
        reached = frozenset(through.get(spec.name, ()))
        total += count(spec)
        missing += missed(spec, reached)
        for gap in gaps(spec, reached):
            console.print(f"{gap.mark.file}:{gap.mark.line}: ", markup=False, end="")
            console.print("not reached", style="yellow", end="")
            console.print(f": {gap}", markup=False)
    console.print(f"{total - missing} of {total} steps and arms are reached by a test", markup=False)
