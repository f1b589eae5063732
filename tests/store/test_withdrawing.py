"""What a no stops at once, row by row (trust E14, S24, S25), and what a new address does to what waits (S29)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from nurture.store import tables as t
from nurture.store.database import Database
from nurture.store.withdrawing import readdress, stop
from tests.store.people import NOW, World

ENDS_ON = {("sale", "v1"): "offers", ("course", "v1"): "letter"}


@pytest.fixture
def world(db: Database) -> World:
    return World(db)


def row(world: World, id_: int, table: Any = t.messages) -> Mapping[str, Any]:
    with world.db.read() as tx:
        return tx.execute(select(table).where(table.c.id == id_)).mappings().one()


def waiting(world: World, lead: int, **values: Any) -> int:
    """A mail on a topic that is still to leave."""
    return world.mail(lead, **{"state": "pending", "topic": "offers", "sent_at": None, **values})


def withdraw(world: World, lead: int, topic: str | None = "offers") -> list[str]:
    with world.db.write() as tx:
        return stop(tx, lead, topic, ENDS_ON, "withdrew", NOW)


# --- mails ---


def test_e14_what_waits_on_the_topic_is_cancelled_and_whoever_claimed_it_is_locked_out(world: World) -> None:
    lead = world.lead()
    mail = waiting(world, lead, state="claimed", fence=7, lease_until=NOW)
    withdraw(world, lead)
    found = row(world, mail)
    assert (found["state"], found["reason"], found["fence"], found["lease_until"]) == ("cancelled", "withdrew", 8, None)


@pytest.mark.parametrize(
    ("values", "topic", "state"),
    [
        ({"state": "pending"}, "offers", "cancelled"),
        ({"state": "claimed"}, "offers", "cancelled"),
        ({"state": "sending"}, "offers", "sending"),
        ({"state": "unknown"}, "offers", "unknown"),
        ({"state": "sent"}, "offers", "sent"),
        ({"topic": "letter"}, "offers", "pending"),
        ({"topic": None}, "offers", "pending"),
        ({"service": True}, "offers", "pending"),
        ({"kind": "confirm", "service": True}, "offers", "cancelled"),
        ({"kind": "confirm", "service": True, "topic": "letter"}, "offers", "pending"),
        ({"kind": "notice"}, "offers", "pending"),
        ({"kind": "right", "service": True}, "offers", "pending"),
        ({"topic": "letter"}, None, "cancelled"),
        ({"topic": None}, None, "cancelled"),
        ({"service": True}, None, "pending"),
        ({"kind": "confirm", "service": True, "topic": "letter"}, None, "cancelled"),
        ({"kind": "notice"}, None, "pending"),
    ],
)
def test_e14_a_no_cancels_what_it_is_about_and_nothing_else(
    world: World, values: dict[str, Any], topic: str | None, state: str
) -> None:
    lead = world.lead()
    mail = waiting(world, lead, **values)
    withdraw(world, lead, topic)
    assert row(world, mail)["state"] == state


def test_e14_a_no_cancels_nobody_elses_mail(world: World) -> None:
    lead, other = world.lead(), world.lead()
    mail = waiting(world, other)
    withdraw(world, lead)
    assert row(world, mail)["state"] == "pending"


# --- enrollments ---


def test_s25_an_enrollment_that_the_no_ends_is_over_and_waits_for_nothing(world: World) -> None:
    lead = world.lead()
    e = world.enrollment(lead, "sale", step="second", wake=NOW, held="window", revision=4)
    assert withdraw(world, lead) == ["sale"]
    found = row(world, e, t.enrollments)
    assert {name: found[name] for name in ("state", "reason", "ended_at", "wake", "held", "revision", "step")} == {
        "state": "exited",
        "reason": "withdrew",
        "ended_at": NOW,
        "wake": None,
        "held": None,
        "revision": 5,
        "step": "second",
    }


def test_s25_the_end_is_recorded_with_its_place(world: World) -> None:
    lead = world.lead()
    e = world.enrollment(lead, "sale", step="second")
    withdraw(world, lead)
    with world.db.read() as tx:
        [found] = tx.execute(select(t.decisions)).mappings()
    assert {name: value for name, value in found.items() if name != "id"} == {
        "lead_id": lead,
        "enrollment_id": e,
        "campaign": "sale",
        "version": "v1",
        "step": "second",
        "at": NOW,
        "what": "ended",
        "reason": "exit(withdrew)",
        "inputs": None,
    }


@pytest.mark.parametrize(
    ("campaign", "values", "topic", "ended"),
    [
        ("sale", {}, "offers", True),
        ("sale", {"state": "parked"}, "offers", True),
        ("sale", {}, None, True),
        ("course", {}, None, True),
        ("course", {}, "offers", False),
        ("sale", {"version": "v2"}, "offers", False),
        ("welcome", {}, "offers", False),
        ("welcome", {}, None, False),
        ("sale", {"state": "finished"}, "offers", False),
        ("sale", {"state": "exited"}, None, False),
    ],
)
def test_s25_a_no_ends_what_stands_on_its_topic_and_nothing_else(
    world: World, campaign: str, values: dict[str, Any], topic: str | None, ended: bool
) -> None:
    lead = world.lead()
    e = world.enrollment(lead, campaign, **values)
    assert withdraw(world, lead, topic) == [campaign] * ended
    assert row(world, e, t.enrollments)["ended_at"] == (NOW if ended else None)


def test_s25_a_no_ends_nobody_elses_enrollment(world: World) -> None:
    lead, other = world.lead(), world.lead()
    world.enrollment(other, "sale")
    assert withdraw(world, lead) == []


def test_s25_the_campaigns_that_end_are_told_in_the_order_they_were_entered(world: World) -> None:
    lead = world.lead()
    for campaign in ("sale", "course"):
        world.enrollment(lead, campaign)
    assert withdraw(world, lead, None) == ["sale", "course"]


def test_s25_no_mail_of_an_ended_enrollment_leaves_whatever_it_is(world: World) -> None:
    lead = world.lead()
    e = world.enrollment(lead, "sale")
    owed = waiting(world, lead, enrollment_id=e, service=True, step="a")
    withdraw(world, lead)
    assert (row(world, owed)["state"], row(world, owed)["reason"]) == ("cancelled", "withdrew")


def test_s25_the_timers_of_an_ended_enrollment_are_gone_and_no_others(world: World) -> None:
    lead = world.lead()
    ended, other = world.enrollment(lead, "sale"), world.enrollment(lead, "course")
    with world.db.write() as tx:
        for owner in (f"enrollment:{ended}", f"enrollment:{other}", "sale"):
            tx.execute(insert(t.timers).values(lead_id=lead, shard=0, kind="look", owner=owner, key="", due=NOW))
    withdraw(world, lead)
    with world.db.read() as tx:
        assert set(tx.execute(select(t.timers.c.owner)).scalars()) == {f"enrollment:{other}", "sale"}


# --- a new address ---

PRINTED = {"mail_id": "1@x", "dated": NOW, "sha256": "0" * 64, "body": b"to the old one"}
LATER = NOW + timedelta(hours=1)


def moved(world: World, lead: int) -> int:
    with world.db.write() as tx:
        return readdress(tx, lead, "new.example", LATER)


def test_s29_what_waits_becomes_a_new_mail_that_nobody_holds(world: World) -> None:
    lead = world.lead()
    mail = waiting(world, lead, state="claimed", attempts=2, fence=7, lease_until=NOW, reason="deferred", **PRINTED)
    assert moved(world, lead) == 1
    found = row(world, mail)
    assert {name: found[name] for name in (*PRINTED, "state", "lane", "due", "attempts", "fence", "reason")} == {
        **dict.fromkeys(PRINTED),
        "state": "pending",
        "lane": "new.example",
        "due": LATER,
        "attempts": 0,
        "fence": 8,
        "reason": "new address",
    }
    assert found["lease_until"] is None


@pytest.mark.parametrize("state", ["sending", "unknown"])
def test_s29_what_is_on_the_wire_keeps_its_identity_and_would_go_again_to_the_new_address(
    world: World, state: str
) -> None:
    lead = world.lead()
    mail = waiting(world, lead, state=state, fence=7, **PRINTED)
    assert moved(world, lead) == 0
    found = row(world, mail)
    assert (found["lane"], found["body"], found["fence"]) == ("new.example", None, 7)
    assert (found["state"], found["mail_id"]) == (state, "1@x")


@pytest.mark.parametrize(
    ("values", "changed"),
    [
        ({"kind": "mail"}, 1),
        ({"kind": "confirm"}, 1),
        ({"kind": "right"}, 1),
        ({"kind": "notice"}, 0),
        ({"kind": "call"}, 0),
        ({"state": "claimed"}, 1),
        ({"state": "sent"}, 0),
        ({"state": "cancelled"}, 0),
    ],
)
def test_s29_only_mails_to_the_lead_that_have_not_left_are_made_anew(
    world: World, values: dict[str, Any], changed: int
) -> None:
    lead, other = world.lead(), world.lead()
    mail = waiting(world, lead, **values)
    waiting(world, other)
    assert moved(world, lead) == changed
    assert (row(world, mail)["lane"] == "new.example") is bool(changed)


def test_s29_nobody_elses_mail_on_the_wire_changes_its_lane(world: World) -> None:
    lead, other = world.lead(), world.lead()
    mail = waiting(world, other, state="sending")
    moved(world, lead)
    assert row(world, mail)["lane"] == "other"
