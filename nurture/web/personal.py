"""What the public pages do: short transactions, each with the person's own act in it, in threads of their own.

Nothing else runs in these threads, so that no flood of events or of dashboard queries keeps an unsubscribe waiting
(trust R15).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio
import msgspec
from starlette.requests import Request

from nurture.engine import dpv, privacy
from nurture.engine.confirming import asked_with
from nurture.engine.consent import Answer, change
from nurture.engine.exporting import export
from nurture.errors import StoreUnavailable
from nurture.lead.consent import ALL_MARKETING, OPEN_DATE, PROFILING, SALE_SHARE, TRACKING, Action, Declaration, Proof
from nurture.lead.lead import LeadId
from nurture.store.consents import Person, people
from nurture.store.database import Transaction
from nurture.store.identities import present_lead
from nurture.store.profile import locale_of
from nurture.web.access import client_address
from nurture.web.services import Services

NOBODY: LeadId = 0  # no lead has this id; a token nobody made is looked up like any other (trust X7)
_THREADS = 6
_LONGEST_AGENT = 300  # characters of a user agent kept as proof
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a declaration comes from. `page` is the route, never the address with its token."""

    page: str
    ip: str | None
    user_agent: str | None


def says_gpc(request: Request) -> bool:
    """Whether the browser says that this person's data may not be sold or shared (Global Privacy Control)."""
    return request.headers.get("sec-gpc", "").strip() == "1"


class Personal:
    """The acts of people on public pages. Every method may raise StoreUnavailable; nothing was changed then."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._limiter: anyio.CapacityLimiter | None = None

    async def run(self, act: Callable[[], _T]) -> _T:
        """Run one act in a thread of the public pages."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_THREADS)
        return await anyio.to_thread.run_sync(act, limiter=self._limiter)

    def visit(self, request: Request, page: str) -> Visit:
        """The request as proof: the address from the socket or a trusted proxy only (trust C3)."""
        agent = request.headers.get("user-agent", "").replace("\x00", "")[:_LONGEST_AGENT]
        return Visit(page, client_address(request, self._services.trusted_proxies), agent or None)

    def language_of(self, lead: LeadId) -> str | None:
        with self._services.database.read() as tx:
            return locale_of(tx, present_lead(tx, lead) or NOBODY)

    def person(self, lead: LeadId) -> Person | None:
        """The lead of a link, also where it was merged since."""
        with self._services.database.read() as tx:
            found = present_lead(tx, lead)
            return people(tx, [found or NOBODY]).get(found or NOBODY)

    def unsubscribe(self, lead: LeadId, topic: str | None, message: int | str, visit: Visit, method: str) -> None:
        """Withdraw a topic, or all marketing with None. Nothing happens for a lead that is gone."""
        evidence = {"message": message}

        def act(tx: Transaction, present: LeadId) -> list[Declaration]:
            return [self._said(present, topic or ALL_MARKETING, "withdraw", visit, method, evidence)]

        self._change(lead, act)

    def confirm(
        self, lead: LeadId, topic: str, request: int | str, visit: Visit, wording: Mapping[str, str], locale: str | None
    ) -> bool:
        """Confirm what was asked for together with this topic; a link without a request agrees anew. Whether all of it
        is granted now."""

        def act(tx: Transaction, present: LeadId) -> list[Declaration]:
            person = people(tx, [present])[present]
            topics = [c.topic for c in asked_with(person, topic)] or [topic]
            evidence = {"request": request}
            if not request:
                return [self._said(present, topic, "renew", visit, "double_opt_in", evidence, wording, locale)]
            return [self._said(present, t, "confirm", visit, "double_opt_in", evidence) for t in topics]

        answers = self._change(lead, act)
        return bool(answers) and all(getattr(answer, "state", None) == "granted" for answer in answers)

    def receipt(self, lead: LeadId) -> dict[str, Any] | None:
        """What the lead of a link has agreed to, as a receipt to keep; None where there is nothing (trust C5)."""
        services = self._services
        with services.database.read() as tx:
            present = present_lead(tx, lead)
            if present is None:
                return None
            return dpv.receipt(tx, present, services.project, services.processing, services.clock.now())

    def choose(
        self,
        lead: LeadId,
        shown: Sequence[str],
        wanted: Sequence[str],
        visit: Visit,
        wording: Mapping[str, str],
        locale: str | None,
    ) -> bool:
        """Make the topics shown what the person wants; whether a confirmation mail is on its way."""

        def act(tx: Transaction, present: LeadId) -> list[Declaration]:
            person = people(tx, [present])[present]
            said = []
            for topic in shown:
                on = (row := person.consents.get(topic)) is not None and row.state == "granted"
                if topic in wanted and not on:
                    said.append(self._said(present, topic, "grant", visit, "preferences", None, wording, locale))
                elif topic not in wanted and row is not None and row.state in ("granted", "requested"):
                    said.append(self._said(present, topic, "withdraw", visit, "preferences"))
            return said

        return any(getattr(answer, "mailed", False) for answer in self._change(lead, act))

    def leave_everything(self, lead: LeadId, visit: Visit) -> None:
        """All marketing, and being counted."""

        def act(tx: Transaction, present: LeadId) -> list[Declaration]:
            tracked = [topic for topic in people(tx, [present])[present].consents if topic in TRACKING]
            return [self._said(present, t, "withdraw", visit, "preferences") for t in [ALL_MARKETING, *tracked]]

        self._change(lead, act)

    def pause(self, lead: LeadId, months: int) -> None:
        """No marketing for so many months; 0 ends a pause."""

        def act(tx: Transaction, person: Person) -> None:
            privacy.pause(tx, person, months, self._services.rules(), "person", self._services.clock.now())

        self._with(lead, act)

    def object_to_profiling(self, lead: LeadId, objects: bool, visit: Visit) -> None:
        """No score of this person, or one again."""

        def act(tx: Transaction, person: Person) -> None:
            said = self._said(person.id, PROFILING, "object" if objects else "grant", visit, "preferences")
            privacy.object_to_profiling(tx, said, self._services.rules(), self._services.clock.now())

        self._with(lead, act)

    def object_to_open_date(self, lead: LeadId, objects: bool, visit: Visit) -> None:
        """The day of the last opening is not kept, or may be again."""

        def act(tx: Transaction, person: Person) -> None:
            said = self._said(person.id, OPEN_DATE, "object" if objects else "grant", visit, "preferences")
            privacy.object_to_open_date(tx, said, self._services.rules(), self._services.clock.now())

        self._with(lead, act)

    def opt_out_of_sale(self, lead: LeadId, visit: Visit) -> None:
        """The browser says so for the person (Global Privacy Control). Nothing is written where it was said before."""
        person = self.person(lead)
        before = person.consents.get(SALE_SHARE) if person is not None else None
        if person is None or (before is not None and before.state == "objected"):
            return

        def act(tx: Transaction, present: Person) -> None:
            said = self._said(present.id, SALE_SHARE, "object", visit, "gpc")
            said = msgspec.structs.replace(said, proof=privacy.gpc(said.proof))
            privacy.opt_out_of_sale(tx, said, self._services.rules(), self._services.clock.now())

        self._with(lead, act)

    async def heed_gpc(self, request: Request, lead: LeadId, page: str) -> None:
        """Where the request carries `Sec-GPC: 1`, the lead of its link is opted out of sale and sharing (trust C30). It
        is the signal that says so, not the look at the page: one without it changes nothing (trust E4)."""
        if lead == NOBODY or request.method == "HEAD" or not says_gpc(request):
            return
        with suppress(StoreUnavailable):  # the page stays up (trust R7); the browser says it again
            await self.run(lambda: self.opt_out_of_sale(lead, self.visit(request, page)))

    def ask(self, lead: LeadId, asked: privacy.Asked) -> None:
        """Mail a fresh link to the person's own address."""
        rules, now = self._services.rules(), self._services.clock.now()
        self._with(lead, lambda tx, person: privacy.ask(tx, person, asked, rules, now))

    def data_of(self, lead: LeadId, request: int, mark: str) -> dict[str, Any] | None:
        """Everything known of the lead, where the link still opens; else None."""
        services, found = self._services, []

        def act(tx: Transaction, person: Person) -> None:
            now = services.clock.now()
            if privacy.may_use(person, request, mark, now):
                found.append(export(tx, person.id, services.project, services.processing, now, "person"))

        self._with(lead, act)
        return found[0] if found else None

    def erase(self, lead: LeadId, request: int, mark: str) -> bool:
        """Erase the lead where the link still opens. Whether it did; a repeat of a press that did is no harm."""
        person = self.person(lead)
        if person is None or not privacy.may_use(person, request, mark, self._services.clock.now()):
            return False
        self._services.erase(person.id, "person")
        return True

    def _with(self, lead: LeadId, act: Callable[[Transaction, Person], object]) -> None:
        """One act about the lead of a link; nothing where it is gone."""
        with self._services.database.write() as tx:
            present = present_lead(tx, lead)
            if present is not None:
                act(tx, people(tx, [present], locked=True)[present])

    def _change(self, lead: LeadId, said: Callable[[Transaction, LeadId], list[Declaration]]) -> list[Answer]:
        services = self._services
        with services.database.write() as tx:
            present = present_lead(tx, lead)
            if present is None:
                return []
            return change(tx, said(tx, present), services.rules(), services.clock.now())

    def _said(
        self,
        lead: LeadId,
        topic: str,
        action: Action,
        visit: Visit,
        method: str,
        evidence: Mapping[str, Any] | None = None,
        wording: Mapping[str, str] | None = None,
        locale: str | None = None,
    ) -> Declaration:
        proof = Proof(
            method=method,
            wording=(wording or {}).get(topic) or None,
            locale=locale,
            page=visit.page,
            ip=visit.ip,
            user_agent=visit.user_agent,
            evidence=evidence,
        )
        return Declaration(lead, topic, action, "person", "person", self._services.clock.now(), proof)
