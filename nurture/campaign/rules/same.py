"""N333: an exit that would end the enrollment of another key too."""

from __future__ import annotations

from nurture.campaign.declared import event_properties
from nurture.campaign.plan import EnterEvent
from nurture.campaign.project import Project
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec

RULE = Rule(
    "N333",
    "warning",
    "An exit without `same`, where the event has the campaign's key: any other cart's end ends this one.",
    fails=(
        """\
campaign: cart
topic: offers
enter: {event: cart_updated, key: cart_id}
exit: {event: cart_emptied}
steps: [{send: cart/reminder}]
""",
    ),
    passes=(
        """\
campaign: cart
topic: offers
enter: {event: cart_updated, key: cart_id}
exit: {event: cart_emptied, same: cart_id}
steps: [{send: cart/reminder}]
""",
    ),
)


def check(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    key = spec.enter.key if isinstance(spec.enter, EnterEvent) else None
    if key is None:
        return
    for item in spec.exits:
        event = item.trigger.event
        if event is None or item.trigger.same is not None or item.trigger.where is not None:
            continue
        if key in (event_properties(project, event) or {}):
            message = f"'{event}' of any other {key} ends this enrollment too"
            findings.warn(item.trigger.mark, RULE.code, message, f"write 'same: {key}' beside it if only its own shall")
