"""An endpoint over a real database file, with one lead who agreed to two topics."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from sqlalchemy import select

from nurture.campaign.project import Form, Project, Sender, Topic
from nurture.clock import VirtualClock
from nurture.engine.consent import ConsentRules, change
from nurture.engine.ingest import Ingest
from nurture.lead.consent import Action, Declaration, Proof
from nurture.lead.keyring import Keyring
from nurture.mail.links import Links
from nurture.store import tables as t
from nurture.store.consents import people
from nurture.store.database import open_database
from nurture.store.keys import create_key
from nurture.store.leads import LeadCall, upsert_leads
from nurture.store.ledger import entries_of
from nurture.store.tables import metadata
from nurture.web.app import create_app
from nurture.web.services import Services
from tests.heard import NAME

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PROJECT = Project(
    name="acme",
    zone="Europe/Paris",
    locale="en",
    sender=Sender("Acme", "news@acme.example", postal_address="1 rue de la Paix, 75002 Paris"),
    topics={
        "letter": Topic("letter", {"en": "The letter", "fr": "La lettre"}, {"en": "Yes, the letter.", "fr": "Oui."}),
        "offers": Topic("offers", {"en": "Offers", "fr": "Offres"}, {"en": "Yes, offers."}, double_opt_in=False),
    },
    attributes={"company": "text", "seats": "number"},
    events={"cart_updated": {"total": "number"}},
    forms={
        "guide": Form(
            "guide", {"company": "text", "seats": "number", "vip": "bool"}, {"en": "The guide"}, ("letter", "offers")
        )
    },
)


class Endpoint:
    """`client` speaks to the app as the world does."""

    def __init__(self, folder: Path, base_url: str, secrets: list[str], **settings: Any) -> None:
        project = settings.pop("project", PROJECT)
        self.database = open_database(settings.pop("database", f"sqlite:///{folder / 'nurture.db'}"))
        metadata.create_all(self.database.engine)
        self.clock = VirtualClock(NOW)
        self.keyring = Keyring(secrets)
        self.links = Links(base_url, secrets)
        self.rules = ConsentRules(project, self.keyring, ends_on={("sale", "v1"): "offers"})
        self.ingest = Ingest(self.database, self.clock, lambda: self.rules, **settings.pop("limits", {}))
        self.moved: list[tuple[Any, ...]] = []
        self.erased: list[tuple[Any, ...]] = []
        self.services = Services(
            database=self.database,
            clock=self.clock,
            links=self.links,
            keyring=self.keyring,
            base_url=base_url,
            ingest=self.ingest,
            rules=lambda: self.rules,
            move=self._move,
            erase=lambda *said: self.erased.append(said),
            **{"even": False, **settings},
        )
        self.app = create_app(self.services)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=("198.51.100.7", 4711)), base_url="http://acme.example"
        )

    def _move(self, *said: Any) -> str | None:
        self.moved.append(said)
        return "there is no stage 'moon'" if said[1] == "moon" else None

    def lead(self, external: str = "u1", email: str | None = "anna@example.com", **columns: Any) -> int:
        with self.database.write() as tx:
            columns = {"first_name": NAME, **columns}
            call = LeadCall(external=external, columns={"email": email, **columns} if email else columns)
            [who] = upsert_leads(tx, [call], project=PROJECT, keyring=self.keyring, now=NOW)
        return who.lead

    def say(self, lead: int, action: Action, topic: str) -> None:
        proof = Proof(method="double_opt_in", evidence={"by": "test"})
        with self.database.write() as tx:
            change(tx, [Declaration(lead, topic, action, "person", "person", NOW, proof)], self.rules, self.clock.now())

    def member(self, **lead: Any) -> int:
        """A lead who agreed to both topics."""
        who = self.lead(**lead)
        for topic in PROJECT.topics:
            self.say(who, "grant", topic)
        return who

    def states(self, lead: int) -> dict[str, str]:
        with self.database.read() as tx:
            return {name: row.state for name, row in people(tx, [lead])[lead].consents.items()}

    def entries(self, lead: int) -> list[dict[str, Any]]:
        with self.database.read() as tx:
            return entries_of(tx, lead)

    def rows(self, table: str) -> list[Any]:
        with self.database.read() as tx:
            return list(tx.execute(select(getattr(t, table))).mappings().all())

    def key(self, *scopes: str) -> str:
        with self.database.write() as tx:
            return create_key(tx, scopes, NOW)

    def later(self, **by: int) -> None:
        self.clock.advance(timedelta(**by))

    def path(self, url: str) -> str:
        return urlsplit(url).path


@asynccontextmanager
async def running(folder: Path, base_url: str = "https://acme.example", **settings: Any) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint(folder, base_url, settings.pop("secrets", ["secret"]), **settings)
    endpoint.ingest.start()
    try:
        yield endpoint
    finally:
        await endpoint.client.aclose()
        endpoint.ingest.stop()
        endpoint.database.close()


def hidden(html: str) -> dict[str, str]:
    """The hidden fields of a page, as a browser would send them with its button."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', html))
