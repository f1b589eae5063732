"""The release gate: refusals, lateness, the cap, the window, one mail after the other."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest

from nurture.campaign import plan as p
from nurture.campaign.project import Cap, Project
from nurture.campaign.window import ClockTime, Window
from nurture.journey.decide import decide
from nurture.journey.effects import Decision, Release
from nurture.journey.enrollment import Enrollment
from tests.unit.journey.made import (
    CLICKED,
    MONDAY,
    OFFICE,
    PROJECT,
    ZURICH,
    at,
    d,
    enrolled,
    exit_if,
    facts,
    kinds,
    mail,
    names,
    plan,
)

DAY = timedelta(days=1)
CAPPED = msgspec.structs.replace(PROJECT, cap=Cap(3, d("7d")))
SATURDAY = at("03-07 09:00")


def release(decision: Decision) -> Release:
    found = decision.effects[0]
    assert isinstance(found, Release)
    return found


class TestPermission:
    @pytest.mark.parametrize("reason", ["no consent", "no address", "suppressed", "jurisdiction"])
    def test_s25_a_refused_mail_does_not_stop_the_enrollment(self, reason: str) -> None:
        of = plan(mail("a"), p.AddTag(id="t", tag_name="x"))
        decision = decide(of, enrolled(of), facts(permission={"offers": reason}), MONDAY)
        assert names(decision) == [f"refused a {reason}", "tagged x", "ended finished"]

    def test_the_sends_own_topic_is_asked(self) -> None:
        of = plan(mail("a", topic="news"))
        decision = decide(of, enrolled(of), facts(permission={"offers": "ok", "news": "no consent"}), MONDAY)
        assert names(decision)[0] == "refused a no consent"

    def test_a_topic_nobody_answered_for_is_no_consent(self) -> None:
        of = plan(mail("a"), topic=None)
        assert names(decide(of, enrolled(of), facts(), MONDAY))[0] == "refused a no consent"

    def test_service_mail_asks_for_no_topic(self) -> None:
        of = plan(mail("a", service=True))
        released = release(decide(of, enrolled(of), facts(permission={}), MONDAY))
        assert (released.service, released.topic) == (True, None)

    def test_a_suppressed_address_gets_no_service_mail_either(self) -> None:
        of = plan(mail("a", service=True))
        assert names(decide(of, enrolled(of), facts(service="suppressed"), MONDAY))[0] == "refused a suppressed"

    def test_the_staging_guard_refuses(self) -> None:
        of = plan(mail("a"))
        assert names(decide(of, enrolled(of), facts(test_mode=True), MONDAY))[0] == "refused a test mode"

    def test_consent_is_asked_before_lateness(self) -> None:
        of = plan(mail("a", if_late=p.IfLate(d("1h"), "exit")))
        decision = decide(of, enrolled(of, MONDAY), facts(permission={"offers": "no consent"}), MONDAY + DAY)
        assert names(decision)[0] == "refused a no consent"

    def test_if_is_asked_before_consent(self) -> None:
        of = plan(mail("a", only_if=0), conditions=(CLICKED,))
        decision = decide(of, enrolled(of), facts({0: False}, permission={}), MONDAY)
        assert names(decision)[0] == "skipped a if"

    def test_exit_is_asked_before_if(self) -> None:
        of = plan(mail("a", only_if=0), conditions=(CLICKED, CLICKED), exits=(exit_if(1),))
        decision = decide(of, enrolled(of), facts({0: False, 1: True}), MONDAY)
        assert names(decision) == ["ended exited match"]


class TestWindows:
    def test_outside_the_window_it_stands_on_the_send_until_it_opens(self) -> None:
        of = plan(mail("a"), window=OFFICE)
        after = decide(of, enrolled(of, SATURDAY), facts(), SATURDAY).after
        assert (after.step, after.held, after.wake, after.due) == ("a", "window", at("03-09 08:00"), SATURDAY)

    def test_all_is_asked_again_when_it_opens(self) -> None:
        of = plan(mail("a", only_if=0), conditions=(CLICKED,), window=OFFICE)
        held = decide(of, enrolled(of, SATURDAY), facts({0: True}), SATURDAY).after
        assert names(decide(of, held, facts({0: False}), at("03-09 08:00")))[0] == "skipped a if"

    def test_a_deferral_keeps_its_visit(self) -> None:
        of = plan(mail("a"), window=OFFICE)
        held = decide(of, enrolled(of, SATURDAY, visit=4), facts(), SATURDAY).after
        assert release(decide(of, held, facts(), at("03-09 08:00"))).visit == 4

    def test_a_deferral_is_said_once(self) -> None:
        of = plan(mail("a"), window=OFFICE)
        held = decide(of, enrolled(of, SATURDAY), facts(), SATURDAY)
        again = decide(of, held.after, facts(), SATURDAY + DAY / 2)
        assert (names(held), names(again)) == (["deferred a window"], [])

    def test_the_projects_window_holds_where_the_campaign_has_none(self) -> None:
        of = plan(mail("a"))
        project = msgspec.structs.replace(PROJECT, window=OFFICE)
        assert decide(of, enrolled(of), facts(project=project), SATURDAY).after.held == "window"

    def test_a_sends_own_window_overrides(self) -> None:
        of = plan(mail("a", window=Window()), window=OFFICE)
        assert kinds(decide(of, enrolled(of), facts(), SATURDAY)) == ["Release"]

    def test_a_send_may_lift_the_window(self) -> None:
        of = plan(mail("a", no_window=True), window=OFFICE)
        assert release(decide(of, enrolled(of), facts(), SATURDAY)).window is None

    def test_service_mail_keeps_no_window_but_its_own(self) -> None:
        of = plan(mail("a", service=True), mail("b", service=True, window=OFFICE), window=OFFICE)
        first = decide(of, enrolled(of), facts(), SATURDAY)
        assert kinds(first) == ["Release"]
        assert decide(of, first.after, facts(), SATURDAY).after.held == "window"

    def test_a_window_that_never_opens_parks_it(self) -> None:
        of = plan(mail("a"), window=Window(days=()))
        after = decide(of, enrolled(of), facts(), MONDAY).after
        assert (after.state, after.error) == ("parked", "this window never opens")

    def test_s29_a_moved_lead_is_asked_on_its_new_clock(self) -> None:
        of = plan(mail("a"), window=OFFICE)
        held = decide(of, enrolled(of), facts(zone=ZURICH), at("03-02 19:30")).after
        assert kinds(decide(of, held, facts(zone="America/New_York"), at("03-02 20:00"))) == ["Release"]


class TestCap:
    def test_s22_under_the_cap_it_goes(self) -> None:
        of = plan(mail("a"))
        assert kinds(decide(of, enrolled(of), facts(project=CAPPED), MONDAY)) == ["Release"]

    def test_s22_at_the_cap_it_waits_until_the_nth_release_is_old_enough(self) -> None:
        of = plan(mail("a"))
        decision = decide(of, enrolled(of), facts(project=CAPPED, nth_release=at("02-25 12:00")), MONDAY)
        assert (names(decision), decision.after.wake) == (["deferred a cap"], at("03-04 12:00"))

    def test_s22_exactly_when_the_time_has_passed_it_goes(self) -> None:
        of = plan(mail("a"))
        known = facts(project=CAPPED, nth_release=MONDAY - 7 * DAY)
        assert kinds(decide(of, enrolled(of), known, MONDAY)) == ["Release"]

    def test_s22_the_next_instant_suits_cap_and_window_at_once(self) -> None:
        of = plan(mail("a"), window=OFFICE)
        known = facts(project=CAPPED, nth_release=at("02-28 12:00"))  # frees on Saturday
        assert decide(of, enrolled(of), known, MONDAY).after.wake == at("03-09 08:00")

    def test_service_mail_knows_no_cap(self) -> None:
        of = plan(mail("a", service=True))
        assert kinds(decide(of, enrolled(of), facts(project=CAPPED, nth_release=MONDAY), MONDAY)) == ["Release"]

    def test_without_a_cap_old_releases_do_not_matter(self) -> None:
        of = plan(mail("a"))
        assert kinds(decide(of, enrolled(of), facts(project=Project(), nth_release=MONDAY), MONDAY)) == ["Release"]


class TestLateness:
    def of(self, do: str) -> p.Plan:
        return plan(mail("a", if_late=p.IfLate(d("1d"), do)), mail("b"), window=OFFICE)  # type: ignore[arg-type]

    def test_s23_a_skip_happens_now_and_not_after_the_wait(self) -> None:
        decision = decide(self.of("skip"), enrolled(self.of("skip"), SATURDAY), facts(), SATURDAY)
        assert names(decision) == ["skipped a late", "deferred b window"]

    def test_s23_an_exit_happens_now(self) -> None:
        decision = decide(self.of("exit"), enrolled(self.of("exit"), SATURDAY), facts(), SATURDAY)
        assert names(decision) == ["skipped a late", "ended exited late"]

    def test_sending_late_is_what_happens_without_a_rule(self) -> None:
        decision = decide(self.of("send"), enrolled(self.of("send"), SATURDAY), facts(), SATURDAY)
        assert names(decision) == ["deferred a window"]

    def test_exactly_as_late_as_allowed_is_not_too_late(self) -> None:
        of = plan(mail("a", if_late=p.IfLate(d("2h"), "skip")))
        assert kinds(decide(of, enrolled(of), facts(), MONDAY + timedelta(hours=2))) == ["Release"]

    def test_s23_the_cap_makes_it_late_too(self) -> None:
        of = plan(mail("a", if_late=p.IfLate(d("1d"), "skip")))
        known = facts(project=CAPPED, nth_release=at("02-25 12:00"))
        assert names(decide(of, enrolled(of), known, MONDAY))[0] == "skipped a late"

    def test_a_mail_after_a_release_is_due_at_the_release(self) -> None:
        of = plan(mail("a"), mail("b"), window=OFFICE)
        opened = at("03-09 08:00")
        held = decide(of, enrolled(of, SATURDAY), facts(), opened).after
        assert (held.step, held.due) == ("b", opened)

    def test_a_mail_after_a_refusal_is_due_when_that_was(self) -> None:
        of = plan(mail("a", topic="news"), mail("b"))
        decision = decide(of, enrolled(of), facts(), MONDAY + DAY)
        assert release(decision).due == MONDAY


class TestOneAfterTheOther:
    def of(self) -> p.Plan:
        return plan(mail("a"), mail("b"))

    def test_s18_the_second_mail_waits_until_the_first_has_left(self) -> None:
        first = decide(self.of(), enrolled(self.of()), facts(), MONDAY)
        assert (kinds(first), first.after.step, first.after.held) == (["Release"], "b", "earlier mail")

    def test_s18_while_the_first_is_underway_the_second_stands(self) -> None:
        held = decide(self.of(), enrolled(self.of()), facts(), MONDAY).after
        decision = decide(self.of(), held, facts(mail_underway=True), MONDAY + DAY)
        assert (kinds(decision), decision.after.held) == ([], "earlier mail")

    def test_s18_when_the_first_has_left_the_second_goes(self) -> None:
        held = decide(self.of(), enrolled(self.of()), facts(), MONDAY).after
        assert release(decide(self.of(), held, facts(), MONDAY)).template == "b"

    def test_s18_a_mail_too_late_behind_another_is_skipped(self) -> None:
        of = plan(mail("a", if_late=p.IfLate(d("1d"), "skip")))
        held = decide(of, enrolled(of), facts(mail_underway=True), MONDAY).after
        assert names(decide(of, held, facts(mail_underway=True), MONDAY + 2 * DAY))[0] == "skipped a late"

    def test_s18_other_steps_do_not_wait_for_a_mail(self) -> None:
        of = plan(mail("a"), p.AddTag(id="t", tag_name="x"))
        assert kinds(decide(of, enrolled(of), facts(), MONDAY)) == ["Release", "AddTag"]

    def test_s21_a_second_late_marketing_mail_waits_for_the_next_pass(self) -> None:
        of = plan(mail("a"))
        now = MONDAY + DAY
        decision = decide(of, enrolled(of), facts(late_marketing_done=True), now)
        assert (kinds(decision), decision.after.wake, decision.after.due) == ([], now + timedelta(seconds=1), MONDAY)

    def test_s21_a_late_one_says_that_it_was_late(self) -> None:
        of = plan(mail("a"))
        assert [release(decide(of, enrolled(of), facts(), now)).late for now in (MONDAY, MONDAY + DAY)] == [False, True]

    def test_s21_a_punctual_one_does_not_wait_for_a_late_one(self) -> None:
        of = plan(mail("a"))
        assert kinds(decide(of, enrolled(of), facts(late_marketing_done=True), MONDAY)) == ["Release"]

    def test_s21_service_mail_is_never_late_in_this_sense(self) -> None:
        of = plan(mail("a", service=True))
        assert kinds(decide(of, enrolled(of), facts(late_marketing_done=True), MONDAY + DAY)) == ["Release"]


class TestWhatIsReleased:
    VARIANTS = (("plain", 50.0), ("story", 50.0))

    def drawn(self, who: Enrollment | None = None, **more: object) -> Decision:
        of = plan(p.Send(id="launch", variants=self.VARIANTS))
        return decide(of, who or enrolled(of), facts(**more), MONDAY)  # type: ignore[arg-type]

    def test_a_variant_is_drawn_and_kept(self) -> None:
        decision = self.drawn()
        assert decision.after.arms == {"launch": release(decision).template}
        assert release(decision).variant

    def test_s21_a_drawn_variant_is_not_drawn_again(self) -> None:
        of = plan(p.Send(id="launch", variants=self.VARIANTS))
        for name in ("plain", "story"):
            assert release(self.drawn(enrolled(of, arms={"launch": name}))).template == name

    def test_the_winner_of_a_pick_takes_all(self) -> None:
        for name in ("plain", "story"):
            assert release(self.drawn(winners={"launch": name})).template == name

    def test_a_winner_this_version_does_not_have_is_not_sent(self) -> None:
        assert release(self.drawn(winners={"launch": "gone"})).template in ("plain", "story")

    def test_from_owner_is_the_owners_address(self) -> None:
        of = plan(mail("a", sender="owner"))
        assert release(decide(of, enrolled(of), facts(owner="lea@example.com"), MONDAY)).sender == "lea@example.com"

    def test_from_owner_without_an_owner_is_the_sender(self) -> None:
        of = plan(mail("a", sender="owner"))
        assert release(decide(of, enrolled(of), facts(), MONDAY)).sender is None

    def test_the_window_goes_with_it_to_the_wire(self) -> None:
        window = Window(opens=ClockTime(0))
        of = plan(mail("a", window=window))
        assert release(decide(of, enrolled(of), facts(), MONDAY)).window == window

    def test_r10_a_year_forward_is_one_late_mail_and_not_a_burst(self) -> None:
        of = plan(*(mail(f"m{n}") for n in range(5)))
        far = datetime(2027, 3, 2, 9, tzinfo=MONDAY.tzinfo)
        assert kinds(decide(of, enrolled(of), facts(), far)) == ["Release"]
