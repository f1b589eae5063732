"""The example shop with its doors open: endpoint, mail server and inbox on free ports, a worker turned by hand.

It runs in a thread with a loop of its own, so that a browser, or anything else that waits, can use it from outside.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from nurture.app import App, open_app
from nurture.clock import Dice
from nurture.demo.doors import Door
from nurture.demo.inbox import Inbox
from nurture.demo.play import PlayClock
from nurture.demo.run import opened, prepare
from nurture.demo.setting import Setting, set_up
from nurture.demo.shop import make_world
from nurture.inbox.letter import Letter
from nurture.store.consents import people
from nurture.store.identities import find_lead
from nurture.store.ledger import entries_of
from nurture.worker import Worker

ROOT = Path(__file__).parents[2]
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday, ten o'clock in Paris
_T = TypeVar("_T")


@dataclass
class House:
    """Everything a person can reach of the shop, and the shop's own side of it."""

    app: App
    setting: Setting
    inbox: Inbox
    clock: PlayClock
    loop: asyncio.AbstractEventLoop
    door: Door = field(init=False)
    _turn: Any = field(init=False)

    @property
    def base_url(self) -> str:
        return self.setting.base_url

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def work(self) -> list[Letter]:
        """Play and send all that is due now; the letters that came of it."""

        async def all_of_it() -> None:
            while await self._turn():
                pass

        self.run(all_of_it())
        return self.inbox.arrived()

    def jump(self, to: datetime) -> None:
        self.clock.jump(to)

    # --- the shop's programs ---

    def knows(self, lead: str, email: str, locale: str, *topics: str, **traits: Any) -> None:
        """A lead who agreed to these topics, and confirmed where that is asked for."""
        self.knows_all({lead: {**traits, "email": email}}, locale, *topics)

    def knows_all(self, leads: Mapping[str, Mapping[str, Any]], locale: str, *topics: str) -> None:
        """Leads by their id in the shop, with their traits, who agreed to these topics."""
        said = {"locale": locale, "timezone": "Europe/Paris"}
        at = self.clock.now().isoformat()
        self.door.batch(
            {"type": "identify", "userId": i, "messageId": f"i-{i}-{at}", "timestamp": at, "traits": {**t, **said}}
            for i, t in leads.items()
        )
        for lead in leads:
            for topic in topics:
                wording = self.app.settings.project.topics[topic].wording[locale]
                said = {"lead": lead, "topic": topic, "state": "granted", "actor": "person", "wording": wording}
                self.door.consent({**said, "method": "checkbox", "locale": locale, "page": f"/{locale}/account"})
        addresses = {traits["email"] for traits in leads.values()}
        for letter in self.work():
            for path in letter.paths(self.base_url):
                if path.startswith("c/") and letter.recipient in addresses:
                    self.door.press(path, {"do": "confirm"}, "10.0.0.1")
        self.work()

    def press(self, address: str, button: str) -> None:
        """Press a button of the page at one of our addresses."""
        self.door.press(address.removeprefix(f"{self.base_url}/"), {"do": button}, "10.0.0.1")

    def choose(self, email: str, *topics: str) -> None:
        """Tick these topics, and no others, on the preference page, and save."""
        path = self.preferences(email).removeprefix(f"{self.base_url}/")
        shown = [*self.app.settings.project.topics, "tracking_clicks", "tracking_opens"]
        self.door.press(path, {"shown": shown, "topic": topics, "do": "save"}, "10.0.0.1")

    def letter(self, email: str, template: str) -> Letter:
        """The one mail of that template that this address got."""
        [found] = [each for each in self.inbox.letters() if (each.recipient, each.template) == (email, template)]
        return found

    def happens(self, lead: str, event: str, **properties: Any) -> None:
        at, name = self.clock.now().isoformat(), f"{lead}-{event}-{len(self.inbox.letters())}"
        call = {"type": "track", "userId": lead, "messageId": name, "timestamp": at, "event": event}
        self.door.batch([{**call, "properties": properties}])

    # --- what the store holds ---

    def lead(self, address: str) -> int:
        with self.app.database.read() as tx:
            found = find_lead(tx, address)
        assert found is not None, f"nobody has {address}"
        return found

    def is_known(self, address: str) -> bool:
        with self.app.database.read() as tx:
            return find_lead(tx, address) is not None

    def preferences(self, address: str) -> str:
        """The link that mails to whoever has this address hold."""
        return self.app.links.preferences(self.lead(address))

    def states(self, address: str) -> dict[str, str]:
        """Where each topic stands for whoever has this address."""
        lead = self.lead(address)
        with self.app.database.read() as tx:
            return {topic: row.state for topic, row in people(tx, [lead])[lead].consents.items()}

    def proofs(self, address: str) -> list[dict[str, Any]]:
        """What was ever said by whoever has this address."""
        lead = self.lead(address)
        with self.app.database.read() as tx:
            return entries_of(tx, lead)


@contextmanager
def open_house(folder: Path, *, own: Mapping[str, str] | None = None, config: str = "") -> Iterator[House]:
    """The shop in `folder`, open until the end of the block; with templates of one's `own` by path, and more lines of
    config.yaml."""
    for name in ("campaigns", "templates", "mappings"):
        shutil.copytree(ROOT / name, folder / name)  # makes `folder` where it is not there
    (folder / "config.yaml").write_text((ROOT / "config.yaml").read_text("utf-8") + config, "utf-8")
    for path, text in (own or {}).items():
        (folder / "templates" / path).parent.mkdir(exist_ok=True)
        (folder / "templates" / path).write_text(text, "utf-8")
    setting = set_up(folder, (0, 0, 0))
    clock = PlayClock(START)
    app = open_app(setting.root, {}, clock)
    prepare(app, make_world(Dice(1), START, leads=0, weeks=1))
    loop = asyncio.new_event_loop()
    house = House(app, setting, Inbox(app, {}), clock, loop)
    ready, over = threading.Event(), asyncio.Event()
    failed: list[BaseException] = []

    async def stay() -> None:
        async with opened(app, setting, house.inbox) as house.door, Worker(app).by_hand() as house._turn:
            ready.set()
            await over.wait()

    def live() -> None:
        try:
            loop.run_until_complete(stay())
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=live, name="house")
    thread.start()
    ready.wait()
    try:
        if not failed:
            yield house
    finally:
        if not failed:
            loop.call_soon_threadsafe(over.set)
        thread.join()
        app.database.close()
    if failed:
        raise failed[0]
