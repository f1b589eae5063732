"""The demo as a whole: the example deployed, worker, endpoint and inbox started, the days played, the end told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nurture.app import App, open_app
from nurture.campaign.problems import ProjectProblems, errors
from nurture.clock import Dice, Stopwatch
from nurture.demo.doors import Door
from nurture.demo.history import bring_in
from nurture.demo.inbox import Inbox, pages, write_mails
from nurture.demo.play import Play, PlayClock, Tally
from nurture.demo.postbox import Postbox
from nurture.demo.report import Teller
from nurture.demo.setting import Setting, set_up
from nurture.demo.shop import World, make_world
from nurture.engine import upkeep
from nurture.engine.checking import check_project
from nurture.engine.deploy import deploy
from nurture.engine.imports import Summary
from nurture.folder import read_folder
from nurture.mail.template import template, template_names
from nurture.serving import Endpoint
from nurture.store import backlog, keys, migrate
from nurture.worker import Worker, signals

START = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)  # a Monday morning
SEED = 7
AFTERWARDS = 60.0  # with --keep: campaign time goes so many times as fast as the machine's


@dataclass(frozen=True)
class Wish:
    """What the user asked for. `seconds`: the days take at least so long, to be watched."""

    project: Path
    leads: int = 240
    weeks: int = 5
    seconds: float = 0.0
    keep: bool = False


@dataclass(frozen=True)
class Played:
    """What there is to tell at the end."""

    app: App
    setting: Setting
    inbox: Inbox
    tally: Tally
    world: World
    seconds: float
    kept: bool
    mails: Path  # the list of all mails, as a file

    @property
    def whole(self) -> bool:
        """Whether the days were played to their end."""
        return self.app.clock.now() >= self.world.end


async def run(wish: Wish, teller: Teller) -> Played:
    """Play the demo to its end; with `keep`, stay until a signal. Raises UserError where it cannot begin."""
    watch = Stopwatch()
    setting = set_up(wish.project)
    world = make_world(Dice(SEED), START, leads=wish.leads, weeks=wish.weeks)
    clock = PlayClock(world.start)
    app = open_app(setting.root, {}, clock)
    history = prepare(app, world)
    teller.begun(setting, world, history, _campaigns(app))
    inbox = Inbox(app, {person.email: f"{person.first_name} {person.last_name}" for person in world.people})
    async with opened(app, setting, inbox) as door:
        worker = Worker(app)
        play = Play(
            world,
            app.settings.project,
            setting.base_url,
            clock,
            door,
            arrived=inbox.arrived,
            next_due=lambda: _next_due(app),
            daily=lambda: upkeep.run(app.database, app.rules(), clock.now()),
        )
        with signals(worker):
            async with worker.by_hand() as turn:
                with teller.watching(world) as told:
                    play.watch = told
                    await play.run(turn, stopped=worker.stopping, seconds=wish.seconds)
            mails = write_mails(inbox, setting.root / "mails")
            played = Played(app, setting, inbox, play.tally, world, watch.seconds(), wish.keep, mails)
            teller.ended(played)
            if wish.keep and not worker.stopping():
                clock.let_go(AFTERWARDS)
                teller.staying(setting)
                await worker.run()
    app.database.close()
    return played


def prepare(app: App, world: World) -> list[Summary]:
    """A database at our schema, the old customers in it, the campaigns live. Raises ProjectProblems."""
    migrate.upgrade(app.database)
    folder = read_folder(app.settings.root)
    project = app.settings.project
    checked = check_project(project, folder.campaigns, folder.templates)
    if checked.broken:
        raise ProjectProblems(errors(checked.problems))
    history = bring_in(app.database, app.rules(), world, app.settings.root / "history", app.clock.now())
    files = {name: template(name, folder.templates).files for name in template_names(folder.templates)}
    with app.database.write() as tx:
        deploy(tx, project, checked.plans, files, app.clock.now())
    return history


def _next_due(app: App) -> datetime | None:
    with app.database.read() as tx:
        return backlog.next_due(tx)


def _campaigns(app: App) -> int:
    live = app.live()
    return len(live.campaigns) if live is not None else 0


@asynccontextmanager
async def opened(app: App, setting: Setting, inbox: Inbox) -> AsyncIterator[Door]:
    """Endpoint, mail server and inbox, up while entered; gives the shop's way in."""
    with app.database.write() as tx:
        key = keys.create_key(tx, ["ingest", "consent", "leads"], app.clock.now(), name="shop")
    endpoint = Endpoint(app, "127.0.0.1", setting.port)
    postbox = Postbox(inbox.accept)
    shown = pages(inbox, setting)
    await endpoint.start()
    await postbox.start(setting.mail_port)
    await shown.start()
    door = Door(setting.base_url, key)
    try:
        yield door
    finally:
        door.close()
        await shown.stop()
        await postbox.stop()
        await endpoint.stop()
