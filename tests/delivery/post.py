"""A whole project whose mails go to a scripted server: what dispatch makes of its answers."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from nurture.app import open_app
from nurture.clock import VirtualClock, machine_now
from nurture.delivery.dispatch import Dispatch
from nurture.errors import StoreUnavailable
from nurture.store import closures, outbox, suppressions, tables
from tests.faults.project import CONFIG, Project, make

CAMPAIGN = "campaign: mails\ntopic: offers\nenter: {event: go}\nsteps: [{send: one}, {wait: 1d}, {send: two}]\n"


@dataclass
class Post:
    project: Project
    now: datetime

    def release(self) -> None:
        """Everybody's mail is in the outbox."""
        self.project.app.passes().run(self.now)

    async def send(self, later: timedelta = timedelta(0)) -> int:
        """One run of a worker that has just started, so long after now; how many messages it took up."""
        app = self.project.app
        app.clock = VirtualClock(self.now + later)
        dispatch: Dispatch = app.dispatch("test", None)
        try:
            return await dispatch.run()
        finally:
            await dispatch.transport.aclose()

    async def interrupted(self, point: str, act: Callable[[], None]) -> None:
        """One run in which `act` happens, once, at this named point."""
        self.project.app.clock = VirtualClock(self.now)
        dispatch, left = self.project.app.dispatch("test", None), [act]
        dispatch.crash = lambda at: left.pop()() if at == point and left else None
        try:
            with suppress(StoreUnavailable):
                await dispatch.run()
        finally:
            await dispatch.transport.aclose()
        assert not left, f"{point} was never come to"

    def states(self) -> Counter[str]:
        with self.project.app.database.read() as tx:
            return Counter(m["state"] for m in outbox.listed(tx))

    def reasons(self) -> set[str]:
        with self.project.app.database.read() as tx:
            return {m["reason"] for m in outbox.listed(tx) if m["reason"]}

    def closed(self) -> list[tuple[str, str]]:
        with self.project.app.database.read() as tx:
            return sorted(closures.standing(tx))

    def reopen(self) -> None:
        """What is in config.yaml now holds."""
        self.project.app.database.close()
        self.project.app = open_app(self.project.root, dict(os.environ))

    def over(self, scope: str) -> None:
        """The closing time of this way has just ended."""
        c, until = tables.closures.c, machine_now() - timedelta(seconds=1)
        since = until - timedelta(hours=1)
        with self.project.app.database.write() as tx:
            tx.execute(tables.closures.update().where(c.scope == scope).values(since=since, until=until))

    def notices(self) -> list[str]:
        with self.project.app.database.read() as tx:
            return [m["template"] for m in outbox.listed(tx) if m["kind"] == "notice"]

    def suppressed(self) -> int:
        with self.project.app.database.read() as tx:
            return len(suppressions.all_rows(tx))


@contextmanager
def post(
    root: Path, port: int, leads: int = 3, more: str = "", smtp: str = "", campaign: str = CAMPAIGN, database: str = ""
) -> Iterator[Post]:
    """So many leads whose first mail waits. `more` are sections of config.yaml, `smtp` further keys of that one;
    `database` is a file of its own where not given."""
    config = CONFIG.replace("alerts: {{blast: 100000000}}\n", "").replace(
        "connections: 4", "connections: 1" + (f", {smtp}" if smtp else "")
    )
    project = make(
        root / "shop",
        database or f"sqlite:///{root / 'shop.db'}",
        port,
        leads,
        campaign,
        config=config + more.replace("{", "{{").replace("}", "}}"),
    )
    try:
        one = Post(project, machine_now() + timedelta(seconds=1))
        one.release()
        yield one
    finally:
        project.app.database.close()
