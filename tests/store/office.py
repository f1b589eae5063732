"""One lead and everything said about its consent, for the tests of consent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import select

from nurture.campaign.duration import Duration
from nurture.campaign.project import Project, Topic
from nurture.engine.confirming import request_of
from nurture.engine.consent import Answer, ConsentRules, change
from nurture.lead.consent import Action, By, Declaration, Proof
from nurture.lead.keyring import Keyring
from nurture.store import tables as t
from nurture.store.consents import Consent, Person, people
from nurture.store.database import Database
from nurture.store.leads import LeadCall, upsert_leads
from nurture.store.ledger import entries_of
from nurture.store.suppressions import scopes, suppress
from tests.store.people import World

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEYRING = Keyring(["secret"])
ANNA = KEYRING.address_hash("anna@example.com")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PROJECT = Project(
    name="acme",
    topics={
        "letter": Topic("letter", wording={"en": "Yes, send me the letter."}),
        "offers": Topic("offers", double_opt_in=False),
        "table": Topic(
            "table", basis="soft_opt_in", similar_to="tea", double_opt_in=False, expires_after=Duration(months=24)
        ),
    },
)
RULES = ConsentRules(PROJECT, KEYRING, ends_on={("sale", "v1"): "offers", ("course", "v1"): "letter"})


class Office:
    """One lead and everything said about its consent."""

    def __init__(self, db: Database, email: str | None = "anna@example.com") -> None:
        self.db, self.now, self.rules = db, NOW, RULES
        self.world = World(db, PROJECT)
        columns = {"email": email} if email else {}
        with db.write() as tx:
            call = LeadCall(external="u1", columns=columns)
            [who] = upsert_leads(tx, [call], project=PROJECT, keyring=KEYRING, now=NOW)
        self.lead = who.lead

    def say(self, action: Action, topic: str, by: By = "person", *, method: str = "checkbox", **proof: Any) -> Answer:
        said = Declaration(self.lead, topic, action, by, by, self.now, Proof(method=method, **proof))
        with self.db.write() as tx:
            return change(tx, [said], self.rules, self.now)[0]

    def confirm(self, topic: str = "letter", request: datetime | None = None) -> Answer:
        evidence = {"request": request_of(request or self.now)}
        return self.say("confirm", topic, method="double_opt_in", evidence=evidence)

    def later(self, **by: int) -> None:
        self.now += timedelta(**by)

    def state(self, topic: str) -> str:
        with self.db.read() as tx:
            row = people(tx, [self.lead])[self.lead].consents.get(topic)
        return row.state if row else "none"

    def entries(self) -> list[tuple[str, str | None]]:
        with self.db.read() as tx:
            return [(row["event"], row["topic"]) for row in entries_of(tx, self.lead)]

    def closed(self) -> set[str]:
        with self.db.read() as tx:
            return set(scopes(tx, [h := KEYRING.address_hash("anna@example.com")]).get(h, {}))

    def events(self) -> list[tuple[str, str]]:
        with self.db.read() as tx:
            rows = tx.execute(select(t.events.c.name, t.events.c.properties).order_by(t.events.c.id))
            return [(name, properties["topic"]) for name, properties in rows]

    def sent(self) -> None:
        """What waited has left."""
        with self.db.write() as tx:
            waiting = t.messages.update().where(t.messages.c.state == "pending")
            tx.execute(waiting.values(state="sent", sent_at=self.now))

    def mails(self) -> Sequence[Any]:
        with self.db.read() as tx:
            c = t.messages.c
            return list(tx.execute(select(c.kind, c.state, c.reason, c.options).order_by(c.id)).all())


# --- what stands in its tables ---


def person(office: Office) -> Person:
    with office.db.read() as tx:
        return people(tx, [office.lead])[office.lead]


def row(office: Office, topic: str = "offers") -> Consent:
    return person(office).consents[topic]


def ledger(office: Office) -> Mapping[str, Any]:
    """The last entry."""
    with office.db.read() as tx:
        return tx.execute(select(t.consent_ledger).order_by(t.consent_ledger.c.id.desc())).mappings().first() or {}


def events(office: Office) -> list[dict[str, Any]]:
    names = ("lead_id", "name", "at", "accepted_at", "properties", "fact", "source")
    with office.db.read() as tx:
        query = select(*(t.events.c[name] for name in names)).order_by(t.events.c.id)
        return [dict(row) for row in tx.execute(query).mappings()]


def told(office: Office) -> list[tuple[str, str]]:
    return [(row["name"], row["properties"]["topic"]) for row in events(office)]


def reasons(office: Office) -> dict[str, str]:
    with office.db.read() as tx:
        return dict(scopes(tx, [ANNA]).get(ANNA, {}))


def declare(office: Office, *said: Declaration) -> list[Answer]:
    with office.db.write() as tx:
        return change(tx, said, office.rules, office.now)


def saying(office: Office, action: Action, topic: str = "offers", by: By = "person", **more: Any) -> Declaration:
    declared = Declaration(office.lead, topic, action, by, "somebody", office.now, Proof("page"))
    return msgspec.structs.replace(declared, **more)


def close(office: Office, scope: str, reason: str = "left") -> None:
    with office.db.write() as tx:
        suppress(tx, [(ANNA, scope, reason)], office.now)


def with_topics(office: Office, **topics: Topic) -> None:
    project = msgspec.structs.replace(office.rules.project, topics={**office.rules.project.topics, **topics})
    office.rules = replace(office.rules, project=project)


def waiting(office: Office) -> list[Mapping[str, Any]]:
    with office.db.read() as tx:
        query = select(t.messages).where(t.messages.c.state == "pending").order_by(t.messages.c.id)
        return list(tx.execute(query).mappings())


def person_shard(office: Office) -> int:
    with office.db.read() as tx:
        return int(tx.execute(select(t.leads.c.shard).where(t.leads.c.id == office.lead)).scalar_one())
