"""A mail printed for a person's eyes: out of the project's files, for a real or a made-up lead, with links that open
nothing. Nothing of it is stored, so it is in no statistic."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from nurture.campaign.cases import CampaignTest
from nurture.campaign.plan import Plan, Send
from nurture.campaign.project import Project
from nurture.delivery.press import Press, Printed, Spoiled
from nurture.delivery.samples import FULL_NAME, SAMPLE_ID, Use, sample_entry
from nurture.engine.live import Live
from nurture.errors import UserError
from nurture.journey.enrollment import Enrollment
from nurture.lead.keyring import Keyring
from nurture.mail.check import CONFIRMATION
from nurture.mail.letter import Letter
from nurture.mail.links import Links
from nurture.mail.template import Template, choose, template_hash
from nurture.store.conditions import Asker
from nurture.store.facts import KnownLead
from nurture.store.letters import Letters, Request
from nurture.store.outbox import CONFIRM, MAIL, NOTICE, Claimed
from nurture.store.versions import Deployed

_BASE = "https://links.invalid"
_SIGNED_WITH = ["a specimen's links open nothing"]
_NO_MESSAGE = 0  # no mail of the outbox has it: as a file, a test mail replaces none


@dataclass(frozen=True)
class Specimen:
    """The mail as a reader would see it, and its bytes."""

    subject: str
    sender: str
    to: str
    html: str
    text: str
    headers: tuple[tuple[str, str], ...]
    letter: Letter
    printed: Printed


class Printer:
    """Prints specimens of a template as this use of it does. The template is compiled once."""

    def __init__(self, project: Project, template: Template, use: Use) -> None:
        self.use = use
        self._project = project
        self._template = template
        self._digest = template_hash(template.files)
        live = _live(project, use.plan, template.name, self._digest)
        self._press = Press(live, Links(_BASE, _SIGNED_WITH))
        self._press.add(template.name, self._digest, template.files)

    def print(
        self,
        lead: KnownLead,
        entry: Mapping[str, Any] | None,
        now: datetime,
        *,
        test: CampaignTest | None = None,
        account: Mapping[str, Any] | None = None,
        recipient: str | None = None,
        marked: bool = False,
    ) -> Specimen:
        """The mail for this lead; `entry` None takes what the test, else the campaign's, else the declaration gives.
        `marked` puts [test] before its subject. Raises UserError where it cannot be printed."""
        use = self.use if test is None else replace(self.use, test=test)
        message = _message(self._template.name, self._digest, use, lead, recipient, now)
        given = dict(entry if entry is not None else sample_entry(self._project, use, now))
        letters = Letters(
            leads={lead.id: lead},
            accounts={lead.account: dict(account or {})} if lead.account is not None else {},
            enrollments={SAMPLE_ID: _enrollment(use, lead, given, now)} if use.plan is not None else {},
            requests={(lead.id, message.topic): Request(message.topic, None, now, None, None)} if message.topic else {},
        )
        printed = self._press.print(message, letters, now, now)
        if isinstance(printed, Spoiled):
            raise UserError(printed.reason)
        if marked:
            printed = _marked(printed)
        return _shown(printed, self._duties(message, lead, [lead.facts.attributes, given, account]))

    def _duties(self, message: Claimed, lead: KnownLead, data: list[Any]) -> Letter:
        project = self._project
        variant = choose(lead.facts.locale or project.locale, self._template.variants(), project.locale)
        return Letter(
            subject="",
            html="",
            text="",
            locale=variant.locale if variant else "",
            marketing=message.kind == MAIL and not message.service,
            postal_address=project.sender.postal_address,
            base=_BASE,
            home=project.sender.email.rpartition("@")[2].lower(),
            given=_addresses(data),
            notice=message.kind == NOTICE,
        )


def _message(name: str, digest: str, use: Use, lead: KnownLead, recipient: str | None, now: datetime) -> Claimed:
    step = use.step
    send = step if isinstance(step, Send) else None
    topic = send.topic or (use.plan.topic if use.plan else None) if send is not None else use.topic or None
    options = {"subject": send.subject, "sender": send.sender, "reply_to": send.reply_to} if send is not None else {}
    if options.get("sender") == "owner":
        options["sender"] = lead.facts.owner
    return Claimed(
        id=_NO_MESSAGE,
        fence=0,
        kind=CONFIRM if name == CONFIRMATION else use.kind,
        lead=lead.id,
        shard=0,
        enrollment=SAMPLE_ID if use.plan is not None else None,
        campaign=use.plan.campaign if use.plan is not None else None,
        version="specimen",
        step=step.id if step is not None else None,
        visit=0,
        template=name,
        template_hash=digest,
        service=step is None or not (send is not None and not send.service),
        topic=topic,
        recipient=recipient or (None if lead.email else FULL_NAME["email"]),
        options={key: value for key, value in options.items() if value},
        lane="specimen",
        attempts=0,
        due=now,
        released_at=now,
        expires_at=None,
        mail_id=None,
        dated=None,
        body=None,
    )


def _live(project: Project, plan: Plan | None, name: str, digest: str) -> Live:
    campaigns, plans = {}, {}
    if plan is not None:
        campaigns = {plan.campaign: Deployed(plan.campaign, plan.title, "live", 50, "specimen", False, _LONG_AGO)}
        plans = {(plan.campaign, "specimen"): plan}
    return Live(0, project, False, False, campaigns, plans, {name: digest}, Asker(project), Keyring(_SIGNED_WITH))


_LONG_AGO = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def _enrollment(use: Use, lead: KnownLead, entry: dict[str, Any], now: datetime) -> Enrollment:
    assert use.plan is not None
    step = use.step.id if use.step is not None else ""
    return Enrollment(
        id=SAMPLE_ID,
        lead=lead.id,
        campaign=use.plan.campaign,
        version="specimen",
        step=step,
        due=now,
        reached=now,
        entered_at=now,
        entry=entry,
        data=dict(use.test.answers) if use.test is not None else {},
    )


def _marked(printed: Printed) -> Printed:
    head, found, rest = printed.mail.data.partition(b"\r\nSubject: ")
    assert found
    return replace(printed, mail=replace(printed.mail, data=head + found + b"[test] " + rest))


def _shown(printed: Printed, duties: Letter) -> Specimen:
    message = email.message_from_bytes(printed.mail.data, policy=email.policy.default)
    parts = {kind: message.get_body((kind,)) for kind in ("html", "plain")}
    html, text = (str(part.get_content()) if part is not None else "" for part in parts.values())
    subject, sender = str(message["Subject"] or ""), str(message["From"] or "")
    letter = msgspec.structs.replace(duties, subject=subject, html=html, text=text)
    headers = tuple((name, str(value)) for name, value in message.items())
    return Specimen(subject, sender, printed.mail.recipient, html, text, headers, letter, printed)


def _addresses(data: Any) -> frozenset[str]:
    """Every web address in a lead's data, however deep."""
    found, todo = set[str](), [msgspec.to_builtins(data, enc_hook=str)]
    while todo:
        match todo.pop():
            case dict() as inner:
                todo += inner.values()
            case list() as inner:
                todo += inner
            case str(text) if text.startswith(("http://", "https://")):
                found.add(text)
    return frozenset(found)
