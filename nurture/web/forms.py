"""Hosted forms. The answer is the same whether the address is known or not (trust X7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nurture.campaign.project import Form, Input
from nurture.engine.forms import Submission, submit
from nurture.errors import LostRace
from nurture.lead.address import AddressRefused, check_address
from nurture.lead.consent import Proof
from nurture.lead.lead import BUILT_IN, LeadId
from nurture.mail.links import Purpose
from nurture.store.identities import present_lead
from nurture.web.access import client_address, network_of
from nurture.web.bodies import LONGEST_FORM, TooLarge, Unpackable, read_body, read_fields
from nurture.web.even import FORMS
from nurture.web.page import Pages, by_locale, topic_words
from nurture.web.personal import NOBODY, Personal, says_gpc
from nurture.web.public import METHODS, answered
from nurture.web.services import Services
from nurture.web.throttle import Throttle

TRAP = "website"  # a field people do not see; programs that fill in everything fill it in
_LONGEST_VALUE = 2_000  # characters
_INPUTS = {"number": "number", "date": "date", "url": "url", "bool": "checkbox", "true/false": "checkbox"}
# What a browser may fill in of what it knows of its owner (WCAG 2.2, 1.3.5).
_AUTOCOMPLETE = {
    "first_name": "given-name",
    "last_name": "family-name",
    "name": "name",
    "phone": "tel",
    "country": "country-name",
    "company": "organization",
}


class FormRoutes:
    """The routes, over the endpoint's services."""

    def __init__(self, services: Services, pages: Pages, personal: Personal) -> None:
        self._services = services
        self._pages = pages
        self._personal = personal
        self._throttle = Throttle(services.forms_per_hour, services.forms_in_all)

    def routes(self) -> list[Route]:
        handler = answered(self._services, self._pages, self._form, FORMS)
        return [Route("/f/{form}", handler, methods=METHODS), Route("/f/{form}/{token}", handler, methods=METHODS)]

    async def _form(self, request: Request) -> Response:
        project = self._services.project
        form = project.forms.get(request.path_params["form"])
        if form is None:
            return self._pages.show(project, self._pages.language(project), "missing", status=404)
        token = request.path_params.get("token")
        lead, filled = self._opened_by(form, token)
        await self._personal.heed_gpc(request, lead, f"/f/{form.name}")
        locale = await self._personal.run(lambda: self._personal.language_of(lead))
        accepted = request.headers.get("accept-language", "").partition(",")[0].partition(";")[0]
        language = self._pages.language(project, locale, accepted)
        if request.method != "POST":
            return self._show(form, language, filled, ask_email=lead == NOBODY)
        return await self._submitted(request, form, language, lead, filled)

    def _opened_by(self, form: Form, token: str | None) -> tuple[LeadId, dict[str, str]]:
        """The lead of a form's link and the fields it fills in; a token nobody made opens the empty form."""
        payload = self._services.links.read(Purpose.FORM, token) if token else None
        if payload is None or len(payload) < 2 or payload[0] != form.name or not isinstance(payload[1], int):
            return NOBODY, {}
        flat = [str(part) for part in payload[2:]]
        return payload[1], dict(zip(flat[::2], flat[1::2], strict=False))

    async def _submitted(
        self, request: Request, form: Form, language: str, lead: LeadId, filled: dict[str, str]
    ) -> Response:
        is_json = request.headers.get("content-type", "").startswith("application/json")
        given = await (_json_fields(request) if is_json else _form_fields(request))
        if given is None:
            why = f"the body is not a JSON object of at most {LONGEST_FORM // 1024} KB" if is_json else ""
            return self._answer(language, "refused", is_json, status=400, message=why)
        fields, topics = given
        ip = client_address(request, self._services.trusted_proxies)
        if fields.pop(TRAP, ""):
            return self._answer(language, "thanks", is_json, notes=self._notes(form, language))
        email = str(fields.pop("email", ""))
        address = check_address(email)
        if lead == NOBODY and isinstance(address, AddressRefused):
            if is_json:
                return self._answer(language, "form", True, status=422)
            values = {**filled, **{n: str(v) for n, v in fields.items()}}
            return self._show(form, language, values, ask_email=True, email=email[:254], bad=True)
        words = topic_words(self._services.project, [t for t in topics if t in form.topics], language)
        visit = self._personal.visit(request, f"/f/{form.name}")
        submission = Submission(
            form=form,
            lead=lead or None,
            email=None if isinstance(address, AddressRefused) else address,
            fields={n: v for n, v in {**filled, **fields}.items() if n in form.fields},
            topics=[word["name"] for word in words],
            wording={word["name"]: word["wording"] for word in words},
            proof=Proof("form", locale=language, page=visit.page, ip=visit.ip, user_agent=visit.user_agent),
            opts_out=says_gpc(request),
        )
        if not await self._personal.run(lambda: self._store(submission, network_of(ip))):
            return self._answer(language, "too_many", is_json, status=429, headers={"Retry-After": "3600"})
        return self._answer(language, "thanks", is_json, notes=self._notes(form, language))

    def _store(self, it: Submission, network: str) -> bool:
        """Whether it was taken in; too many from one network, or from everywhere, are not."""
        services = self._services
        for last in (False, False, True):
            try:
                with services.database.write() as tx:
                    if not self._throttle.allows(tx, network, services.clock.now()):
                        return False
                    lead = present_lead(tx, it.lead) if it.lead is not None else None
                    if it.lead is not None and lead is None:
                        return True  # erased since; the page thanks all the same
                    known = replace(it, lead=lead)
                    submit(tx, known, services.rules(), services.clock.now())
                    return True
            except LostRace:
                if last:
                    raise
        return False

    # --- pages ---

    def _show(
        self,
        form: Form,
        language: str,
        values: Mapping[str, str],
        *,
        ask_email: bool,
        email: str = "",
        bad: bool = False,
    ) -> Response:
        project = self._services.project
        texts = self._pages.texts(language, "form")
        return self._pages.show(
            project,
            language,
            "form",
            template="form",
            status=422 if bad else 200,
            title=by_locale(form.title, language, project) or _label(form.name, texts),
            ask_email=ask_email,
            email=email,
            problem=texts["bad_email"] if bad else "",
            fields=[self._input(form, name, values.get(name, ""), language) for name in form.fields],
            topics=topic_words(project, form.topics, language),
        )

    def _input(self, form: Form, name: str, value: str, language: str) -> dict[str, Any]:
        """One field as the page shows it."""
        project, look, shape = self._services.project, form.inputs.get(name, Input()), form.fields[name]
        kind = _INPUTS.get(shape, "text") if isinstance(shape, str) else "text"
        choices = [
            {"value": each, "title": by_locale(said, language, project) or each, "on": each == value}
            for each, said in look.choices.items()
        ]
        return {
            "name": name,
            "type": "choices" if choices else "lines" if look.lines > 1 else kind,
            "value": value == "true" if kind == "checkbox" else value,
            "label": by_locale(look.label, language, project) or _label(name, self._pages.texts(language, "form")),
            "choices": choices,
            "lines": look.lines,
            "autocomplete": _AUTOCOMPLETE.get(BUILT_IN.get(name, name), ""),
        }

    def _notes(self, form: Form, language: str) -> tuple[str, ...]:
        return (self._pages.texts(language, "thanks")["mail"],) if form.topics else ()

    def _answer(
        self,
        language: str,
        page: str,
        is_json: bool,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        notes: tuple[str, ...] = (),
        message: str = "",
    ) -> Response:
        if is_json:
            texts = self._pages.texts(language, page)
            body: dict[str, Any] = {"success": status < 400}
            if status >= 400:
                body["message"] = message or texts.get("bad_email", texts.get("title", ""))
            return Response(msgspec.json.encode(body), status, headers, "application/json")
        return self._pages.show(self._services.project, language, page, status=status, headers=headers, notes=notes)


async def _form_fields(request: Request) -> tuple[dict[str, Any], list[str]] | None:
    pairs = await read_fields(request)
    if pairs is None:
        return None
    topics = [value for name, value in pairs if name == "topics"]
    return {name: value[:_LONGEST_VALUE] for name, value in pairs if name != "topics" and value != ""}, topics


async def _json_fields(request: Request) -> tuple[dict[str, Any], list[str]] | None:
    try:
        said = msgspec.json.decode(await read_body(request, LONGEST_FORM), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Unpackable, TooLarge):
        return None
    topics = said.pop("topics", [])
    fields = {
        name: value[:_LONGEST_VALUE].replace("\x00", "") if isinstance(value, str) else value
        for name, value in said.items()
        if isinstance(value, (str, int, float, bool))
    }
    return fields, [topic for topic in topics if isinstance(topic, str)] if isinstance(topics, list) else []


def _label(name: str, texts: Mapping[str, str]) -> str:
    known = texts.get(BUILT_IN.get(name, name))
    words = name.replace("_", " ").replace("-", " ").strip()
    return known or words[:1].upper() + words[1:]
