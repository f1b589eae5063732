"""The real program on a throw-away SQLite file: App, passes, dispatch, public pages; only the server of the mails and
the clock are played."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from sqlalchemy import select
from starlette.applications import Starlette

from nurture.app import App
from nurture.campaign.plan import Plan
from nurture.campaign.project import Project
from nurture.campaign.read import read_campaigns, read_project
from nurture.clock import Dice, VirtualClock, machine_now
from nurture.delivery import recovery
from nurture.delivery.dispatch import Dispatch
from nurture.delivery.journal import Journal
from nurture.delivery.pacing import Lanes, Pace
from nurture.delivery.transport import Dropped, Mail, Refused, Reply, Sent, Wire, Withdrawn
from nurture.engine import deploy, upkeep
from nurture.engine.turn import Turn
from nurture.serving import Endpoint
from nurture.settings import Settings
from nurture.store import migrate, outbox
from nurture.store import tables as t
from nurture.store.database import Database, open_database
from nurture.store.suppression_journal import suppression_journal
from nurture.web.forms import FormRoutes
from nurture.web.page import Pages
from nurture.web.personal import Personal
from nurture.web.public import PublicRoutes
from tests.properties.permission.model import SPELLINGS

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)  # a Monday
CONFIG = """
project: shop
timezone: UTC
locale: en
sender: {name: Shop, email: news@shop.example, postal_address: "1 rue de la Paix, Paris"}
topics:
  letter: {title: {en: Letter}, wording: {en: Yes to the letter}}
  club: {title: {en: Club}, wording: {en: Yes to the club}, expires_after: 365d}
  offers: {title: {en: Offers}, wording: {en: Yes to offers}, double_opt_in: false, expires_after: 400d}
  table: {title: {en: Table}, wording: {en: Tables like yours}, basis: soft_opt_in, similar_to: chairs}
  partner: {title: {en: Partner}, wording: {en: Partners}, basis: legitimate_interest, assessment: LIA-1, countries: US}
  notices: {title: {en: Notices}, basis: service}
events: {visit: {page: text}, cart: {cart_id: text}}
forms: {guide: {topics: [letter, club, offers]}}
caps: {marketing: {at_most: 4, per: 7d}}
"""
EXTRA = "  extra: {title: {en: Extra}, wording: {en: Yes to extra}, double_opt_in: false}\n"
CAP, CAP_PER = 4, timedelta(days=7)
OPENS, CLOSES = 9, 20  # hours, of the campaign `letter`
CAMPAIGNS = {
    "letter": """
        campaign: letter
        topic: letter
        enter: {event: visit, again: {after: 12h}}
        window: {between: "09:00-20:00", zone: project}
        steps: [{send: letter/a}, {wait: 1d}, {send: letter/b}, {wait: 2d}, {send: letter/c, topic: offers}]
    """,
    "offers": """
        campaign: offers
        topic: offers
        on_withdrawal: stay
        enter: {event: cart, key: cart_id}
        steps: [{send: offers/a}, {send: offers/receipt, class: service}, {wait: 3h}, {send: offers/b}]
    """,
    "rest": """
        campaign: rest
        topic: table
        enter: {event: visit, again: {after: 1d}}
        steps:
          - {send: rest/table}
          - {send: rest/club, topic: club}
          - {send: rest/partner, topic: partner}
          - {send: rest/notices, topic: notices}
    """,
    "asks": """
        campaign: asks
        topic: offers
        on_withdrawal: stay
        enter: {manual: true, again: {after: 1h}}
        steps: [{consent: {request: letter}}, {send: asks/service, class: service}, {wait: 1d}, {send: asks/offers}]
    """,
}
SECOND = {
    **CAMPAIGNS,
    "letter": CAMPAIGNS["letter"].replace("{wait: 2d}", "{wait: 6h}"),
    "extra": """
        campaign: extra
        topic: extra
        enter: {event: visit, again: {after: 1h}}
        steps: [{send: extra/a}, {wait: 5h}, {send: extra/b}]
    """,
}
TEMPLATE = """---
subject: "|{kind}|{{{{ campaign.name }}}}|{{{{ campaign.topic }}}}|{name} {{{{ enrollment.id }}}}|"
---
Good day.
{{{{ links.unsubscribe }}}}
{{{{ links.preferences }}}}
{{{{ sender.postal_address }}}}
"""
SECRETS = ("first secret of the machine", "second secret of the machine", "third secret of the machine")
BASE = "https://shop.example"
PAGES = Pages()
T = TypeVar("T")


class Killed(BaseException):
    """The worker's process is gone."""


def project(config: str) -> Project:
    reading = read_project(("config.yaml", config))
    assert not [p for p in reading.problems if p.severity == "error"], reading.problems
    return reading.project


def plans(shop: Project, texts: dict[str, str]) -> dict[str, Plan]:
    read = read_campaigns({f"{name}.yaml": text.replace("\n        ", "\n") for name, text in texts.items()}, shop)
    assert not [p for p in read.problems if p.severity == "error"], [str(p) for p in read.problems]
    return read.plans


def templates(texts: dict[str, str]) -> dict[str, dict[str, str]]:
    names = {name for text in texts.values() for name in re.findall(r"send: (\S+?)[,}]", text)}
    service = {"offers/receipt", "asks/service"}
    return {
        name: {f"{name}.txt": TEMPLATE.format(kind="service" if name in service else "marketing", name=name)}
        for name in sorted(names)
    }


@dataclass(frozen=True)
class Ground:
    """What every world begins with: a database where the first campaigns are live. One world is played at a time, on
    one and the same open database, which knows its statements by then."""

    folder: Path
    file: Path
    database: Database
    versions: tuple[tuple[Project, dict[str, Plan], dict[str, dict[str, str]]], ...]

    @classmethod
    def make(cls, folder: Path) -> Ground:
        first, second = project(CONFIG), project(CONFIG.replace("events:", EXTRA + "events:"))
        versions = (
            (first, plans(first, CAMPAIGNS), templates(CAMPAIGNS)),
            (second, plans(second, SECOND), templates(SECOND)),
        )
        file = folder / "ground.db"
        database = open_database(f"sqlite:///{file}", durable=False)
        migrate.create_fresh(database)
        with database.write() as tx:
            deploy.deploy(tx, *versions[0], START)
        database.close()
        return cls(folder, file, open_database(f"sqlite:///{folder / 'nurture.db'}", durable=False), versions)


@dataclass
class Post:
    """The way out. `begins` hears of every mail whose content a server is about to get; `between` holds what happens
    while a batch is under way: after its claim, after the gate (whose answer has aged then), and behind the dot."""

    begins: Callable[[Mail], None]
    tried: Callable[[Mail, str], None]
    answers: list[str] = field(default_factory=list)
    between: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)

    async def _meanwhile(self, point: str) -> bool:
        act = self.between.pop(point, None)
        if act is not None:
            await act()
        return act is not None

    async def send(self, batch: Sequence[Mail], wire: Wire, *, connections: int | None = None) -> None:
        await self._meanwhile("claimed")
        allowed = await wire.gate(batch)
        if await self._meanwhile("gated"):
            allowed = await wire.gate([mail for mail in batch if mail.id in allowed])
        for place, mail in enumerate(batch):
            if mail.id not in allowed:
                wire.on_result(Withdrawn(mail.id))
            elif await self._converse(mail, wire):
                allowed = await wire.gate([later for later in batch[place + 1 :] if later.id in allowed])

    async def _converse(self, mail: Mail, wire: Wire) -> bool:
        """Whether so much happened meanwhile that the gate has to be asked again."""
        answer = self.answers.pop(0) if self.answers else "accepted"
        if answer in ("deferred", "hard"):
            said = (451, "4.3.0", "come again") if answer == "deferred" else (550, "5.1.1", "no such user")
            self.tried(mail, answer)
            wire.on_result(Refused(mail.id, Reply("rcpt", *said)))
            return False
        self.begins(mail)
        wire.on_dot(mail, 1)
        much = await self._meanwhile("dot")
        self.tried(mail, answer)
        match answer:
            case "accepted":
                wire.on_result(Sent(mail.id, Reply("dot", 250, "2.0.0", "2.0.0 kept"), 0.0))
            case "busy":
                wire.on_result(Refused(mail.id, Reply("dot", 451, "4.3.0", "4.3.0 full")))
            case "disliked":
                wire.on_result(Refused(mail.id, Reply("dot", 554, "5.6.0", "5.6.0 no")))
            case _:
                wire.on_result(Dropped(mail.id, Reply("dot", None, None, "the connection was lost"), True))
        return much

    async def aclose(self) -> None:
        """There is nothing to close."""


class World:
    """`clock` moves by hand. A restart opens everything anew, as another process would."""

    def __init__(self, ground: Ground, post: Post) -> None:
        self.folder, self.ground, self.post = ground.folder, ground, post
        shutil.rmtree(self.folder / ".nurture", ignore_errors=True)  # journals of the world before
        self.put(ground.file)
        self.clock = VirtualClock(START)
        self.secrets: tuple[str, ...] = SECRETS[:1]
        self.runner = asyncio.Runner()
        self.version, self.shift, self.kill_at = 0, 0, ""
        self._dead = False
        self.start()

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def run(self, act: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(act)

    # --- the process ---

    def start(self) -> None:
        """What must hold before the first mail, and the claims of the dead taken over, as `Worker` does it."""
        shop = self.ground.versions[self.version][0]
        database = self.ground.database
        database.journal = suppression_journal(self.folder)
        settings = Settings(self.folder, shop, BASE, str(database.engine.url), self.secrets, transport="console")
        self.app = App(settings, database, self.clock)
        self.app.check()
        self.shift += 1
        self.journal = Journal(self.app.journals, f"worker-{self.shift:04}")
        self.take_over(alone=True)
        self.passes = self.app.passes()
        self.dispatch = self.new_dispatch(f"worker-{self.shift:04}", self.journal)
        self.pages = self._pages()
        self.boxes = {self.app.keyring.address_hash(address): box for address, box in SPELLINGS.items()}

    def take_over(self, *, alone: bool = False, later: timedelta = timedelta(0)) -> None:
        live = self.app.live()
        assert live is not None
        recovery.adopt(self.app.database, live, self.app.journals, self.now)
        recovery.end_leases(self.app.database, live, self.now, machine_now() + later, alone=alone)

    def new_dispatch(self, name: str, journal: Journal | None) -> Dispatch:
        dispatch = self.app.dispatch(name, journal, self.post)
        dispatch.judge.dice, dispatch.crash, dispatch.gather = Dice(0), self._crash, 0.0
        return dispatch

    def _crash(self, point: str) -> None:
        if self._dead or point == self.kill_at:
            self._dead = True
            raise Killed(point)

    def stop(self, *, kindly: bool) -> None:
        if kindly:
            self.journal.close()
        else:
            os.close(self.journal._file)  # as the kernel does it: the journal stays, its lock is gone
        self.app.database.close()
        self._dead, self.kill_at = False, ""

    def close(self) -> None:
        self.stop(kindly=True)
        self.runner.close()

    def put(self, file: Path) -> None:
        """This is the database now; nothing has it open."""
        shutil.copy(file, self.folder / "nurture.db")
        (self.folder / "nurture.db-journal").unlink(missing_ok=True)

    def _pages(self) -> Starlette:
        """The public routes; `create_app` puts a cache over the rules that reads the machine's clock."""
        services = replace(
            Endpoint(self.app, "127.0.0.1", 0).services(), forms_per_hour=1_000_000, forms_in_all=1_000_000
        )
        pages, personal = PAGES, Personal(services)
        routes = [*PublicRoutes(services, pages, personal).routes(), *FormRoutes(services, pages, personal).routes()]
        return Starlette(routes=routes)

    async def http(self, method: str, path: str, fields: Sequence[tuple[str, str]] = ()) -> tuple[int, str]:
        """A request to a public page; status and body."""
        sent: list[dict[str, Any]] = []
        body = urlencode(fields).encode()
        headers = [(b"host", b"shop.example"), (b"content-type", b"application/x-www-form-urlencoded")]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "https",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
            "client": ("198.51.100.7", 4711), "server": ("shop.example", 443),
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.pages(scope, receive, send)
        return sent[0]["status"], b"".join(m.get("body", b"") for m in sent[1:]).decode()

    # --- the worker's turn ---

    def play(self) -> None:
        """What is due is decided."""
        self.passes.run(self.now)

    async def send(self) -> None:
        """What is pending is sent, until nothing is left or the worker is killed. A provider's pace is machine time and
        not this world's matter."""
        more = 1
        while more:
            self.dispatch.judge.lanes = Lanes(Pace())
            more = await self.dispatch.run()

    def upkeep(self) -> None:
        self.take_over()
        upkeep.run(self.app.database, self.app.rules(), self.now)

    def turn(self, act: Callable[[Turn], T]) -> T:
        live = self.app.live()
        assert live is not None
        with self.app.database.write() as tx:
            turn = Turn(tx, live)
            done = act(turn)
            turn.flush()
        return done

    def deploy(self, version: int) -> None:
        with self.app.database.write() as tx:
            deploy.deploy(tx, *self.ground.versions[version], self.now)
        self.version = version

    # --- what is there ---

    def leads(self) -> dict[int, tuple[str | None, str, datetime]]:
        """By id, the mailbox, the country, and when it was made."""
        c = t.leads.c
        with self.app.database.read() as tx:
            rows = tx.execute(select(c.id, c.email, c.country, c.created_at)).all()
        return {id_: (SPELLINGS[mail] if mail else None, country or "", made) for id_, mail, country, made in rows}

    def went_into(self, lead: int) -> int | None:
        c = t.identities.c
        with self.app.database.read() as tx:
            return tx.execute(select(c.lead_id).where(c.kind == "lead", c.value == str(lead))).scalar()

    def consents(self) -> dict[tuple[int, str], str]:
        c = t.consents.c
        with self.app.database.read() as tx:
            rows = tx.execute(select(c.lead_id, c.topic, c.state, c.expires_at)).all()
        states = {(r[0], r[1]): "expired" if r[2] == "granted" and r[3] and r[3] <= self.now else r[2] for r in rows}
        return {key: state for key, state in states.items() if state != "none"}

    def shut(self) -> dict[str, set[str]]:
        c = t.suppressions.c
        found: dict[str, set[str]] = {}
        with self.app.database.read() as tx:
            for hash_, scope in tx.execute(select(c.address_hash, c.scope).where(c.scope != "key")):
                found.setdefault(self.boxes[hash_], set()).add(scope.removeprefix("topic:"))
        return found

    def messages(self, *states: str) -> list[Any]:
        c = t.messages.c
        with self.app.database.read() as tx:
            query = select(c.id, c.lead_id, c.kind, c.service, c.state, c.released_at).order_by(c.id)
            return list(tx.execute(query.where(c.state.in_(states)) if states else query))

    def resolve(self, message: int, verdict: str) -> bool:
        with self.app.database.write() as tx:
            return outbox.resolve(tx, message, verdict, self.now)
