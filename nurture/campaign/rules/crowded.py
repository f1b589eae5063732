"""N342: two campaigns that begin together and want to send more than the cap lets through."""

from __future__ import annotations

from collections.abc import Sequence

from nurture.campaign import plan
from nurture.campaign.plan import EnterEvent, EnterStage
from nurture.campaign.project import Cap, Project
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec, StepSpec

RULE = Rule(
    "N342",
    "warning",
    "Campaigns that begin with the same event or stage and together want more mails than the cap allows: some wait "
    "until the cap lets them through.",
    fails=(
        """\
campaign: thanks
topic: offers
enter: {event: order_completed}
steps: [{send: thanks}, {wait: 1d}, {send: care}]
""",
        """\
campaign: accessories
topic: offers
enter: {event: order_completed}
steps: [{wait: 2d}, {send: accessories}]
""",
    ),
    passes=(
        """\
campaign: thanks
topic: offers
enter: {event: order_completed}
steps: [{send: thanks}, {wait: 1d}, {send: care}]
""",
        """\
campaign: accessories
topic: offers
enter: {event: order_completed}
steps: [{wait: 10d}, {send: accessories}]
""",
    ),
    config="caps: {marketing: {at_most: 2, per: 7d}}\n",
)


def check_crowded(specs: Sequence[CampaignSpec], project: Project, findings: Findings) -> None:
    if project.cap is None:
        return
    together: dict[str, list[CampaignSpec]] = {}
    for spec in specs:
        start = _start(spec)
        if start is not None and spec.state in ("live", "draft"):
            together.setdefault(start, []).append(spec)
    for start, group in together.items():
        _judge(start, group, project.cap, findings)


def _judge(start: str, group: list[CampaignSpec], cap: Cap, findings: Findings) -> None:
    span = cap.per.at_most_seconds()
    sends = [_sends(spec.steps, 0)[0] for spec in group]
    alone = [_most(times, span) for times in sends]
    for n, spec in enumerate(group):
        for other in range(n):
            both = _most(sorted([*sends[n], *sends[other]]), span)
            if both > cap.at_most >= max(alone[n], alone[other]):
                also = f"'{group[other].name}', which also begins with {start}"
                message = f"with {also}, {both} mails fall within {cap.per}"
                hint = f"the cap is {cap.at_most}: later ones wait. Space them, or give the one that matters a priority"
                findings.warn(spec.mark, RULE.code, message, hint)


def _start(spec: CampaignSpec) -> str | None:
    """What the campaign surely begins with; None where it may be anything."""
    match spec.enter:
        case EnterEvent(event=event, where=None):
            return f"'{event}'"
        case EnterStage(stage=stage):
            return f"the stage '{stage}'"
    return None


def _most(times: Sequence[int], span: int) -> int:
    """The largest number of instants within a span of seconds."""
    return max((sum(start <= t < start + span for t in times) for start in times), default=0)


def _sends(steps: Sequence[StepSpec], at: int) -> tuple[list[int], int]:
    """The earliest instants of marketing mails on the way that has the most of them, in seconds from the start, and
    when that way ends."""
    found: list[int] = []
    for step in steps:
        match step.step:
            case plan.Send(service=False):
                found.append(at)
            case plan.Wait(duration=duration) if duration is not None:
                at += max(0, duration.at_least_seconds())
            case plan.Leave() if step.only_if is None:
                return found, at
        if step.arms and not isinstance(step.step, plan.Repeat):
            ways = [_sends(arm.steps, at + _passed(step, n)) for n, arm in enumerate(step.arms)]
            times, at = max(ways, key=lambda way: len(way[0]))
            found += times
    return found, at


def _passed(step: StepSpec, arm: int) -> int:
    """Seconds before an arm begins: the whole time where a wait ended because it was over."""
    limit = step.step.up_to if isinstance(step.step, plan.WaitFor) else None
    return limit.at_least_seconds() if limit is not None and arm == 1 else 0
