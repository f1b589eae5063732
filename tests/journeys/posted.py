"""A lead to whom a mail went out, and what is heard of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nurture.engine.feedback import Feedback
from nurture.engine.turn import Turn
from nurture.mail.links import Links
from nurture.mail.outcome import default_rules
from nurture.mail.report import Kind, Notice
from nurture.store import suppressions
from nurture.store.consents import people
from nurture.store.database import Database
from nurture.store.tables import events, messages
from tests.journeys.world import KEYRING, Site, instant, person

LINKS = Links("https://news.shop.example", ["journeys"])
FEEDBACK = Feedback(LINKS, KEYRING, default_rules(), "maildir")
WELCOME = "campaign: mails\ntopic: offers\nenter: {event: signup}\nsteps: [{send: a}, {wait: 3d}, {send: b}]\n"


@dataclass
class Post:
    """A lead to whom mail `a` went out at the start."""

    site: Site
    message: int
    lead: int

    def mark(self, message: int | None = None) -> str:
        return LINKS.verp(message or self.message)

    def hears(self, kind: Kind, at: str = "1h", marks: tuple[str, ...] | None = None, **said: Any) -> str:
        notice = Notice(kind=kind, marks=(self.mark(),) if marks is None else marks, **said)
        with self.site.db.write() as tx:
            turn = Turn(tx, self.site._live(tx))
            [taken] = FEEDBACK.take(turn, [notice], instant(at))
            turn.flush()
        return taken

    def scopes(self) -> dict[str, str]:
        with self.site.db.read() as tx:
            return people(tx, [self.lead])[self.lead].scopes

    def closed(self, address: str) -> dict[str, str]:
        with self.site.db.read() as tx:
            hashed = KEYRING.address_hash(address)
            return suppressions.scopes(tx, [hashed]).get(hashed, {})

    def went_to(self, address: str, message: int | None = None) -> None:
        """As the wire gate notes it; here nothing is on a wire."""
        with self.site.db.write() as tx:
            mine = messages.c.id == (message or self.message)
            tx.execute(messages.update().where(mine).values(mailed_to=KEYRING.address_hash(address)))

    def consents(self) -> dict[str, str]:
        with self.site.db.read() as tx:
            return {name: row.state for name, row in people(tx, [self.lead])[self.lead].consents.items()}

    def said(self, name: str) -> list[dict[str, Any]]:
        with self.site.db.read() as tx:
            rows = tx.execute(events.select().where(events.c.name == name).order_by(events.c.id)).all()
        return [row.properties for row in rows]

    def row(self) -> Any:
        with self.site.db.read() as tx:
            return tx.execute(messages.select().where(messages.c.id == self.message)).one()


def posted(db: Database, campaign: str = WELCOME, state: str = "sent", to: str | None = None) -> Post:
    site = Site(db)
    [lead] = site.join(person())
    site.deploy(campaign)
    site.happens("0h", "signup")
    site.pass_("0h")
    site.send("0h", state)
    with db.read() as tx:
        message = tx.execute(messages.select().order_by(messages.c.id)).first()
    assert message is not None
    post = Post(site, message.id, lead)
    if to is not None:
        post.went_to(to)
    return post
