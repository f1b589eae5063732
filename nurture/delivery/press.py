"""From a claimed message to the bytes of a mail: template, context, headers, once for every message.

Whatever fails here failed before anything was sent: the caller parks the enrollment or fails the message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from nurture.campaign.declared import account_fields, lead_fields
from nurture.campaign.plan import EnterEvent, Plan
from nurture.campaign.project import Project
from nurture.delivery.dkim import Signer
from nurture.delivery.transport import Mail
from nurture.engine.live import Live
from nurture.errors import NurtureError
from nurture.journey.enrollment import Enrollment
from nurture.lead.address import AddressRefused, check_address
from nurture.mail.header import HeaderRefused, Mailbox
from nurture.mail.links import LeadLinks, Links
from nurture.mail.message import Head, Letterhead, Skeleton, digest
from nurture.mail.render import CompiledTemplate, Rendered, RenderFailed
from nurture.mail.template import Template
from nurture.mail.tracked import count_links, count_openings
from nurture.store.facts import KnownLead
from nurture.store.letters import Letters
from nurture.store.outbox import CALL, CONFIRM, MAIL, NOTICE, Claimed

_SKELETONS = 2_000  # letterheads kept; one per template, topic, sender


@dataclass(frozen=True, slots=True)
class Printed:
    """A mail ready for the wire."""

    mail: Mail
    mail_id: str
    dated: datetime
    sha256: str
    pages: tuple[str, ...] = ()  # where its counted links lead
    sender: str = ""  # the From address


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A message that cannot be printed. `template`: the template's fault, which a deploy may mend; else the lead's."""

    message: int
    reason: str
    template: bool


class Press:
    """Prints for one live project. Keep one per generation; compiled templates are kept over generations."""

    def __init__(self, live: Live, links: Links, before: Press | None = None, *, signer: Signer | None = None) -> None:
        self.live = live
        self.links = links
        self._signer = signer or Signer()
        self._templates: dict[tuple[str, str], CompiledTemplate] = {} if before is None else before._templates
        self._skeletons: dict[tuple[str | bool | None, ...], Skeleton] = {}
        self._entry: dict[tuple[str, str], dict[str, Any]] = {}
        self._sayings: dict[str, CompiledTemplate] = {}
        project = live.project
        self._lead_fields = dict.fromkeys(lead_fields(project))
        self._account_fields = dict.fromkeys(account_fields(project))
        sender = project.sender
        self._sender = {
            "name": sender.name,
            "email": sender.email,
            "reply_to": sender.reply_to or "",
            "postal_address": sender.postal_address,
        }
        self._domain = sender.email.rpartition("@")[2] or "localhost"
        label = "".join(ch if ch.isalnum() else "-" for ch in project.name.lower()).strip("-") or "project"
        self._label = label
        self._sender_id = hashlib.blake2s(label.encode(), digest_size=5).hexdigest()

    def has(self, name: str, digest_: str) -> bool:
        return (name, digest_) in self._templates

    def add(self, name: str, digest_: str, files: Mapping[str, str]) -> None:
        """Have a template version at hand."""
        project = self.live.project
        self._templates[name, digest_] = CompiledTemplate(
            Template(name, dict(files)), project_locale=project.locale, currency=project.currency
        )

    def print(self, m: Claimed, letters: Letters, now: datetime, machine_now: datetime) -> Printed | Spoiled:
        """The mail of this message, or why there is none. `now` is campaign time; `machine_now` dates it."""
        lead = letters.leads.get(m.lead) if m.lead is not None else None
        address = m.recipient or (lead.email if lead else None)
        if not address:
            return Spoiled(m.id, "no address", False)
        checked = check_address(address)
        if isinstance(checked, AddressRefused):
            return Spoiled(m.id, f"the address cannot be written to: {checked.reason}", False)
        # Made from the message's number, so equal on every attempt, even where a crash forgot that there was one.
        return_path = f"{self.links.verp(m.id)}@{self._domain}"
        mail_id, dated = m.mail_id or return_path[2:], m.dated or machine_now
        if m.body is not None:  # an outcome that was never known is asked again with the same bytes (trust E18)
            mail = Mail(m.id, return_path, checked, m.body)
            return Printed(mail, mail_id, dated, digest(m.body), sender=self.live.project.sender.email.lower())
        template = self._templates.get((m.template or "", m.template_hash or ""))
        if template is None:
            return Spoiled(m.id, f"there is no template '{m.template}'", True)
        try:
            links = self._lead_links(m)
            rendered = self._render(template, m, lead, letters, links, now)
            rendered, pages = self._counted(m, rendered, letters)
            skeleton = self._skeleton(m, rendered)
            head = _head(skeleton.letterhead, m, lead, checked, rendered, links, mail_id, dated)
            data = skeleton.fill(head, rendered.text, rendered.html)
            data = self._signer.sign(data, head.letterhead.sender.address.rpartition("@")[2], dated)
        except RenderFailed as error:
            return Spoiled(m.id, error.message, True)
        except HeaderRefused as error:
            return Spoiled(m.id, error.message, False)
        except NurtureError as error:
            return Spoiled(m.id, error.message, True)
        sender = head.letterhead.sender.address.lower()
        return Printed(Mail(m.id, return_path, checked, data), mail_id, dated, digest(data), pages, sender)

    def say(self, m: Claimed, letters: Letters, source: str, now: datetime) -> str:
        """A short text of a campaign, such as a value in a webhook's body, with the same names as its mails. Raises
        RenderFailed."""
        found = self._sayings.get(source)
        if found is None:
            found = CompiledTemplate(
                Template("body", {"body.txt": source}),
                project_locale=self.live.project.locale,
                currency=self.live.project.currency,
            )
            self._sayings[source] = found
        lead = letters.leads.get(m.lead) if m.lead is not None else None
        return self._render(found, m, lead, letters, self._lead_links(m), now).text.strip()

    def tell(self, m: Claimed, letters: Letters, now: datetime) -> Rendered | Spoiled:
        """A notice as text, for a channel."""
        template = self._templates.get((m.template or "", m.template_hash or ""))
        if template is None:
            return Spoiled(m.id, f"there is no template '{m.template}'", True)
        lead = letters.leads.get(m.lead) if m.lead is not None else None
        try:
            return self._render(template, m, lead, letters, self._lead_links(m), now)
        except RenderFailed as error:
            return Spoiled(m.id, error.message, True)

    def _counted(self, m: Claimed, rendered: Rendered, letters: Letters) -> tuple[Rendered, tuple[str, ...]]:
        """With counted links and the counting picture, each only for who agreed to it (trust C20)."""
        agreed = letters.counted.get(m.lead or 0, frozenset()) if m.kind == MAIL else frozenset()
        html, pages = rendered.html, list[str]()
        if "tracking_clicks" in agreed:
            html, pages = count_links(html, self.links.base, lambda number: self.links.click(m.id, number))
        if "tracking_opens" in agreed and html:
            html = count_openings(html, self.links.open(m.id))
        return (msgspec.structs.replace(rendered, html=html) if agreed else rendered), tuple(pages)

    def _lead_links(self, m: Claimed) -> LeadLinks:
        return LeadLinks(
            self.links,
            lead=m.lead or 0,
            topic=m.topic or "",
            message=m.id,
            requests=m.options.get("requests") or {},
        )

    # --- text ---

    def _render(
        self,
        template: CompiledTemplate,
        m: Claimed,
        lead: KnownLead | None,
        letters: Letters,
        links: LeadLinks,
        now: datetime,
    ) -> Rendered:
        project = self.live.project
        colleague = m.kind in (NOTICE, CALL)
        zone = project.zone if colleague or lead is None else lead.zone
        locale = project.locale if colleague or lead is None else (lead.facts.locale or project.locale)
        enrollment = letters.enrollments.get(m.enrollment) if m.enrollment is not None else None
        context = {
            "lead": self._lead(lead),
            "account": self._account_fields | (letters.accounts.get(lead.account or 0, {}) if lead else {}),
            "entry": self._entry_of(m, enrollment),
            "enrollment": _enrollment(enrollment),
            "campaign": self._campaign(m),
            "sender": self._sender,
            "links": links,
            "now": now,
        }
        if m.kind == CONFIRM:
            context["consent"] = self._consent(m, letters, locale)
        return template.render(locale, context, zone=ZoneInfo(zone), subject=m.options.get("subject"))

    def _lead(self, lead: KnownLead | None) -> dict[str, Any]:
        if lead is None:
            return dict(self._lead_fields)
        attributes = {name: value for name, value in lead.facts.attributes.items() if name != "$templates"}
        return self._lead_fields | attributes | {"created_at": lead.facts.created_at, "timezone": lead.zone}

    def _entry_of(self, m: Claimed, enrollment: Enrollment | None) -> dict[str, Any]:
        """The entry event's properties; those declared and not given are empty, not unknown."""
        key = (m.campaign or "", m.version or "")
        declared = self._entry.get(key)
        if declared is None:
            plan: Plan | None = self.live.plans.get(key)
            event = plan.enter.event if plan is not None and isinstance(plan.enter, EnterEvent) else ""
            declared = self._entry[key] = dict.fromkeys(self.live.project.events.get(event, {}))
        return declared | (enrollment.entry if enrollment else {})

    def _campaign(self, m: Claimed) -> dict[str, Any]:
        deployed = self.live.campaigns.get(m.campaign or "")
        return {"name": m.campaign or "", "title": deployed.title if deployed else "", "topic": m.topic or ""}

    def _consent(self, m: Claimed, letters: Letters, locale: str) -> dict[str, Any]:
        topic = self.live.project.topics.get(m.topic or "")
        asked = letters.requests.get((m.lead or 0, m.topic or ""))
        title = _in_locale(topic.title, locale, self.live.project) if topic else (m.topic or "")
        return {
            "topic": m.topic or "",
            "title": title,
            "wording": (asked.wording if asked else None)
            or (_in_locale(topic.wording, locale, self.live.project) if topic else ""),
            "requested_at": asked.requested_at if asked else m.released_at,
            "source": asked.source if asked else "",
            "ip": asked.ip if asked else "",
        }

    # --- headers ---

    def _skeleton(self, m: Claimed, rendered: Rendered) -> Skeleton:
        """The letterhead of this message, encoded once for all that share it."""
        own = m.options.get("sender") or rendered.from_
        key = (m.kind, m.service, m.campaign, m.topic, own, m.options.get("reply_to"))
        found = self._skeletons.get(key)
        if found is None:
            if len(self._skeletons) >= _SKELETONS:
                self._skeletons.clear()
            found = self._skeletons[key] = Skeleton(self._letterhead(m, own))
        return found

    def _letterhead(self, m: Claimed, own: str) -> Letterhead:
        project = self.live.project
        marketing = m.kind == MAIL and not m.service
        sender = Mailbox(project.sender.email, project.sender.name)
        if own:
            name, _, rest = own.rpartition("<")
            sender = Mailbox(rest.rstrip("> ").strip() or own, name.strip(' "')) if "<" in own else Mailbox(own)
        reply_to = m.options.get("reply_to") or project.sender.reply_to
        topic = project.topics.get(m.topic or "")
        return Letterhead(
            sender=sender,
            marketing=marketing,
            reply_to=Mailbox(reply_to) if reply_to else None,
            list_id=f"{_label(m.topic)}.{self._label}.{self._domain}" if marketing and m.topic else "",
            list_name=_in_locale(topic.title, project.locale, project) if marketing and topic else "",
            feedback_id=self._feedback(m) if marketing else "",
        )

    def _feedback(self, m: Claimed) -> str:
        return f"{_label(m.campaign)[:60]}:{_label(m.topic)[:60]}:{self._sender_id}"


def _head(
    letterhead: Letterhead,
    m: Claimed,
    lead: KnownLead | None,
    address: str,
    rendered: Rendered,
    links: LeadLinks,
    mail_id: str,
    dated: datetime,
) -> Head:
    name = "" if lead is None or m.kind == NOTICE else _full_name(lead)
    return Head(
        letterhead=letterhead,
        to=Mailbox(address, name),
        subject=rendered.subject,
        message_id=mail_id,
        date=dated,
        unsubscribe=links.unsubscribe if letterhead.marketing else "",
        unsubscribe_mailto=links.unsubscribe_mailto if letterhead.marketing else "",
    )


def _label(text: str | None) -> str:
    """A label of a domain name."""
    plain = "".join(ch if ch.isascii() and (ch.isalnum() or ch == "-") else "-" for ch in text or "")
    return plain.strip("-") or "none"


def _in_locale(texts: Mapping[str, str], locale: str, project: Project) -> str:
    """The text for `fr-CH`, else `fr`, else the project's language, else any."""
    for name in (locale, locale.partition("-")[0], project.locale, project.locale.partition("-")[0]):
        if name in texts:
            return texts[name]
    return next(iter(texts.values()), "")


def _full_name(lead: KnownLead) -> str:
    values = lead.facts.attributes
    full = values.get("name") or " ".join(str(values[n]) for n in ("first_name", "last_name") if values.get(n))
    return " ".join(str(full).split())[:120]


def _enrollment(e: Enrollment | None) -> dict[str, Any]:
    if e is None:
        return {"id": "", "key": "", "entered_at": None, "data": {}}
    data = {name: value for name, value in e.data.items() if not name.startswith("$")}
    return {"id": str(e.id), "key": e.key, "entered_at": e.entered_at, "data": data}
