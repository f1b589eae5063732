"""What the people of the example shop do with their mail."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from nurture.clock import Dice
from nurture.demo.people import Habits, Person, Reaction, reaction, somebody

HABITS = Habits(confirms=True, answers=True, leaves_at=None, delay=timedelta(hours=1), favourite="oolong", mark=4)


def a_person(**habits: Any) -> Person:
    return replace(somebody(Dice(1), 1), habits=replace(HABITS, **habits))


def test_a_confirming_person_presses_the_button() -> None:
    assert reaction(a_person(), 0, ["c/token"]) == Reaction("confirm", timedelta(hours=1))


def test_somebody_else_leaves_the_confirmation_lying() -> None:
    assert reaction(a_person(confirms=False), 0, ["c/token"]) is None


def test_a_leaving_person_leaves_in_their_nth_mail_and_not_before() -> None:
    leaving = a_person(leaves_at=2, answers=False)
    assert reaction(leaving, 1, ["u/token"]) is None
    assert reaction(leaving, 2, ["u/token"]) == Reaction("unsubscribe", timedelta(hours=1))


def test_nobody_unsubscribes_from_a_mail_without_such_a_link() -> None:
    assert reaction(a_person(leaves_at=1), 1, ["p/token"]) is None


def test_a_taste_is_told_and_a_mark_is_given() -> None:
    taste = reaction(a_person(), 1, ["u/token", "f/taste/token"])
    mark = reaction(a_person(), 1, ["u/token", "f/review/token"])
    assert taste == Reaction("answer", timedelta(hours=1), "taste", {"favourite": "oolong"})
    assert mark == Reaction("answer", timedelta(hours=1), "review", {"score": 4})


def test_people_of_the_trade_have_a_house_and_no_birthday() -> None:
    person = somebody(Dice(3), 5, trade=True)
    assert person.company
    assert person.role
    assert person.birthday is None


def test_traits_hold_only_what_is_known() -> None:
    assert "company" not in somebody(Dice(3), 5).traits()
