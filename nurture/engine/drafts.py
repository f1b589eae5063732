"""Rows of a table read through a mapping: leads, events and deals as drafts, typed and judged, before anything is
written. A row that cannot be used raises RowRefused; its reason repeats no address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import msgspec

from nurture.campaign.mapping import Row, RowMapping, RowRefused
from nurture.campaign.mapping_keys import BASES, CONSENT_STATES, OUTCOMES
from nurture.campaign.project import Basis, Project, Shape
from nurture.journey import timing
from nurture.lead.address import AddressRefused, canonical_address, check_address
from nurture.lead.event import name_problem
from nurture.lead.lead import split_traits, typed_fields
from nurture.lead.soft_opt_in import KINDS

_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
LONGEST_ID = 500  # characters of an id of somebody else's


class WhoIs(msgspec.Struct, frozen=True):
    """How a row names a lead: by external id, by address, or by both. `email` is ready to be written to."""

    external: str | None = None
    email: str | None = None

    @property
    def text(self) -> str:
        """The same for every way of writing it."""
        return self.external or canonical_address(self.email or "")


class StageDraft(msgspec.Struct, frozen=True):
    funnel: str
    stage: str
    since: datetime
    reason: str | None = None


class ConsentDraft(msgspec.Struct, frozen=True):
    """`state` is granted or withdrawn; `wording` is as given."""

    topic: str
    basis: Basis
    at: datetime
    source: str
    state: str = "granted"
    wording: str | None = None
    locale: str | None = None
    evidence: str | None = None
    sale: dict[str, Any] = {}  # of a soft opt-in, as `lead.soft_opt_in` reads it


class LeadDraft(msgspec.Struct, frozen=True):
    """`columns` are built-in fields without the address, `attributes` are typed as declared. What a row leaves empty
    is not here: an empty cell says nothing."""

    who: WhoIs
    columns: dict[str, str | None]
    attributes: dict[str, Any]
    created_at: datetime | None = None
    stage: StageDraft | None = None
    consent: ConsentDraft | None = None


class EventDraft(msgspec.Struct, frozen=True):
    """`id` is the sender's, None where the row has none."""

    who: WhoIs
    name: str
    at: datetime
    id: str | None
    properties: dict[str, Any]


class DealDraft(msgspec.Struct, frozen=True):
    who: WhoIs
    pipeline: str
    id: str | None = None
    stage: str | None = None
    amount: float | None = None
    currency: str | None = None
    owner: str | None = None
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    outcome: str = "open"
    reason: str | None = None


class Drafts:
    """Reads rows through one mapping for one project. Instants without a zone are in the project's; none may lie after
    `now`. `undeclared` counts event properties that the project does not declare; they are kept as text."""

    def __init__(self, mapping: RowMapping, project: Project, now: datetime) -> None:
        self._mapping = mapping
        self._project = project
        self._now = now
        self.undeclared: Counter[str] = Counter()

    def lead(self, row: Row) -> LeadDraft:
        fields = self._mapping.render("lead", row)
        who = WhoIs(_id(fields.pop("external_id", None)), _address(fields.pop("email", None)))
        if who.external is None and who.email is None:
            raise RowRefused("it has neither an address nor an external id")
        created_at = self._past("created_at", fields.pop("created_at", None))
        zone = fields.get("timezone")
        if zone is not None and not timing.known_zone(zone):
            raise RowRefused("its timezone is not one; write one such as Europe/Paris")
        columns, _ = split_traits(fields)
        attributes = self._typed(self._project.attributes, self._mapping.render("attributes", row))
        return LeadDraft(who, columns, attributes, created_at, self._stage(row), self._consent(row))

    def event(self, row: Row) -> EventDraft:
        fields = self._mapping.render("event", row)
        name = fields.get("name", "")
        problem = name_problem(name)
        if problem:
            raise RowRefused(problem)
        at = self._past("at", fields.get("at"))
        if at is None:
            raise RowRefused("it has no 'at'")
        shapes = self._project.events.get(name, {})
        properties = self._typed(shapes, _properties(fields.get("properties", {})))
        for property_name in properties.keys() - shapes.keys():
            self.undeclared[f"{name}.{property_name}"] += 1
        return EventDraft(_who(fields.get("lead")), name, at, _id(fields.get("id")), properties)

    def deal(self, row: Row) -> DealDraft:
        fields = self._mapping.render("deal", row)
        name = fields.get("pipeline", "")
        pipeline = self._project.pipelines.get(name)
        if pipeline is None:
            raise RowRefused(f"there is no pipeline '{name}'")
        stage = fields.get("stage")
        if stage is not None and stage not in (s.name for s in pipeline.stages):
            raise RowRefused(f"the pipeline '{name}' has no stage '{stage}'")
        outcome = _one_of("outcome", fields.get("outcome", "open"), OUTCOMES)
        opened_at = self._past("opened_at", fields.get("opened_at"))
        # Sales systems keep an expected day in this column for deals that are still open.
        closed_at = None if outcome == "open" else self._past("closed_at", fields.get("closed_at"))
        if outcome != "open" and closed_at is None:
            raise RowRefused(f"it is {outcome} and has no 'closed_at'")
        if outcome == "open" and stage is None and pipeline.stages:
            stage = pipeline.stages[0].name
        return DealDraft(
            who=_who(fields.get("lead")),
            pipeline=name,
            id=_id(fields.get("id")),
            stage=stage,
            amount=_amount(fields.get("amount")),
            currency=fields.get("currency"),
            owner=fields.get("owner"),
            opened_at=opened_at,
            closed_at=closed_at,
            outcome=outcome,
            reason=fields.get("reason"),
        )

    def _stage(self, row: Row) -> StageDraft | None:
        fields = self._mapping.render("stage", row)
        name = fields.get("name")
        if name is None:
            return None
        funnel = self._project.funnel_of(name)
        if funnel is None:
            raise RowRefused(f"there is no stage '{name}'")
        since = self._past("since", fields.get("since"))
        if since is None:
            raise RowRefused("it has a stage and no 'since'")
        return StageDraft(funnel.name, name, since, fields.get("reason"))

    def _consent(self, row: Row) -> ConsentDraft | None:
        """None where the row names no topic: that lead said nothing."""
        fields = self._mapping.render("consent", row)
        topic = fields.get("topic")
        if topic is None:
            return None
        if topic not in self._project.topics:
            raise RowRefused(f"there is no topic '{topic}'")
        state = _one_of("consent state", fields.get("state", "granted"), CONSENT_STATES)
        at, source = self._past("at", fields.get("at")), fields.get("source")
        if at is None or source is None:
            raise RowRefused("its consent says not when and where it was given")
        return ConsentDraft(
            topic=topic,
            basis=cast(Basis, _one_of("basis", fields.get("basis", ""), BASES)),
            at=at,
            source=source,
            state=state,
            wording=fields.get("wording"),
            locale=fields.get("locale"),
            evidence=fields.get("evidence"),
            sale=self._sale(fields),
        )

    def _sale(self, fields: Mapping[str, str]) -> dict[str, Any]:
        sale: dict[str, Any] = {kind: fields[kind] for kind in KINDS if kind in fields}
        if sold_at := self._past("sold_at", fields.get("sold_at")):
            sale["sold_at"] = sold_at.isoformat()
        if offered := fields.get("objection_offered"):
            sale["objection_offered"] = _one_of("objection_offered", offered.lower(), (*_YES, *_NO)) in _YES
        return sale

    def _past(self, field: str, text: str | None) -> datetime | None:
        if text is None:
            return None
        at = timing.read_moment(text, self._project.zone)
        if at is None:
            raise RowRefused(f"its '{field}' is not a date; write 2018-02-26 or 2018-02-26T19:58:54")
        if at > self._now:
            raise RowRefused(f"its '{field}' lies in the future")
        return at

    def _typed(self, shapes: Mapping[str, Shape], values: dict[str, Any]) -> dict[str, Any]:
        opened = {name: _opened(shapes.get(name), value) for name, value in values.items()}
        return typed_fields(shapes, opened, lambda text: timing.read_moment(text, self._project.zone))


def _opened(shape: Shape | None, value: Any) -> Any:
    """A list or a mapping comes as JSON text."""
    if isinstance(shape, (list, dict)) and isinstance(value, str):
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value
    return value


def _properties(given: Any) -> dict[str, Any]:
    if isinstance(given, dict):
        return given
    try:
        read = msgspec.json.decode(given)
    except msgspec.DecodeError as error:
        raise RowRefused("its properties are not a JSON object") from error
    if not isinstance(read, dict):
        raise RowRefused("its properties are not a JSON object")
    return read


def _who(text: str | None) -> WhoIs:
    """An external id or an address: what can be an address is one."""
    if text is None:
        raise RowRefused("it names no lead")
    address = check_address(text) if "@" in text else None
    return WhoIs(email=address) if isinstance(address, str) else WhoIs(external=_id(text))


def _id(text: str | None) -> str | None:
    if text is not None and len(text) > LONGEST_ID:
        raise RowRefused(f"an id has at most {LONGEST_ID} characters")
    return text


def _address(text: str | None) -> str | None:
    if text is None:
        return None
    address = check_address(text)
    if isinstance(address, AddressRefused):
        raise RowRefused(address.reason)
    return address


def _amount(text: str | None) -> float | None:
    if text is None:
        return None
    number = typed_fields({"amount": "number"}, {"amount": text}, lambda _: None)["amount"]
    if isinstance(number, str):
        raise RowRefused("its 'amount' is not a number; write 1200 or 1200.50")
    return float(number)


def _one_of(field: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise RowRefused(f"its {field} is none of: {', '.join(known)}")
    return value
