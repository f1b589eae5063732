"""N330: an `if_late` that gives up sooner than the window's longest night, so that a night alone loses the mail."""

from __future__ import annotations

from datetime import datetime

from nurture.campaign import plan
from nurture.campaign.duration import Duration
from nurture.campaign.project import Project
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec, StepSpec
from nurture.campaign.window import Window

_DAY, _WEEK = 1440, 7 * 1440


RULE = Rule(
    "N330",
    "warning",
    "`if_late` gives up sooner than the window's longest night: a night alone loses the mail.",
    fails=(
        """\
campaign: hello
topic: offers
enter: {manual: true}
window: {days: mon-fri, between: "09:00-18:00"}
steps:
  - send: hello
    if_late: {after: 12h, do: skip}
""",
    ),
    passes=(
        """\
campaign: hello
topic: offers
enter: {manual: true}
window: {days: mon-fri, between: "09:00-18:00"}
steps:
  - send: hello
    if_late: {after: 3d, do: skip}      # longer than a weekend
""",
    ),
)


def check(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    due = _known(spec.enter)
    _walk(spec.steps, due, spec, project, findings)


def _walk(
    steps: tuple[StepSpec, ...], due: int | None, spec: CampaignSpec, project: Project, findings: Findings
) -> int | None:
    """`due` is the local minute of the week at which the step is surely reached, where one can tell."""
    for step in steps:
        if isinstance(step.step, plan.Send) and step.step.if_late is not None and step.step.if_late.do != "send":
            window = _window(step.step, spec, project)
            if window is not None and not (due is not None and open_at(window, due)):
                _judge(step, step.step.if_late, window, findings)
        for arm in step.arms:
            _walk(arm.steps, None, spec, project, findings)
        if isinstance(step.step, plan.Wait):
            due = (
                _at(step.step.date.text) if step.step.date is not None and step.step.date.source == "literal" else None
            )
        elif step.arms:
            due = None
    return due


def _judge(step: StepSpec, late: plan.IfLate, window: Window, findings: Findings) -> None:
    night = longest_night(window)
    if late.after.at_least_seconds() < night * 60 * 23 // 25:  # a calendar day may be an hour short
        text = str(Duration(seconds=night * 60))
        message = f"the window may be closed for {text}, longer than {late.after}: a night alone makes this mail late"
        findings.warn(
            step.late_mark or step.mark, RULE.code, message, f"write more than {text}, or give the step a window"
        )


def _window(send: plan.Send, spec: CampaignSpec, project: Project) -> Window | None:
    if send.window is not None:
        return send.window
    return None if send.no_window or send.service else spec.window or project.window


def _known(enter: plan.Enter) -> int | None:
    if not isinstance(enter, plan.EnterSchedule) or enter.zone != "lead":
        return None
    repeat = enter.repeat
    weekly = repeat is None or (
        not repeat.months and not repeat.workdays and not repeat.seconds and repeat.days % 7 == 0
    )
    return _at(enter.at) if weekly else None


def _at(text: str) -> int | None:
    """The local minute of the week an ISO date-time without offset says."""
    written = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if written.tzinfo is not None:
        return None
    return written.weekday() * _DAY + written.hour * 60 + written.minute


def _open_spans(window: Window) -> list[tuple[int, int]]:
    opens, closes = window.opens.minute, window.closes.minute
    length = closes - opens if closes > opens else closes + _DAY - opens
    return [(day * _DAY + opens, day * _DAY + opens + length) for day in sorted(window.days)]


def open_at(window: Window, minute: int) -> bool:
    """Whether it is open at this minute of a week without holidays."""
    return any(start <= m < end for start, end in _open_spans(window) for m in (minute, minute + _WEEK))


def longest_night(window: Window) -> int:
    """The longest time it is closed in a week without holidays, in minutes."""
    spans = _open_spans(window)
    following = [start for start, _ in spans[1:]] + [spans[0][0] + _WEEK]
    return max(0, *(start - end for (_, end), start in zip(spans, following, strict=True)))
