"""What an event does to an enrollment that stands: a wait is over, the goal or an exit is reached."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nurture.campaign import plan as p
from nurture.journey.decide import decide
from nurture.journey.effects import Decision, MoveStage
from nurture.journey.enrollment import Enrollment
from nurture.journey.happened import came, exit_reached, goal_reached, left, matched
from tests.unit.journey.made import CLICKED, MONDAY, PROJECT, d, enrolled, facts, kinds, mail, names, plan

DAY = timedelta(days=1)


class TestAWaitThatIsOver:
    def of(self, then: int = 1, trigger: p.Trigger | None = None) -> p.Plan:
        found = trigger or p.Trigger(event="order")
        wait = p.WaitFor(id="w", trigger=found, up_to=d("3d"), then=then, otherwise=2)
        return plan(wait, mail("yes"), mail("no"), conditions=(CLICKED,), linked=False)

    def stood(self, of: p.Plan) -> Enrollment:
        return decide(of, enrolled(of), facts({0: False}), MONDAY).after

    def test_the_event_leads_to_then_due_when_it_came(self) -> None:
        decision = came(self.of(), self.stood(self.of()), MONDAY + DAY)
        assert decision is not None
        after = decision.after
        assert (after.step, after.visit, after.due, after.held) == ("yes", 1, MONDAY + DAY, None)
        assert kinds(decide(self.of(), after, facts(), MONDAY + DAY)) == ["Release"]

    def test_it_may_be_the_last_thing_that_happens(self) -> None:
        decision = came(self.of(then=-1), self.stood(self.of()), MONDAY + DAY)
        assert decision is not None
        assert names(decision) == ["came order", "ended finished"]

    def test_a_condition_that_turned_true_leads_to_then(self) -> None:
        of = self.of(trigger=p.Trigger(match=0))
        decision = matched(of, self.stood(of), MONDAY + DAY)
        assert decision is not None
        assert (names(decision), decision.after.step) == (["came match"], "yes")

    def test_an_event_is_no_match_and_a_match_is_no_event(self) -> None:
        of = self.of(trigger=p.Trigger(match=0))
        assert came(of, self.stood(of), MONDAY) is None
        assert matched(self.of(), self.stood(self.of()), MONDAY) is None

    def test_an_enrollment_elsewhere_does_not_move(self) -> None:
        of = plan(p.Wait(id="w", duration=d("1d")), mail("a"))
        assert came(of, decide(of, enrolled(of), facts(), MONDAY).after, MONDAY) is None

    def test_only_events_from_then_on_count(self) -> None:
        assert came(self.of(), enrolled(self.of()), MONDAY) is None

    def test_an_ended_one_waits_for_nothing(self) -> None:
        assert came(self.of(), enrolled(self.of(), state="exited", held="event"), MONDAY) is None


class TestGoals:
    def reached(
        self, *, value: object = 9, currency: object = None, before_entry: bool = False, **more: object
    ) -> Decision | None:
        of = plan(mail("a"), goal=p.Goal(p.Trigger(event="order"), value="total", move="customer"))
        return goal_reached(
            of,
            PROJECT,
            enrolled(of, **more),
            {"shop": "lead"},
            properties={"total": value, "currency": currency},
            happened=MONDAY - DAY if before_entry else MONDAY + DAY,
            entry_happened=MONDAY,
        )

    def test_a_goal_moves_credits_and_ends(self) -> None:
        decision = self.reached()
        assert decision is not None
        assert decision.end is not None
        assert [e.stage for e in decision.effects if isinstance(e, MoveStage)] == ["customer"]
        assert (decision.end.state, decision.end.revenue, decision.end.currency) == ("goal", 9.0, "EUR")

    def test_revenue_is_in_the_events_own_currency(self) -> None:
        decision = self.reached(currency="RON")
        assert decision is not None
        assert decision.end is not None
        assert decision.end.currency == "RON"

    @pytest.mark.parametrize("value", [None, True, "much", "nan", "inf", [1], 10**400])
    def test_a_dirty_value_credits_nothing_and_is_a_goal_all_the_same(self, value: object) -> None:
        decision = self.reached(value=value)
        assert decision is not None
        assert decision.end is not None
        assert (decision.end.state, decision.end.revenue, decision.end.currency) == ("goal", None, None)

    def test_s04_a_goal_that_happened_before_the_entry_credits_nothing(self) -> None:
        decision = self.reached(before_entry=True)
        assert decision is not None
        assert names(decision) == ["ended exited goal before entry"]
        assert decision.effects == ()

    def test_a_parked_one_reaches_its_goal_too(self) -> None:
        decision = self.reached(state="parked")
        assert decision is not None
        assert decision.after.state == "goal"

    def test_an_ended_one_reaches_nothing(self) -> None:
        assert self.reached(state="exited") is None

    def test_a_refused_move_is_said_and_the_goal_stands(self) -> None:
        of = plan(mail("a"), goal=p.Goal(p.Trigger(event="order"), move="customer"))
        decision = goal_reached(
            of,
            PROJECT,
            enrolled(of),
            {"shop": "loyal"},
            properties={},
            happened=MONDAY,
            entry_happened=None,
        )
        assert decision is not None
        assert names(decision) == ["move_refused customer not allowed", "ended goal order"]


class TestExits:
    ITEM = p.Exit(p.Trigger(event="emptied"), "cart emptied")

    def test_an_exit_ends_with_its_reason(self) -> None:
        decision = exit_reached(enrolled(plan(mail("a"))), self.ITEM)
        assert decision is not None
        assert names(decision) == ["ended exited cart emptied"]

    def test_an_ended_one_does_not_end_again(self) -> None:
        who = enrolled(plan(mail("a")), state="goal")
        assert exit_reached(who, self.ITEM) is None
        assert left(who, "merged") is None

    def test_the_engines_own_reasons_end_it_too(self) -> None:
        decision = left(enrolled(plan(mail("a"))), "merged")
        assert decision is not None
        assert (decision.after.state, decision.after.wake) == ("exited", None)
