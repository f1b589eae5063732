"""Whole walks as timelines: what `decide` makes of a campaign, pass after pass, in the words `why` uses."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from nurture.campaign import plan as p
from nurture.campaign.condition import Did, Field, Test
from nurture.campaign.project import Cap
from nurture.campaign.window import ClockTime, Window
from nurture.journey.decide import decide
from nurture.journey.effects import AnyEffect, Release
from nurture.journey.enrollment import Enrollment
from nurture.journey.facts import Facts
from tests.unit.journey.made import PROJECT, ZURICH, at, d, enrolled, exit_if, facts, mail, plan, play

SHOP = msgspec.structs.replace(
    PROJECT,
    zone=ZURICH,
    cap=Cap(3, d("7d")),
    window=Window(days=(0, 1, 2, 3, 4, 5), opens=ClockTime(540), closes=ClockTime(1200), holidays=("FR",)),
)
DEAR = Field("entry", ("total",), (Test("at_least", 150),))
BOUGHT = Did("order_completed")


def cart() -> p.Plan:
    """The abandoned cart: a reminder, by the cart's worth one of two mails a day later, a coupon two days later."""
    return plan(
        mail("reminder", next=1, if_late=p.IfLate(d("2d"), "exit")),
        p.Wait(id="a day", next=2, duration=d("1d")),
        p.Branch(id="worth", arms=((0, 3),), otherwise=4, next=5),
        mail("free-delivery", next=5),
        mail("second-look", next=5),
        p.Wait(id="two days", next=6, duration=d("2d")),
        mail("coupon", only_if=1, if_late=p.IfLate(d("2d"), "skip")),
        conditions=(DEAR, Did("never"), BOUGHT),
        exits=(exit_if(2, "bought"),),
        linked=False,
    )


def told(total: float, *, bought: datetime | None = None) -> Facts:
    return facts({0: total >= 150, 1: True, 2: bought is not None}, project=SHOP)


def timeline(line: list[tuple[datetime, str]]) -> str:
    return "\n".join(f"{when:%a %d %b %H:%M} {text}" for when, text in line)


def test_a_saturday_evening_cart_waits_for_monday() -> None:
    line, _ = play(cart(), at("04-01 00:00"), start=at("03-07 19:30"), told=lambda now, done: told(200))
    assert timeline(line) == "\n".join(
        [
            "Sat 07 Mar 19:30 deferred reminder window",
            "Mon 09 Mar 08:00 released reminder",
            "Mon 09 Mar 08:00 waiting",
            "Tue 10 Mar 08:00 branched 1",
            "Tue 10 Mar 08:00 released free-delivery",
            "Tue 10 Mar 08:00 waiting",
            "Thu 12 Mar 08:00 released coupon",
            "Thu 12 Mar 08:00 ended finished",
        ]
    )


def test_a_coupon_due_on_easter_sunday_waits_for_tuesday() -> None:
    line, _ = play(cart(), at("05-01 00:00"), start=at("04-02 10:00"), told=lambda now, done: told(40))
    assert timeline(line).splitlines()[-5:] == [
        "Fri 03 Apr 10:00 released second-look",
        "Fri 03 Apr 10:00 waiting",
        "Sun 05 Apr 10:00 deferred coupon window",
        "Tue 07 Apr 07:00 released coupon",
        "Tue 07 Apr 07:00 ended finished",
    ]


def test_who_buys_while_a_mail_waits_for_morning_gets_none() -> None:
    monday = at("03-09 08:00")
    line, who = play(
        cart(),
        at("04-01 00:00"),
        start=at("03-07 19:30"),
        told=lambda now, done: told(200, bought=monday if now >= monday else None),
    )
    assert timeline(line).splitlines()[-1] == "Mon 09 Mar 08:00 ended exited bought"
    assert who.state == "exited"


def test_the_cap_counts_what_was_released_and_holds_the_fourth_mail() -> None:
    of = plan(*(mail(f"m{n}") for n in range(4)))
    project = msgspec.structs.replace(SHOP, window=None)

    def capped(now: datetime, done: list[AnyEffect]) -> Facts:
        released = sorted((e.due for e in done if isinstance(e, Release)), reverse=True)
        return facts(project=project, nth_release=released[2] if len(released) > 2 else None)

    line, _ = play(of, at("04-01 00:00"), start=at("03-02 09:00"), told=capped)
    assert timeline([entry for entry in line if "earlier mail" not in entry[1]]).splitlines()[-3:] == [
        "Mon 02 Mar 09:00 deferred m3 cap",
        "Mon 09 Mar 09:00 released m3",
        "Mon 09 Mar 09:00 ended finished",
    ]


def test_r10_after_a_year_of_silence_a_lead_gets_one_mail_and_the_rest_in_turn() -> None:
    of = plan(mail("a"), p.Wait(id="w", duration=d("1d")), mail("b"))
    now = at("03-02 09:00")
    who = decide(of, enrolled(of, now), facts(), now).after
    line, _ = play(of, now + timedelta(days=400), start=now + timedelta(days=365), who=who)
    assert [text for _, text in line] == ["released b", "ended finished"]


def test_s36_the_same_walk_twice_is_the_same_to_the_byte() -> None:
    def walk() -> tuple[list[tuple[datetime, str]], Enrollment]:
        return play(cart(), at("04-01 00:00"), start=at("03-07 19:30"), told=lambda now, done: told(200))

    assert msgspec.json.encode(walk()) == msgspec.json.encode(walk())
