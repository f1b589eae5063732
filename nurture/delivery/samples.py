"""Who a mail is printed for where nobody is about to get it: leads of tests and of a table, or made-up ones."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from nurture.campaign.cases import DEFAULT_START, CampaignTest
from nurture.campaign.condition import Field, Moment, walk
from nurture.campaign.plan import DateRef, EnterDate, EnterEvent, EnterMatch, Notify, Plan, Send
from nurture.campaign.project import Project, Shape
from nurture.engine.history import Player
from nurture.journey.facts import LeadFacts
from nurture.journey.timing import read_moment, zone_name
from nurture.mail.check import CONFIRMATION
from nurture.store.facts import BUILT_IN, KnownLead
from nurture.store.outbox import CONFIRM, MAIL, NOTICE

SAMPLE_ID = 1  # of the lead, the enrollment and the message where they are made up
FULL_NAME = {"email": "camille@example.com", "first_name": "Camille", "last_name": "Martin", "name": "Camille Martin"}


@dataclass(frozen=True)
class Use:
    """The campaign and step that print the template, where there are any; `test` gives the entry its properties. A
    confirmation has the `topic` it asks about in their place."""

    plan: Plan | None = None
    step: Send | Notify | None = None
    test: CampaignTest | None = None
    topic: str = ""

    @property
    def kind(self) -> str:
        return NOTICE if isinstance(self.step, Notify) else CONFIRM if self.topic else MAIL


def uses_of(name: str, project: Project, plans: Mapping[str, Plan], tests: Sequence[CampaignTest]) -> list[Use]:
    """Who prints this template, each way once; of its campaign's tests the first that has the entry's event."""
    if name == CONFIRMATION:
        return [Use(topic=topic) for topic in confirmed_topics(project)]
    found: dict[bytes, Use] = {}
    for plan in plans.values():
        mine = [t for t in tests if t.campaign == plan.campaign]
        event = plan.enter.event if isinstance(plan.enter, EnterEvent) else None
        fit = next((t for t in mine if any(e.name == event for e in t.events)), mine[0] if mine else None)
        for step in plan.steps:
            if isinstance(step, Send | Notify) and name in _templates(step):
                found.setdefault(msgspec.json.encode([plan.campaign, *_letterhead(step)]), Use(plan, step, fit))
    return list(found.values())


def use_of(name: str, project: Project, plans: Mapping[str, Plan], tests: Sequence[CampaignTest]) -> Use:
    """The first of them, an empty one where nobody prints it."""
    return next(iter(uses_of(name, project, plans, tests)), Use())


def confirmed_topics(project: Project) -> list[str]:
    """Topics whose consent is asked for once more, by mail."""
    return [topic.name for topic in project.topics.values() if topic.basis == "consent" and topic.double_opt_in]


def _templates(step: Send | Notify) -> set[str]:
    return {step.template} if isinstance(step, Notify) else {variant for variant, _ in step.variants}


def _letterhead(step: Send | Notify) -> list[Any]:
    """What of a step can be seen in its mail."""
    if isinstance(step, Notify):
        return ["notify"]
    return ["send", step.service, step.topic, step.subject, step.sender, step.reply_to]


# --- who


@dataclass(frozen=True)
class Sample:
    """A lead and the day its mail is printed on. `name` is for files, `title` for people; `test`: where it is from.
    `expected`: such a lead gets the mail, so it must be possible to print it."""

    name: str
    title: str
    lead: KnownLead
    now: datetime
    test: CampaignTest | None = None
    expected: bool = False


def of_tests(project: Project, use: Use, tests: Iterable[CampaignTest], at: datetime | None = None) -> list[Sample]:
    """The leads of the campaign's tests that expect this mail, else of all its tests; whoever brings the same to it as
    another is left out. What a test does not say of its lead is made up: tests print nothing, so they need not."""
    if use.plan is None or use.step is None:
        return []
    mine = [test for test in tests if test.campaign == use.plan.campaign]
    names = {use.step.id, *_templates(use.step)}
    expected = [
        test
        for test in mine
        if names & {one.name for one in (*(test.expect.sent or ()), *(test.expect.notified or ()))}
    ]
    found: dict[bytes, Sample] = {}
    for test in expected or mine:
        now = at or read_moment(test.start.text, project.zone)
        assert now is not None
        fields = {name: value for name, value in test.lead.fields.items() if name not in ("email", "external_id")}
        brought = [fields, sample_entry(project, replace(use, test=test), now), test.answers, now]
        lead = with_fields(project, made_up_lead(project, None, now), test.lead.fields)
        sample = Sample(slug(test.name), test.name, lead, now, test, expected=True)
        found.setdefault(msgspec.json.encode(brought, enc_hook=str), sample)
    return list(found.values())


def of_players(project: Project, players: Iterable[Player], at: datetime | None = None) -> list[Sample]:
    """The leads of a table: what it does not say of them is empty."""
    now = at or _usual_day(project)
    empty = replace(made_up_lead(project, None, now), email=None)
    empty = replace(empty, facts=msgspec.structs.replace(empty.facts, locale=None, attributes=dict.fromkeys(BUILT_IN)))
    found: dict[str, Sample] = {}
    for player in players:
        fields = {**player.fields, "external_id": player.external, "email": player.email}
        name = slug(player.external or player.name.partition("@")[0])
        while name in found:
            name += "-2"
        title = str(fields.get("name") or fields.get("first_name") or player.name)
        found[name] = Sample(name, title, with_fields(project, empty, fields), now)
    return list(found.values())


def made_up(project: Project, at: datetime | None = None) -> list[Sample]:
    """Somebody who has filled in everything, and somebody of whom the address is known and nothing else."""
    now = at or _usual_day(project)
    return [
        Sample("everything", "everything filled in", made_up_lead(project, None, now), now, expected=True),
        address_alone(project, at),
    ]


def address_alone(project: Project, at: datetime | None = None) -> Sample:
    now = at or _usual_day(project)
    (sample,) = of_players(project, [Player(email=FULL_NAME["email"])], now)
    return replace(sample, name="address-alone", title="only the address is known")


def _usual_day(project: Project) -> datetime:
    """The day tests begin on, so that the same files print the same mails."""
    day = read_moment(DEFAULT_START.text, project.zone)
    assert day is not None
    return day


def slug(text: str) -> str:
    """A name for files: lower case, digits and dashes."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "lead"


def made_up_lead(project: Project, locale: str | None, now: datetime) -> KnownLead:
    """Somebody who has filled in everything."""
    values: dict[str, Any] = {
        **FULL_NAME,
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
        id=SAMPLE_ID,
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


def with_fields(project: Project, lead: KnownLead, fields: Mapping[str, Any]) -> KnownLead:
    """The same lead with these fields."""
    attributes = {**lead.facts.attributes, **fields}
    zone = zone_name(attributes.get("timezone"), project.zone)
    facts = msgspec.structs.replace(
        lead.facts,
        attributes=attributes,
        locale=attributes.get("locale"),
        owner=attributes.get("owner"),
        zone=zone,
    )
    return replace(lead, email=attributes.get("email"), zone=zone, facts=facts)


def with_what_is_read(project: Project, plan: Plan, sample: Sample) -> Sample:
    """The same sample with what the campaign itself reads of a lead and this one lacks: the date it begins or waits
    for, the fields its conditions ask for. Without them the lead would not come to this mail."""
    known = sample.lead.facts.attributes
    lacking = {name for name in _read_of_lead(plan) if name in project.attributes and known.get(name) is None}
    if not lacking:
        return sample
    made = {name: _sample(name, project.attributes[name], sample.now) for name in sorted(lacking)}
    return replace(sample, lead=with_fields(project, sample.lead, made))


def _read_of_lead(plan: Plan) -> set[str]:
    dates = [value for step in plan.steps for value in msgspec.structs.astuple(step) if isinstance(value, DateRef)]
    found = {date.path[0] for date in dates if date.source == "lead"}
    asked = [*plan.conditions, *([plan.only_if] if plan.only_if is not None else [])]
    match plan.enter:
        case EnterDate(field=path):
            found.add(path[0])
        case EnterMatch(condition=condition):
            asked.append(condition)
    fields = (inner for condition in asked for inner in walk(condition) if isinstance(inner, Field))
    return found | {one.path[0] for one in fields if one.scope == "lead"}


# --- what they did


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
