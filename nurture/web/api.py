"""REST for other programs: consents, leads. Described at `/openapi.json`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBasic, HTTPBearer
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from nurture.engine import privacy
from nurture.engine.consent import Changed, change
from nurture.errors import LostRace, StoreUnavailable, UserError
from nurture.lead.consent import ALL_MARKETING, Action, ConsentRefused, Declaration, Proof
from nurture.lead.lead import LeadId
from nurture.store.database import Transaction
from nurture.store.identities import find_lead
from nurture.store.keys import Key
from nurture.store.profile import read_profile
from nurture.web.access import Keys, Refused
from nurture.web.bodies import LONGEST_BODY, BodyLimit
from nurture.web.description import describe
from nurture.web.services import Services

_ACTIONS: dict[str, Action] = {
    "granted": "grant",
    "requested": "request",
    "withdrawn": "withdraw",
    "objected": "object",
    "expired": "expire",
}


class NoSuchLead(Exception):
    """The lead in the address is not there."""


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ConsentIn(BaseModel):
    """What somebody declared, with its proof. `lead` is an address, an external id or an id."""

    model_config = ConfigDict(extra="forbid")
    lead: str = Field(min_length=1, max_length=300)
    topic: str = Field(min_length=1, max_length=200, description="a topic of config.yaml, or * for all marketing")
    state: Literal["granted", "requested", "withdrawn", "objected", "expired"]
    actor: Literal["person", "operator", "api"] = Field(
        "api", description="person: they did it themselves just now, and the proof below shows where"
    )
    basis: Literal["consent", "soft_opt_in", "legitimate_interest", "service"] | None = None
    method: str = Field("api", max_length=100, description="checkbox, double_opt_in, oral…")
    at: AwareDatetime | None = Field(None, description="when it was declared; now where it is left out")
    wording: str | None = Field(None, max_length=10_000, description="the exact text they agreed to")
    wording_version: str | None = Field(None, max_length=100)
    locale: str | None = Field(None, max_length=35)
    notice: str | None = Field(None, max_length=2_000, description="the privacy notice in force, by version or address")
    page: str | None = Field(None, max_length=2_000, description="the page the box stood on")
    source: str | None = Field(None, max_length=300)
    ip: str | None = Field(None, max_length=45)
    user_agent: str | None = Field(None, max_length=300)
    evidence: dict[str, Any] | None = Field(
        None,
        description="what else shows it; of a soft opt-in the sale it rests on: sale, contract, account or inquiry "
        "with its reference, sold_at, and objection_offered: true where they could say no then",
    )


class ConsentOut(Answer):
    """`state` is what holds now; `mailed`: a confirmation mail is on its way."""

    success: bool = True
    lead: int
    topic: str
    state: str
    changed: bool
    mailed: bool
    lacks: str | None = Field(None, description="what a soft opt-in lacks of its sale; until it is told, no mail goes")


class MoveIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    stage: str = Field(min_length=1, max_length=200)
    reason: str | None = Field(None, max_length=1_000, description="needed for a move backwards")


class RectifyIn(BaseModel):
    """`set` has the fields that are to be other ones; null takes a value away."""

    model_config = ConfigDict(extra="forbid")
    set: dict[str, Any] = Field(min_length=1, max_length=100, examples=[{"first_name": "Anna", "phone": None}])
    reason: str | None = Field(None, max_length=1_000, description="for the record; no names, no addresses")


class Rectified(Answer):
    success: bool = True
    changed: list[str]


class Done(Answer):
    success: bool = True


class Problem(Answer):
    success: bool = False
    code: str
    message: str


class LeadOut(BaseModel):
    """All that is known of a lead."""

    model_config = ConfigDict(extra="allow")
    id: int
    external_id: str | None
    attributes: dict[str, Any]
    stages: dict[str, Any]
    tags: list[str]
    scores: dict[str, float]
    consents: dict[str, Any]
    events: list[dict[str, Any]]
    enrollments: list[dict[str, Any]]
    messages: list[dict[str, Any]]


Ref = Annotated[str, Path(min_length=1, max_length=300, description="an external id, an id or an address")]
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem} for code in (400, 401, 403, 404, 409, 413, 422, 503)
}
Needs = Callable[[str], Any]  # scope → the key of a request that has it; Refused otherwise


def create_api(services: Services, keys: Keys) -> FastAPI:
    """The REST part as an app of its own."""
    api = FastAPI(
        title="nurture",
        version=services.version,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=_PROBLEMS,
        dependencies=[Depends(HTTPBasic(auto_error=False)), Depends(HTTPBearer(auto_error=False))],
    )
    _add_problems(api)
    api.add_middleware(BodyLimit, most=LONGEST_BODY)
    described = api.openapi
    api.openapi = lambda: api.openapi_schema or describe(described())  # type: ignore[method-assign]

    def needs(scope: str) -> Any:
        async def check(request: Request) -> Key:
            return await keys.require(request, scope)

        return Depends(check)

    for add in (_add_consents, _add_leads, _add_rights):
        add(api, services, needs)
    return api


def _add_consents(api: FastAPI, services: Services, needs: Needs) -> None:
    @api.post("/v1/consents", response_model=ConsentOut)
    def declare(said: ConsentIn, key: Key = needs("consent")) -> Any:
        """Record that somebody agreed, refused or took it back. A topic with double opt-in is only asked for."""
        with services.database.write() as tx:
            lead = _find(tx, said.lead)
            declaration = _declaration(lead, said, key, services.clock.now())
            [answer] = change(tx, [declaration], services.rules(), services.clock.now())
        if isinstance(answer, ConsentRefused):
            return _problem(409, "refused", answer.reason)
        return ConsentOut(
            lead=lead,
            topic=said.topic,
            state=answer.state,
            changed=isinstance(answer, Changed),
            mailed=answer.mailed,
            lacks=answer.lacks if isinstance(answer, Changed) else None,
        )


def _add_leads(api: FastAPI, services: Services, needs: Needs) -> None:
    @api.get("/v1/leads/{id}", response_model=LeadOut)
    def show(id: Ref, key: Key = needs("read")) -> Any:
        """Attributes, stages, tags, scores, consents, events, enrollments and messages of a lead."""
        with services.database.read() as tx:
            return read_profile(tx, services.project, _find(tx, id), services.clock.now())

    @api.post("/v1/leads/{id}/move", response_model=Done)
    def move(id: Ref, to: MoveIn, key: Key = needs("leads")) -> Any:
        """Move a lead to a stage, by the rules of its funnel."""
        with services.database.read() as tx:
            lead = _find(tx, id)
        refusal = services.move(lead, to.stage, to.reason, _actor(key))
        return Done() if refusal is None else _problem(409, "refused", refusal)


def _add_rights(api: FastAPI, services: Services, needs: Needs) -> None:
    @api.post("/v1/leads/{id}/rectify", response_model=Rectified)
    def rectify(id: Ref, said: RectifyIn, key: Key = needs("leads")) -> Any:
        """Correct what is known of a lead, the address too (GDPR 16). What they agreed to stays proven."""
        now = services.clock.now()
        try:
            with services.database.write() as tx:
                lead = _find(tx, id)
                changed = privacy.rectify(tx, lead, said.set, services.rules(), _actor(key), now, said.reason)
        except UserError as error:
            return _problem(422, "invalid", error.message)
        except LostRace:
            return _problem(409, "conflict", "somebody else changed this lead at the same time; try again")
        return Rectified(changed=changed)

    @api.delete("/v1/leads/{id}", response_model=Done)
    def erase(id: Ref, key: Key = needs("erase")) -> Any:
        """Erase a lead: only a keyed hash of the address stays, where they must not be written to."""
        with services.database.read() as tx:
            lead = _find(tx, id)
        services.erase(lead, _actor(key))
        return Done()


def _find(tx: Transaction, ref: str) -> LeadId:
    lead = find_lead(tx, ref)
    if lead is None:
        raise NoSuchLead
    return lead


def _actor(key: Key) -> str:
    return f"key {key.name or key.prefix}"


def _declaration(lead: LeadId, said: ConsentIn, key: Key, now: datetime) -> Declaration:
    """A person's own act is believed from a program that shows the text and where it stood; else it is the key's."""
    shown = bool(said.wording and (said.page or said.evidence))
    taking_back = said.state in ("withdrawn", "objected")
    by: Any = "person" if said.actor == "person" and (shown or taking_back) else "api"
    at = min(said.at.astimezone(UTC), now) if said.at else now
    proof = Proof(
        method=said.method,
        wording=said.wording,
        wording_version=said.wording_version,
        locale=said.locale,
        notice=said.notice,
        page=said.page,
        source=said.source,
        ip=said.ip,
        user_agent=said.user_agent,
        evidence=said.evidence,
    )
    topic = ALL_MARKETING if said.topic == "*" else said.topic
    actor = "person" if by == "person" else said.actor if said.actor == "operator" else _actor(key)
    return Declaration(lead, topic, _ACTIONS[said.state], by, actor, at, proof, said.basis)


def _problem(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"success": False, "code": code, "message": message}, status, headers)


def _add_problems(api: FastAPI) -> None:
    """Every error in one shape, without a trace of the program's inside (trust X20)."""

    @api.exception_handler(NoSuchLead)
    async def missing(_request: Request, _error: Exception) -> JSONResponse:
        return _problem(404, "not_found", "there is no such lead")

    @api.exception_handler(Refused)
    async def refused(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refused)
        headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
        return _problem(error.status, "unauthorized" if error.status == 401 else "forbidden", error.reason, headers)

    @api.exception_handler(StoreUnavailable)
    async def unavailable(_request: Request, _error: Exception) -> JSONResponse:
        message = "nothing can be stored or read at the moment; try again"
        return _problem(503, "unavailable", message, {"Retry-After": "30"})

    @api.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return _problem(
                400, "invalid", f"the body is not JSON: {first['ctx']['error']}, at character {first['loc'][1]}"
            )
        if first["loc"] == ("body",):
            message = "the body is missing" if first["type"] == "missing" else "the body is not a JSON object"
            return _problem(422, "invalid", f"{message}; send one with Content-Type: application/json")
        where = ".".join(str(part) for part in first["loc"][1:])
        return _problem(422, "invalid", f"{where}: {first['msg']}")

    @api.exception_handler(HTTPException)
    async def unreadable(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        message = "the body is not JSON in UTF-8, or nested too deeply" if error.status_code == 400 else error.detail
        return _problem(error.status_code, "invalid", message)
