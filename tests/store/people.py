"""Small builders for the store's tests: rows that state only what a test is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from nurture.campaign.condition import Condition
from nurture.campaign.project import Project
from nurture.store import tables as t
from nurture.store.conditions import Row, ask, ask_edges
from nurture.store.database import Database, insert_returning_ids, insert_rows

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)  # a Tuesday
DAY = timedelta(days=1)
ZONE = "Europe/Paris"


class World:
    """A database with a few people in it."""

    def __init__(self, db: Database, project: Project | None = None) -> None:
        self.db, self.project = db, project or Project()
        self._seq = 0

    def _insert(self, table: Any, **values: Any) -> int:
        with self.db.write() as tx:
            return insert_returning_ids(tx, table, [values])[0]

    def _add(self, table: Any, **values: Any) -> None:
        with self.db.write() as tx:
            insert_rows(tx, table, [values])

    def lead(self, **values: Any) -> int:
        """A lead; names that are no columns are attributes."""
        columns = {name: values.pop(name) for name in list(values) if name in t.leads.c}
        defaults = {"shard": 0, "created_at": NOW - 30 * DAY, "changed_at": NOW, "restricted": False}
        attributes = columns.pop("attributes", values)
        return self._insert(t.leads, **{**defaults, **columns, "attributes": attributes})

    def account(self, **attributes: Any) -> int:
        self._seq += 1
        return self._insert(t.accounts, external_id=f"acme-{self._seq}", attributes=attributes)

    def event(self, lead: int, name: str, at: datetime = NOW, *, seen: bool = True, **properties: Any) -> int:
        self._seq += 1
        return self._insert(
            t.events,
            lead_id=lead,
            shard=0,
            name=name,
            at=at,
            accepted_at=at,
            seq=self._seq if seen else None,
            fact=False,
            source="test",
            properties=properties,
        )

    def enrollment(self, lead: int, campaign: str = "welcome", **values: Any) -> int:
        defaults: dict[str, Any] = {
            "shard": 0,
            "version": "v1",
            "key": "",
            "state": "waiting",
            "visit": 0,
            "entered_at": NOW - DAY,
            "entry_at": NOW - DAY,
            "entry": {},
            "data": {},
            "arms": {},
            "loops": {},
            "revision": 0,
        }
        return self._insert(t.enrollments, lead_id=lead, campaign=campaign, **{**defaults, **values})

    def mail(self, lead: int, template: str = "hello", **values: Any) -> int:
        defaults: dict[str, Any] = {
            "shard": 0,
            "kind": "mail",
            "template": template,
            "state": "sent",
            "due": NOW - DAY,
            "released_at": NOW - DAY,
            "sent_at": NOW - DAY,
            "visit": 0,
            "service": False,
            "options": {},
            "lane": "other",
            "attempts": 0,
            "fence": 0,
        }
        return self._insert(t.messages, lead_id=lead, **{**defaults, **values})

    def deal(self, lead: int, **values: Any) -> int:
        defaults: dict[str, Any] = {"pipeline": "sales", "stage": "demo", "outcome": "open", "amount": 100.0}
        return self._insert(t.deals, lead_id=lead, **{**defaults, **values})

    def stands(self, lead: int, stage: str, since: datetime = NOW - DAY, funnel: str = "main") -> None:
        self._add(t.lead_stages, lead_id=lead, funnel=funnel, stage=stage, since=since)

    def tag(self, lead: int, tag: str) -> None:
        self._add(t.lead_tags, lead_id=lead, tag=tag)

    def score(self, lead: int, score: str, value: float, at: datetime = NOW) -> None:
        self._add(t.lead_scores, lead_id=lead, score=score, value=value, at=at, above=[])

    def consent(self, lead: int, topic: str, state: str = "granted", **values: Any) -> None:
        self._add(
            t.consents, **{"lead_id": lead, "topic": topic, "state": state, "since": NOW - DAY, "requests": 0} | values
        )

    def suppress(self, address_hash: str, scope: str) -> None:
        self._add(t.suppressions, address_hash=address_hash, scope=scope, reason="test", at=NOW)

    def holds(self, condition: Condition, lead: int, as_of: datetime = NOW, zone: str = ZONE, **row: Any) -> bool:
        """The answer for one lead."""
        with self.db.read() as tx:
            return ask(tx, self.project, [condition], [Row(lead, as_of, zone, **row)])[0][0]

    def edge(
        self, condition: Condition, lead: int, as_of: datetime = NOW, zone: str = ZONE, **row: Any
    ) -> datetime | None:
        """When time alone may change the answer."""
        with self.db.read() as tx:
            return ask_edges(tx, self.project, [condition], [Row(lead, as_of, zone, **row)])[0][1]
