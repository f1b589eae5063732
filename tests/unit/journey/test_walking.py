"""Walking from step to step: due and reached, waits, branches, rounds, passes."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest

from nurture.campaign import plan as p
from nurture.campaign.window import ClockTime
from nurture.journey.decide import decide
from nurture.journey.effects import AnyEffect, MoveStage
from nurture.journey.facts import Facts
from tests.unit.journey.made import (
    CLICKED,
    CUSTOMER,
    MONDAY,
    OFFICE,
    TAGGED,
    at,
    d,
    enrolled,
    exit_if,
    facts,
    goal,
    kinds,
    mail,
    names,
    plan,
    play,
    sent,
)

DAY = timedelta(days=1)
WAIT_A_DAY = p.Wait(id="wait", duration=d("1d"))


class TestWaiting:
    def test_a_wait_stands_until_its_instant(self) -> None:
        decision = decide(plan(WAIT_A_DAY, mail("a")), enrolled(plan(WAIT_A_DAY)), facts(), MONDAY)
        after = decision.after
        assert (after.step, after.held, after.due, after.wake) == ("wait", "wait", MONDAY + DAY, MONDAY + DAY)

    def test_a_wait_looked_at_before_its_time_stands_and_says_nothing(self) -> None:
        of = plan(WAIT_A_DAY, mail("a"))
        waiting = decide(of, enrolled(of), facts(), MONDAY).after
        decision = decide(of, waiting, facts(), MONDAY + DAY / 2)
        assert decision.after == waiting
        assert decision.records == ()

    def test_s16_after_an_outage_the_next_step_is_due_when_the_wait_was(self) -> None:
        of = plan(WAIT_A_DAY, mail("a", if_late=p.IfLate(d("2h"), "skip")), mail("b"))
        waiting = decide(of, enrolled(of), facts(), MONDAY).after
        decision = decide(of, waiting, facts(), MONDAY + 3 * DAY)
        assert names(decision) == ["skipped a late", "released b", "ended finished"]

    def test_s16_a_date_already_past_goes_on_at_once_and_is_late(self) -> None:
        of = plan(p.Wait(id="w", date=p.DateRef("literal", text="2026-03-01")), mail("a"))
        decision = decide(of, enrolled(of), facts(), MONDAY)
        assert decision.effects[0].due == at("02-28 23:00")  # type: ignore[union-attr]

    def test_s17_a_wait_counts_from_the_release_of_a_held_mail(self) -> None:
        of = plan(mail("a"), WAIT_A_DAY, mail("b"), window=OFFICE)
        line, _ = play(of, at("03-20 00:00"), start=at("03-07 09:00"))  # a Saturday
        assert sent(line) == [("a", at("03-09 08:00")), ("b", at("03-10 08:00"))]

    def test_a_wait_until_a_clock_time_is_on_the_leads_clock(self) -> None:
        of = plan(p.Wait(id="w", until=ClockTime(660), days=(1, 2, 3)), mail("a"))
        line, _ = play(of, at("03-20 00:00"), told=lambda now, done: facts(zone="Europe/Lisbon"))
        assert sent(line) == [("a", at("03-03 11:00"))]

    def test_a_wait_until_nine_straight_after_a_mail_at_nine_is_tomorrows(self) -> None:
        of = plan(mail("a"), p.Wait(id="w", until=ClockTime(540)), mail("b"), window=OFFICE)
        line, _ = play(of, at("03-20 00:00"), start=at("03-07 09:00"))
        assert sent(line) == [("a", at("03-09 08:00")), ("b", at("03-10 08:00"))]

    def test_a_wait_for_a_missing_date_goes_on_and_says_so(self) -> None:
        of = plan(p.Wait(id="w", date=p.DateRef("lead", ("renewal",))), mail("a"))
        assert names(decide(of, enrolled(of), facts(), MONDAY)) == ["skipped no date", "released a", "ended finished"]

    def test_a_date_of_a_webhooks_answer_is_waited_for(self) -> None:
        of = plan(p.Wait(id="w", date=p.DateRef("data", ("shop", "open"), offset=d("1h"))), mail("a"))
        who = enrolled(of, data={"shop": {"open": "2026-03-05T10:00"}})
        assert decide(of, who, facts(), MONDAY).after.wake == at("03-05 10:00")

    def test_the_leads_creation_is_a_date(self) -> None:
        of = plan(p.Wait(id="w", date=p.DateRef("lead", ("created_at",), offset=d("30d"))), mail("a"))
        assert decide(of, enrolled(of), facts(created_at=MONDAY), MONDAY).after.wake == at("04-01 08:00")


class TestWaitFor:
    TRIGGER = p.Trigger(match=0)

    def of(self, **more: object) -> p.Plan:
        wait = p.WaitFor(id="w", trigger=self.TRIGGER, up_to=d("3d"), then=1, otherwise=2)
        return plan(msgspec.structs.replace(wait, **more), mail("yes"), mail("no"), conditions=(CLICKED,), linked=False)

    def test_s19_what_is_already_true_satisfies_it_at_once(self) -> None:
        of = self.of()
        assert names(decide(of, enrolled(of), facts({0: True}), MONDAY))[:2] == ["came already true", "released yes"]

    def test_it_stands_until_its_time_is_over(self) -> None:
        of = self.of()
        line, _ = play(of, at("03-20 00:00"), told=lambda now, done: facts({0: False}))
        assert sent(line) == [("no", MONDAY + 3 * DAY)]

    def test_s05_a_look_while_it_stands_finds_it_true(self) -> None:
        of = self.of()
        waiting = decide(of, enrolled(of), facts({0: False}), MONDAY).after
        decision = decide(of, waiting, facts({0: True}), MONDAY + DAY)
        assert names(decision)[:2] == ["came match", "released yes"]

    def test_s05_a_look_that_finds_nothing_changes_nothing(self) -> None:
        of = self.of()
        waiting = decide(of, enrolled(of), facts({0: False}), MONDAY).after
        assert decide(of, waiting, facts({0: False}), MONDAY + DAY).after == waiting

    def test_what_comes_by_match_is_due_when_it_came(self) -> None:
        of = self.of()
        waiting = decide(of, enrolled(of), facts({0: False}), MONDAY).after
        release = decide(of, waiting, facts({0: True}), MONDAY + DAY).effects[0]
        assert release.due == MONDAY + DAY  # type: ignore[union-attr]

    def test_a_date_already_past_is_time_over_at_once(self) -> None:
        of = self.of(up_to=None, until=p.DateRef("literal", text="2026-03-01"))
        assert names(decide(of, enrolled(of), facts({0: False}), MONDAY))[:2] == ["time_over", "released no"]

    def test_its_match_is_watched_while_it_stands(self) -> None:
        of = self.of()
        assert decide(of, enrolled(of), facts({0: False}), MONDAY).watching == (0,)

    def test_an_event_is_waited_for_by_its_name(self) -> None:
        of = self.of(trigger=p.Trigger(event="order"))
        decision = decide(of, enrolled(of), facts(), MONDAY)
        assert (names(decision), decision.watching) == (["waiting order"], ())


class TestBranching:
    def of(self, **more: object) -> p.Plan:
        branch = p.Branch(id="b", arms=((0, 1), (1, 2)), otherwise=3, next=4)
        steps = (mail("one", next=4), mail("two", next=4), mail("else", next=4), p.AddTag(id="t", tag_name="x"))
        return plan(
            msgspec.structs.replace(branch, **more), *steps, conditions=(CLICKED, TAGGED, CUSTOMER), linked=False
        )

    @pytest.mark.parametrize(
        ("answers", "template"),
        [((True, True), "one"), ((False, True), "two"), ((False, False), "else")],
    )
    def test_the_first_arm_that_holds_is_taken(self, answers: tuple[bool, bool], template: str) -> None:
        of = self.of()
        decision = decide(of, enrolled(of), facts(dict(enumerate(answers))), MONDAY)
        assert decision.effects[0].template == template  # type: ignore[union-attr]

    def test_where_nothing_holds_it_goes_on_after_the_branch(self) -> None:
        of = self.of(otherwise=None)
        assert kinds(decide(of, enrolled(of), facts({0: False, 1: False}), MONDAY)) == ["AddTag"]

    def test_an_if_on_the_branch_skips_its_else_too(self) -> None:
        of = self.of(only_if=2)
        assert kinds(decide(of, enrolled(of), facts({2: False}), MONDAY)) == ["AddTag"]


class TestSplits:
    ARMS = (("plain", 50.0, 1), ("coupon", 30.0, 2), ("holdout", 20.0, 3))

    def of(self, campaign: str = "c", **more: object) -> p.Plan:
        split = p.Split(id="s", arms=self.ARMS, **more)  # type: ignore[arg-type]
        steps = (mail("plain", next=3), mail("coupon", next=3), p.AddTag(id="t", tag_name="x"))
        return msgspec.structs.replace(plan(split, *steps, linked=False), campaign=campaign)

    def arm(self, of: p.Plan, lead: str) -> str:
        known = facts()
        known = msgspec.structs.replace(known, lead=msgspec.structs.replace(known.lead, draw=lead))
        return decide(of, enrolled(of), known, MONDAY).after.arms["s"]

    def test_a_draw_is_the_same_every_time(self) -> None:
        assert [self.arm(self.of(), f"l{n}") for n in range(50)] == [self.arm(self.of(), f"l{n}") for n in range(50)]

    def test_shares_hold_over_many_leads(self) -> None:
        drawn = [self.arm(self.of(), f"lead {n}") for n in range(2000)]
        assert [round(drawn.count(name) / 2000, 1) for name in ("plain", "coupon", "holdout")] == [0.5, 0.3, 0.2]

    def test_two_campaigns_draw_apart(self) -> None:
        pairs = {(self.arm(self.of("a"), f"l{n}"), self.arm(self.of("b"), f"l{n}")) for n in range(200)}
        assert len(pairs) == 9

    def test_a_seed_shares_the_draw_between_campaigns(self) -> None:
        for n in range(50):
            assert self.arm(self.of("a", seed="x"), f"l{n}") == self.arm(self.of("b", seed="x"), f"l{n}")

    def test_s21_an_arm_once_drawn_is_kept(self) -> None:
        of = self.of()
        for arm in ("plain", "coupon", "holdout"):
            decision = decide(of, enrolled(of, arms={"s": arm}), facts(), MONDAY)
            assert decision.after.arms == {"s": arm}

    def test_a_holdout_goes_on_after_the_split(self) -> None:
        of = self.of()
        assert kinds(decide(of, enrolled(of, arms={"s": "holdout"}), facts(), MONDAY)) == ["AddTag"]


class TestRepeating:
    def of(self, at_most: int = 2, while_: int | None = None) -> p.Plan:
        repeat = p.Repeat(id="r", every=d("3d"), at_most=at_most, body=1, while_=while_, next=2)
        return plan(repeat, mail("again", next=0), mail("last"), conditions=(CLICKED,), linked=False)

    def test_it_waits_then_does_its_steps_so_many_times(self) -> None:
        line, who = play(self.of(), at("04-01 00:00"))
        assert sent(line) == [("again", MONDAY + 3 * DAY), ("again", MONDAY + 6 * DAY), ("last", MONDAY + 6 * DAY)]
        assert who.loops == {}

    def test_every_round_has_its_own_visit(self) -> None:
        releases: list[tuple[str, int]] = []

        def told(now: datetime, done: list[AnyEffect]) -> Facts:
            releases[:] = [(effect.step, effect.visit) for effect in done]
            return facts()

        play(self.of(at_most=3), at("04-01 00:00"), told=told)
        assert len(set(releases)) == len(releases) >= 3

    def test_while_is_asked_after_each_wait(self) -> None:
        line, _ = play(
            self.of(at_most=9, while_=0),
            at("04-01 00:00"),
            told=lambda now, done: facts({0: now < MONDAY + 5 * DAY}),
        )
        assert [name for name, _ in sent(line)] == ["again", "last"]

    def test_after_a_long_outage_there_is_one_round_not_many(self) -> None:
        of = self.of(at_most=9)
        waiting = decide(of, enrolled(of), facts(), MONDAY).after
        decision = decide(of, waiting, facts(), MONDAY + 30 * DAY)
        assert kinds(decision) == ["Release"]
        assert decision.after.wake == MONDAY + 33 * DAY

    def test_one_inside_another_begins_anew_each_time(self) -> None:
        outer = p.Repeat(id="outer", every=d("1d"), at_most=2, body=1)
        inner = p.Repeat(id="inner", every=d("1h"), at_most=2, body=2, next=0)
        line, _ = play(plan(outer, inner, mail("m", next=1), linked=False), at("04-01 00:00"))
        assert len(sent(line)) == 4


class TestIf:
    def test_an_if_that_is_false_skips_the_step(self) -> None:
        of = plan(mail("a", only_if=0), p.AddTag(id="t", tag_name="x"), conditions=(CLICKED,))
        assert names(decide(of, enrolled(of), facts({0: False}), MONDAY)) == [
            "skipped a if",
            "tagged x",
            "ended finished",
        ]

    def test_the_if_of_a_wait_is_not_asked_when_it_is_over(self) -> None:
        of = plan(p.Wait(id="w", duration=d("1d"), only_if=0), mail("a"), conditions=(CLICKED,))
        waiting = decide(of, enrolled(of), facts({0: True}), MONDAY).after
        assert kinds(decide(of, waiting, facts(), MONDAY + DAY)) == ["Release"]

    def test_the_if_of_a_repeat_is_asked_once_and_its_while_each_round(self) -> None:
        repeat = p.Repeat(id="r", every=d("1d"), at_most=2, body=1, only_if=0, next=-1)
        of = plan(repeat, mail("a", next=0), conditions=(CLICKED,), linked=False)
        line, _ = play(of, at("04-01 00:00"), told=lambda now, done: facts({0: True} if now == MONDAY else {}))
        assert len(sent(line)) == 2


class TestOnePass:
    def test_s19_a_condition_that_reads_what_the_pass_changed_asks_for_new_facts(self) -> None:
        of = plan(p.Move(id="m", stage="mql"), mail("a", only_if=0), conditions=(CUSTOMER,))
        decision = decide(of, enrolled(of), facts({0: False}), MONDAY)
        assert decision.again
        assert (kinds(decision), decision.after.step, decision.after.wake) == (["MoveStage"], "a", MONDAY)

    def test_s19_a_condition_that_reads_something_else_does_not(self) -> None:
        of = plan(p.Move(id="m", stage="mql"), mail("a", only_if=0), conditions=(CLICKED,))
        decision = decide(of, enrolled(of), facts({0: True}), MONDAY)
        assert (kinds(decision), decision.again) == (["MoveStage", "Release"], False)

    def test_s19_the_next_part_of_the_pass_does_not_repeat_the_first(self) -> None:
        of = plan(p.AddTag(id="t", tag_name="vip"), mail("a", only_if=0), conditions=(TAGGED,))
        first = decide(of, enrolled(of), facts({0: False}), MONDAY)
        second = decide(of, first.after, facts({0: True}), MONDAY, first.walked)
        assert (kinds(first), kinds(second)) == (["AddTag"], ["Release"])

    def test_s19_a_mail_after_an_expired_consent_asks_for_permission_anew(self) -> None:
        of = plan(p.ExpireConsent(id="e", topic="offers"), mail("a"))
        assert decide(of, enrolled(of), facts(), MONDAY).again

    def test_s19_a_notice_after_an_assignment_asks_for_the_owner_anew(self) -> None:
        of = plan(p.Assign(id="x", team="sales"), p.Notify(id="n", to="owner", template="t"))
        assert decide(of, enrolled(of), facts(), MONDAY).again

    def test_s19_the_second_move_of_a_pass_starts_where_the_first_ended(self) -> None:
        of = plan(p.Move(id="m", stage="mql"), p.Move(id="n", stage="customer"))
        effects = decide(of, enrolled(of), facts(), MONDAY).effects
        assert [e.origin for e in effects if isinstance(e, MoveStage)] == [None, "mql"]

    def test_s19_a_hundred_steps_are_done_and_one_more_fails(self) -> None:
        for count, end in ((100, "finished"), (101, "failed")):
            of = plan(*(p.AddTag(id=f"t{n}", tag_name="x") for n in range(count)))
            decision = decide(of, enrolled(of), facts(), MONDAY)
            assert decision.end is not None
            assert (decision.end.state, len(decision.effects)) == (end, 100)

    def test_s19_a_circle_over_several_parts_of_a_pass_ends(self) -> None:
        of = plan(
            p.Move(id="m", stage="mql"),
            p.Branch(id="b", arms=((0, 0),), next=0),
            conditions=(CUSTOMER,),
            linked=False,
        )
        of = msgspec.structs.replace(of, steps=(msgspec.structs.replace(of.steps[0], next=1), of.steps[1]))
        line, who = play(of, at("04-01 00:00"), told=lambda now, done: facts({0: False}))
        assert (who.state, line[-1][1]) == ("failed", "ended failed too many steps")

    def test_facts_that_never_come_fail_it_in_the_end(self) -> None:
        of = plan(mail("a", only_if=0), conditions=(CUSTOMER,))
        _, who = play(of, at("04-01 00:00"))
        assert who.state == "failed"

    def test_standing_still_counts_from_nothing_again(self) -> None:
        of = plan(p.AddTag(id="t", tag_name="x"), WAIT_A_DAY, mail("a"))
        assert decide(of, enrolled(of), facts(), MONDAY, walked=50).walked == 0

    def test_it_changes_nothing_it_was_given(self) -> None:
        of = plan(p.Repeat(id="r", every=d("1d"), at_most=2, body=1), mail("a"))
        who = enrolled(of)
        before = msgspec.json.encode(who)
        decide(of, who, facts(), MONDAY)
        assert msgspec.json.encode(who) == before


class TestEnds:
    def test_s05_a_goal_that_matches_ends_it_before_the_step(self) -> None:
        of = plan(mail("a"), conditions=(CLICKED,), goal=goal(0, move="customer"))
        decision = decide(of, enrolled(of), facts({0: True}), MONDAY)
        assert decision.end is not None
        assert (kinds(decision), decision.end.state) == (["MoveStage"], "goal")

    def test_s03_goal_is_asked_before_exit(self) -> None:
        of = plan(mail("a"), conditions=(CLICKED, TAGGED), goal=goal(0), exits=(exit_if(1),))
        assert decide(of, enrolled(of), facts({0: True, 1: True}), MONDAY).after.state == "goal"

    def test_an_exit_ends_with_its_reason(self) -> None:
        of = plan(mail("a"), conditions=(CLICKED,), exits=(exit_if(0, "bought elsewhere"),))
        decision = decide(of, enrolled(of), facts({0: True}), MONDAY)
        assert names(decision) == ["ended exited bought elsewhere"]

    def test_s05_goal_and_exit_are_watched_while_it_stands(self) -> None:
        of = plan(WAIT_A_DAY, conditions=(CLICKED, TAGGED), goal=goal(1), exits=(exit_if(0),))
        assert decide(of, enrolled(of), facts({0: False, 1: False}), MONDAY).watching == (1, 0)

    def test_a_look_at_a_waiting_one_finds_its_goal(self) -> None:
        of = plan(WAIT_A_DAY, conditions=(CLICKED,), goal=goal(0))
        waiting = decide(of, enrolled(of), facts({0: False}), MONDAY).after
        assert decide(of, waiting, facts({0: True}), MONDAY + DAY / 2).after.state == "goal"

    def test_a_step_that_brings_the_exit_about_asks_anew_before_the_next(self) -> None:
        of = plan(p.Move(id="m", stage="customer"), mail("a"), conditions=(CUSTOMER,), exits=(exit_if(0),))
        first = decide(of, enrolled(of), facts({0: False}), MONDAY)
        second = decide(of, first.after, facts({0: True}), MONDAY, first.walked)
        assert (first.again, kinds(second), second.after.state) == (True, [], "exited")

    def test_an_exit_step_leaves_with_its_reason(self) -> None:
        of = plan(p.Leave(id="x", reason="never started"), mail("a"))
        assert names(decide(of, enrolled(of), facts(), MONDAY)) == ["ended exited never started"]

    def test_after_the_last_step_it_is_finished(self) -> None:
        decision = decide(plan(mail("a")), enrolled(plan(mail("a"))), facts(), MONDAY)
        assert (decision.after.state, decision.after.wake, decision.watching) == ("finished", None, ())

    def test_a_campaign_without_steps_only_counts_who_came(self) -> None:
        of = plan(mail("a"))
        empty = msgspec.structs.replace(of, steps=())
        assert decide(empty, enrolled(of, step=""), facts(), MONDAY).after.state == "finished"

    def test_a_step_the_version_does_not_have_parks_it(self) -> None:
        of = plan(mail("a"))
        after = decide(of, enrolled(of, step="gone"), facts(), MONDAY).after
        assert (after.state, after.error) == ("parked", "no step 'gone' in this version")

    @pytest.mark.parametrize("state", ["parked", "finished", "goal", "exited", "failed"])
    def test_only_a_waiting_one_is_decided(self, state: str) -> None:
        of = plan(mail("a"))
        who = enrolled(of, state=state)
        assert decide(of, who, facts(), MONDAY).after == who


class TestPaused:
    def test_s26_a_paused_one_stands_and_says_so_once(self) -> None:
        of = plan(mail("a"))
        first = decide(of, enrolled(of), facts(paused="all"), MONDAY)
        second = decide(of, first.after, facts(paused="all"), MONDAY + DAY)
        assert (names(first), names(second)) == (["deferred pause"], [])

    def test_s26_due_runs_on_so_that_afterwards_it_is_late(self) -> None:
        of = plan(mail("a", if_late=p.IfLate(d("2h"), "skip")))
        paused = decide(of, enrolled(of), facts(paused="all"), MONDAY).after
        assert names(decide(of, paused, facts(), MONDAY + DAY))[0] == "skipped a late"

    def test_s26_goals_count_while_paused(self) -> None:
        of = plan(mail("a"), conditions=(CLICKED,), goal=goal(0))
        assert decide(of, enrolled(of), facts({0: True}, paused="all"), MONDAY).after.state == "goal"

    def test_s26_a_wait_that_is_over_while_paused_is_over_afterwards(self) -> None:
        of = plan(WAIT_A_DAY, mail("a"))
        waiting = decide(of, enrolled(of), facts(), MONDAY).after
        paused = decide(of, waiting, facts(paused="all"), MONDAY + 2 * DAY).after
        assert (paused.held, paused.due) == ("wait", MONDAY + DAY)
        assert kinds(decide(of, paused, facts(), MONDAY + 3 * DAY)) == ["Release"]

    def test_s26_a_wait_reached_while_paused_is_timed_afterwards(self) -> None:
        of = plan(WAIT_A_DAY, mail("a"))
        paused = decide(of, enrolled(of), facts(paused="all"), MONDAY).after
        assert decide(of, paused, facts(), MONDAY + 3 * DAY).after.wake == MONDAY + 4 * DAY

    def test_a_pause_that_excepts_service_mail_lets_it_go(self) -> None:
        of = plan(mail("s", service=True), WAIT_A_DAY)
        assert kinds(decide(of, enrolled(of), facts(paused="marketing"), MONDAY)) == ["Release"]

    def test_a_pause_that_excepts_service_mail_keeps_marketing_back(self) -> None:
        of = plan(mail("a"))
        assert names(decide(of, enrolled(of), facts(paused="marketing"), MONDAY)) == ["deferred a pause"]
