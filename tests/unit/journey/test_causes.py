"""What comes from outside: answers, mended templates, new versions; and keys."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from nurture.campaign import plan as p
from nurture.journey.causes import answered, call_failed, migrated, parked, unparked
from nurture.journey.decide import decide
from nurture.journey.enrollment import Enrollment, key_text, older, same_key
from tests.unit.journey.made import MONDAY, OFFICE, at, d, enrolled, facts, kinds, mail, names, plan

DAY = timedelta(days=1)


def stood(of: p.Plan, **more: object) -> Enrollment:
    return decide(of, enrolled(of, **more), facts(), MONDAY).after  # type: ignore[arg-type]


class TestAnswers:
    def of(self, or_exit: bool = False) -> p.Plan:
        return plan(p.Call(id="c", webhook="stock", or_exit=or_exit), mail("a", if_late=p.IfLate(d("12h"), "exit")))

    def test_a_call_stands_until_its_answer(self) -> None:
        after = stood(self.of())
        assert (after.held, after.wake, after.due) == ("answer", MONDAY + timedelta(hours=1), MONDAY)

    def test_an_answer_is_kept_and_the_walk_goes_on(self) -> None:
        decision = answered(self.of(), stood(self.of()), "c", 0, {"left": 3}, MONDAY)
        assert decision is not None
        assert (decision.after.data, decision.after.step) == ({"stock": {"left": 3}}, "a")

    def test_s16_what_follows_a_call_is_as_late_as_the_call_was(self) -> None:
        late = MONDAY + 2 * DAY
        standing = decide(self.of(), enrolled(self.of()), facts(), late).after
        decision = answered(self.of(), standing, "c", 0, {}, late)
        assert decision is not None
        assert names(decide(self.of(), decision.after, facts(), late))[-1] == "ended exited late"

    @pytest.mark.parametrize(("step", "visit"), [("c", 1), ("other", 0)])
    def test_an_answer_nobody_waits_for_any_more_is_nothing(self, step: str, visit: int) -> None:
        assert answered(self.of(), stood(self.of()), step, visit, {}, MONDAY) is None

    def test_a_failed_call_goes_on_without(self) -> None:
        decision = call_failed(self.of(), stood(self.of()), "c", 0, "500", MONDAY)
        assert decision is not None
        assert (decision.after.step, decision.after.data) == ("a", {})

    def test_a_failed_call_may_exit(self) -> None:
        decision = call_failed(self.of(or_exit=True), stood(self.of()), "c", 0, "500", MONDAY)
        assert decision is not None
        assert names(decision) == ["call_failed stock 500", "ended exited stock failed"]

    def test_a_call_without_an_answer_in_time_has_failed(self) -> None:
        decision = decide(self.of(or_exit=True), stood(self.of()), facts(), MONDAY + DAY)
        assert names(decision) == ["call_failed stock no answer in time", "ended exited stock failed"]

    def test_a_look_before_the_answer_changes_nothing(self) -> None:
        standing = stood(self.of())
        assert decide(self.of(), standing, facts(), MONDAY + timedelta(minutes=5)).after == standing

    def test_an_answer_to_the_last_step_finishes(self) -> None:
        of = plan(p.Call(id="c", webhook="stock"))
        decision = answered(of, stood(of), "c", 0, {}, MONDAY)
        assert decision is not None
        assert decision.after.state == "finished"


class TestParking:
    def test_a_parked_one_goes_on_from_where_it_stood(self) -> None:
        of = plan(p.Wait(id="w", duration=d("1d")), mail("a"))
        aside = parked(stood(of), "undefined: price")
        assert aside is not None
        back = unparked(aside.after, MONDAY + 3 * DAY)
        assert back is not None
        assert back.after == stood(of)

    def test_only_a_waiting_one_is_parked(self) -> None:
        assert parked(enrolled(plan(mail("a")), state="finished"), "x") is None

    def test_only_a_parked_one_is_unparked(self) -> None:
        assert unparked(enrolled(plan(mail("a"))), MONDAY) is None


class TestNewVersions:
    def onto(self, of: p.Plan, who: Enrollment, now_in: timedelta = DAY, done: tuple[str, ...] = ()) -> Enrollment:
        decision = migrated(of, "v2", who, facts(), MONDAY + now_in, done)
        assert decision is not None
        return decision.after

    def test_s33_a_wait_is_retimed_from_when_it_was_reached(self) -> None:
        who = stood(plan(p.Wait(id="w", duration=d("2d")), mail("a")))
        after = self.onto(plan(p.Wait(id="w", duration=d("5d")), mail("a")), who)
        assert (after.version, after.wake, after.held) == ("v2", MONDAY + 5 * DAY, "wait")

    def test_s33_never_to_before_now(self) -> None:
        who = stood(plan(p.Wait(id="w", duration=d("9d")), mail("a")))
        after = self.onto(plan(p.Wait(id="w", duration=d("1h")), mail("a")), who, 3 * DAY)
        assert (after.wake, after.due) == (MONDAY + 3 * DAY, MONDAY + 3 * DAY)

    def test_s33_a_wait_for_is_retimed_too(self) -> None:
        def of(up_to: str) -> p.Plan:
            trigger = p.Trigger(event="order")
            return plan(p.WaitFor(id="w", trigger=trigger, up_to=d(up_to), then=-1, otherwise=-1))

        assert self.onto(of("4d"), stood(of("2d"))).wake == MONDAY + 4 * DAY

    def test_s33_a_repeat_is_retimed_and_keeps_its_rounds(self) -> None:
        def of(every: str) -> p.Plan:
            repeat = p.Repeat(id="r", every=d(every), at_most=3, body=1, next=-1)
            return plan(repeat, mail("a", next=0), linked=False)

        after = self.onto(of("4d"), stood(of("2d"), loops={"r": 1}))
        assert (after.wake, after.loops) == (MONDAY + 4 * DAY, {"r": 1})

    def test_s33_a_removed_step_without_a_mapping_is_stranded(self) -> None:
        who = stood(plan(p.Wait(id="old", duration=d("2d")), mail("a")))
        assert migrated(plan(mail("a")), "v2", who, facts(), MONDAY) is None

    def test_s33_a_removed_step_goes_where_its_mapping_says(self) -> None:
        who = stood(plan(p.Wait(id="old", duration=d("2d")), mail("a")), arms={"split": "b"})
        new = plan(p.Wait(id="new", duration=d("3d")), mail("a"), migrations=(p.Migration("v1", {"old": "new"}),))
        after = self.onto(new, who)
        assert (after.step, after.wake, after.arms) == ("new", MONDAY + 3 * DAY, {"split": "b"})

    def test_s33_a_mapping_from_another_version_does_not_count(self) -> None:
        who = stood(plan(p.Wait(id="old", duration=d("2d")), mail("a")))
        new = plan(mail("a"), migrations=(p.Migration("v0", {"old": "a"}),))
        assert migrated(new, "v2", who, facts(), MONDAY) is None

    def test_s33_a_step_done_is_not_done_again(self) -> None:
        who = stood(plan(mail("a"), p.Wait(id="w", duration=d("2d")), mail("b")))
        new = plan(p.Wait(id="w", duration=d("2d")), mail("a"), mail("b"))
        after = self.onto(new, who, done=("a", "w"))
        decision = decide(new, after, facts(), MONDAY + 3 * DAY)
        assert names(decision) == ["skipped done before", "released b", "ended finished"]

    def test_s33_inside_a_repeat_a_step_is_done_each_round(self) -> None:
        repeat = p.Repeat(id="r", every=d("1d"), at_most=3, body=1, next=-1)
        of = plan(repeat, mail("a", next=0), linked=False)
        after = self.onto(of, stood(of, loops={"r": 1}), done=("a",))
        assert kinds(decide(of, after, facts(), MONDAY + 2 * DAY)) == ["Release"]

    def test_s33_a_deferred_mail_is_asked_again_at_once(self) -> None:
        of = plan(mail("a"), window=OFFICE)
        held = decide(of, enrolled(of, at("03-07 09:00")), facts(), at("03-07 09:00")).after
        after = self.onto(plan(mail("a")), held, 6 * DAY)
        assert (after.held, after.due, after.wake) == (None, at("03-07 09:00"), MONDAY + 6 * DAY)

    def test_s33_an_answer_underway_still_counts(self) -> None:
        of = plan(p.Call(id="c", webhook="stock"), mail("a"))
        assert self.onto(of, stood(of)).held == "answer"

    def test_an_ended_one_does_not_migrate(self) -> None:
        of = plan(mail("a"))
        assert migrated(of, "v2", enrolled(of, state="goal"), facts(), MONDAY) is None


class TestKeys:
    @pytest.mark.parametrize(
        ("value", "text"),
        [("c1", "c1"), (12, "12"), (5.0, "5"), (1.5, "1.5"), (True, "true"), ("", None), (None, None), ([1], None)],
    )
    def test_s08_keys_compare_as_text(self, value: object, text: str | None) -> None:
        assert key_text(value) == text

    def test_s08_same_with_the_property_missing_is_no_match(self) -> None:
        assert not same_key({}, "cart_id", "c1")

    def test_s08_same_without_a_key_is_no_match(self) -> None:
        assert not same_key({"cart_id": ""}, "cart_id", "")

    def test_without_same_every_event_speaks_of_it(self) -> None:
        assert same_key({}, None, "c1")

    def test_s27_of_two_merged_the_older_stays(self) -> None:
        of = plan(mail("a"))
        old, young = enrolled(of), msgspec.structs.replace(enrolled(of, MONDAY + DAY), id=0)
        assert older(young, old) == (old, young)

    def test_s36_of_two_equally_old_the_first_id_stays(self) -> None:
        one = enrolled(plan(mail("a")))
        other = msgspec.structs.replace(one, id=2)
        assert older(other, one) == (one, other)
