"""R7: a full disk stops sending first; nothing is lost, nothing goes twice, and it goes on when there is room."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from nurture.errors import StoreUnavailable
from nurture.store.backlog import prove_writable
from tests.delivery.post import Post, post
from tests.delivery.server import ScriptedServer


@contextmanager
def full(shop: Post) -> Iterator[None]:
    """The database file cannot grow by one page, as on a full disk, until the end of the block."""
    engine = shop.project.app.database.engine

    def limit(connection: sqlite3.Connection, _record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        connection.execute("PRAGMA cache_spill = OFF")

    engine.dispose()
    event.listen(engine, "connect", limit)
    try:
        yield
    finally:
        event.remove(engine, "connect", limit)
        engine.dispose()


async def test_r07_a_full_disk_lets_no_mail_leave_and_afterwards_each_leaves_once(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=40) as shop:
            with shop.project.app.database.write() as tx:
                tx.exec_driver_sql("CREATE TABLE ballast (x)")
            with full(shop):
                for size in (4_000, 400, 40, 1):
                    _fill(shop, size)
                for _ in range(3):
                    with pytest.raises(StoreUnavailable):
                        await shop.send()
                assert server.received == []
            with shop.project.app.database.write() as tx:
                assert tx.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            while await shop.send(timedelta(hours=1)):
                pass
            assert (len(server.received), dict(shop.states())) == (40, {"sent": 40})


def _fill(shop: Post, size: int) -> None:
    for _ in range(5_000):
        try:
            with shop.project.app.database.write() as tx:
                tx.exec_driver_sql(f"INSERT INTO ballast VALUES (zeroblob({size}))")
        except StoreUnavailable:
            return


async def test_r07_with_little_room_left_sending_stops_and_what_comes_in_is_still_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=5) as shop:
            monkeypatch.setattr("nurture.store.database.Database.room", lambda _self: 10_000_000)
            assert await shop.send() == 0
            with shop.project.app.database.write() as tx:
                prove_writable(tx, shop.now)
            monkeypatch.undo()
            assert await shop.send() == 5


async def test_r07_a_database_that_may_not_be_written_lets_no_mail_leave(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        with post(tmp_path, server.port, leads=5) as shop:
            engine = shop.project.app.database.engine
            engine.dispose()

            def read_only(connection: sqlite3.Connection, _record: object) -> None:
                connection.execute("PRAGMA query_only = ON")

            event.listen(engine, "connect", read_only)
            with pytest.raises(StoreUnavailable):
                await shop.send()
            event.remove(engine, "connect", read_only)
            engine.dispose()
            assert server.commands == []
            assert await shop.send() == 5
