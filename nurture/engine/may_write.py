"""What would have to be different for a refused mail to go: who may give what is missing, and how.

The rules are `lead.permission`'s; here they are told to a person who asks why. Said of the lead as it is now: a refusal
is about a day gone by, but only today can anybody change something.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from nurture.campaign.project import Project
from nurture.engine.change import Change
from nurture.lead.permission import ALL, MARKETING, TOPIC_SCOPE, lasts
from nurture.lead.soft_opt_in import NO_CHANCE, NO_DATE, NO_SALE, NO_SIMILAR
from nurture.store.consents import Person


def what_lets(
    project: Project, person: Person | None, topic: str, refusal: str, now: datetime, clock: Callable[[datetime], str]
) -> tuple[Change, ...]:
    """What together would let a mail on this topic ("" for service mail) go that was refused so."""
    match refusal:
        case "no address":
            return (Change("the lead has an address: from a form, the API or an import"),)
        case "no consent":
            return (Change(_agreed(project, person, topic, clock), saw=_state(person, topic)),)
        case "suppressed":
            return _lifted(person, topic, now)
        case "jurisdiction":
            land = (person.country if person else None) or None
            text = f"the person agrees to '{topic}', or the law of their country allows it on another basis"
            return (Change(text, "", f"country {land}" if land else "no country"),)
        case _ if refusal in _LACKS:
            return (Change(_LACKS[refusal]),)
        case "test mode":
            return (Change("the address stands in 'allow_recipients' of config.yaml, or that list is taken away"),)
        case _:
            return ()


_LACKS = {
    NO_SALE: "the import or call that brought the soft opt-in says what they bought, with its number",
    NO_DATE: "the import or call that brought the soft opt-in says when they bought",
    NO_CHANCE: "it is shown that they could say no when their address was taken down",
    NO_SIMILAR: "'similar_to' of the topic in config.yaml says what its products are like",
}


def _state(person: Person | None, topic: str) -> str:
    consent = person.consents.get(topic) if person else None
    return f"now: {consent.state}" if consent else "now: never said"


def _agreed(project: Project, person: Person | None, topic: str, clock: Callable[[datetime], str]) -> str:
    consent = person.consents.get(topic) if person else None
    declared = project.topics.get(topic)
    if consent is None or consent.state == "none":
        confirmed = " and confirms the mail sent then" if declared is None or declared.double_opt_in else ""
        return f"the person agrees to '{topic}' in a form, on their page or by your own system{confirmed}"
    since = clock(consent.since)
    match consent.state:
        case "requested":
            asked = clock(consent.requested_at) if consent.requested_at else since
            return f"the person confirms '{topic}' by the mail of {asked}"
        case "granted":
            return f"nothing any more: '{topic}' was agreed to on {since}"
        case "expired":
            return f"the person agrees to '{topic}' again; it ended on {since}"
        case _:
            return f"the person agrees to '{topic}' again; nobody else may undo that they left on {since}"


def _lifted(person: Person | None, topic: str, now: datetime) -> tuple[Change, ...]:
    """All that stands against writing to the address now."""
    if person is None:
        return (Change("the lead is still there"),)
    found = [_unblocked(scope, reason, topic) for scope, reason in sorted(person.scopes.items()) if _bars(scope, topic)]
    if person.restricted:
        found.append(Change("an operator lets the data be used again: nurture privacy restrict LEAD --lift"))
    if topic and person.paused_until is not None and person.paused_until > now:
        found.append(Change("the rest that the person asked for ends", at=person.paused_until))
    return tuple(found) or (Change("nothing any more: no suppression stands against it now"),)


def _bars(scope: str, topic: str) -> bool:
    return scope == ALL or (bool(topic) and scope in (MARKETING, TOPIC_SCOPE + topic))


def _unblocked(scope: str, reason: str, topic: str) -> Change:
    saw = f"{scope}: {reason}"
    if scope == ALL:
        return Change("the lead has another address: nothing more goes to this one", saw=saw)
    if lasts(reason):
        return Change("the lead has another address: neither a form nor an operator lifts this", saw=saw)
    return Change(f"the person agrees to '{topic}' again; only that lifts it", saw=saw)
