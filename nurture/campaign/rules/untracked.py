"""N343: an open or a click asked for where the project tracks nobody."""

from __future__ import annotations

from nurture.campaign.condition import Mailed
from nurture.campaign.project import Project
from nurture.campaign.rules.asked import asked
from nurture.campaign.rules.rule import Rule
from nurture.campaign.source import Findings
from nurture.campaign.spec import CampaignSpec

_CAMPAIGN = """\
campaign: hello
topic: offers
enter: {manual: true}
steps:
  - send: hello
  - wait: 3d
  - branch:
      - if: {mail: {clicked: hello}}
        steps: [{send: more}]
      - else: [{send: reminder}]
"""
RULE = Rule(
    "N343",
    "warning",
    "An open or a click is asked for, and config.yaml does not turn tracking on: it never holds.",
    fails=(_CAMPAIGN,),
    passes=(_CAMPAIGN.replace("{mail: {clicked: hello}}", "{did: {event: order_completed, since_entry: true}}"),),
)


def check(spec: CampaignSpec, project: Project, findings: Findings) -> None:
    if project.tracking:
        return
    for one in asked(spec):
        if isinstance(one.condition, Mailed) and one.condition.what in ("opened", "clicked"):
            message = f"no mail is ever '{one.condition.what}' here: tracking is off"
            hint = "write 'tracking: true' in config.yaml (leads are asked for it), or ask for something they do"
            findings.warn(one.mark, RULE.code, message, hint)
            return
