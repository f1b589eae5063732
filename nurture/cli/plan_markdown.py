"""What a deploy would change, as Markdown for a pull request: what forbids it first, then campaign by campaign."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from nurture.cli.console import counted
from nurture.cli.plan_text import by_campaign, day_of, estimated, fate, told

if TYPE_CHECKING:
    from nurture.engine.forecast import Forecast
    from nurture.engine.plan_deploy import CampaignPlan, DeployPlan

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#])")


def markdown(found: DeployPlan, sends: Forecast) -> str:
    """The whole plan; ends with a line end. Nothing in it is taken for Markdown that a name or a text brings along."""
    return "\n".join(_lines(found, sends)).rstrip() + "\n"


def _lines(found: DeployPlan, sends: Forecast) -> Iterator[str]:
    yield "## What a deploy would change\n"
    if found.refused:
        yield "> [!CAUTION]\n> **A deploy would be refused.**\n>"
        yield from (f"> - {text(reason)}" for reason in found.refused)
        yield ""
    if not found.changes:
        yield "Nothing: what is live is what lies here."
        return
    yield from _asks(found)
    yield from _summary(found)
    for one in told(found):
        yield from _campaign(one)
    yield from _sends(sends)


def _asks(found: DeployPlan) -> Iterator[str]:
    """What needs a number named by a person."""
    wanted = []
    if found.enters > found.blast:
        wanted.append(
            f"{counted(found.enters, 'lead')} would enter at once, and `alerts.blast` is {found.blast:,}: "
            f"deploy with `--yes-enter {found.enters}`"
        )
    wanted += [
        f"{code(c.campaign)} would reach {c.reaches:,} leads, and reaches {c.reached:,} now: "
        f"deploy with `--yes-enter {c.reaches}`"
        for c in found.grown
    ]
    if wanted:
        yield "> [!WARNING]"
        yield from (f"> - {each}" for each in wanted)
        yield ""


def _summary(found: DeployPlan) -> Iterator[str]:
    if found.first:
        yield f"The first deploy, with {counted(len(found.templates), 'template')}.\n"
    rows = [
        [code(one.campaign), one.what, _state(one), _version(one), f"{sum(g.count for g in one.standing):,}"]
        for one in told(found)
    ]
    if rows:
        yield from _table(["campaign", "", "state", "version", "inside"], rows, right={4})
    same = sum(one.what == "same" for one in found.campaigns)
    if same:
        yield f"{counted(same, 'campaign')} as before.\n"
    for what in ("added", "changed", "removed") if not found.first else ():
        names = [name for name, said in found.templates.items() if said == what]
        if names:
            yield f"Templates {what}: {_list(names)}\n"
    if found.project:
        yield f"`config.yaml` differs in: {_list(found.project)}\n"


def _state(one: CampaignPlan) -> str:
    return one.state if one.state_before in (None, one.state) else f"{one.state_before} → **{one.state}**"


def _version(one: CampaignPlan) -> str:
    return f"{code(one.before or '')} → {code(one.version)}" if one.what == "changed" else code(one.version)


def _campaign(one: CampaignPlan) -> Iterator[str]:
    if not (one.steps or one.settings or one.standing or one.enters):
        return
    yield f"### {text(one.campaign)}\n"
    for what in ("added", "changed", "removed"):
        steps = [step.step for step in one.steps if step.what == what]
        if steps:
            yield f"- steps {what}: {_list(steps)}"
    if one.settings:
        yield f"- changed besides: {_list(one.settings)}"
    if one.enters:
        yield f"- up to **{counted(one.enters, 'lead')}** would enter with the next pass"
    yield ""
    rows = [
        [f"{g.count:,}", code(g.step), code(g.version), f"{g.parked:,}" if g.parked else "", text(fate(g))]
        for g in one.standing
    ]
    if rows:
        yield from _table(["leads", "stand on", "of version", "parked", "they"], rows, right={0, 3})


def _sends(found: Forecast) -> Iterator[str]:
    if not found.sends:
        return
    yield f"### Mails of the next 7 days{estimated(found)}\n"
    rows = []
    for campaign, days in by_campaign(found).items():
        rows += [[code(campaign), day_of(s.day), f"{s.before:,}", f"{s.after:,}"] for s in days]
        before, after = sum(s.before for s in days), sum(s.after for s in days)
        rows.append([code(campaign), "**together**", f"**{before:,}**", f"**{after:,}**"])
    yield from _table(["campaign", "day", "before", "after"], rows, right={2, 3})
    yield "Those inside are played on, and those whom a date, a mailing or a condition lets in. Nobody is made to do"
    yield "anything: who would enter by an event is in neither column."


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], right: set[int]) -> Iterator[str]:
    yield _row(header)
    yield _row(["---:" if n in right else "---" for n in range(len(header))])
    yield from (_row(row) for row in rows)
    yield ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _list(names: Iterable[str]) -> str:
    return ", ".join(code(name) for name in names)


def text(said: str) -> str:
    """A text that may hold anything, on one line, read as it is written."""
    return _SPECIAL.sub(r"\\\1", " ".join(said.split()))


def code(name: str) -> str:
    """A name in fixed width. A pipe ends a table's cell even there, so it is escaped."""
    plain = " ".join(name.split()).replace("`", "'").replace("|", r"\|")
    return f"`{plain}`" if plain else ""
