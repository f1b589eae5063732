"""The outbox's statements for many messages at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from nurture.store import enrollments, outbox
from nurture.store import tables as t
from nurture.store.database import Database
from tests.store.people import NOW, World

LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def two(db: Database) -> tuple[World, list[int], list[int]]:
    """A lead inside two campaigns, each with a message on its way."""
    world = World(db)
    lead = world.lead()
    inside = [world.enrollment(lead, campaign) for campaign in ("cart", "welcome")]
    mails = [world.mail(lead, state="claimed", enrollment_id=e, sent_at=None, step="s") for e in inside]
    return world, inside, mails


def column(world: World, name: str, table: Any = t.messages) -> set[Any]:
    with world.db.read() as tx:
        return set(tx.execute(select(table.c[name])).scalars())


def test_s24_messages_of_several_enrollments_are_cancelled_at_once(two: tuple[World, list[int], list[int]]) -> None:
    world, inside, _ = two
    with world.db.write() as tx:
        assert outbox.cancel(tx, dict.fromkeys(inside, "withdrew offers")) == 2
    assert column(world, "state") == {"cancelled"}


def test_several_messages_are_given_back_at_once(two: tuple[World, list[int], list[int]]) -> None:
    world, _, mails = two
    with world.db.write() as tx:
        outbox.give_back(tx, [(m, 0) for m in mails], LATER)
    assert column(world, "state") == {"pending"}


def test_several_messages_are_held_at_once(two: tuple[World, list[int], list[int]]) -> None:
    world, _, mails = two
    with world.db.write() as tx:
        outbox.hold(tx, [(m, 0, LATER, "cap") for m in mails])
    assert column(world, "due") == {LATER}


def test_several_leases_are_renewed_at_once(two: tuple[World, list[int], list[int]]) -> None:
    world, _, mails = two
    with world.db.write() as tx:
        outbox.renew(tx, [(m, 0) for m in mails], LATER)
    assert column(world, "lease_until") == {LATER}


def test_s11_several_entries_are_renewed_at_once(two: tuple[World, list[int], list[int]]) -> None:
    world, inside, _ = two
    with world.db.write() as tx:
        enrollments.renew(tx, {e: {"total": 5} for e in inside})
    assert all(entry == {"total": 5} for entry in (_entries(world)))


def _entries(world: World) -> list[Any]:
    with world.db.read() as tx:
        return list(tx.execute(select(t.enrollments.c.entry)).scalars())
