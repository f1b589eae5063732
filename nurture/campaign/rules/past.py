"""N345: a date that has gone by, so that nobody enters or everybody passes. Only where today is known."""

from __future__ import annotations

from datetime import date, datetime

from nurture.campaign import plan
from nurture.campaign.problems import Mark
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec

RULE = Rule(
    "N345",
    "warning",
    "A date that is past: a mailing nobody gets any more, a wait that is over before it begins.",
    fails=(
        """\
campaign: black-friday
topic: offers
enter: {schedule: 2025-11-28T09:30}
steps: [{send: black-friday/offer}]
""",
    ),
    passes=(
        """\
campaign: black-friday
topic: offers
enter: {schedule: 2026-11-27T09:30}
steps: [{send: black-friday/offer}]
""",
        """\
campaign: last-year
topic: offers
state: retired
enter: {schedule: 2025-11-28T09:30}
steps: [{send: black-friday/offer}]
""",
    ),
)


def check_past(spec: CampaignSpec, today: date, findings: Findings) -> None:
    """Dates before `today`; whichever zone they are meant in, they are over there."""
    if spec.state == "retired":
        return
    if isinstance(spec.enter, plan.EnterSchedule):
        last = spec.enter.until if spec.enter.repeat is not None else spec.enter.at
        if last is not None and _day(last) < today:
            return _warn(spec.mark, f"{_day(last)} is past: nobody enters any more", findings)
    for step in spec.every_step():
        date_ref = step.step.date if isinstance(step.step, plan.Wait) else None
        if isinstance(step.step, plan.WaitFor):
            date_ref = step.step.until
        literal = date_ref is not None and date_ref.source == "literal" and date_ref.offset.zero
        if literal and date_ref is not None and _day(date_ref.text) < today:
            _warn(step.mark, f"{_day(date_ref.text)} is past: this wait is over at once", findings)


def _warn(mark: Mark, message: str, findings: Findings) -> None:
    findings.warn(mark, RULE.code, message, "write a date to come, or 'state: retired' if the campaign is over")


def _day(text: str) -> date:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).date()
