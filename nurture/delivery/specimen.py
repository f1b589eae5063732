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
from nurture.campaign.condition import Moment
from nurture.campaign.plan import EnterEvent, Notify, Plan, Send
from nurture.campaign.project import Project, Shape
from nurture.delivery.press import Press, Printed, Spoiled
from nurture.engine.live import Live
from nurture.errors import UserError
from nurture.journey.enrollment import Enrollment
from nurture.journey.facts import LeadFacts
from nurture.journey.timing import zone_name
from nurture.lead.keyring import Keyring
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
_ID = 1  # of the lead, the enrollment and the message where they are made up
_NAMES = {"email": "camille@example.com", "first_name": "Camille", "last_name": "Martin", "name": "Camille Martin"}


@dataclass(frozen=True)
class Use:
    """The campaign and step that print the template, where there are any; `test` gives the entry its properties."""

    plan: Plan | None = None
    step: Send | Notify | None = None
    test: CampaignTest | None = None

    @property
    def kind(self) -> str:
        return NOTICE if isinstance(self.step, Notify) else MAIL


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


def use_of(name: str, plans: Mapping[str, Plan], tests: list[CampaignTest]) -> Use:
    """Who prints this template; of its campaign's tests the first that has the entry's event."""
    for plan in plans.values():
        for step in plan.steps:
            printed = {step.template} if isinstance(step, Notify) else set()
            if isinstance(step, Send):
                printed = {variant for variant, _ in step.variants}
            if name in printed:
                mine = [t for t in tests if t.campaign == plan.campaign]
                event = plan.enter.event if isinstance(plan.enter, EnterEvent) else None
                fit = next((t for t in mine if any(e.name == event for e in t.events)), mine[0] if mine else None)
                assert isinstance(step, Send | Notify)
                return Use(plan, step, fit)
    return Use()


def made_up_lead(project: Project, locale: str | None, now: datetime) -> KnownLead:
    """Somebody who has filled in everything."""
    values: dict[str, Any] = {
        **_NAMES,
        "external_id": "specimen",
        "locale": locale or project.locale,
        "source": "specimen",
    }
    values |= {name: _sample(name, shape, now) for name, shape in project.attributes.items()}
    facts = LeadFacts(
        draw="specimen",
        zone=zone_name(None, project.zone),
        locale=locale or project.locale,
        attributes={**values, "country": None, "phone": None, "owner": None, "timezone": None},
        created_at=now,
    )
    return KnownLead(
        id=_ID,
        shard=0,
        zone=project.zone,
        email=values["email"],
        address_hash=None,
        account=None,
        restricted=False,
        unprofiled=False,
        facts=facts,
    )


def in_locale(lead: KnownLead, locale: str) -> KnownLead:
    """The same lead, reading another language."""
    attributes = {**lead.facts.attributes, "locale": locale}
    return replace(lead, facts=msgspec.structs.replace(lead.facts, locale=locale, attributes=attributes))


def specimen(
    project: Project,
    template: Template,
    use: Use,
    lead: KnownLead,
    entry: Mapping[str, Any] | None,
    now: datetime,
    *,
    account: Mapping[str, Any] | None = None,
    recipient: str | None = None,
    marked: bool = False,
) -> Specimen:
    """The mail for this lead; `entry` None takes what the campaign's test, or the declaration, gives. `marked` puts
    [test] before its subject. Raises UserError where it cannot be printed."""
    digest = template_hash(template.files)
    live = _live(project, use.plan, template.name, digest)
    press = Press(live, Links(_BASE, _SIGNED_WITH))
    press.add(template.name, digest, template.files)
    message = _message(template.name, digest, use, lead, recipient, now)
    given = dict(entry if entry is not None else sample_entry(project, use, now))
    letters = Letters(
        leads={lead.id: lead},
        accounts={lead.account: dict(account or {})} if lead.account is not None else {},
        enrollments={_ID: _enrollment(use, lead, given, now)} if use.plan is not None else {},
        requests={(lead.id, message.topic): Request(message.topic, None, now, None, None)} if message.topic else {},
    )
    printed = press.print(message, letters, now, now)
    if isinstance(printed, Spoiled):
        raise UserError(printed.reason)
    if marked:
        printed = _marked(printed)
    variant = choose(lead.facts.locale or project.locale, template.variants(), project.locale)
    duties = Letter(
        subject="",
        html="",
        text="",
        locale=variant.locale if variant else "",
        marketing=message.kind == MAIL and not message.service,
        postal_address=project.sender.postal_address,
        base=_BASE,
        home=project.sender.email.rpartition("@")[2].lower(),
        given=_addresses([lead.facts, given, account]),
        notice=message.kind == NOTICE,
    )
    return _shown(printed, duties)


def _message(name: str, digest: str, use: Use, lead: KnownLead, recipient: str | None, now: datetime) -> Claimed:
    step = use.step
    send = step if isinstance(step, Send) else None
    confirm = name == "consent/confirm"
    topic = send.topic or (use.plan.topic if use.plan else None) if send is not None else None
    options = {"subject": send.subject, "sender": send.sender, "reply_to": send.reply_to} if send is not None else {}
    if options.get("sender") == "owner":
        options["sender"] = lead.facts.owner
    return Claimed(
        id=_ID,
        fence=0,
        kind=CONFIRM if confirm else use.kind,
        lead=lead.id,
        shard=0,
        enrollment=_ID if use.plan is not None else None,
        campaign=use.plan.campaign if use.plan is not None else None,
        version="specimen",
        step=step.id if step is not None else None,
        visit=0,
        template=name,
        template_hash=digest,
        service=step is None or not (send is not None and not send.service),
        topic=topic,
        recipient=recipient or (None if lead.email else _NAMES["email"]),
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
        id=_ID,
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


def sample_entry(project: Project, use: Use, now: datetime) -> dict[str, Any]:
    """What the entry event holds: what the campaign's own test says, and for the rest something of its type."""
    event = use.plan.enter.event if use.plan is not None and isinstance(use.plan.enter, EnterEvent) else None
    shapes = project.events.get(event or "", {})
    said = next((e.properties for e in use.test.events if e.name == event), {}) if use.test is not None else {}
    return {name: _filled(name, shape, said.get(name), now) for name, shape in shapes.items()}


def _filled(name: str, shape: Shape, given: Any, now: datetime) -> Any:
    """The value given, with what it leaves out of the declared parts."""
    match shape, given:
        case _, None:
            return _sample(name, shape, now)
        case dict(), Mapping():
            return {key: _filled(key, inner, given.get(key), now) for key, inner in shape.items()}
        case [dict() as inner], list():
            return [_filled(name, inner, element, now) for element in given]
        case _, Moment():
            return given.text
        case _:
            return given


def _sample(name: str, shape: Shape, now: datetime) -> Any:
    match shape:
        case dict():
            return {key: _sample(key, inner, now) for key, inner in shape.items()}
        case [dict() as inner]:
            return [_sample(name, inner, now), _sample(name, inner, now)]
        case "number":
            return 2 if name == "quantity" else 42
        case "bool":
            return True
        case "date":
            return now.isoformat()
        case "url":
            return f"https://www.example.com/{name.replace('_', '-')}"
        case _:
            return "EUR" if name == "currency" else name.replace("_", " ").capitalize()


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
