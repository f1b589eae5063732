"""What the wire gate asks about the world: closed ways, limits, the staging guard; notices to colleagues (trust E15,
E17, R18)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nurture.engine import gate
from nurture.engine.gate import Outside
from nurture.engine.turn import Turn
from nurture.mail.warming import WarmUp
from nurture.store import closures, outbox
from nurture.store.closures import DESTINATION, SENDER, SERVER, Strike, Way
from nurture.store.database import Database
from nurture.store.outbox import Claimed, Launch
from nurture.store.tables import messages
from tests.journeys.test_wire_gate import NIGHTS, WELCOME, claim, close, released, rows
from tests.journeys.world import Site, instant

MACHINE = datetime(2026, 11, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)


def pass_gate(site: Site, claimed: Sequence[Claimed], outside: Outside | None = None, **launch: Any) -> set[int]:
    """Asked at two minutes past the start; the launches are from the shop to a lead's own address."""
    written = {m.id: Launch(m.id, m.fence, f"{m.id}@shop", MACHINE, "hash", None, "shop@shop.example") for m in claimed}
    launches: Mapping[int, Launch] = {id_: replace(one, **launch) for id_, one in written.items()}
    with site.db.write() as tx:
        turn = Turn(tx, site._live(tx))
        return gate.pass_gate(turn, claimed, launches, "worker", instant("2m"), MACHINE, outside)


def shut(site: Site, way: Way) -> None:
    """Closed half an hour ago for an hour."""
    with site.db.write() as tx:
        [_] = closures.strike(tx, [Strike(way, "rule", "550 no", 1, HOUR, HOUR)], MACHINE - HOUR / 2)


@pytest.mark.parametrize("way", [(SERVER, "smtp"), (SENDER, "shop@shop.example"), (DESTINATION, "example.com")])
def test_e15_a_mail_whose_way_is_closed_waits_until_it_opens(db: Database, way: Way) -> None:
    site = released(db)
    claimed = claim(site)
    shut(site, way)
    outside = Outside("smtp")
    assert pass_gate(site, claimed, outside) == set()
    waits = ("pending", f"{way[0]} closed: 550 no", instant("32m"))
    assert rows(site, messages, "state", "reason", "due") == [waits]
    assert list(outside.standing) == [way]
    assert outside.launched == set()


def test_e15_where_a_closed_servers_time_is_over_one_mail_tries(db: Database) -> None:
    site = released(db, people=3)
    claimed = claim(site)
    with db.write() as tx:
        [_] = closures.strike(tx, [Strike((SERVER, "smtp"), "rule", "550 no", 1, HOUR, HOUR)], MACHINE - 2 * HOUR)
    assert len(pass_gate(site, claimed, Outside("smtp"))) == 1


def test_e15_another_servers_closure_holds_nothing(db: Database) -> None:
    site = released(db)
    claimed = claim(site)
    shut(site, (SERVER, "another"))
    assert pass_gate(site, claimed, Outside("smtp")) == {claimed[0].id}


def test_e15_a_way_that_has_opened_again_is_not_remembered_as_closed(db: Database) -> None:
    site = released(db)
    outside = Outside("smtp")
    shut(site, (SERVER, "smtp"))
    pass_gate(site, claim(site), outside)
    with db.write() as tx:
        closures.reopen(tx, [(SERVER, "smtp")])
    [again] = claim(site, "40m")
    assert pass_gate(site, [again], outside) == {again.id}
    assert outside.standing == {}


def test_e17_what_a_new_sender_may_not_send_today_waits_for_tomorrow(db: Database) -> None:
    site = released(db, people=3)
    claimed = claim(site)
    outside = Outside("smtp", WarmUp(MACHINE.date(), first=2))
    going = pass_gate(site, claimed, outside)
    assert going == outside.launched == {m.id for m in claimed[:2]}
    assert ("pending", "warm-up", instant("2m") + timedelta(days=1)) in rows(site, messages, "state", "reason", "due")


def test_e17_a_mail_that_waits_for_its_connection_is_counted_once(db: Database) -> None:
    site = released(db, people=2)
    one, other = claim(site)
    outside = Outside("smtp", WarmUp(MACHINE.date(), first=2))
    assert [pass_gate(site, [m], outside) for m in (one, one, other)] == [{one.id}, {one.id}, {other.id}]
    assert outside.launched == {one.id, other.id}


def test_e17_a_mail_that_is_refused_takes_nobodys_place(db: Database) -> None:
    site = released(db, people=2)
    claimed = claim(site)
    close("all")(site)
    mine = [m.id for m in claimed if m.lead == site.leads[0]]
    outside = Outside("smtp", WarmUp(MACHINE.date(), first=1))
    assert pass_gate(site, claimed, outside) == outside.launched == {m.id for m in claimed} - set(mine)


def test_e15_e17_a_mail_whose_way_is_closed_takes_nobodys_place(db: Database) -> None:
    site = released(db, people=2)
    one, other = claim(site)
    shut(site, (DESTINATION, "elsewhere"))
    claimed = [replace(one, lane="elsewhere"), other]
    outside = Outside("smtp", WarmUp(MACHINE.date(), first=1))
    assert pass_gate(site, claimed, outside) == outside.launched == {other.id}
    assert pass_gate(site, [one], outside) == set()  # the day's one mail to these providers has gone


def test_what_is_held_for_several_reasons_is_held_for_each_message_once(db: Database) -> None:
    site = released(db, WELCOME + NIGHTS, people=2)
    claimed = claim(site)
    close("all")(site)
    shut(site, (DESTINATION, "example.com"))
    assert pass_gate(site, claimed, Outside("smtp")) == set()
    assert sorted(rows(site, messages, "state", "reason")) == [
        ("cancelled", "suppressed"),
        ("pending", "destination closed: 550 no"),
    ]


# --- the staging guard ---


def guarded(site: Site, *allowed: str) -> None:
    """Only these addresses are mailed from now on."""
    with site.db.write() as tx:
        site.live = replace(site._live(tx), allowed=lambda address: address in allowed)


def test_r18_a_lead_outside_the_allow_list_gets_nothing(db: Database) -> None:
    site = released(db, people=2)
    claimed = claim(site)
    guarded(site, "lead1@example.com")
    assert pass_gate(site, claimed) == {m.id for m in claimed if m.lead == site.leads[1]}
    assert ("cancelled", "test mode") in rows(site, messages, "state", "reason")


def notice(site: Site, to: str = "ann@shop.example", kind: str = "notice") -> list[Claimed]:
    """A note about the lead to somebody of the sales team, and the lead's own mail taken back."""
    with site.db.write() as tx:
        tx.execute(messages.update().values(state="sent"))
        row = {"lead_id": site.leads[0], "shard": 0, "kind": kind, "template": "note", "recipient": to, "lane": "other"}
        times = {"due": instant("0h"), "released_at": instant("0h")}
        outbox.insert(tx, [row | times | {"options": {}, "service": True}])
    return claim(site)


@pytest.mark.parametrize(("to", "going"), [("ann@shop.example", True), ("ben@shop.example", False)])
def test_r18_a_colleague_outside_the_allow_list_gets_nothing(db: Database, to: str, going: bool) -> None:
    site = released(db)
    claimed = notice(site, to)
    guarded(site, "ann@shop.example")
    assert pass_gate(site, claimed) == {m.id for m in claimed if going}
    held = ("cancelled", "test mode")
    assert (held in rows(site, messages, "state", "reason")) is not going


def test_a_colleague_is_told_whatever_the_lead_said(db: Database) -> None:
    site = released(db)
    claimed = notice(site)
    close("all")(site)
    assert pass_gate(site, claimed) == {claimed[0].id}
