"""Whether a person may be written to: the rules are `lead.permission`'s, the rows are `consents.people`'s."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from nurture.campaign.project import Project
from nurture.lead.permission import Standing, judge_service, judge_topic
from nurture.lead.soft_opt_in import NO_GROUNDS
from nurture.store.consents import Person


@dataclass(frozen=True, slots=True)
class Permission:
    """`ok` or the reason for the no: for service mail, and per topic."""

    service: str
    topics: dict[str, str]


def standing(project: Project, person: Person, topic: str) -> Standing:
    """What is known of this person for this topic, as `lead.permission` judges it."""
    consent = person.consents.get(topic)
    declared = project.topics.get(topic)
    return Standing(
        has_address=person.email is not None,
        restricted=person.restricted,
        state=consent.state if consent else "none",
        basis=consent.basis if consent else None,
        expires_at=consent.expires_at if consent else None,
        scopes=person.scopes,
        country=person.country,
        countries=declared.countries if declared else (),
        grounds=consent.grounds if consent else NO_GROUNDS,
        similar=declared is not None and declared.of_similar_products,
        paused_until=person.paused_until,
    )


def permit(project: Project, person: Person, topics: Iterable[str], now: datetime) -> Permission:
    """Whether this person may be mailed as of `now`, for service and on each topic."""
    return Permission(
        judge_service(person.email is not None, person.restricted, person.scopes),
        {
            topic: judge_topic(
                topic,
                project.topics[topic].basis if topic in project.topics else None,
                standing(project, person, topic),
                now,
            )
            for topic in topics
        },
    )
